//! A counting register: what each reading adds, and which readings to doubt.
//!
//! ```text
//!   reading ──▶ advanced | rolled over | doubtful ──confirmed──▶ new segment
//! ```
//!
//! The position of a counter is the energy since its first reading, rollovers
//! unrolled. Positions are rounded once, from the segment's first count, so the
//! differences of positions telescope: intervals add up to the last digit.
//!
//! A reading that neither advances plausibly nor completes a rollover is held
//! back: the baseline stays, and no energy is booked. Only when the register goes
//! on counting from the new place for [`CONFIRMATIONS`] readings does a new
//! segment begin there (a reset, an exchanged meter); the step between the
//! segments is excluded, never guessed. A spike that returns leaves no trace. A
//! decrease so small that the register catches up with it never begins a segment.
//!
//! Registers move in steps: a display of 10 kWh, a meter that refreshes every half
//! minute, a float whose last digit is worth half a kilowatt-hour. An advance that the
//! time since the last reading and a minute more explain is booked at once. One that
//! only the time since the register last *moved* explains, under a nameplate, is held
//! until the next readings go on from there, so that a spike after a night at rest
//! leaves no trace either. All bits set is what devices say that have nothing to say:
//! it is never booked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::meter::RegisterKind;
use super::units::{CountUnit, MilliwattHours, Power};

/// Readings that must agree with a doubtful one before it is believed: more than
/// one repetition of a garbled block, less than a minute at a period of 10 s.
pub const CONFIRMATIONS: u32 = 3;
/// Factor on the nameplate power in what a register may advance.
const PLAUSIBLE_FACTOR: f64 = 1.2;
/// Without a nameplate, the part of the modulus up to which a step over zero is a
/// rollover.
const ROLLOVER_PART: i128 = 100;
/// Without a nameplate, what nothing in a park exceeds, W: a register of 32 set bits
/// is not booked. A nameplate finds smaller mistakes.
const NOTHING_EXCEEDS_W: f64 = 1.0e9;
/// How far a register may lag behind what flows: meters refresh theirs each second
/// to each minute.
const REFRESH_MS: i64 = 60_000;

/// Why a reading is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Below the last reading, and no rollover.
    ResetOrExchange,
    /// More than the nameplate can have moved.
    ImplausibleJump,
}

/// What a reading is, measured against the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The register moved on by these counts.
    Advanced(i128),
    /// The same, over zero.
    RolledOver(i128),
    /// Neither.
    Doubtful(Doubt),
}

/// Judges the step from one count to the next.
///
/// `most` is what the register can plausibly have advanced, in counts; `None`
/// where no nameplate says so.
#[must_use]
pub fn step(old: i128, new: i128, modulus: Option<i128>, most: Option<i128>) -> Step {
    let plausible = |delta: i128| most.is_none_or(|most| delta <= most);
    if new >= old {
        let delta = new - old;
        return if plausible(delta) {
            Step::Advanced(delta)
        } else {
            Step::Doubtful(Doubt::ImplausibleJump)
        };
    }
    if let Some(modulus) = modulus {
        let delta = modulus - old + new;
        let limit = most.unwrap_or(modulus / ROLLOVER_PART);
        if delta >= 0 && delta <= limit {
            return Step::RolledOver(delta);
        }
    }
    Step::Doubtful(Doubt::ResetOrExchange)
}

/// What a register can plausibly advance in a time, in counts: nameplate power
/// with a margin, and two counts of resolution.
#[must_use]
pub fn most_plausible(rated: Power, ms: i64, unit: CountUnit) -> i128 {
    let energy = MilliwattHours::from_power(rated, ms.max(0))
        .as_watt_hours()
        .abs();
    let counts = energy * PLAUSIBLE_FACTOR / unit.as_watt_hours();
    i128::from(super::units::to_i64(counts.ceil())) + 2
}

/// A reading that waits for confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Held {
    doubt: Doubt,
    first_ms: i64,
    first: i64,
    last_ms: i64,
    last: i64,
    times: u32,
}

/// What hearing a reading came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Heard {
    /// The first reading of this counter: it opens the books.
    Opened,
    /// Booked; the stretch since the last booked reading is known.
    Booked {
        /// The last booked reading, and its position.
        from: (Timestamp, MilliwattHours),
        /// The position of this one.
        to: MilliwattHours,
    },
    /// Held back; the books stand still.
    Held(Doubt),
    /// A new segment began at the first doubtful reading; the step between the
    /// segments is excluded.
    NewSegment {
        /// The last booked reading of the old segment, and its position.
        from: (Timestamp, MilliwattHours),
        /// The first reading of the new one.
        resumed: Timestamp,
        /// The position of this reading.
        to: MilliwattHours,
    },
    /// Older than the last one, or at the same moment: not booked.
    Late,
}

/// A counting register and its books.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    unit: CountUnit,
    modulus: Option<i64>,
    /// Energy at the start of the segment.
    base: MilliwattHours,
    /// Raw count at the start of the segment.
    origin: i64,
    /// Counts that rollovers add to the raw count.
    unrolled: i64,
    /// The last booked reading.
    last: Option<(i64, i64)>,
    /// The last reading that showed another count than this one: the register has
    /// moved after it.
    #[serde(default)]
    moved_after_ms: i64,
    held: Option<Held>,
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Counter {
    /// A counter that has heard nothing.
    #[must_use]
    pub fn new(kind: RegisterKind) -> Self {
        Self {
            unit: kind.unit,
            modulus: kind.modulus.and_then(|modulus| i64::try_from(modulus).ok()),
            base: MilliwattHours::ZERO,
            origin: 0,
            unrolled: 0,
            last: None,
            moved_after_ms: i64::MIN,
            held: None,
        }
    }

    /// Takes up the books of an earlier run. If the register counts differently
    /// from what the books say (another multiplier, another modulus), its next
    /// reading begins a new segment at the position reached.
    #[must_use]
    pub fn resumed(mut self, kind: RegisterKind) -> Self {
        let fresh = Self::new(kind);
        if self.unit != fresh.unit || self.modulus != fresh.modulus {
            return Self {
                base: self.position(),
                ..fresh
            };
        }
        self.held = None;
        self
    }

    /// Energy since the first reading.
    #[must_use]
    pub fn position(&self) -> MilliwattHours {
        match self.last {
            None => self.base,
            Some((_, raw)) => self.at_count(raw),
        }
    }

    /// When the last booked reading was.
    #[must_use]
    pub fn last_at(&self) -> Option<Timestamp> {
        self.last.map(|(ms, _)| timestamp(ms))
    }

    /// What is being doubted, if anything.
    #[must_use]
    pub fn doubt(&self) -> Option<Doubt> {
        self.held.map(|held| held.doubt)
    }

    fn at_count(&self, raw: i64) -> MilliwattHours {
        let counts = i128::from(raw) + i128::from(self.unrolled) - i128::from(self.origin);
        self.base + self.unit.energy(counts)
    }

    /// Judges a step from a count that the register has not left since `since_ms`.
    fn judge(&self, since_ms: i64, old: i64, new: (i64, i64), rated: Option<Power>) -> Step {
        let modulus = self.modulus.map(i128::from);
        let most = self.most(new.0.saturating_sub(since_ms), rated);
        match step(old.into(), new.1.into(), modulus, Some(most)) {
            // Without a nameplate a long gap would explain any reset as a rollover.
            Step::RolledOver(delta)
                if rated.is_none() && delta > modulus.unwrap_or(0) / ROLLOVER_PART =>
            {
                Step::Doubtful(Doubt::ResetOrExchange)
            }
            step => step,
        }
    }

    /// Counts that the register can plausibly advance in a time.
    fn most(&self, ms: i64, rated: Option<Power>) -> i128 {
        let unknown = || Power::from_watts(NOTHING_EXCEEDS_W).unwrap_or_default();
        most_plausible(rated.unwrap_or_else(unknown), ms, self.unit)
    }

    /// Takes in a reading.
    pub fn hear(&mut self, at: Timestamp, raw: i64, rated: Option<Power>) -> Heard {
        let new = (at.as_millisecond(), raw);
        if self
            .modulus
            .is_some_and(|modulus| is_all_ones(raw, modulus))
        {
            return Heard::Held(Doubt::ImplausibleJump);
        }
        let Some(old) = self.last else {
            self.origin = raw;
            self.unrolled = 0;
            self.last = Some(new);
            // What it shows at first may be as old as that.
            self.moved_after_ms = new.0.saturating_sub(REFRESH_MS);
            return Heard::Opened;
        };
        if new.0 <= old.0 {
            return Heard::Late;
        }
        let from = (timestamp(old.0), self.position());
        let at_once = |delta: i128, counter: &Self| {
            let ms = new.0.saturating_sub(old.0).saturating_add(REFRESH_MS);
            delta <= counter.most(ms, rated)
        };
        match self.judge(self.unmoved_since(old.0, rated), old.1, new, rated) {
            Step::Advanced(0) => {}
            Step::Advanced(delta) if at_once(delta, self) => self.moved_after_ms = old.0,
            Step::RolledOver(delta) if at_once(delta, self) => {
                self.unrolled = self.unrolled.saturating_add(self.modulus.unwrap_or(0));
                self.moved_after_ms = old.0;
            }
            Step::Advanced(_) => {
                return self.hold(from, new, Doubt::ImplausibleJump, rated);
            }
            Step::RolledOver(_) => {
                return self.hold(from, new, Doubt::ResetOrExchange, rated);
            }
            Step::Doubtful(doubt) => return self.hold(from, new, doubt, rated),
        }
        self.held = None;
        self.last = Some(new);
        Heard::Booked {
            from,
            to: self.position(),
        }
    }

    /// Since when the register may have gathered what it moves by. Without a nameplate
    /// rest explains nothing: a night of it would explain any garbage.
    fn unmoved_since(&self, read_ms: i64, rated: Option<Power>) -> i64 {
        match rated {
            Some(_) => self.moved_after_ms.min(read_ms),
            None => read_ms.saturating_sub(REFRESH_MS),
        }
    }

    /// Holds a reading back, or believes it once the register went on from there.
    fn hold(
        &mut self,
        from: (Timestamp, MilliwattHours),
        new: (i64, i64),
        doubt: Doubt,
        rated: Option<Power>,
    ) -> Heard {
        let fresh = Held {
            doubt,
            first_ms: new.0,
            first: new.1,
            last_ms: new.0,
            last: new.1,
            times: 1,
        };
        let held = match self.held {
            Some(held) if self.goes_on(&held, new, rated) => Held {
                doubt,
                last_ms: new.0,
                last: new.1,
                times: held.times.saturating_add(1),
                ..held
            },
            _ => fresh,
        };
        self.held = Some(held);
        if held.times < CONFIRMATIONS {
            return Heard::Held(doubt);
        }
        if self.is_explained(&held, 0, rated) {
            self.moved_after_ms = from.0.as_millisecond();
            self.last = Some(new);
            self.held = None;
            let to = self.position();
            return Heard::Booked { from, to };
        }
        if self.will_be_explained(&held, rated) {
            return Heard::Held(doubt);
        }
        self.base = from.1;
        self.origin = held.first;
        self.unrolled = 0;
        self.last = Some(new);
        self.moved_after_ms = held.first_ms;
        self.held = None;
        Heard::NewSegment {
            from,
            resumed: timestamp(held.first_ms),
            to: self.position(),
        }
    }

    /// Whether a doubtful reading goes on from the one that is held.
    fn goes_on(&self, held: &Held, new: (i64, i64), rated: Option<Power>) -> bool {
        let since_ms = held.first_ms.saturating_sub(REFRESH_MS);
        let on = self.judge(since_ms, held.first, new, rated);
        new.1 >= held.last && matches!(on, Step::Advanced(_))
    }

    /// Whether it takes time and no new segment: a jitter that the register catches
    /// up with, or an advance that a minute more makes plausible.
    fn will_be_explained(&self, held: &Held, rated: Option<Power>) -> bool {
        match held.doubt {
            Doubt::ResetOrExchange => self.is_small_decrease(held.first),
            Doubt::ImplausibleJump => self.is_explained(held, REFRESH_MS, rated),
        }
    }

    /// Whether a held advance is what the register can have gathered, with so much
    /// more time.
    fn is_explained(&self, held: &Held, more_ms: i64, rated: Option<Power>) -> bool {
        let Some((read_ms, last)) = self.last else {
            return false;
        };
        let ms = held
            .last_ms
            .saturating_sub(self.unmoved_since(read_ms, rated));
        let most = self.most(ms.saturating_add(more_ms), rated);
        let delta = i128::from(held.last) - i128::from(last);
        held.doubt == Doubt::ImplausibleJump && (0..=most).contains(&delta)
    }

    /// Whether a register merely jittered: two counts below the last one.
    fn is_small_decrease(&self, raw: i64) -> bool {
        self.last
            .is_some_and(|(_, last)| last > raw && last - raw <= 2 && raw > 2)
    }
}

/// Whether all bits of a raw register are set; the registers of dials have no bits.
fn is_all_ones(raw: i64, modulus: i64) -> bool {
    matches!(modulus, 0x1_0000 | 0x1_0000_0000) && raw == modulus - 1
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + second).unwrap()
    }

    fn kind(modulus: Option<i128>) -> RegisterKind {
        RegisterKind {
            unit: CountUnit::new(1_000, 1).unwrap(),
            modulus,
        }
    }

    fn counter(modulus: Option<i128>, readings: &[(i64, i64)]) -> (Counter, Vec<Heard>) {
        let mut counter = Counter::new(kind(modulus));
        let rated = Some(Power::from_watts(3_600.0).unwrap());
        let heard = readings
            .iter()
            .map(|(s, raw)| counter.hear(at(*s), *raw, rated))
            .collect();
        (counter, heard)
    }

    /// Source: interval_cases.json `counter_rollover`, scaled to whole counts.
    #[test]
    fn steps_agree_with_their_vectors() {
        let text = include_str!("../../tests/fixtures/interval_cases.json");
        let cases: serde_json::Value = serde_json::from_str(text).unwrap();
        for case in cases["counter_rollover"].as_array().unwrap() {
            let counts = |key: &str| (case[key].as_f64().unwrap() * 10.0).round() as i128;
            let modulus = counts("modulus");
            // A signed register is read as an unsigned one before it is compared.
            let unsigned = |raw: i128| if raw < 0 { raw + modulus } else { raw };
            let found = step(
                unsigned(counts("old")),
                unsigned(counts("new")),
                Some(modulus),
                Some(counts("max_plausible")),
            );
            let delta = case["expect_delta"]
                .as_f64()
                .map(|delta| (delta * 10.0).round() as i128);
            let expected = match (case["expect_status"].as_str().unwrap(), delta) {
                ("ok", Some(delta)) => Step::Advanced(delta),
                ("rollover", Some(delta)) => Step::RolledOver(delta),
                ("reset_or_exchange", None) => Step::Doubtful(Doubt::ResetOrExchange),
                ("implausible_jump", None) => Step::Doubtful(Doubt::ImplausibleJump),
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{}", case["comment"]);
        }
    }

    #[test]
    fn a_spike_that_returns_leaves_no_trace() {
        let (counter, heard) = counter(
            None,
            &[(0, 1_000), (10, 1_010), (20, 9_999_999), (30, 1_030)],
        );
        assert_eq!(heard[2], Heard::Held(Doubt::ImplausibleJump));
        assert_eq!(counter.position(), MilliwattHours(30_000));
        assert_eq!(counter.doubt(), None);
    }

    #[test]
    fn a_reset_is_believed_when_the_register_goes_on_from_there() {
        let (counter, heard) = counter(
            None,
            &[(0, 5_000), (10, 5_010), (20, 3), (30, 13), (40, 23)],
        );
        assert_eq!(heard[2], Heard::Held(Doubt::ResetOrExchange));
        assert_eq!(heard[3], Heard::Held(Doubt::ResetOrExchange));
        assert_eq!(
            heard[4],
            Heard::NewSegment {
                from: (at(10), MilliwattHours(10_000)),
                resumed: at(20),
                to: MilliwattHours(30_000),
            }
        );
        assert_eq!(counter.position(), MilliwattHours(30_000));
    }

    #[test]
    fn a_single_low_reading_never_moves_the_books() {
        let (counter, _) = counter(None, &[(0, 5_000), (10, 0), (20, 5_020)]);
        assert_eq!(counter.position(), MilliwattHours(20_000));
    }

    #[test]
    fn a_register_that_jitters_by_one_count_catches_up() {
        let (counter, heard) = counter(
            None,
            &[
                (0, 5_000),
                (1, 4_999),
                (2, 4_999),
                (3, 4_999),
                (4, 4_999),
                (9, 5_001),
            ],
        );
        assert!(
            heard[1..5]
                .iter()
                .all(|heard| matches!(heard, Heard::Held(_)))
        );
        assert_eq!(counter.position(), MilliwattHours(1_000));
    }

    /// What a register shows of the watt-hours that flowed.
    type Shows = fn(i64) -> i64;

    /// Registers that move in steps, from their first reading on: what each shows at
    /// a second, for its nameplate of 100 kW, in counts of one watt-hour.
    #[test]
    fn a_register_that_moves_in_steps_loses_none_of_them() {
        let flowed = |second: i64, watts: i64| second * watts / 3_600;
        #[rustfmt::skip]
        let cases: [(&str, Shows, i64); 4] = [
            ("a display of 10 Wh at 4 kW",         |wh| wh / 10 * 10,                4_000),
            ("a float of half a kWh at 60 kW",     |wh| 5_000_000_000 + wh / 500 * 500, 60_000),
            ("a display of 10 kWh at 90 kW",       |wh| wh / 10_000 * 10_000,       90_000),
            ("every count at full power",          |wh| wh,                        100_000),
        ];
        let rated = Some(Power::from_watts(100e3).unwrap());
        for (name, shows, watts) in cases {
            let mut counter = Counter::new(kind(None));
            let (mut held, mut moves, mut last) = (0, 0, shows(0));
            for second in 0..3_600 {
                let raw = shows(flowed(second, watts));
                moves += i64::from(raw != last);
                last = raw;
                let heard = counter.hear(at(second), raw, rated);
                held += i64::from(matches!(heard, Heard::Held(_)));
            }
            assert!(held <= 2 * moves.min(10), "{name}: {held} readings held");
            let counted = shows(flowed(3_599, watts)) - shows(0);
            assert_eq!(
                counter.position(),
                MilliwattHours(counted * 1_000),
                "{name}"
            );
        }
    }

    #[test]
    fn a_register_that_its_meter_refreshes_twice_a_minute_is_believed() {
        let rated = Some(Power::from_watts(100e3).unwrap());
        for phase in [0, 1, 15, 29] {
            let mut counter = Counter::new(kind(None));
            let shown = |second: i64| (second + phase).div_euclid(30) * 30 * 50_000 / 3_600;
            for second in 0..900 {
                let heard = counter.hear(at(second), shown(second), rated);
                assert!(!matches!(heard, Heard::Held(_)), "{second} {heard:?}");
            }
            let counted = shown(899) - shown(0);
            assert_eq!(counter.position(), MilliwattHours(counted * 1_000));
        }
    }

    #[test]
    fn a_spike_after_a_night_at_rest_leaves_no_trace() {
        let nameplate = Some(Power::from_watts(2e6).unwrap());
        for rated in [None, nameplate] {
            // 24 MWh, which ten hours at full power explain; all bits, once and for long.
            for (spike, readings) in [(23_000_000, 1), (4_294_967_295, 1), (4_294_967_295, 900)] {
                let mut counter = Counter::new(kind(Some(1 << 32)));
                for second in 0..36_000 {
                    counter.hear(at(second), 70_000, rated);
                }
                for second in 36_000..36_000 + readings {
                    let heard = counter.hear(at(second), spike, rated);
                    assert!(matches!(heard, Heard::Held(_)), "{rated:?} {spike}");
                }
                counter.hear(at(36_000 + readings), 70_007, rated);
                counter.hear(at(36_001 + readings), 70_014, rated);
                let case = format!("{rated:?} {spike} {readings}");
                assert_eq!(counter.position(), MilliwattHours(14_000), "{case}");
            }
        }
    }

    #[test]
    fn a_register_that_begins_with_all_bits_set_opens_with_its_first_count() {
        let mut counter = Counter::new(kind(Some(1 << 32)));
        for (second, raw) in [(0, 4_294_967_295), (1, 500), (2, 510)] {
            counter.hear(at(second), raw, None);
        }
        assert_eq!(counter.position(), MilliwattHours(10_000));
    }

    #[test]
    fn a_meter_exchanged_for_one_that_shows_more_begins_a_new_segment() {
        for rated in [None, Some(Power::from_watts(100e3).unwrap())] {
            let mut counter = Counter::new(kind(None));
            for second in 0..10 {
                counter.hear(at(second), 1_000 + second * 10, rated);
            }
            for second in 10..20 {
                counter.hear(at(second), 900_000_000_000 + second * 10, rated);
            }
            assert_eq!(
                counter.position(),
                MilliwattHours((90 + 90) * 1_000),
                "{rated:?}"
            );
        }
    }

    #[test]
    fn a_register_that_counts_differently_begins_a_new_segment_where_it_stood() {
        let (old, _) = counter(None, &[(0, 100), (10, 110)]);
        let other = RegisterKind {
            unit: CountUnit::new(80_000, 1).unwrap(),
            modulus: None,
        };
        let mut resumed = old.resumed(other);
        assert_eq!(resumed.position(), MilliwattHours(10_000));
        assert_eq!(resumed.hear(at(20), 7, None), Heard::Opened);
        resumed.hear(at(30), 8, None);
        assert_eq!(resumed.position(), MilliwattHours(90_000));
    }

    proptest! {
        /// However often the register rolls over, the books hold what was counted.
        #[test]
        fn rollovers_lose_nothing(steps in prop::collection::vec(0_i64..2_000, 1..200)) {
            let modulus = 65_536_i64;
            let mut counter = Counter::new(kind(Some(modulus.into())));
            let rated = Some(Power::from_watts(3.0e6).unwrap());
            let mut total = 65_000_i64;
            counter.hear(at(0), total % modulus, rated);
            for (second, step) in steps.iter().enumerate() {
                total += step;
                let heard = counter.hear(at(second as i64 * 10 + 10), total % modulus, rated);
                let booked = matches!(heard, Heard::Booked { .. });
                // A count of all bits waits for the next one.
                prop_assert!(booked || total % modulus == modulus - 1, "{:?}", heard);
            }
            total += 1;
            let after = i64::try_from(steps.len()).unwrap() * 10 + 10;
            let heard = counter.hear(at(after), total % modulus, rated);
            prop_assume!(!matches!(heard, Heard::Held(_)));
            prop_assert_eq!(counter.position(), MilliwattHours((total - 65_000) * 1_000));
        }
    }
}
