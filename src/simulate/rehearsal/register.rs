//! From a value to the words that a device sends for it: decoding, turned round.
//!
//! ```text
//!   value ──unit, scale, sign──▶ raw number ──fields──▶ words at their places
//! ```
//!
//! An energy register holds whole counts, rounded down, and starts again at zero
//! where its digits or its bits end; an analog one holds the nearest count and stops
//! at the end of its range, as a real one does. A value of several numbers is shared
//! out among them, the heaviest first; a second tariff holds nothing, and an exponent
//! is zero. **What is decoded from these words is the value**, up to the step of the
//! register.

use super::model::Said;
pub use super::number::{Held, Piece};
use super::number::{pattern, range, saturated, usually_absent, written};
use crate::domain::meter::{Point, Quantity};
use crate::domain::units::{to_f64, to_i64};
use crate::wire::register::{Absent, Decode, Field, Layout, Number, Order};

/// One value of a meter, in one register or several.
#[derive(Debug, Clone)]
pub struct Register {
    /// What it measures.
    pub quantity: &'static Quantity,
    /// Where it is and how its number is written.
    pub layout: Layout,
    /// Milliwatt-hours of a count, as a ratio, where it counts.
    worth: (i64, i64),
    /// Counts after which it starts again, where that is before its bits end.
    modulus: Option<i128>,
    /// What the device tells that it is to be multiplied by.
    factor: f64,
}

impl Register {
    /// The register of a point.
    #[must_use]
    pub fn new(point: &Point, layout: &Layout) -> Self {
        let floats = matches!(
            layout.decode,
            Decode::CountFloat { .. } | Decode::ToldFloat { .. }
        );
        // Of a float that counts, incidents are told in milliwatt-hours.
        let unit = point.register.map(|kind| kind.unit).filter(|_| !floats);
        Self {
            quantity: point.quantity,
            layout: layout.clone(),
            worth: unit.map_or((1, 1), |unit| (unit.numerator, unit.denominator)),
            modulus: point.register.and_then(|kind| kind.modulus),
            factor: 1.0,
        }
    }

    /// The same register of a device that tells a factor elsewhere, above zero.
    #[must_use]
    pub fn with_factor(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    /// Whether it counts energy.
    #[must_use]
    pub fn counts(&self) -> bool {
        !matches!(self.layout.decode, Decode::Analog { .. } | Decode::Share)
    }

    /// Its own field; a bit of function codes 1 and 2 is a word of 0 or 1.
    fn field(&self) -> Field {
        if self.layout.is_bit() {
            Field::new(self.layout.field.address, Number::U16, Order::Big)
        } else {
            self.layout.field
        }
    }

    fn bounds(&self) -> Option<(i128, i128)> {
        if self.layout.is_bit() {
            return Some((0, 1));
        }
        range(self.layout.field.number)
    }

    /// Counts after which it starts again; none for a float, and for a counter that is
    /// a sum of several.
    #[must_use]
    pub fn turns_over_at(&self) -> Option<i128> {
        if self.terms().next().is_some() {
            return self.modulus;
        }
        let (least, most) = self.bounds()?;
        let bits = most - least + 1;
        Some(self.modulus.map_or(bits, |modulus| modulus.min(bits)))
    }

    /// What it holds for a value; `ahead` are counts beyond the true ones.
    #[must_use]
    pub fn hold(&self, said: Said, ahead: i128) -> Held {
        let (Said::Analog(value) | Said::Energy(value)) = said;
        match self.layout.decode {
            Decode::Analog { scale, offset } => Held::Float((value - offset) / scale / self.factor),
            // As it is in a float, in percent in an integer.
            Decode::Share if self.bounds().is_none() => Held::Float(value),
            Decode::Share => Held::Float(value * 100.0),
            Decode::Count | Decode::ToldCount { .. } => {
                let count = self.counted(value) + ahead;
                let end = self.turns_over_at();
                Held::Integer(end.map_or(count, |end| count.rem_euclid(end)))
            }
            Decode::CountFloat { mwh_per_unit } | Decode::ToldFloat { mwh_per_unit } => {
                let mwh = value * 1_000.0 / self.factor + to_f64(saturated(ahead));
                Held::Float(mwh / mwh_per_unit)
            }
        }
    }

    /// Whole counts of an energy, Wh.
    #[must_use]
    pub fn counted(&self, wh: f64) -> i128 {
        let mwh = i128::from(to_i64((wh / self.factor * 1_000.0).floor()));
        (mwh * i128::from(self.worth.1)).div_euclid(i128::from(self.worth.0))
    }

    /// Further numbers of the value, with their weights.
    fn terms(&self) -> impl Iterator<Item = (Field, f64)> + '_ {
        let extra = self.layout.extra.as_deref();
        let also = extra.into_iter().flat_map(|extra| &extra.also);
        also.map(|term| (term.field, term.weight))
    }

    /// The words of what it holds, each number at its place.
    #[must_use]
    pub fn pieces(&self, held: Held) -> Vec<Piece> {
        let mut shares: Vec<(Field, f64)> = self.terms().collect();
        // A second tariff weighs as much as the first, and holds nothing.
        let (mut pieces, own): (Vec<Piece>, _) = (Vec::new(), (self.field(), 1.0));
        let nothing = |field| written(field, Held::Integer(0));
        pieces.extend(
            shares
                .iter()
                .filter(|one| one.1 == 1.0)
                .map(|one| nothing(one.0)),
        );
        let exponent = self
            .layout
            .extra
            .as_deref()
            .and_then(|extra| extra.exponent);
        pieces.extend(exponent.map(|exponent| nothing(exponent.field)));
        shares.retain(|one| one.1 != 1.0);
        if shares.is_empty() {
            pieces.push(written(own.0, self.within_type(held)));
            return pieces;
        }
        shares.push(own);
        shares.sort_by(|one, other| other.1.total_cmp(&one.1));
        let mut rest = match held {
            Held::Float(value) => value,
            Held::Integer(value) => to_f64(saturated(value)),
        };
        let last = shares.len() - 1;
        for (n, (field, weight)) in shares.into_iter().enumerate() {
            let share = rest / weight;
            let float = matches!(field.number, Number::F32 | Number::F64);
            let held = match n == last {
                true if float => share,
                true => share.round(),
                false => share.trunc(),
            };
            rest -= held * weight;
            pieces.push(written(field, Held::Float(held)));
        }
        pieces
    }

    /// The nearest number that its type holds; a counter has turned over already.
    fn within_type(&self, held: Held) -> Held {
        match (held, self.bounds()) {
            (Held::Float(value), Some((least, most))) => {
                Held::Integer(i128::from(to_i64(value)).clamp(least, most))
            }
            _ => held,
        }
    }

    /// The words that say "not available", in each of its numbers.
    #[must_use]
    pub fn not_available(&self) -> Vec<Piece> {
        let said = |field: Field, absent: &Absent| {
            let first = absent
                .as_ref()
                .and_then(|patterns| patterns.first().copied());
            pattern(field, first.unwrap_or_else(|| usually_absent(field.number)))
        };
        let extra = self.layout.extra.as_deref();
        let also = extra.into_iter().flat_map(|extra| &extra.also);
        let exponent = extra.and_then(|extra| extra.exponent);
        std::iter::once(said(self.field(), &self.layout.absent))
            .chain(also.map(|term| said(term.field, &term.absent)))
            .chain(exponent.map(|exponent| pattern(exponent.field, 0x8000)))
            .collect()
    }

    /// The largest canonical value of an analog register; none where it has no end.
    #[must_use]
    pub fn most(&self) -> Option<f64> {
        let (_, most) = self.reach()?;
        most.is_finite().then_some(most)
    }

    /// Whether it can hold a negative value.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.reach().is_some_and(|(least, _)| least < 0.0)
    }

    /// Least and most canonical value of an analog register that make sense.
    fn reach(&self) -> Option<(f64, f64)> {
        let Decode::Analog { scale, offset } = self.layout.decode else {
            return None;
        };
        let of = |raw: i128| to_f64(saturated(raw)) * scale * self.factor + offset;
        let (least, most) = match self.bounds() {
            None => (f64::NEG_INFINITY, f64::INFINITY),
            Some((least, most)) if scale > 0.0 => (of(least), of(most)),
            Some((least, most)) => (of(most), of(least)),
        };
        let within = self.layout.extra.as_deref().and_then(|extra| extra.within);
        Some(within.map_or((least, most), |(from, to)| (least.max(from), most.min(to))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::meter::RegisterKind;
    use crate::domain::snapshot::Value;
    use crate::domain::units::CountUnit;
    use crate::wire::register::{Exponent, Extra, Term};

    fn made(quantity: &str, layout: &Layout) -> Register {
        let quantity = Quantity::named(quantity).unwrap();
        let counts = !matches!(layout.decode, Decode::Analog { .. });
        let unit = CountUnit::new(10_000, 1).unwrap();
        let kind = RegisterKind {
            unit,
            modulus: Some(1_000_000),
            told: false,
        };
        let register = counts.then_some(kind);
        Register::new(&Point { quantity, register }, layout)
    }

    fn register(quantity: &str, number: Number, order: Order, decode: Decode) -> Register {
        made(
            quantity,
            &Layout::simple(3, Field::new(0, number, order), decode),
        )
    }

    /// What the daemon decodes of these words, by a decoder that is tested by words
    /// made by hand.
    fn decoded(register: &Register, pieces: &[Piece]) -> Value {
        let span = register.layout.span();
        let mut answer = vec![0; usize::from(span.count)];
        for piece in pieces {
            for (n, word) in piece.words.iter().enumerate() {
                answer[usize::from(piece.address - span.address) + n] |= word & piece.mask;
            }
        }
        register.layout.value(span.address, &answer, &[]).unwrap()
    }

    const NUMBERS: [Number; 8] = [
        Number::U16,
        Number::I16,
        Number::U32,
        Number::I32,
        Number::U64,
        Number::I64,
        Number::F32,
        Number::F64,
    ];

    proptest! {
        #[test]
        fn what_is_decoded_is_the_value(
            value in -3_000.0..3_000.0, number in 0..NUMBERS.len(), little: bool,
            scale in prop::sample::select(vec![0.1, 1.0, -0.1, 0.5]), offset in -40.0..40.0,
        ) {
            let order = if little { Order::Little } else { Order::Big };
            let decode = Decode::Analog { scale, offset };
            let register = register("power", NUMBERS[number], order, decode);
            let pieces = register.pieces(register.hold(Said::Analog(value), 0));
            let raw = (value - offset) / scale;
            let fits = match NUMBERS[number] {
                Number::U16 => (0.0..65_535.0).contains(&raw),
                Number::I16 => (-32_768.0..32_767.0).contains(&raw),
                Number::U32 | Number::U64 => raw >= 0.0,
                _ => true,
            };
            if fits {
                let Value::Analog(said) = decoded(&register, &pieces) else { panic!() };
                let off = f64::abs(said - value);
                prop_assert!(off <= 0.5 * f64::abs(scale) + 1e-3, "{} {}", said, value);
            }
        }
    }

    #[test]
    fn counts_are_whole_and_turn_over() {
        let register = register("energy_import", Number::U32, Order::Big, Decode::Count);
        // One count is 10 Wh, and the counter has six digits.
        for (wh, ahead, expected) in [
            (0.0, 0, 0),
            (9.999, 0, 0),
            (10.0, 0, 1),
            (25.0, 0, 2),
            (10_000_000.0, 0, 0),
            (10.0, 999_999, 0),
            (50.0, -5, 0),
            (50.0, -6, 999_999),
        ] {
            let held = register.hold(Said::Energy(wh), ahead);
            assert_eq!(held, Held::Integer(expected), "{wh} {ahead}");
            assert_eq!(
                decoded(&register, &register.pieces(held)),
                Value::Count(saturated(expected))
            );
        }
    }

    #[test]
    fn a_value_of_several_numbers_is_shared_out() {
        let of = |address, number| Field::new(address, number, Order::Big);
        let term = |field, weight| Term {
            field,
            weight,
            absent: None,
        };
        let plain = Decode::Analog {
            scale: 1.0,
            offset: 0.0,
        };
        let exponent = Exponent {
            field: of(7, Number::I16),
            negate: false,
        };
        #[rustfmt::skip]
        let cases = [
            // whole and fraction          tariffs                          high word apart
            (vec![term(of(2, Number::F32), 1.0e-3)], None, plain,           1_234.567),
            (vec![term(of(2, Number::U16), 1.0e-4)], None, plain,           17.25),
            (vec![term(of(2, Number::U32), 1.0), term(of(4, Number::U32), 1.0)], None, plain, 77.0),
            (vec![term(of(2, Number::U16), 65_536.0)], None, plain,         200_000.0),
            (vec![], Some(exponent), plain,                                 4_321.0),
        ];
        for (also, exponent, decode, value) in cases {
            let extra = Extra {
                also,
                exponent,
                ..Extra::default()
            };
            let mut layout = Layout::simple(3, of(0, Number::U16), decode);
            layout.extra = Some(Arc::new(extra));
            let register = made("power", &layout);
            let Value::Analog(said) = decoded(
                &register,
                &register.pieces(register.hold(Said::Analog(value), 0)),
            ) else {
                panic!()
            };
            assert!((said - value).abs() < 1e-3, "{said} {value}");
        }
    }

    #[test]
    fn a_factor_that_the_device_tells_is_taken_out() {
        let plain = Decode::Analog {
            scale: 1.0,
            offset: 5.0,
        };
        let analog = register("power", Number::I32, Order::Big, plain).with_factor(80.0);
        assert_eq!(analog.hold(Said::Analog(8_005.0), 0), Held::Float(100.0));
        let counts = register("energy_import", Number::U32, Order::Big, Decode::Count);
        // A count of 10 Wh on the secondary side is 800 Wh.
        assert_eq!(
            counts.with_factor(80.0).hold(Said::Energy(2_000.0), 1),
            Held::Integer(3)
        );
    }

    #[test]
    fn an_analog_register_stops_at_its_end() {
        let decode = Decode::Analog {
            scale: 0.1,
            offset: 0.0,
        };
        for (number, value, words) in [
            (Number::U16, 9_000.0, 0xFFFF),
            (Number::U16, -1.0, 0),
            (Number::I16, 9_000.0, 0x7FFF),
            (Number::I16, -9_000.0, 0x8000),
            (Number::I16, -0.1, 0xFFFF),
        ] {
            let register = register("power", number, Order::Big, decode);
            let pieces = register.pieces(register.hold(Said::Analog(value), 0));
            assert_eq!(pieces[0].words, [words], "{value}");
        }
    }

    #[test]
    fn what_is_not_there_has_words_of_its_own() {
        #[rustfmt::skip]
        let cases: [(Number, Option<u64>, &[u16]); 7] = [
            (Number::U16, None,         &[0xFFFF]),
            (Number::I16, None,         &[0x7FFF]),
            (Number::I16, Some(0x8000), &[0x8000]),
            (Number::U32, None,         &[0xFFFF, 0xFFFF]),
            (Number::I32, None,         &[0x7FFF, 0xFFFF]),
            (Number::F32, None,         &[0x7FC0, 0]),
            (Number::I64, None,         &[0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF]),
        ];
        let decode = Decode::Analog {
            scale: 1.0,
            offset: 0.0,
        };
        for (number, told, words) in cases {
            let little: Vec<u16> = words.iter().rev().copied().collect();
            for (order, words) in [(Order::Big, words), (Order::Little, &little[..])] {
                let mut layout = Layout::simple(3, Field::new(0, number, order), decode);
                layout.absent = told.map(|pattern| Arc::from([pattern]));
                assert_eq!(
                    made("power", &layout).not_available()[0].words,
                    words,
                    "{number:?}"
                );
            }
        }
    }
}
