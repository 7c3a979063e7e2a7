//! Units of a configuration, and the exact worth of a register's count.

use crate::domain::units::{CountUnit, decimal};

/// A unit: its name, the canonical unit of its dimension, and
/// canonical = value × factor + offset.
struct Unit {
    name: &'static str,
    canonical: &'static str,
    factor: f64,
    offset: f64,
}

const fn unit(name: &'static str, canonical: &'static str, factor: f64) -> Unit {
    Unit {
        name,
        canonical,
        factor,
        offset: 0.0,
    }
}

/// Every unit a point, a sensor or a setting may have.
#[rustfmt::skip]
const UNITS: &[Unit] = &[
    unit("W", "W", 1.0), unit("kW", "W", 1e3), unit("MW", "W", 1e6),
    unit("MJ/h", "W", 1e6 / 3_600.0), unit("GJ/h", "W", 1e9 / 3_600.0),
    unit("var", "var", 1.0), unit("kvar", "var", 1e3), unit("Mvar", "var", 1e6),
    unit("varh", "varh", 1.0), unit("kvarh", "varh", 1e3), unit("Mvarh", "varh", 1e6),
    unit("VA", "VA", 1.0), unit("kVA", "VA", 1e3), unit("MVA", "VA", 1e6),
    unit("V", "V", 1.0), unit("kV", "V", 1e3), unit("mV", "V", 1e-3),
    unit("A", "A", 1.0), unit("kA", "A", 1e3), unit("mA", "A", 1e-3),
    unit("Hz", "Hz", 1.0), unit("mHz", "Hz", 1e-3),
    unit("%", "%", 1.0),
    unit("", "", 1.0), unit("1", "", 1.0),
    unit("m3/h", "m3/h", 1.0), unit("l/h", "m3/h", 1e-3), unit("l/min", "m3/h", 0.06),
    unit("l/s", "m3/h", 3.6), unit("m3/s", "m3/h", 3_600.0),
    unit("kg/s", "kg/s", 1.0), unit("kg/h", "kg/s", 1.0 / 3_600.0), unit("t/h", "kg/s", 1.0 / 3.6),
    unit("m3", "m3", 1.0), unit("l", "m3", 1e-3),
    unit("degC", "degC", 1.0), Unit { name: "K", canonical: "degC", factor: 1.0, offset: -273.15 },
    unit("Pa", "Pa", 1.0), unit("hPa", "Pa", 100.0), unit("kPa", "Pa", 1e3),
    unit("mbar", "Pa", 100.0), unit("bar", "Pa", 1e5), unit("MPa", "Pa", 1e6),
    unit("W/m2", "W/m2", 1.0), unit("kW/m2", "W/m2", 1e3),
    unit("m/s", "m/s", 1.0), unit("km/h", "m/s", 1.0 / 3.6),
    unit("deg", "deg", 1.0), unit("m", "m", 1.0), unit("mm", "m", 1e-3),
    unit("s", "s", 1.0), unit("ms", "s", 1e-3),
];

/// Units of energy, in milliwatt-hours as a ratio.
#[rustfmt::skip]
const ENERGIES: &[(&str, i128, i128)] = &[
    ("Wh", 1_000, 1), ("kWh", 1_000_000, 1), ("MWh", 1_000_000_000, 1), ("GWh", 1_000_000_000_000, 1),
    ("J", 5, 18), ("kJ", 5_000, 18), ("MJ", 5_000_000, 18), ("GJ", 5_000_000_000, 18),
];

/// Factor and offset from a unit to the canonical one.
#[must_use]
pub fn conversion(name: &str, canonical: &str) -> Option<(f64, f64)> {
    UNITS
        .iter()
        .find(|unit| unit.name == name && unit.canonical == canonical)
        .map(|unit| (unit.factor, unit.offset))
}

/// Milliwatt-hours in a unit of energy.
#[must_use]
pub fn energy(name: &str) -> Option<(i128, i128)> {
    ENERGIES
        .iter()
        .find(|row| row.0 == name)
        .map(|row| (row.1, row.2))
}

/// An energy such as `12345.6kWh` in milliwatt-hours, as an exact ratio.
#[must_use]
pub fn exact_energy(text: &str) -> Option<(i128, i128)> {
    let (number, unit) = super::read::number_and_unit(text)?;
    let energy = energy(unit)?;
    if number == 0.0 {
        return Some((0, 1));
    }
    let (digits, scale) = ratio(number.abs())?;
    let digits = if number < 0.0 { -digits } else { digits };
    Some((digits.checked_mul(energy.0)?, scale.checked_mul(energy.1)?))
}

/// The names of the units that a quantity may have.
#[must_use]
pub fn names(canonical: &str) -> Vec<&'static str> {
    if canonical == "Wh" {
        return ENERGIES.iter().map(|row| row.0).collect();
    }
    UNITS
        .iter()
        .filter(|unit| unit.canonical == canonical)
        .map(|unit| unit.name)
        .collect()
}

/// A measure such as `3kW` in the canonical unit.
#[must_use]
pub fn measure(text: &str, canonical: &str) -> Option<f64> {
    let (number, unit) = super::read::number_and_unit(text)?;
    let (factor, offset) = conversion(unit, canonical)?;
    let value = number * factor + offset;
    value.is_finite().then_some(value)
}

/// A positive decimal as a ratio: 0.1 is 1/10, not the float nearest to it.
#[must_use]
pub fn ratio(value: f64) -> Option<(i128, i128)> {
    decimal(value)
}

/// What one count of a register is worth.
#[must_use]
pub fn count_unit(unit: &str, scale: f64, multiplier: f64) -> Option<CountUnit> {
    let (energy, scale, multiplier) = (energy(unit)?, ratio(scale)?, ratio(multiplier)?);
    let numerator = energy.0.checked_mul(scale.0)?.checked_mul(multiplier.0)?;
    let denominator = energy.1.checked_mul(scale.1)?.checked_mul(multiplier.1)?;
    CountUnit::new(numerator, denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_worth_exactly_what_their_decimals_say() {
        for (unit, scale, multiplier, expected) in [
            ("kWh", 0.01, 1.0, (10_000, 1)),
            ("Wh", 0.1, 80.0, (8_000, 1)),
            ("kWh", 1.0, 8_000.0, (8_000_000_000, 1)),
            ("GJ", 0.001, 1.0, (2_500_000, 9)),
            ("MJ", 1.0, 1.0, (2_500_000, 9)),
        ] {
            let found = count_unit(unit, scale, multiplier).unwrap();
            assert_eq!(
                (found.numerator, found.denominator),
                expected,
                "{unit} {scale} {multiplier}"
            );
        }
        assert_eq!(count_unit("kWh", 0.0, 1.0), None);
        assert_eq!(count_unit("bar", 1.0, 1.0), None);
    }

    #[test]
    fn measures_carry_their_unit() {
        assert_eq!(measure("3kW", "W"), Some(3_000.0));
        assert_eq!(measure("6 bar", "Pa"), Some(600_000.0));
        assert_eq!(measure("6bar", "W"), None);
        assert_eq!(conversion("K", "degC"), Some((1.0, -273.15)));
        assert_eq!(measure("36 GJ/h", "W"), Some(1e7));
        assert_eq!(measure("36 MJ/h", "W"), Some(1e4));
        assert_eq!(conversion("kvarh", "varh"), Some((1_000.0, 0.0)));
    }
}
