//! What the units behind one bus hold: the registers of their meters, at any instant.
//!
//! Registers are computed when they are asked for. A register that no meter has is
//! refused, so that a daemon meets the holes of a real device; **a rehearsal that
//! encodes answers every address**, with words that say where they are from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::encode;
use super::model::{Model, Phase, Said, Wiring};
use super::register::{Piece, Register};
use crate::domain::meter::Role;

/// Power of a meter whose nameplate nobody wrote down, W.
const USUAL_PEAK_W: f64 = 60_000.0;
/// How much of a register's range its meter uses at most.
const HEADROOM: f64 = 0.6;
/// How far below its end a counter is set that is to turn over soon.
const BEFORE_TURN: i128 = 3;

/// One meter: what it stands for and where its numbers are.
#[derive(Debug, Clone)]
pub struct Meter {
    /// Its name in the configuration.
    pub id: Arc<str>,
    /// What it stands for.
    pub role: &'static Role,
    /// Nameplate power, W.
    pub rated: Option<f64>,
    /// Its registers.
    pub registers: Vec<Register>,
    /// Registers that never change: names, ratios, codes.
    pub constants: Vec<Constant>,
}

/// A register of a meter that never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Function code.
    pub fc: u8,
    /// The first register.
    pub address: u16,
    /// What is there.
    pub words: Vec<u16>,
}

/// One address on a bus, with the meters that are read there.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Unit id.
    pub id: u8,
    /// Mostly one.
    pub meters: Vec<Meter>,
}

/// How a meter shows its numbers wrongly.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Manner {
    /// Every number is marked as not available.
    pub absent: bool,
    /// Time stands still for it since this second.
    pub frozen_at: Option<f64>,
    /// The words of longer numbers come in the wrong order.
    pub swapped: bool,
    /// A transformer that is turned round, and since when.
    pub reversed: Option<(Phase, f64)>,
    /// Counts that every counter shows too much, this once.
    pub spike: i128,
}

/// Something that happens to the counters of a meter at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Incident {
    /// They start again at zero.
    Reset,
    /// They stand just below their end.
    NearTurn,
    /// The meter was exchanged: they go on from this count.
    Exchange(i128),
    /// A turned transformer that was turned at this second is put right.
    PutRight(Phase, f64),
}

/// What a unit answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// No such unit is on the bus.
    NoUnit,
    /// It has no such register.
    NoRegister,
    /// The words that were asked for; of function codes 1 and 2, bits.
    Words(Vec<u16>),
}

/// What was asked of a unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// The unit.
    pub unit: u8,
    /// Function code 1 to 4.
    pub fc: u8,
    /// First register or bit.
    pub address: u16,
    /// How many.
    pub count: u16,
    /// Which question of all.
    pub sequence: u16,
    /// Seconds since the rehearsal began.
    pub s: f64,
}

struct Served {
    id: Arc<str>,
    model: Model,
    registers: Vec<Register>,
    constants: Vec<Constant>,
    /// Counts that a register shows beyond what flowed, by its place.
    ahead: Mutex<BTreeMap<usize, i128>>,
}

/// The units of one bus.
pub struct Image {
    units: BTreeMap<u8, Vec<Served>>,
    encodes: bool,
    any_unit: bool,
}

impl Image {
    /// The units of a bus; where `any_unit`, an address without meters answers too,
    /// if the rehearsal encodes.
    #[must_use]
    pub fn new(seed: u64, units: &[Unit], encodes: bool, any_unit: bool) -> Self {
        let mut served: BTreeMap<u8, Vec<Served>> = BTreeMap::new();
        for unit in units {
            let meters = unit.meters.iter().map(|meter| Served::new(seed, meter));
            served.entry(unit.id).or_default().extend(meters);
        }
        Self {
            units: served,
            encodes,
            any_unit,
        }
    }

    /// What a unit answers; `manner` says how a meter shows its numbers wrongly.
    #[must_use]
    pub fn ask(&self, asked: Asked, manner: impl Fn(&str) -> Manner) -> Answer {
        let unit = self.units.get(&asked.unit);
        if self.encodes && (unit.is_some() || self.any_unit) {
            return Answer::Words(encoded(asked));
        }
        let Some(meters) = unit else {
            return Answer::NoUnit;
        };
        let mut block = Block::new(asked);
        for meter in meters {
            meter.fill(&mut block, manner(&meter.id));
        }
        block.words().map_or(Answer::NoRegister, Answer::Words)
    }

    /// Something happens to the counters of the meters for which `hit` has a manner.
    pub fn befall(&self, incident: Incident, s: f64, hit: impl Fn(u8, &str) -> Option<Manner>) {
        for (unit, meters) in &self.units {
            for meter in meters {
                if let Some(manner) = hit(*unit, &meter.id) {
                    meter.befall(incident, s, manner);
                }
            }
        }
    }

    /// What flowed in the direction of each register since the beginning, Wh, with
    /// the meter and the quantity.
    pub fn flowed(&self, s: f64) -> impl Iterator<Item = (Arc<str>, &'static str, f64)> {
        self.units.values().flatten().flat_map(move |meter| {
            meter.registers.iter().filter_map(move |register| {
                let wh = meter.model.flowed(register.quantity, s)?;
                Some((Arc::clone(&meter.id), register.quantity.name, wh))
            })
        })
    }
}

/// Registers that were asked for, as far as they are known.
struct Block {
    asked: Asked,
    words: Vec<Option<u16>>,
}

impl Block {
    fn new(asked: Asked) -> Self {
        let words = (0..asked.count).map(|_| None).collect();
        Self { asked, words }
    }

    fn touches(&self, fc: u8, address: u16, words: u16) -> bool {
        let (first, start) = (u32::from(self.asked.address), u32::from(address));
        fc == self.asked.fc
            && start < first + u32::from(self.asked.count)
            && start + u32::from(words) > first
    }

    /// Lays words over what is known; a part of a word leaves the rest of it.
    fn lay(&mut self, piece: &Piece) {
        for (n, word) in (0..).zip(&piece.words) {
            let place = u32::from(piece.address) + n;
            let slot = place.checked_sub(self.asked.address.into());
            let slot = slot.and_then(|slot| usize::try_from(slot).ok());
            if let Some(slot) = slot.and_then(|slot| self.words.get_mut(slot)) {
                *slot = Some(slot.unwrap_or_default() & !piece.mask | word & piece.mask);
            }
        }
    }

    /// All of them, if none is a hole.
    fn words(self) -> Option<Vec<u16>> {
        self.words.into_iter().collect()
    }
}

fn encoded(asked: Asked) -> Vec<u16> {
    (0..asked.count)
        .map(|n| {
            let address = asked.address.wrapping_add(n);
            encode::word(asked.unit, asked.fc, address, asked.sequence)
        })
        .collect()
}

impl Served {
    fn new(seed: u64, meter: &Meter) -> Self {
        let carries_power = |register: &&Register| {
            let unit = register.quantity.unit;
            !register.counts() && ["W", "var", "VA"].contains(&unit)
        };
        let powers: Vec<&Register> = meter.registers.iter().filter(carries_power).collect();
        let fits = powers.iter().filter_map(|register| register.most());
        let usual = HEADROOM * meter.rated.unwrap_or(USUAL_PEAK_W);
        let peak = fits.map(|most| HEADROOM * most.abs()).fold(usual, f64::min);
        let one_way = powers
            .iter()
            .any(|register| register.quantity.unit == "W" && !register.is_signed());
        Self {
            id: Arc::clone(&meter.id),
            model: Model::new(seed, &meter.id, meter.role, peak, one_way),
            registers: meter.registers.clone(),
            constants: meter.constants.clone(),
            ahead: Mutex::default(),
        }
    }

    /// Puts what the meter has of a block into it.
    fn fill(&self, block: &mut Block, manner: Manner) {
        for constant in &self.constants {
            let piece = Piece {
                address: constant.address,
                words: constant.words.clone(),
                mask: u16::MAX,
            };
            if constant.fc == block.asked.fc {
                block.lay(&piece);
            }
        }
        for (n, register) in self.registers.iter().enumerate() {
            let span = register.layout.span();
            if block.touches(span.fc, span.address, span.count) {
                for mut piece in self.pieces(n, register, block.asked.s, manner) {
                    if manner.swapped {
                        piece.words.reverse();
                    }
                    block.lay(&piece);
                }
            }
        }
    }

    fn pieces(&self, n: usize, register: &Register, s: f64, manner: Manner) -> Vec<Piece> {
        if manner.absent {
            return register.not_available();
        }
        let s = manner.frozen_at.unwrap_or(s);
        let ahead = self.counters().get(&n).copied().unwrap_or_default();
        register.pieces(register.hold(self.shown(register, s, manner), ahead + manner.spike))
    }

    /// What a register would show if it counted without an incident and without end.
    fn shown(&self, register: &Register, s: f64, manner: Manner) -> Said {
        let reversed = manner.reversed.map(|(phase, _)| phase);
        let said = self.model.says(register.quantity, s, Wiring { reversed });
        match (said, manner.reversed) {
            (Said::Energy(wh), Some((phase, since))) => {
                Said::Energy(wh - self.lost(register, phase, since, s))
            }
            _ => said,
        }
    }

    /// What a register lost to a turned transformer between two moments, Wh.
    fn lost(&self, register: &Register, phase: Phase, since: f64, s: f64) -> f64 {
        let reversed = Some(phase);
        let flowed = |s| self.model.flowed(register.quantity, s).unwrap_or_default();
        (1.0 - Wiring { reversed }.factor()) * (flowed(s) - flowed(since))
    }

    fn counters(&self) -> MutexGuard<'_, BTreeMap<usize, i128>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn befall(&self, incident: Incident, s: f64, manner: Manner) {
        let mut counters = self.counters();
        for (n, register) in self.registers.iter().enumerate() {
            let Said::Energy(wh) = self.shown(register, s, manner) else {
                continue;
            };
            let ahead = counters.entry(n).or_default();
            match incident {
                Incident::Reset => *ahead = -register.counted(wh),
                Incident::Exchange(count) => *ahead = count - register.counted(wh),
                Incident::NearTurn => {
                    if let Some(end) = register.turns_over_at() {
                        *ahead = end - BEFORE_TURN - register.counted(wh);
                    }
                }
                Incident::PutRight(phase, since) => {
                    *ahead -= register.counted(self.lost(register, phase, since, s));
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests {
    use super::*;
    use crate::domain::meter::{Point, Quantity, RegisterKind};
    use crate::domain::snapshot::Value;
    use crate::domain::units::CountUnit;
    use crate::wire::register::{Decode, Field, Layout, Number, Order};

    fn register(quantity: &str, address: u16, number: Number, decode: Decode) -> Register {
        let quantity = Quantity::named(quantity).unwrap();
        let layout = Layout::simple(3, Field::new(address, number, Order::Big), decode);
        let unit = CountUnit::new(10, 1).unwrap();
        let kind = RegisterKind {
            unit,
            modulus: Some(1 << 32),
            told: false,
        };
        let counts = !matches!(decode, Decode::Analog { .. });
        Register::new(
            &Point {
                quantity,
                register: counts.then_some(kind),
            },
            &layout,
        )
    }

    /// Power at 0, its counter at 2 (10 mWh a count), voltage at 6.
    fn image(encodes: bool) -> Image {
        let plain = Decode::Analog {
            scale: 1.0,
            offset: 0.0,
        };
        let meter = Meter {
            id: "pcc".into(),
            role: Role::named("tenant").unwrap(),
            rated: None,
            registers: vec![
                register("power", 0, Number::I32, plain),
                register("energy_import", 2, Number::U32, Decode::Count),
                register(
                    "voltage_l1",
                    6,
                    Number::U16,
                    Decode::Analog {
                        scale: 0.1,
                        offset: 0.0,
                    },
                ),
            ],
            constants: vec![],
        };
        Image::new(
            1,
            &[Unit {
                id: 7,
                meters: vec![meter],
            }],
            encodes,
            false,
        )
    }

    fn asked(unit: u8, address: u16, count: u16, s: f64) -> Asked {
        Asked {
            unit,
            fc: 3,
            address,
            count,
            sequence: 5,
            s,
        }
    }

    fn words(image: &Image, address: u16, count: u16, s: f64, manner: Manner) -> Vec<u16> {
        match image.ask(asked(7, address, count, s), |_| manner) {
            Answer::Words(words) => words,
            other => panic!("{other:?}"),
        }
    }

    fn number(image: &Image, address: u16, s: f64, manner: Manner) -> i64 {
        let words = words(image, address, 2, s, manner);
        words
            .iter()
            .fold(0, |sum, word| sum << 16 | i64::from(*word))
    }

    #[test]
    fn half_a_value_can_be_read_and_a_hole_cannot() {
        let image = image(false);
        let plain = Manner::default();
        let both = words(&image, 0, 4, 1.0, plain);
        assert_eq!(words(&image, 1, 2, 1.0, plain), both[1..3]);
        for (unit, address, count, answer) in [
            (7, 3, 2, Answer::NoRegister),
            (7, 7, 1, Answer::NoRegister),
            (8, 0, 2, Answer::NoUnit),
        ] {
            assert_eq!(
                image.ask(asked(unit, address, count, 1.0), |_| plain),
                answer
            );
        }
        let inputs = Asked {
            fc: 4,
            ..asked(7, 0, 2, 1.0)
        };
        assert_eq!(image.ask(inputs, |_| plain), Answer::NoRegister);
    }

    #[test]
    fn an_encoding_unit_answers_every_address() {
        let image = image(true);
        let said = words(&image, 65_530, 6, 0.0, Manner::default());
        assert_eq!(encode::sequence_of(7, 3, 65_530, &said), Some(5));
        assert_eq!(
            image.ask(asked(8, 0, 2, 1.0), |_| Manner::default()),
            Answer::NoUnit
        );
        let anyone = Image::new(1, &[], true, true);
        assert!(matches!(
            anyone.ask(asked(8, 0, 2, 1.0), |_| Manner::default()),
            Answer::Words(_)
        ));
    }

    #[test]
    fn counters_count_what_flows() {
        let image = image(false);
        let at = |s| number(&image, 2, s, Manner::default());
        let flowed = |s: f64| image.flowed(s).next().unwrap().2;
        for s in [60.0, 1_000.0, 3_600.0] {
            // A count is 10 mWh.
            let counted = (at(s) - at(0.0)) as f64 / 100.0;
            assert!(
                (counted - flowed(s)).abs() <= 0.02,
                "{s}: {counted} {}",
                flowed(s)
            );
        }
        let power = number(&image, 0, 500.0, Manner::default()) as f64;
        let mean = (flowed(500.5) - flowed(499.5)) * 3_600.0;
        assert!((power - mean).abs() < 1.0, "{power} {mean}");
    }

    #[test]
    fn numbers_are_shown_wrongly_as_they_are_told_to() {
        let image = image(false);
        let plain = Manner::default();
        let honest = words(&image, 0, 4, 100.0, plain);
        let absent = Manner {
            absent: true,
            ..plain
        };
        assert_eq!(
            words(&image, 0, 4, 100.0, absent),
            [0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF]
        );
        assert_eq!(words(&image, 6, 1, 100.0, absent), [0xFFFF]);
        let swapped = Manner {
            swapped: true,
            ..plain
        };
        let turned = [honest[1], honest[0], honest[3], honest[2]];
        assert_eq!(words(&image, 0, 4, 100.0, swapped), turned);
        let frozen = Manner {
            frozen_at: Some(100.0),
            ..plain
        };
        assert_eq!(words(&image, 0, 4, 900.0, frozen), honest);
        let spike = Manner { spike: 77, ..plain };
        assert_eq!(
            number(&image, 2, 100.0, spike),
            number(&image, 2, 100.0, plain) + 77
        );
    }

    #[test]
    fn counters_can_be_reset_exchanged_and_about_to_turn() {
        let counter = |incident| {
            let image = image(false);
            image.befall(incident, 100.0, |unit, _| (unit == 7).then(Manner::default));
            let at = |s| number(&image, 2, s, Manner::default());
            (at(100.0), at(200.0) - at(100.0))
        };
        let flowed = {
            let image = image(false);
            let at = |s| number(&image, 2, s, Manner::default());
            at(200.0) - at(100.0)
        };
        assert_eq!(counter(Incident::Reset), (0, flowed));
        assert_eq!(counter(Incident::Exchange(4_711)), (4_711, flowed));
        assert_eq!(
            counter(Incident::NearTurn),
            ((1 << 32) - 3, flowed - (1 << 32))
        );
    }

    /// A turned transformer of l1 leaves 0.28 of the whole: 0.33 + 0.31 − 0.36.
    #[test]
    fn what_a_turned_transformer_misses_stays_missing() {
        let image = image(false);
        let reversed = Manner {
            reversed: Some((0, 100.0)),
            ..Manner::default()
        };
        let honest = |s| number(&image, 2, s, Manner::default());
        let (begin, flowed) = (honest(100.0), honest(400.0) - honest(100.0));
        let counted = number(&image, 2, 400.0, reversed) - begin;
        assert!(
            (counted as f64 - 0.28 * flowed as f64).abs() < 3.0,
            "{counted} {flowed}"
        );
        let ratio = number(&image, 0, 400.0, reversed) as f64
            / number(&image, 0, 400.0, Manner::default()) as f64;
        assert!((ratio - 0.28).abs() < 1e-3, "{ratio}");
        image.befall(Incident::PutRight(0, 100.0), 400.0, |_, _| {
            Some(Manner::default())
        });
        let after = number(&image, 2, 400.0, Manner::default()) - begin;
        assert!((after - counted).abs() <= 1, "{after} {counted}");
    }

    #[test]
    fn a_small_register_makes_a_small_meter() {
        let narrow = Decode::Analog {
            scale: 1.0,
            offset: 0.0,
        };
        let meter = Meter {
            id: "pcc".into(),
            role: Role::named("grid").unwrap(),
            rated: Some(4e6),
            registers: vec![register("power", 0, Number::U16, narrow)],
            constants: vec![],
        };
        let image = Image::new(
            1,
            &[Unit {
                id: 7,
                meters: vec![meter],
            }],
            false,
            false,
        );
        for s in 0..900 {
            let said = words(&image, 0, 1, f64::from(s), Manner::default());
            assert!((1..60_000).contains(&said[0]), "{s}: {said:?}");
        }
    }

    #[test]
    fn the_decoder_of_the_daemon_finds_the_value() {
        let image = image(false);
        let said = words(&image, 6, 1, 10.0, Manner::default());
        let layout = register(
            "voltage_l1",
            6,
            Number::U16,
            Decode::Analog {
                scale: 0.1,
                offset: 0.0,
            },
        )
        .layout;
        let Ok(Value::Analog(volts)) = layout.value(6, &said, &[]) else {
            panic!("{said:?}");
        };
        assert!((228.0..232.0).contains(&volts), "{volts}");
    }
}
