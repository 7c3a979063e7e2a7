//! Points: which quantity, where in a device or payload, and how its raw number
//! becomes a value.
//!
//! ```text
//!   [[point]] ──Spec::read──▶ Spec ──Spec::place──▶ quantity, Layout, RegisterKind
//!                              │      (role, direction, ratio and nameplate of a meter)
//!                              └ the same in a meter's table and in a template
//! ```
//!
//! **A point is turned once**: by what its device calls positive, by what the role of
//! its meter means, and by `invert` where the meter is installed the other way round.

use std::sync::Arc;

use super::field::{Defaults, function_code, spot};
use super::meaning::{Mistake, Said, meaning};
use super::meter::Common;
use super::ratio::Ratio;
use super::read::{Table, closest, list};
use super::units;
use crate::domain::meter::{Nature, QUANTITIES, Quantity, RegisterKind, Role, Sense};
use crate::domain::units::Power;
use crate::wire::register::{Absent, Decode, Exponent, Extra, Field, Layout, Number, Order, Term};

/// How far power may be above the nameplate before it is no reading: overload and
/// short peaks of machines stay below, a swapped word does not.
const NAMEPLATE_FACTOR: f64 = 2.0;

/// The most that a power can be with this nameplate, in watt, and how far it can move
/// within a second: a machine may turn round at its nameplate.
pub(super) fn plausible_power(rated: Option<Power>) -> Option<f64> {
    rated.map(|rated| rated.as_watts() * NAMEPLATE_FACTOR)
}

/// The quantity of a point as its table names it.
fn named(table: &Table<'_>) -> Option<&'static Quantity> {
    table.required("quantity", "power");
    table.parsed("quantity", "power", |text| {
        Quantity::named(text).ok_or_else(|| {
            let names: Vec<&str> = QUANTITIES.iter().map(|quantity| quantity.name).collect();
            let remedy = match closest(text, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "one of those in docs/schema.md, such as `power` or `energy_import`".to_owned()
                }
            };
            (format!("`{text}` is not a quantity"), remedy)
        })
    })
}

/// The quantity of the other direction, where a meter is installed the other way round.
fn swapped(quantity: &'static Quantity, invert: bool) -> &'static Quantity {
    let name = quantity.name;
    let other = if !invert {
        return quantity;
    } else if name.contains("energy_import") {
        name.replace("energy_import", "energy_export")
    } else {
        name.replace("energy_export", "energy_import")
    };
    Quantity::named(&other).unwrap_or(quantity)
}

/// The quantity of a point, turned for a meter installed the other way round.
pub(super) fn quantity(table: &Table<'_>, invert: bool) -> Option<&'static Quantity> {
    named(table).map(|quantity| swapped(quantity, invert))
}

/// What a point says of its raw numbers, whatever it measures.
pub(super) struct Raw<'a> {
    pub(super) scale: f64,
    pub(super) offset: f64,
    pub(super) unit: Option<&'a str>,
}

pub(super) fn raw<'a>(table: &Table<'a>, quantity: Option<&Quantity>) -> Raw<'a> {
    let example = quantity.map_or("W", |quantity| quantity.unit);
    Raw {
        scale: table.number("scale").unwrap_or(1.0),
        offset: table.number("offset").unwrap_or(0.0),
        unit: table.text("unit", example),
    }
}

/// What raw numbers of a point are said to be.
fn said(
    table: &Table<'_>,
    quantity: &Quantity,
    raw: &Raw<'_>,
    whole: bool,
    wraps: Option<u8>,
) -> Said {
    let digits = if quantity.nature == Nature::Register && whole {
        table.integer("digits", 3, 18)
    } else {
        None
    };
    Said {
        scale: raw.scale,
        offset: raw.offset,
        unit: raw.unit.unwrap_or(quantity.unit).to_owned(),
        digits: digits.and_then(|digits| u32::try_from(digits).ok()),
        whole,
        wraps,
        told: false,
    }
}

pub(super) fn report(table: &Table<'_>, mistakes: Vec<Mistake>) {
    for (key, fact, remedy) in mistakes {
        table.problem(key, fact, remedy);
    }
}

/// How raw numbers of a payload become values.
pub(super) fn decode(
    table: &Table<'_>,
    quantity: &'static Quantity,
    raw: &Raw<'_>,
    common: &Common,
    number: Number,
    modulus: Option<i128>,
) -> Option<(Decode, Option<RegisterKind>)> {
    let wraps = modulus.and_then(|_| number.wraps());
    let said = said(table, quantity, raw, number.is_whole(), wraps);
    let turned = common.invert && has_direction(quantity);
    let meant = meaning(quantity, &said, common.ratios.of(quantity), turned);
    meant.map_err(|mistakes| report(table, mistakes)).ok()
}

fn has_direction(quantity: &Quantity) -> bool {
    matches!(quantity.unit, "W" | "var")
}

pub(super) fn duplicate(
    table: &Table<'_>,
    measured: &mut Vec<&'static str>,
    quantity: Option<&Quantity>,
) -> bool {
    let Some(quantity) = quantity else {
        return false;
    };
    let taken = measured.contains(&quantity.name);
    measured.push(quantity.name);
    if taken {
        table.problem(
            "quantity",
            format!("`{}` is measured twice by this meter", quantity.name),
            "one point for each quantity",
        );
    }
    taken
}

/// What a device calls positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positive {
    /// Taken from the grid.
    Import,
    /// Fed into the grid.
    Export,
    /// Made.
    Generation,
    /// Stored.
    Charge,
    /// Taken out of a storage.
    Discharge,
}

/// Every direction by its name.
#[rustfmt::skip]
const DIRECTIONS: &[(&str, Positive)] = &[
    ("import", Positive::Import), ("export", Positive::Export),
    ("generation", Positive::Generation),
    ("charge", Positive::Charge), ("discharge", Positive::Discharge),
];

impl Positive {
    /// The name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        let row = DIRECTIONS.iter().find(|row| row.1 == self);
        row.map_or("", |row| row.0)
    }

    fn sense(self) -> Sense {
        match self {
            Self::Import | Self::Charge => Sense::Import,
            Self::Export | Self::Generation | Self::Discharge => Sense::Export,
        }
    }
}

/// A point as its table says it, before a meter has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The quantity as the device means it.
    pub quantity: &'static Quantity,
    /// Function code.
    pub fc: u8,
    /// Its own field.
    pub field: Field,
    /// Patterns that say that there is no value.
    pub absent: Absent,
    /// What is added to it.
    pub also: Vec<Term>,
    /// A power of ten in the same answer.
    pub exponent: Option<Exponent>,
    /// Places in the factors of the device.
    pub multiply_by: Vec<usize>,
    /// What its raw number is.
    pub said: Said,
    /// Least plausible value, in its unit.
    pub min: Option<f64>,
    /// Greatest plausible value, in its unit.
    pub max: Option<f64>,
    /// Fastest plausible change, in its unit a second.
    pub max_rate: Option<f64>,
    /// What the device calls positive.
    pub positive: Option<Positive>,
}

/// What a meter makes of a point.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// Whether it is installed the other way round.
    pub invert: bool,
    /// What it stands for.
    pub role: Option<&'static Role>,
    /// The ratio that is stated for this point.
    pub ratio: Ratio,
    /// Its nameplate.
    pub rated: Option<Power>,
}

/// A point of a meter.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The quantity, turned.
    pub quantity: &'static Quantity,
    /// How it is read.
    pub layout: Layout,
    /// For a register, how it counts.
    pub register: Option<RegisterKind>,
}

impl Spec {
    /// Reads a point. `factors` are the names that `multiply_by` may hold.
    /// The quantity is told also where the rest of the point is wrong.
    pub fn read(
        table: &Table<'_>,
        defaults: &Defaults,
        factors: &[&str],
    ) -> (Option<&'static Quantity>, Option<Self>) {
        let quantity = named(table);
        (quantity, Self::of(table, quantity, defaults, factors))
    }

    fn of(
        table: &Table<'_>,
        quantity: Option<&'static Quantity>,
        defaults: &Defaults,
        factors: &[&str],
    ) -> Option<Self> {
        let raw = raw(table, quantity);
        let fc = function_code(table, "fc", defaults);
        let spot = spot(table, fc, defaults);
        let also = terms(table, fc, defaults);
        let exponent = exponent(table, fc, defaults);
        let multiply_by = multiply_by(table, factors);
        let positive = positive(table);
        let (min, max) = (table.number("min"), table.number("max"));
        let max_rate = table.number("max_rate");
        let (Some(quantity), Some(spot)) = (quantity, spot) else {
            // Whether it belongs here depends on what is wrong.
            let _ = table.has("digits");
            return None;
        };
        if matches!(spot.field.number, Number::Text(_)) {
            table.problem("type", "`text` is never a value", "a number");
            return None;
        }
        if spot.field.number == Number::DateTime && !quantity.name.starts_with("clock") {
            table.problem(
                "type",
                "`datetime` is a civil time, and no such quantity",
                "a number, or quantity `clock_local` (`clock` where the device keeps UTC)",
            );
            return None;
        }
        let also = also?;
        let whole = spot.field.number.is_whole() && also.iter().all(is_whole);
        let wraps = spot.field.number.wraps().filter(|_| also.is_empty());
        let said = said(table, quantity, &raw, whole, wraps);
        plausible(table, quantity, (min, max), max_rate);
        if let Err(mistakes) = meaning(quantity, &said, Ratio::ONE, false) {
            report(table, mistakes);
            return None;
        }
        Some(Self {
            quantity,
            fc: fc?,
            field: spot.field,
            absent: spot.absent,
            also,
            exponent: exponent?,
            multiply_by: multiply_by?,
            said,
            min,
            max,
            max_rate,
            positive,
        })
    }

    /// The point as a meter has it.
    ///
    /// # Errors
    ///
    /// Every [`Mistake`] that the ratio of the meter makes.
    pub fn place(&self, turn: &Turn) -> Result<Placed, Vec<Mistake>> {
        let sense = turn.role.map(|role| role.sense);
        let by_role = match (self.positive, sense) {
            (Some(positive), Some(sense)) => positive.sense() != sense,
            _ => false,
        };
        let turned = by_role != (turn.invert && has_direction(self.quantity));
        let told = self.exponent.is_some() || !self.multiply_by.is_empty();
        let said = Said {
            told,
            ..self.said.clone()
        };
        let (decode, register) = meaning(self.quantity, &said, turn.ratio, turned)?;
        let extra = Extra {
            also: self.also.clone(),
            exponent: self.exponent,
            factors: self.multiply_by.clone(),
            within: self.within(turn, turned),
            rate: self.rate(turn),
        };
        let layout = Layout {
            fc: self.fc,
            field: self.field,
            decode,
            absent: self.absent.clone(),
            extra: (extra != Extra::default()).then(|| Arc::new(extra)),
        };
        Ok(Placed {
            quantity: swapped(self.quantity, turn.invert),
            layout,
            register,
        })
    }

    /// Canonical units in its unit.
    fn factor(&self) -> f64 {
        units::conversion(&self.said.unit, self.quantity.unit).map_or(1.0, |(factor, _)| factor)
    }

    fn nameplate(&self, turn: &Turn) -> Option<f64> {
        plausible_power(turn.rated).filter(|_| self.quantity.is_active_power())
    }

    /// The fastest plausible change, canonical.
    fn rate(&self, turn: &Turn) -> Option<f64> {
        match self.max_rate {
            Some(rate) => Some(rate * self.factor()),
            None => self.nameplate(turn),
        }
    }

    /// What is plausible, canonical and turned.
    fn within(&self, turn: &Turn, turned: bool) -> Option<(f64, f64)> {
        if self.min.is_none() && self.max.is_none() {
            let most = self.nameplate(turn)?;
            return Some((-most, most));
        }
        let (factor, shift) = units::conversion(&self.said.unit, self.quantity.unit)?;
        let canonical = |value: f64| value * factor + shift;
        let least = self.min.map_or(f64::NEG_INFINITY, canonical);
        let most = self.max.map_or(f64::INFINITY, canonical);
        Some(if turned {
            (-most, -least)
        } else {
            (least, most)
        })
    }
}

/// Whether a term leaves a whole sum whole.
fn is_whole(term: &Term) -> bool {
    term.field.number.is_whole() && term.weight.fract() == 0.0
}

/// The numbers that are added to a point; none where one of them is wrong.
fn terms(table: &Table<'_>, fc: Option<u8>, defaults: &Defaults) -> Option<Vec<Term>> {
    if !table.has("also") {
        return Some(Vec::new());
    }
    let mut terms = Some(Vec::new());
    for inner in table.tables("also") {
        let spot = spot(&inner, fc, defaults);
        let weight = inner.number("scale").unwrap_or(1.0);
        inner.finish();
        let weighs = weight != 0.0 && weight.abs() < 1e12;
        if !weighs {
            inner.problem(
                "scale",
                format!("{weight} adds nothing that counts"),
                "how many counts of the point's own register one of these is",
            );
        }
        let term = spot.filter(|_| weighs).map(|spot| Term {
            field: spot.field,
            weight,
            absent: spot.absent,
        });
        terms = terms.zip(term).map(|(mut terms, term)| {
            terms.push(term);
            terms
        });
    }
    terms
}

/// The power of ten of a point: the outer none where it is wrong.
#[allow(clippy::option_option)]
fn exponent(table: &Table<'_>, fc: Option<u8>, defaults: &Defaults) -> Option<Option<Exponent>> {
    if !table.has("exponent") {
        return Some(None);
    }
    if !table.is_table("exponent") {
        let address = table.integer("exponent", 0, 65_535)?;
        let field = Field {
            bytes: defaults.bytes,
            ..Field::new(u16::try_from(address).ok()?, Number::I16, Order::Big)
        };
        let negate = false;
        return Some(Some(Exponent { field, negate }));
    }
    let inner = table.table("exponent")?;
    let negate = inner.flag("negate").unwrap_or(false);
    let field = if inner.has("type") {
        let spot = spot(&inner, fc, defaults)?;
        if !spot.field.number.is_whole() {
            inner.problem("type", "holds no whole power of ten", "`i16`");
            return None;
        }
        spot.field
    } else {
        let address = inner.required_integer("address", 0, 65_535)?;
        Field {
            bytes: defaults.bytes,
            ..Field::new(u16::try_from(address).ok()?, Number::I16, Order::Big)
        }
    };
    inner.finish();
    Some(Some(Exponent { field, negate }))
}

/// The factors of a point by their places; none where a name is wrong.
fn multiply_by(table: &Table<'_>, factors: &[&str]) -> Option<Vec<usize>> {
    let mut places = Some(Vec::new());
    if !table.has("multiply_by") {
        return places;
    }
    for name in table.texts("multiply_by") {
        let place = factors.iter().position(|factor| *factor == name);
        if place.is_none() {
            let remedy = if factors.is_empty() {
                "a template names the factors of its device as [[factor]]".to_owned()
            } else {
                let names = factors.iter().map(|name| format!("`{name}`"));
                format!("one of {}", list(names))
            };
            table.problem("multiply_by", format!("`{name}` is not a factor"), remedy);
        }
        places = places.zip(place).map(|(mut places, place)| {
            places.push(place);
            places
        });
    }
    places
}

fn positive(table: &Table<'_>) -> Option<Positive> {
    table.parsed("positive", "import", |text| {
        let row = DIRECTIONS.iter().find(|row| row.0 == text);
        row.map(|row| row.1).ok_or_else(|| {
            let names = list(DIRECTIONS.iter().map(|row| format!("`{}`", row.0)));
            (
                format!("`{text}` is not a direction"),
                format!("one of {names}"),
            )
        })
    })
}

/// Whether a plausible range says something.
fn plausible(
    table: &Table<'_>,
    quantity: &Quantity,
    range: (Option<f64>, Option<f64>),
    rate: Option<f64>,
) {
    let counts = quantity.nature == Nature::Register;
    for (key, value) in [("min", range.0), ("max", range.1), ("max_rate", rate)] {
        if counts && value.is_some() {
            table.problem(
                key,
                "a counting register has no plausible range",
                "`rated` at the meter bounds what it may advance",
            );
        }
    }
    if let (Some(min), Some(max)) = range
        && min >= max
    {
        table.problem(
            "min",
            format!("{min} is not below max = {max}"),
            "a smaller one",
        );
    }
    if let Some(rate) = rate
        && rate <= 0.0
    {
        table.problem(
            "max_rate",
            format!("{rate} is not above zero"),
            "units a second",
        );
    }
}
