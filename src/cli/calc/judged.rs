//! Two readings as counts, and the words for what the daemon makes of them.

use serde_json::{Value, json};

use super::decimal::Decimal;
use super::section;
use crate::config::read::number_and_unit;
use crate::config::units::{count_unit, measure};
use crate::domain::counter::{CONFIRMATIONS, Counter, Doubt, Step, step};
use crate::domain::meter::RegisterKind;
use crate::domain::units::{CountUnit, MilliwattHours, Power, to_i64};

/// What is said of a register beside its readings.
pub struct Register<'a> {
    /// Where it starts again: as a reading, by digits, by bits.
    pub modulus: (Option<Decimal>, Option<u32>, Option<u32>),
    /// What 1 of a reading is worth.
    pub unit: &'a str,
    /// Nameplate power.
    pub rated: Option<&'a str>,
    /// Between the readings.
    pub seconds: Option<f64>,
    /// The most it can have advanced.
    pub most: Option<Decimal>,
}

/// A stretch that one meter counted.
pub struct Segment {
    pub from: Decimal,
    pub to: Decimal,
    pub multiplier: Decimal,
}

/// What became of a segment.
pub struct Judged {
    segment: Segment,
    pub step: Step,
    /// Counts it can plausibly have advanced; none where nothing says so.
    pub most: Option<i128>,
    unit: CountUnit,
}

/// How readings are counted.
pub struct Scale<'a> {
    register: Register<'a>,
    /// Digits behind the point of the finest reading.
    pub places: u32,
    /// Where it starts again, in counts.
    pub modulus: Option<i128>,
}

impl<'a> Scale<'a> {
    /// # Errors
    ///
    /// Where it starts again is said more than once, or cannot be.
    pub fn of(
        register: Register<'a>,
        readings: impl Iterator<Item = Decimal>,
    ) -> Result<Self, String> {
        let said = [register.modulus.0, register.most];
        let all = said.into_iter().flatten().chain(readings);
        let places = all.map(|one| one.places).max();
        let places = places.unwrap_or(0);
        let modulus = match register.modulus {
            (None, None, None | Some(64)) => None,
            (Some(modulus), None, None) if modulus.digits > 0 => Some(modulus),
            (None, Some(digits @ 1..=15), None) => Some(Decimal::whole(10_i128.pow(digits))),
            (None, None, Some(bits @ (16 | 32))) => Some(Decimal::whole(1 << bits)),
            _ => {
                return Err(
                    "where the register starts again is said once: --modulus above 0, \
                            or --digits from 1 to 15, or --bits 16, 32 or 64"
                        .to_owned(),
                );
            }
        };
        let modulus = match modulus {
            None => None,
            Some(modulus) => Some(
                modulus
                    .at(places)
                    .ok_or("the modulus has too many digits")?,
            ),
        };
        Ok(Self {
            register,
            places,
            modulus,
        })
    }

    /// A reading in counts. A register of bits that was read as signed is read as
    /// unsigned, as a driver does.
    fn counts(&self, reading: Decimal) -> Result<i128, String> {
        let shown = || format!("{reading} is no reading of this register");
        let counts = reading.at(self.places).ok_or_else(shown)?;
        let bits = self.places == 0 && matches!(self.modulus, Some(0x1_0000 | 0x1_0000_0000));
        let counts = match self.modulus {
            Some(modulus) if counts < 0 && bits => counts + modulus,
            _ => counts,
        };
        if counts < 0 {
            return Err(format!(
                "{}, which shows nothing below zero; was it read as signed? Say --bits",
                shown()
            ));
        }
        if self.modulus.is_some_and(|modulus| counts >= modulus) {
            return Err(format!(
                "{}, which starts again before; is the modulus right?",
                shown()
            ));
        }
        Ok(counts)
    }

    /// What the daemon makes of a segment.
    ///
    /// # Errors
    ///
    /// A reading or a number that cannot be, with a remedy.
    pub fn judge(&self, segment: Segment) -> Result<Judged, String> {
        let unit = self.unit(segment.multiplier)?;
        let (old, new) = (self.counts(segment.from)?, self.counts(segment.to)?);
        let (step, most) = match (
            self.register.most,
            self.register.rated,
            self.register.seconds,
        ) {
            (Some(most), None, None) => {
                let most = most
                    .at(self.places)
                    .ok_or("--max-plausible has too many digits")?;
                (step(old, new, self.modulus, Some(most)), Some(most))
            }
            (None, None, None) => (step(old, new, self.modulus, None), None),
            (None, rated, Some(seconds)) if seconds > 0.0 && seconds.is_finite() => {
                let rated = rated.map(power).transpose()?;
                let modulus = self.modulus;
                let kind = RegisterKind {
                    unit,
                    modulus,
                    told: false,
                };
                let count =
                    |counts| i64::try_from(counts).map_err(|_| "a reading has too many digits");
                let ms = to_i64(seconds * 1e3);
                let (step, most) = Counter::second(kind, (count(old)?, count(new)?), ms, rated);
                (step, Some(most))
            }
            _ => {
                return Err(
                    "what it can have advanced is said once: --rated with --seconds above 0, \
                            --seconds alone, or --max-plausible"
                        .to_owned(),
                );
            }
        };
        Ok(Judged {
            segment,
            step,
            most,
            unit,
        })
    }

    /// What one count is worth.
    fn unit(&self, multiplier: Decimal) -> Result<CountUnit, String> {
        let said = self.register.unit;
        let whole = if said.starts_with(|c: char| c.is_ascii_alphabetic()) {
            format!("1{said}")
        } else {
            said.to_owned()
        };
        let parsed = number_and_unit(&whole);
        let one = parsed.and_then(|(worth, unit)| count_unit(unit, worth, 1.0));
        let one = one.ok_or_else(|| {
            format!("`{said}` is no worth of a count; a number above zero with Wh, kWh, MWh, GWh, J, kJ, MJ or GJ, such as 0.1kWh")
        })?;
        let of_reading = one.times(multiplier.ratio()).ok_or_else(|| {
            format!("{multiplier} is no multiplier; it is CT × VT and above zero, such as 80")
        })?;
        let count = Decimal {
            digits: 1,
            places: self.places,
        };
        of_reading
            .times(count.ratio())
            .ok_or_else(|| format!("`{said}` is too fine for this many digits"))
    }
}

fn power(text: &str) -> Result<Power, String> {
    let watts = measure(text, "W").filter(|watts| *watts > 0.0);
    watts.and_then(|watts| Power::from_watts(watts).ok()).ok_or_else(|| {
        format!("`{text}` is no nameplate power; a number above zero with W, kW or MW, such as 250kW")
    })
}

impl Judged {
    /// Counts and energy; none of a doubtful step.
    pub fn advanced(&self) -> Option<(i128, MilliwattHours)> {
        match self.step {
            Step::Advanced(counts) | Step::RolledOver(counts) => {
                Some((counts, self.unit.energy(counts)))
            }
            Step::Doubtful(_) => None,
        }
    }

    /// For programs.
    pub fn json(&self, shown: &impl Fn(i128) -> String) -> Value {
        let advanced = self.advanced();
        json!({
            "from": self.segment.from,
            "to": self.segment.to,
            "multiplier": self.segment.multiplier,
            "status": word(self.step).1,
            "delta": advanced.map(|one| shown(one.0)),
            "energy_kwh": advanced.map(|one| one.1.to_kwh_string()),
            "max_plausible": self.most.map(shown),
        })
    }

    /// For people.
    pub fn text(&self, shown: &impl Fn(i128) -> String) -> String {
        let unknown = || "unknown".to_owned();
        let advanced = self.advanced();
        let most = self.most.map_or("no nameplate says".to_owned(), shown);
        let rows = [
            ("multiplier", self.segment.multiplier.to_string(), ""),
            (
                "advance",
                advanced.map_or_else(unknown, |one| shown(one.0)),
                "",
            ),
            ("Δmax, the most plausible", most, ""),
            (
                "energy",
                advanced.map_or_else(unknown, |one| one.1.to_kwh_string()),
                "kWh",
            ),
        ];
        let title = format!(
            "{} to {}: {}",
            self.segment.from,
            self.segment.to,
            word(self.step).1
        );
        section(&title, &rows)
    }
}

/// How bad a step is, and its word.
pub fn word(step: Step) -> (u8, &'static str) {
    match step {
        Step::Advanced(_) => (0, "ok"),
        Step::RolledOver(_) => (1, "rollover"),
        Step::Doubtful(Doubt::ImplausibleJump) => (2, "implausible_jump"),
        Step::Doubtful(Doubt::ResetOrExchange) => (3, "reset_or_exchange"),
    }
}

/// What the daemon does with it, and what a person can do.
pub fn meaning(word: &str) -> String {
    match word {
        "ok" => "the register moved on".to_owned(),
        "rollover" => "the register moved on over its end".to_owned(),
        "reset_or_exchange" => format!(
            "below the last reading, and no rollover; held back until {CONFIRMATIONS} readings go \
             on from there, then a new segment begins. Was the meter exchanged? Say --exchange"
        ),
        _ => format!(
            "more than the nameplate can have moved; held back until {CONFIRMATIONS} readings go \
             on from there, then a new segment begins. Is --rated right, and the multiplier?"
        ),
    }
}
