//! Laws that hold of every number.

use proptest::prelude::*;

use super::*;

/// The words a device would send, from the bytes up.
fn words_of(bytes: &[u8], field: Field) -> Vec<u16> {
    let mut words: Vec<u16> = bytes
        .chunks(2)
        .map(|pair| match field.bytes {
            Order::Big => u16::from_be_bytes([pair[0], pair[1]]),
            Order::Little => u16::from_le_bytes([pair[0], pair[1]]),
        })
        .collect();
    if field.order == Order::Little {
        words.reverse();
    }
    words
}

/// The bytes of a packed decimal.
fn packed(number: u64, digits: usize) -> Vec<u8> {
    let text = format!("{number:0digits$}");
    text.as_bytes()
        .chunks(2)
        .map(|pair| (pair[0] - b'0') << 4 | (pair[1] - b'0'))
        .collect()
}

proptest! {
    /// What a device writes in any type and order, anywhere in an answer, is what is
    /// read.
    #[test]
    fn a_number_survives_the_wire(
        signed in any::<i64>(),
        float in any::<f64>().prop_filter("finite", |float| float.is_finite()),
        orders in any::<[bool; 2]>(),
        base in any::<u16>(),
        ahead in 0_u16..100,
    ) {
        let [order, bytes] = orders.map(|little| if little { Order::Little } else { Order::Big });
        let address = base.saturating_add(ahead);
        let read = |number, content: &[u8]| {
            let field = Field { bytes, ..Field::new(address, number, order) };
            let mut answer = vec![0x5A5A; usize::from(address - base)];
            answer.extend(words_of(content, field));
            answer.push(0xA5A5);
            Layout::simple(3, field, PLAIN).value(base, &answer, &[])
        };
        let is = |value: f64| Ok(Value::Analog(value + 0.0));
        prop_assert_eq!(read(Number::I64, &signed.to_be_bytes()), is(signed as f64));
        prop_assert_eq!(read(Number::U64, &signed.to_be_bytes()), is(signed as u64 as f64));
        prop_assert_eq!(read(Number::I32, &(signed as i32).to_be_bytes()), is(f64::from(signed as i32)));
        prop_assert_eq!(read(Number::U32, &(signed as u32).to_be_bytes()), is(f64::from(signed as u32)));
        prop_assert_eq!(read(Number::I16, &(signed as i16).to_be_bytes()), is(f64::from(signed as i16)));
        prop_assert_eq!(read(Number::U16, &(signed as u16).to_be_bytes()), is(f64::from(signed as u16)));
        prop_assert_eq!(read(Number::F64, &float.to_be_bytes()), is(float));
        let single = float as f32;
        if single.is_finite() {
            prop_assert_eq!(read(Number::F32, &single.to_be_bytes()), is(f64::from(single)));
        }
        for (number, digits) in [(Number::Bcd16, 4), (Number::Bcd32, 8), (Number::Bcd64, 16)] {
            let decimal = signed.unsigned_abs() % 10_u64.pow(digits);
            prop_assert_eq!(read(number, &packed(decimal, digits as usize)), is(decimal as f64));
        }
        let word = (signed as u16).to_be_bytes();
        prop_assert_eq!(read(Number::HighByte, &word), is(f64::from(word[0])));
        prop_assert_eq!(read(Number::LowByte, &word), is(f64::from(word[1])));
        for bit in 0..16 {
            prop_assert_eq!(read(Number::Bit(bit), &word), is(f64::from(signed as u16 >> bit & 1)));
        }
    }

    /// A counter keeps its bits in every type, and its sum with another is exact.
    #[test]
    fn counters_add_up_exactly(first in any::<u32>(), second in any::<u32>(), weight in 1_u32..10_000) {
        let extra = Extra { also: vec![term(2, Number::U32, weight.into())], ..Extra::default() };
        let layout = with(layout(Number::I32, Order::Big, Decode::Count), extra);
        let words = [(first >> 16) as u16, first as u16, (second >> 16) as u16, second as u16];
        let sum = i64::from(first) + i64::from(second) * i64::from(weight);
        prop_assert_eq!(said(&layout, &words), Ok(Value::Count(sum)));
    }

    /// No words of packed decimals become a number unless every digit is one.
    #[test]
    fn a_digit_above_nine_is_never_a_number(words in any::<[u16; 4]>()) {
        let digits = words.iter().flat_map(|word| [12, 8, 4, 0].map(|shift| word >> shift & 0xF));
        let is_number = digits.into_iter().all(|digit| digit <= 9);
        let said = said(&layout(Number::Bcd64, Order::Big, PLAIN), &words);
        prop_assert_eq!(said.is_ok(), is_number);
    }

    /// A register tells its worth exactly: count and worth are the energy that the
    /// exponent and the ratios make of it.
    #[test]
    fn a_told_worth_is_exact(raw in 0_u32..1_000_000, shift in -4_i16..=2, current in 1_u32..4_000) {
        let decode = Decode::ToldCount { unit: CountUnit::new(1_000_000, 1).unwrap(), bits: 32 };
        let extra = Extra { exponent: exponent(2, false), factors: vec![0], ..Extra::default() };
        let layout = with(layout(Number::U32, Order::Big, decode), extra);
        let words = [(raw >> 16) as u16, raw as u16, shift as u16];
        let said = layout.value(0, &words, &[f64::from(current)]);
        let Ok(Value::Scaled { count, unit, bits: 32 }) = said else {
            panic!("{said:?}");
        };
        let mwh = i128::from(raw) * i128::from(current) * 10_i128.pow((6 + shift) as u32);
        prop_assert_eq!(i128::from(unit.energy(count.into()).0), mwh);
    }

    /// Dividing by the power of ten is the nearest float to the decimal product.
    #[test]
    fn a_decimal_scale_is_exact(raw in any::<i32>(), digits in 0_usize..=9) {
        let decimal: f64 = format!("1e-{digits}").parse().unwrap();
        let nearest: f64 = format!("{raw}e-{digits}").parse().unwrap();
        prop_assert_eq!(scaled(f64::from(raw), decimal), nearest);
    }

    /// Too few words are never a number, whatever they are.
    #[test]
    fn a_short_answer_is_never_a_number(words in prop::collection::vec(any::<u16>(), 0..4)) {
        for number in [Number::U64, Number::I64, Number::F64] {
            let said = layout(number, Order::Big, PLAIN).value(0, &words, &[]);
            prop_assert_eq!(said, Err(Reason::ShortAnswer));
        }
    }
}
