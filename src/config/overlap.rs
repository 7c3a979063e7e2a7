//! Points that cannot both be right, and points that no request can read.
//!
//! Two points that read the same registers as different numbers contradict each
//! other: one of them is a typing mistake that would go on as a value. A bit or a
//! byte of a register is a part of it and contradicts nothing.

use crate::wire::register::{Field, Layout, Number};

/// The registers that two layouts read as different numbers.
#[must_use]
pub fn clash(one: &Layout, other: &Layout) -> Option<(u16, u16)> {
    if one.fc != other.fc {
        return None;
    }
    one.fields()
        .flat_map(|field| other.fields().map(move |against| (field, against)))
        .find_map(|(field, against)| differ(field, against))
}

fn differ(one: Field, other: Field) -> Option<(u16, u16)> {
    let ends = |field: Field| u32::from(field.address) + u32::from(field.number.words());
    let first = one.address.max(other.address);
    let end = ends(one).min(ends(other));
    if u32::from(first) >= end || one == other {
        return None;
    }
    let is_part = |field: Field| {
        matches!(
            field.number,
            Number::Bit(_) | Number::LowByte | Number::HighByte
        )
    };
    let one_register = one.number.words() == 1 && other.number.words() == 1;
    if one_register && (is_part(one) || is_part(other)) {
        return None;
    }
    let last = u16::try_from(end - 1).unwrap_or(u16::MAX);
    Some((first, last))
}

/// Why no request can read a layout from a device that answers so many registers.
#[must_use]
pub fn unsplittable(layout: &Layout, max_registers: u16) -> Option<String> {
    let span = layout.span();
    (!layout.is_bit() && span.count > max_registers).then(|| {
        format!(
            "needs {} registers of one answer from {} on, and the device answers {max_registers}",
            span.count, span.address
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::register::{Decode, Order};

    fn at(fc: u8, address: u16, number: Number) -> Layout {
        Layout::simple(fc, Field::new(address, number, Order::Big), Decode::Count)
    }

    #[test]
    fn the_same_registers_are_one_number_and_no_other() {
        use Number::{Bit, F32, HighByte, I32, LowByte, U16, U32};
        #[rustfmt::skip]
        let cases = [
            ("neighbours",             at(3, 0, U32), at(3, 2, U32),      None),
            ("the same number",        at(3, 0, U32), at(3, 0, U32),      None),
            ("another type",           at(3, 0, U32), at(3, 0, I32),      Some((0, 1))),
            ("a register further",     at(3, 0, F32), at(3, 1, F32),      Some((1, 1))),
            ("another function code",  at(3, 0, F32), at(4, 1, F32),      None),
            ("bits of a register",     at(3, 9, Bit(1)), at(3, 9, Bit(2)), None),
            ("its two bytes",          at(3, 9, LowByte), at(3, 9, HighByte), None),
            ("a bit of a status",      at(3, 9, U16), at(3, 9, Bit(2)),   None),
            ("a bit inside a counter", at(3, 8, U32), at(3, 9, Bit(2)),   Some((9, 9))),
        ];
        for (situation, one, other, expected) in cases {
            assert_eq!(clash(&one, &other), expected, "{situation}");
            assert_eq!(clash(&other, &one), expected, "{situation}, turned");
        }
        let turned = Field {
            order: Order::Little,
            ..Field::new(0, U32, Order::Big)
        };
        let little = Layout::simple(3, turned, Decode::Count);
        assert_eq!(clash(&at(3, 0, U32), &little), Some((0, 1)));
    }

    #[test]
    fn a_value_longer_than_an_answer_is_told() {
        let wide = at(3, 100, Number::U64);
        assert_eq!(unsplittable(&wide, 4), None);
        let why = unsplittable(&wide, 3).unwrap();
        assert!(
            why.contains("4 registers of one answer from 100 on"),
            "{why}"
        );
    }
}
