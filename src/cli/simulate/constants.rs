//! Registers of a device that never change: what shows which device it is, and the
//! ratios that it tells. A rehearsed device is the one that is meant, and its ratios
//! are as near to one as its registers allow.

use crate::simulate::rehearsal::number::{Held, written};
use crate::simulate::rehearsal::unit::Constant;
use crate::source::modbus::{Expect, Factor, Meaning, Wants};
use crate::wire::register::{Field, Layout, Number, Order};

/// What a device holds beside its values.
pub fn all(factors: &[Factor], identify: &[Expect]) -> Vec<Constant> {
    let factors = factors
        .iter()
        .map(|factor| number(factor.fc, factor.field, raw(&factor.meaning)));
    let identify = identify.iter().map(|expect| match &expect.wants {
        Wants::Begins(texts) => text(expect, texts.first().map_or("", |text| text)),
        Wants::Equals(numbers) => number(
            expect.fc,
            expect.field,
            numbers.first().copied().unwrap_or_default(),
        ),
        Wants::Between(least, _) => number(expect.fc, expect.field, *least),
    });
    factors.chain(identify).collect()
}

/// What a value is multiplied by, as this device tells it.
pub fn product(factors: &[Factor], layout: &Layout) -> f64 {
    let places = layout
        .extra
        .as_deref()
        .map_or(&[][..], |extra| &extra.factors);
    let told = places.iter().filter_map(|place| {
        let factor = factors.get(*place)?;
        let said = number(factor.fc, factor.field, raw(&factor.meaning));
        factor.value(said.address, &said.words).ok()
    });
    told.product()
}

/// The raw number of the factor nearest to one.
fn raw(meaning: &Meaning) -> i64 {
    match meaning {
        Meaning::Scale(scale) => crate::domain::units::to_i64(1.0 / scale).max(1),
        Meaning::PowerOfTen => 0,
        Meaning::Codes(codes) => {
            let far = |factor: f64| factor.log10().abs();
            let nearest = codes
                .iter()
                .min_by(|one, other| far(one.1).total_cmp(&far(other.1)));
            nearest.map_or(0, |code| code.0)
        }
    }
}

fn number(fc: u8, field: Field, raw: i64) -> Constant {
    let held = match field.number {
        Number::F32 | Number::F64 => Held::Float(crate::domain::units::to_f64(raw)),
        _ => Held::Integer(i128::from(raw)),
    };
    let piece = written(field, held);
    Constant {
        fc,
        address: piece.address,
        words: piece.words,
    }
}

fn text(expect: &Expect, text: &str) -> Constant {
    let mut words: Vec<u16> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let byte = |n| pair.get(n).copied().unwrap_or_default();
            match expect.field.bytes {
                Order::Big => u16::from_be_bytes([byte(0), byte(1)]),
                Order::Little => u16::from_le_bytes([byte(0), byte(1)]),
            }
        })
        .collect();
    words.resize(usize::from(expect.words()), 0);
    Constant {
        fc: expect.fc,
        address: expect.field.address,
        words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: Number) -> Field {
        Field::new(10, number, Order::Big)
    }

    /// What is served is what the poller wants.
    #[test]
    fn a_rehearsed_device_is_the_one_that_is_meant() {
        let cases = [
            (
                Number::Text(4),
                Wants::Begins(vec!["B23".into(), "B24".into()]),
            ),
            (Number::U16, Wants::Equals(vec![24, 25])),
            (Number::I32, Wants::Between(-5, 5)),
        ];
        for (number, wants) in cases {
            for bytes in [Order::Big, Order::Little] {
                let field = Field {
                    bytes,
                    ..field(number)
                };
                let (wants, about) = (wants.clone(), String::new());
                let expect = Expect {
                    fc: 3,
                    field,
                    wants,
                    about,
                    verify_only: false,
                };
                let said = all(&[], std::slice::from_ref(&expect)).remove(0);
                assert_eq!((said.fc, said.address), (3, 10));
                assert_eq!(expect.holds(10, &said.words), Ok(()), "{expect:?}");
            }
        }
    }

    #[test]
    fn its_ratios_are_near_one_and_known() {
        let codes = vec![(0, 1_000.0), (3, 0.1), (4, 10_000.0)];
        let cases = [
            (Number::U16, Meaning::Scale(1.0), 1.0),
            (Number::U16, Meaning::Scale(0.1), 1.0),
            (Number::F32, Meaning::Scale(40.0), 40.0),
            (Number::U16, Meaning::Codes(codes), 0.1),
            (Number::I16, Meaning::PowerOfTen, 1.0),
        ];
        for (number, meaning, expected) in cases {
            let (name, absent) = ("ct".into(), None);
            let factor = Factor {
                name,
                fc: 3,
                field: field(number),
                absent,
                meaning,
            };
            let said = all(std::slice::from_ref(&factor), &[]).remove(0);
            assert_eq!(factor.value(10, &said.words), Ok(expected), "{factor:?}");
        }
    }
}
