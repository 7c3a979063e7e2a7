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
use super::truth::Known;
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

    /// The same with clocks that are right; see [`Model::with_clock`].
    #[must_use]
    pub fn with_clocks(mut self, began_s: (f64, f64)) -> Self {
        for served in self.units.values_mut().flatten() {
            served.model = served.model.clone().with_clock(began_s);
        }
        self
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

    /// What its meters can tell of energy.
    pub fn known(&self) -> impl Iterator<Item = Known> {
        self.units.values().flatten().map(|meter| Known {
            meter: Arc::clone(&meter.id),
            model: meter.model.clone(),
            quantities: meter.registers.iter().map(|one| one.quantity).collect(),
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
#[path = "unit_tests.rs"]
mod tests;
