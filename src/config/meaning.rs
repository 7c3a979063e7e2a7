//! What a raw number means: unit, scale, ratio and sign in one [`Decode`].
//!
//! Everything that stands in the way between a register and the canonical unit is
//! folded into it here, so that nothing behind the driver knows of it. **A counting
//! register keeps its raw count**; what one count is worth is an exact ratio beside
//! it.

use super::ratio::Ratio;
use super::read::list;
use super::units;
use crate::domain::meter::{Nature, Quantity, RegisterKind};
use crate::domain::units::CountUnit;
use crate::wire::register::Decode;

/// What a table says of its raw numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What one raw count is in `unit`.
    pub scale: f64,
    /// What a raw zero is in `unit`.
    pub offset: f64,
    /// The unit.
    pub unit: String,
    /// Decimal digits of a register, where they are fewer than its bits hold.
    pub digits: Option<u32>,
    /// Whether the raw number is whole.
    pub whole: bool,
    /// Bits after which it starts again at zero.
    pub wraps: Option<u8>,
    /// Whether the device tells a part of its worth.
    pub told: bool,
}

/// A mistake: the key, the fact and the remedy.
pub type Mistake = (&'static str, String, String);

fn mistake(key: &'static str, fact: impl Into<String>, remedy: impl Into<String>) -> Mistake {
    (key, fact.into(), remedy.into())
}

fn not_a_unit(quantity: &Quantity, unit: &str) -> Mistake {
    let names = units::names(quantity.unit);
    let names = list(names.iter().map(|name| format!("\"{name}\"")));
    mistake(
        "unit",
        format!("`{unit}` is not a unit of {}", quantity.name),
        format!("one of {names}"),
    )
}

/// What the numbers of a quantity mean.
///
/// # Errors
///
/// Every [`Mistake`] in it.
pub fn meaning(
    quantity: &'static Quantity,
    said: &Said,
    ratio: Ratio,
    turned: bool,
) -> Result<(Decode, Option<RegisterKind>), Vec<Mistake>> {
    if quantity.nature == Nature::Register {
        return counting(quantity, said, ratio).map(|(decode, kind)| (decode, Some(kind)));
    }
    let Some((factor, shift)) = units::conversion(&said.unit, quantity.unit) else {
        return Err(vec![not_a_unit(quantity, &said.unit)]);
    };
    if said.scale == 0.0 {
        return Err(vec![mistake(
            "scale",
            "0 makes every value the offset",
            "what one count is in `unit`",
        )]);
    }
    let ratio = ratio.to_f64();
    let sign = if turned { -ratio } else { ratio };
    let decode = Decode::Analog {
        scale: said.scale * factor * sign,
        offset: (said.offset * factor + shift) * sign,
    };
    Ok((decode, None))
}

fn counting(
    quantity: &'static Quantity,
    said: &Said,
    ratio: Ratio,
) -> Result<(Decode, RegisterKind), Vec<Mistake>> {
    let mut mistakes = Vec::new();
    if said.offset != 0.0 {
        mistakes.push(mistake(
            "offset",
            "a counting register has no offset",
            "remove it",
        ));
    }
    let energy = units::energy(&said.unit);
    if energy.is_none() {
        mistakes.push(not_a_unit(quantity, &said.unit));
    }
    if energy.is_some() && said.scale <= 0.0 {
        mistakes.push(mistake(
            "scale",
            format!("{} is not above zero", said.scale),
            "what one count is in `unit`",
        ));
    }
    let Some(energy) = energy.filter(|_| mistakes.is_empty()) else {
        return Err(mistakes);
    };
    if !said.whole {
        let mwh_per_unit = Ratio { exact: energy }.to_f64() * said.scale * ratio.to_f64();
        let kind = RegisterKind {
            unit: CountUnit::MILLIWATT_HOUR,
            modulus: None,
            told: said.told,
        };
        let decode = if said.told {
            Decode::ToldFloat { mwh_per_unit }
        } else {
            Decode::CountFloat { mwh_per_unit }
        };
        return Ok((decode, kind));
    }
    let unit = units::ratio(said.scale).and_then(|scale| {
        CountUnit::new(energy.0, energy.1)?
            .times(scale)?
            .times(ratio.exact)
    });
    let Some(unit) = unit else {
        return Err(vec![mistake(
            "scale",
            "is too large or too fine for an exact count",
            "fewer decimals",
        )]);
    };
    let by_digits = said.digits.and_then(|digits| 10_i128.checked_pow(digits));
    let modulus = by_digits.or(said.wraps.map(|bits| 1 << bits));
    let bits = said.wraps.filter(|_| by_digits.is_none()).unwrap_or(0);
    let kind = RegisterKind {
        unit,
        modulus,
        told: said.told,
    };
    let decode = if said.told {
        Decode::ToldCount { unit, bits }
    } else {
        Decode::Count
    };
    Ok((decode, kind))
}
