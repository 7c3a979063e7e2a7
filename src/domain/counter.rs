//! A counting register: what each reading adds, and which readings to doubt.
//!
//! ```text
//!   reading ──▶ advanced | rolled over | doubtful ──confirmed──▶ new segment
//! ```
//!
//! The position of a counter is the energy since its first reading, rollovers
//! unrolled. What a count is worth is rounded by itself, a modulus as well, so the
//! differences of positions telescope: intervals add up to the last digit, and books that
//! begin elsewhere (a day that is computed again) come to the same differences.
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

use super::event::Break;
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

/// A reading of a register whose worth the device tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// The raw count.
    pub raw: i64,
    /// What one count is worth.
    pub unit: CountUnit,
    /// Bits after which the register starts again at zero; 0 where the configuration
    /// knows, or nobody.
    pub bits: u8,
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
    /// The newest steps that were excluded, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    excluded: Vec<Excluded>,
    /// Whether an event said what a count is worth: it counts more than the configuration.
    #[serde(default)]
    worth_by_event: bool,
}

/// A step between two segments of a register: how much of it flowed, nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Excluded {
    /// The last booked reading, ms and count.
    pub before: (i64, i64),
    /// The reading from which the register went on, ms and count.
    pub after: (i64, i64),
    /// What a count was worth before.
    pub unit: CountUnit,
}

/// So many of them are remembered.
const MOST_EXCLUDED: usize = 64;

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
            excluded: Vec::new(),
            worth_by_event: false,
        }
    }

    /// Takes up the books of an earlier run. If the register counts differently
    /// from what the books say (another multiplier, another modulus), its next
    /// reading begins a new segment at the position reached. What a device tells of
    /// its counts itself is not of the configuration; the next reading says it.
    #[must_use]
    pub fn resumed(mut self, kind: RegisterKind) -> Self {
        let fresh = Self::new(kind);
        let told = kind.told && (fresh.modulus.is_none() || self.modulus == fresh.modulus);
        let worth = self.unit == fresh.unit || self.worth_by_event;
        let same = worth && self.modulus == fresh.modulus;
        if !told && !same {
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

    /// What a count is worth, as the device told last or the configuration says.
    #[must_use]
    pub fn unit(&self) -> CountUnit {
        self.unit
    }

    /// Counts after which it starts again at zero, where that is known.
    #[must_use]
    pub fn modulus(&self) -> Option<i64> {
        self.modulus
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

    /// The newest steps that were excluded, oldest first.
    #[must_use]
    pub fn excluded(&self) -> &[Excluded] {
        &self.excluded
    }

    /// The step to a reading that is held back, if one is.
    #[must_use]
    pub fn held_step(&self) -> Option<Excluded> {
        let held = self.held?;
        Some(Excluded {
            before: self.last?,
            after: (held.first_ms, held.first),
            unit: self.unit,
        })
    }

    /// Remembers the step from the last reading to one from which a segment begins.
    fn exclude(&mut self, after: (i64, i64)) {
        let Some(before) = self.last else { return };
        let unit = self.unit;
        self.excluded.push(Excluded {
            before,
            after,
            unit,
        });
        if self.excluded.len() > MOST_EXCLUDED {
            self.excluded.remove(0);
        }
    }

    fn at_count(&self, raw: i64) -> MilliwattHours {
        self.unrolled_at(self.unrolled, raw)
    }

    /// The position at a count behind so many counts of rollovers.
    fn unrolled_at(&self, unrolled: i64, raw: i64) -> MilliwattHours {
        let modulus = self.modulus.filter(|modulus| *modulus > 0).unwrap_or(1);
        let lap = self.unit.energy(modulus.into());
        let laps = MilliwattHours(lap.0.saturating_mul(unrolled / modulus));
        self.base + laps + self.unit.between(self.origin.into(), raw.into())
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

    /// What a counter that opened with `old` makes of `new` so many milliseconds later,
    /// and the most counts that it can plausibly have advanced.
    #[must_use]
    pub fn second(
        kind: RegisterKind,
        (old, new): (i64, i64),
        ms: i64,
        rated: Option<Power>,
    ) -> (Step, i128) {
        let counter = Self::new(kind);
        let most = counter.most(ms.saturating_add(REFRESH_MS), rated);
        let step = match counter.modulus {
            Some(modulus) if is_all_ones(new, modulus) => Step::Doubtful(Doubt::ImplausibleJump),
            // As after opening: what it showed at first may be as old as that.
            _ => counter.judge(-REFRESH_MS, old, (ms, new), rated),
        };
        (step, most)
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

    /// Takes in a reading of a register whose worth the device tells.
    ///
    /// Another worth than before (a transformer ratio that somebody programmed, an
    /// exponent that moved) begins a new segment: **what two counts of different worth
    /// are apart is no energy**, so the step between them is excluded.
    pub fn hear_told(&mut self, at: Timestamp, told: Told, rated: Option<Power>) -> Heard {
        let Told { raw, unit, bits } = told;
        // 64 bits are never seen to roll over.
        let modulus = match bits {
            16 | 32 => Some(1_i64 << bits),
            _ => self.modulus,
        };
        let same = self.unit == unit && self.modulus == modulus;
        let Some((last_ms, _)) = self.last.filter(|_| !same) else {
            (self.unit, self.modulus) = (unit, modulus);
            return self.hear(at, raw, rated);
        };
        let ms = at.as_millisecond();
        if ms <= last_ms {
            return Heard::Late;
        }
        if modulus.is_some_and(|modulus| is_all_ones(raw, modulus)) {
            return Heard::Held(Doubt::ImplausibleJump);
        }
        let from = (timestamp(last_ms), self.position());
        self.exclude((ms, raw));
        *self = Self {
            excluded: std::mem::take(&mut self.excluded),
            unit,
            modulus,
            base: from.1,
            origin: raw,
            unrolled: 0,
            last: Some((ms, raw)),
            moved_after_ms: ms.saturating_sub(REFRESH_MS),
            held: None,
            worth_by_event: false,
        };
        Heard::NewSegment {
            from,
            resumed: timestamp(ms),
            to: from.1,
        }
    }

    /// Takes in that the register was broken off at a moment: it showed `last` then, and
    /// `first` from then on.
    ///
    /// What a person read is believed: the energy up to the break is known from it. Where
    /// nobody read it, or it is below what the register had already counted, the step is
    /// excluded. None where the books are past that moment, or have not begun; then they
    /// begin with what a count is worth since.
    pub fn broken(&mut self, at: Timestamp, by: Break) -> Option<Heard> {
        let ms = at.as_millisecond();
        if self.last.is_none()
            && let Some(worth) = by.worth
        {
            (self.unit, self.worth_by_event) = (worth, true);
        }
        let (last_ms, old) = self.last.filter(|(last_ms, _)| *last_ms < ms)?;
        let from = (timestamp(last_ms), self.position());
        let ends = by.last.and_then(|last| {
            let step = step(old.into(), last.into(), self.modulus.map(i128::from), None);
            let over = match step {
                Step::Advanced(_) => 0,
                Step::RolledOver(_) => self.modulus.unwrap_or(0),
                Step::Doubtful(_) => return None,
            };
            Some(self.unrolled_at(self.unrolled.saturating_add(over), last))
        });
        *self = Self {
            excluded: std::mem::take(&mut self.excluded),
            unit: by.worth.unwrap_or(self.unit),
            modulus: self.modulus,
            base: ends.unwrap_or(from.1),
            origin: by.first,
            unrolled: 0,
            last: Some((ms, by.first)),
            moved_after_ms: ms.saturating_sub(REFRESH_MS),
            held: None,
            worth_by_event: self.worth_by_event || by.worth.is_some(),
        };
        Some(match ends {
            Some(to) => Heard::Booked { from, to },
            None => Heard::NewSegment {
                from,
                resumed: at,
                to: from.1,
            },
        })
    }

    /// Takes in, behind the reading of the time, that a count is worth something else: it
    /// has been for a while, and is from here on.
    pub fn revalued(&mut self, worth: CountUnit) -> bool {
        let Some((_, raw)) = self.last.filter(|_| self.unit != worth) else {
            return false;
        };
        (self.base, self.origin, self.unrolled) = (self.position(), raw, 0);
        (self.unit, self.worth_by_event) = (worth, true);
        true
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
        self.exclude((held.first_ms, held.first));
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
#[path = "counter_tests.rs"]
mod tests;
