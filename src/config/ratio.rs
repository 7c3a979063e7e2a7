//! Ratios of instrument transformers, as a meter's table states them.
//!
//! A meter behind transformers either shows what flows (it is programmed with the
//! ratio: primary) or what reaches it (secondary). **A ratio is applied once**: it is
//! stated beside how the meter is programmed, and a second statement is refused.

use super::read::Table;
use super::units::ratio;
use crate::domain::meter::Quantity;

/// An exact positive ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// Numerator and denominator.
    pub exact: (i128, i128),
}

impl Ratio {
    /// One.
    pub const ONE: Self = Self { exact: (1, 1) };

    /// The ratio as the nearest float.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        let float =
            |value: i128| crate::domain::units::to_f64(i64::try_from(value).unwrap_or(i64::MAX));
        float(self.exact.0) / float(self.exact.1)
    }

    /// Whether it changes anything.
    #[must_use]
    pub fn is_one(self) -> bool {
        self.exact.0 == self.exact.1
    }

    fn times(self, other: Self) -> Option<Self> {
        Some(Self {
            exact: (
                self.exact.0.checked_mul(other.exact.0)?,
                self.exact.1.checked_mul(other.exact.1)?,
            ),
        })
    }

    /// A ratio such as `400/5`.
    fn parse(text: &str) -> Option<Self> {
        let (primary, secondary) = text.split_once('/')?;
        let side = |text: &str| ratio(text.trim().parse().ok()?);
        let (primary, secondary) = (side(primary)?, side(secondary)?);
        let ratio = Self { exact: primary }.times(Self {
            exact: (secondary.1, secondary.0),
        })?;
        // Beyond this no transformer is built, and every product stays exact.
        (1e-3..=1e6).contains(&ratio.to_f64()).then_some(ratio)
    }
}

/// Who states the ratio of a meter, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratios {
    /// Of powers and energies.
    pub power: Ratio,
    /// Of voltages.
    pub voltage: Ratio,
    /// Of currents.
    pub current: Ratio,
    /// What is stated: nothing, `multiplier`, or `transformer` and how the meter is
    /// programmed.
    pub stated: Stated,
}

/// How the ratio of a meter is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated {
    /// Not at all.
    Nothing,
    /// As one number for powers and energies.
    Multiplier,
    /// As transformers; the meter shows secondary values.
    Secondary,
    /// As transformers; the meter shows primary values and nothing is multiplied.
    Primary,
}

impl Ratios {
    /// No transformers.
    pub const NONE: Self = Self {
        power: Ratio::ONE,
        voltage: Ratio::ONE,
        current: Ratio::ONE,
        stated: Stated::Nothing,
    };

    /// The ratio of a quantity: voltages by the voltage transformer, currents by the
    /// current transformer, powers and energies by both.
    #[must_use]
    pub fn of(&self, quantity: &Quantity) -> Ratio {
        match quantity.unit {
            "V" => self.voltage,
            "A" => self.current,
            _ if quantity.scales_with_ratio => self.power,
            _ => Ratio::ONE,
        }
    }
}

/// Reads `multiplier` or `transformer` of a meter.
pub fn ratios(table: &Table<'_>) -> Ratios {
    let multiplier = table.number("multiplier");
    let transformer = table.has("transformer");
    if transformer && table.has("multiplier") {
        table.problem(
            "multiplier",
            "stands beside `transformer`, and a ratio is applied once",
            "keep `transformer`",
        );
    }
    if transformer {
        let inner = table.table("transformer");
        return inner.map_or(Ratios::NONE, |inner| transformers(&inner));
    }
    let Some(multiplier) = multiplier else {
        return Ratios::NONE;
    };
    match ratio(multiplier) {
        Some(exact) => Ratios {
            power: Ratio { exact },
            stated: Stated::Multiplier,
            ..Ratios::NONE
        },
        None => {
            table.problem(
                "multiplier",
                format!("{multiplier} is not above zero"),
                "CT × VT ratio; to turn the direction set `invert = true`",
            );
            Ratios::NONE
        }
    }
}

fn transformers(table: &Table<'_>) -> Ratios {
    let side = |key: &str, example: &str| {
        let stated = table.parsed(key, example, |text| {
            Ratio::parse(text).ok_or_else(|| {
                (
                    format!("`{text}` is not a ratio of a transformer"),
                    format!("primary and secondary as on its nameplate, such as \"{example}\""),
                )
            })
        });
        stated.unwrap_or(Ratio::ONE)
    };
    let (current, voltage) = (side("ct", "400/5"), side("vt", "10000/100"));
    if !table.has("ct") && !table.has("vt") {
        table.problem("", "states no ratio", "add `ct = \"400/5\"`, or remove it");
    }
    table.required("programmed", "secondary");
    let stated = table.parsed("programmed", "secondary", |text| match text {
        "secondary" => Ok(Stated::Secondary),
        "primary" => Ok(Stated::Primary),
        other => Err((
            format!("`{other}` does not say what the meter shows"),
            "`primary` where the ratio is programmed in the meter and it shows what flows, \
             `secondary` where it shows what reaches it"
                .to_owned(),
        )),
    });
    table.finish();
    match stated {
        Some(Stated::Secondary) => Ratios {
            power: current.times(voltage).unwrap_or(Ratio::ONE),
            voltage,
            current,
            stated: Stated::Secondary,
        },
        Some(stated) => Ratios {
            stated,
            ..Ratios::NONE
        },
        None => Ratios::NONE,
    }
}
