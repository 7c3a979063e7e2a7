//! The park as its devices see it at any instant, with the faults they have.
//!
//! Nobody pushes the park along: whoever asks first in a new second makes it live
//! up to that second, so a late task changes no number. Registers never run back;
//! where the wall clock does, the park stands still until it is caught up with.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::park::register::Held;
use super::park::{Device, Point, Source, all_devices};
use super::physics::Physics;
use super::physics::gauge::Gauge;
use super::physics::terminal::{Direction, MilliJ, Terminal, watts};
use crate::domain::units::{to_f64, to_i64};

/// A jump of the clock by more than this is lived through in coarse steps, s.
const COARSE_AFTER_S: i64 = 900;

/// No meter of the park has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the simulated park has no meter `{0}`")]
pub struct NoSuchMeter(pub String);

/// What is wrong with a meter.
#[derive(Debug, Clone)]
struct Fault {
    dead: bool,
    not_available: bool,
    scale: f64,
    anchors: Vec<Anchor>,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            dead: false,
            not_available: false,
            scale: 1.0,
            anchors: Vec::new(),
        }
    }
}

/// Where a register stood when the scale of its meter changed.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    terminal: Terminal,
    direction: Direction,
    shown: MilliJ,
    flowed: MilliJ,
}

/// What a device answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing at all: it is dead.
    Silence,
    /// The words that were asked for.
    Words(Vec<u16>),
    /// There is no such register.
    NoSuchAddress,
}

struct State {
    physics: Physics,
    faults: BTreeMap<&'static str, Fault>,
}

/// The park now.
pub struct Live {
    state: Mutex<State>,
}

impl Live {
    /// A park that goes on from where its model stands.
    #[must_use]
    pub fn new(physics: Physics) -> Self {
        Self {
            state: Mutex::new(State {
                physics,
                faults: BTreeMap::new(),
            }),
        }
    }

    /// The state, grown up to an instant.
    fn at(&self, now: Timestamp) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves numbers that are whole: each step ends before
        // the lock is let go.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now.as_second();
        let behind = second - state.physics.second();
        state.physics.run_to(second, behind > COARSE_AFTER_S);
        state
    }

    /// The second that the park has reached.
    #[must_use]
    pub fn reached(&self) -> i64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.physics.second()
    }

    /// Energy by flow between two whole seconds, Wh; see [`super::Simulation::truth`].
    #[must_use]
    pub fn between(
        &self,
        start: i64,
        end: i64,
        now: Timestamp,
    ) -> Option<Vec<(&'static str, f64)>> {
        self.at(now).physics.truth().between(start, end)
    }

    /// Net energy through a terminal between two whole seconds, Wh.
    #[must_use]
    pub fn through(&self, terminal: Terminal, start: i64, end: i64, now: Timestamp) -> Option<f64> {
        self.at(now).physics.truth().through(terminal, start, end)
    }

    /// What an instrument shows.
    #[must_use]
    pub fn gauge(&self, gauge: Gauge, now: Timestamp) -> f64 {
        self.at(now).physics.gauge(gauge)
    }

    /// What a device answers when so many registers (or bits) are asked for.
    #[must_use]
    pub fn ask(
        &self,
        device: &'static Device,
        fc: u8,
        address: u16,
        count: u16,
        now: Timestamp,
    ) -> Answer {
        let state = self.at(now);
        let fault = state.faults.get(device.id);
        if fault.is_some_and(|fault| fault.dead) {
            return Answer::Silence;
        }
        let (first, end) = (u32::from(address), u32::from(address) + u32::from(count));
        let mut words: Vec<Option<u16>> = (first..end).map(|_| None).collect();
        for point in device.points.iter().filter(|point| point.fc == fc) {
            let start = u32::from(point.address);
            if start >= end || start + u32::from(point.number.words()) <= first {
                continue;
            }
            let held = state.held(device, point, now.as_millisecond());
            for (place, word) in (start..).zip(point.words(held)) {
                let slot = place
                    .checked_sub(first)
                    .and_then(|n| usize::try_from(n).ok());
                if let Some(slot) = slot.and_then(|slot| words.get_mut(slot)) {
                    *slot = Some(word);
                }
            }
        }
        words
            .into_iter()
            .collect::<Option<Vec<u16>>>()
            .map_or(Answer::NoSuchAddress, Answer::Words)
    }

    /// A device does not answer any more, or answers again.
    ///
    /// # Errors
    ///
    /// [`NoSuchMeter`].
    pub fn set_dead(&self, id: &str, dead: bool) -> Result<(), NoSuchMeter> {
        let device = find(id)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.faults.entry(device.id).or_default().dead = dead;
        Ok(())
    }

    /// A device says NaN in all its floats, or numbers again.
    ///
    /// # Errors
    ///
    /// [`NoSuchMeter`].
    pub fn set_not_available(&self, id: &str, on: bool) -> Result<(), NoSuchMeter> {
        let device = find(id)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.faults.entry(device.id).or_default().not_available = on;
        Ok(())
    }

    /// A device measures so many times what flows, from `now` on: registers go on
    /// from where they stand.
    ///
    /// # Errors
    ///
    /// [`NoSuchMeter`].
    pub fn set_scale(&self, id: &str, scale: f64, now: Timestamp) -> Result<(), NoSuchMeter> {
        let device = find(id)?;
        let mut state = self.at(now);
        let at_ms = now.as_millisecond();
        let mut anchors = Vec::new();
        for point in device.points {
            if let Source::Energy(terminal, direction) = point.source {
                anchors.push(Anchor {
                    terminal,
                    direction,
                    shown: state.shown(device, terminal, direction, at_ms),
                    flowed: state.physics.counted(terminal, direction, at_ms),
                });
            }
        }
        let fault = state.faults.entry(device.id).or_default();
        fault.scale = scale;
        fault.anchors = anchors;
        Ok(())
    }
}

fn find(id: &str) -> Result<&'static Device, NoSuchMeter> {
    all_devices()
        .find(|device| device.id == id)
        .ok_or_else(|| NoSuchMeter(id.to_owned()))
}

impl State {
    /// What a register holds, faults and all.
    fn held(&self, device: &'static Device, point: &Point, at_ms: i64) -> Held {
        let held = match point.source {
            Source::Energy(terminal, direction) => {
                point.hold_energy(device, self.shown(device, terminal, direction, at_ms))
            }
            source => {
                let fault = self.faults.get(device.id);
                let scale = fault.map_or(1.0, |fault| fault.scale);
                let value = analog(&self.physics, source);
                let scaled = if measures_power(source) {
                    scale * value
                } else {
                    value
                };
                point.hold_analog(device, scaled)
            }
        };
        match held {
            Held::Float(_) if self.faults.get(device.id).is_some_and(|f| f.not_available) => {
                Held::Float(f64::NAN)
            }
            held => held,
        }
    }

    /// Energy that a register shows.
    fn shown(
        &self,
        device: &Device,
        terminal: Terminal,
        direction: Direction,
        at_ms: i64,
    ) -> MilliJ {
        let flowed = self.physics.counted(terminal, direction, at_ms);
        let fault = self.faults.get(device.id);
        let anchor = fault.and_then(|fault| {
            let same =
                |anchor: &&Anchor| anchor.terminal == terminal && anchor.direction == direction;
            Some((fault.scale, fault.anchors.iter().find(same)?))
        });
        anchor.map_or(flowed, |(scale, anchor)| {
            anchor.shown + to_i64(to_f64(flowed - anchor.flowed) * scale)
        })
    }
}

/// A number that is not an energy, in its canonical unit.
#[must_use]
pub fn analog(physics: &Physics, source: Source) -> f64 {
    match source {
        Source::Gauge(gauge) => physics.gauge(gauge),
        Source::Power(terminal) | Source::Energy(terminal, _) => {
            watts(physics.powers().of(terminal))
        }
    }
}

/// Whether a mis-scaled meter shows this number wrongly.
fn measures_power(source: Source) -> bool {
    matches!(
        source,
        Source::Power(_) | Source::Gauge(Gauge::DistrictFlow)
    )
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests {
    use super::*;
    use crate::simulate::park::devices::BUSES;

    const START: i64 = 1_780_000_000;

    fn live() -> Live {
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
        let start = Timestamp::from_second(START).unwrap();
        Live::new(Physics::new(
            1,
            39.19,
            113.26,
            start,
            jiff::SignedDuration::ZERO,
            zone,
        ))
    }

    fn ms(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(START * 1_000 + ms).unwrap()
    }

    fn counts(live: &Live, at: Timestamp) -> i64 {
        let device = find("pcc").unwrap();
        match live.ask(device, 4, 512, 4, at) {
            Answer::Words(words) => words
                .iter()
                .fold(0, |sum, word| sum << 16 | i64::from(*word)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn registers_move_within_the_second_and_never_back() {
        let live = live();
        let (early, late) = (counts(&live, ms(10_000)), counts(&live, ms(12_500)));
        assert!(late > early, "{early} {late}");
        assert_eq!(
            counts(&live, ms(3_000)),
            counts(&live, ms(12_000)),
            "the clock ran back"
        );
        assert!(counts(&live, ms(14_000)) >= late);
    }

    #[test]
    fn half_a_value_can_be_read_and_a_hole_cannot() {
        let live = live();
        let device = find("pcc").unwrap();
        let ask = |address, count| live.ask(device, 4, address, count, ms(0));
        let Answer::Words(both) = ask(52, 2) else {
            panic!()
        };
        assert_eq!(ask(53, 1), Answer::Words(vec![both[1]]));
        assert_eq!(ask(53, 2), Answer::NoSuchAddress);
        assert_eq!(ask(65_535, 2), Answer::NoSuchAddress);
        assert_eq!(live.ask(device, 3, 52, 2, ms(0)), Answer::NoSuchAddress);
    }

    #[test]
    fn a_dead_device_is_silent_until_it_is_not() {
        let live = live();
        let device = find("pcc").unwrap();
        live.set_dead("pcc", true).unwrap();
        assert_eq!(live.ask(device, 4, 52, 2, ms(0)), Answer::Silence);
        live.set_dead("pcc", false).unwrap();
        assert!(matches!(
            live.ask(device, 4, 52, 2, ms(0)),
            Answer::Words(_)
        ));
        assert_eq!(
            live.set_dead("nobody", true),
            Err(NoSuchMeter("nobody".to_owned()))
        );
    }

    #[test]
    fn a_mis_scaled_meter_counts_on_from_where_it_stands() {
        let (right, wrong) = (live(), live());
        let counts_after = |live: &Live, s: i64| counts(live, ms(s * 1_000));
        let opening = counts_after(&right, 60);
        wrong.set_scale("pcc", 1.05, ms(60_000)).unwrap();
        assert_eq!(counts_after(&wrong, 60), opening);
        let (moved, moved_wrong) = (
            counts_after(&right, 3_660) - opening,
            counts_after(&wrong, 3_660) - opening,
        );
        assert!(
            (moved_wrong as f64 / moved as f64 - 1.05).abs() < 1e-4,
            "{moved} {moved_wrong}"
        );
        wrong.set_scale("pcc", 1.0, ms(3_660_000)).unwrap();
        let healed = counts_after(&wrong, 7_260) - counts_after(&wrong, 3_660);
        assert!((healed - (counts_after(&right, 7_260) - counts_after(&right, 3_660))).abs() <= 1);
    }

    #[test]
    fn a_device_without_values_says_nan_in_its_floats() {
        let live = live();
        live.set_not_available("pv", true).unwrap();
        let pv = BUSES[1].device(1).unwrap();
        let Answer::Words(words) = live.ask(pv, 3, 40_083, 2, ms(0)) else {
            panic!()
        };
        let bits = u32::from(words[0]) << 16 | u32::from(words[1]);
        assert!(f32::from_bits(bits).is_nan());
        assert!(matches!(
            live.ask(pv, 3, 40_093, 2, ms(0)),
            Answer::Words(_)
        ));
    }
}
