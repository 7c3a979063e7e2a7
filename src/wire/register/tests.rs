//! Numbers off the wire: words worked out by hand, and laws.

mod laws;

use super::decode::scaled;
use super::*;
use crate::domain::units::{CountUnit, to_f64};

const PLAIN: Decode = Decode::Analog {
    scale: 1.0,
    offset: 0.0,
};

fn layout(number: Number, order: Order, decode: Decode) -> Layout {
    Layout::simple(3, Field::new(0, number, order), decode)
}

/// A number, how it is written, its words and what they are.
type OnWire<'a> = (Number, Order, Order, &'a [u16], Result<f64, Reason>);
/// A number, the patterns that say that there is none, and words.
type Sentinel<'a> = (Number, Order, &'a [u64], &'a [u16], Option<f64>);
/// A situation: a field, what it means, a further term, words.
type Sum<'a> = (
    &'a str,
    Number,
    Decode,
    Term,
    &'a [u16],
    Result<Value, Reason>,
);
/// A situation: what a number means, whether its exponent divides, words.
type Shift<'a> = (&'a str, Decode, bool, &'a [u16], Result<Value, Reason>);
/// A situation: a number, what it means, and the ratios of the device.
type Ratio<'a> = (&'a str, Number, Decode, &'a [f64], Result<Value, Reason>);

/// The value in an answer that begins at register 0.
fn said(layout: &Layout, answer: &[u16]) -> Result<Value, Reason> {
    layout.value(0, answer, &[])
}

fn analog(scale: f64, offset: f64) -> Decode {
    Decode::Analog { scale, offset }
}

/// Bits as in the table at [`Number::DateTime`]; the weekday says nothing.
#[test]
fn a_civil_time_is_one_or_nothing() {
    let seconds = |text: &str| {
        let civil: jiff::civil::DateTime = text.parse().unwrap();
        let utc = jiff::tz::TimeZone::UTC.to_timestamp(civil).unwrap();
        Ok(Value::Analog(to_f64(utc.as_second())))
    };
    let none = Err(Reason::NotAvailable);
    #[rustfmt::skip]
    let cases: &[(&str, [u16; 4], Result<Value, Reason>)] = &[
        ("a moment",             [0x001A, 0x0B1B, 0x150E, 0xC350], seconds("2026-11-27T21:14:50")),
        ("with its weekday",     [0x001A, 0x0BDB, 0x150E, 0xC350], seconds("2026-11-27T21:14:50")),
        ("in summer",            [0x001A, 0x071F, 0x971E, 0x0000], seconds("2026-07-31T23:30:00")),
        ("the last of a minute", [0x007F, 0x0C1F, 0x173B, 0xEA5F], seconds("2127-12-31T23:59:59")),
        ("marked invalid",       [0x001A, 0x0B1B, 0x158E, 0xC350], none),
        ("never set",            [0x0000, 0x0000, 0x0000, 0x0000], none),
        ("nothing there",        [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF], none),
        ("a 30 February",        [0x001A, 0x021E, 0x0000, 0x0000], none),
        ("a minute of 60 s",     [0x001A, 0x0B1B, 0x150E, 0xEA60], none),
        ("an hour 24",           [0x001A, 0x0B1B, 0x180E, 0x0000], none),
    ];
    for (name, words, expected) in cases {
        let said = layout(Number::DateTime, Order::Big, PLAIN).value(0, words, &[]);
        assert_eq!(said, *expected, "{name}");
    }
}

/// The words here are worked out by hand, so that no mistake of ours is in both.
#[test]
fn words_become_numbers() {
    use Number::{F32, F64, I16, I32, I64, U16, U32, U64};
    use Order::{Big, Little};
    #[rustfmt::skip]
    let cases: &[(Number, Order, &[u16], f64)] = &[
        (U16, Big,    &[0xFFFF],                          65_535.0),
        (U16, Little, &[0xFFFF],                          65_535.0),
        (I16, Big,    &[0xFFFF],                          -1.0),
        (I16, Little, &[0x8000],                          -32_768.0),
        (U32, Big,    &[0x0001, 0x86A0],                  100_000.0),
        (U32, Little, &[0x86A0, 0x0001],                  100_000.0),
        (U32, Big,    &[0x0000, 0xFFFF],                  65_535.0),
        (I32, Big,    &[0xFFFE, 0x7960],                  -100_000.0),
        (I32, Little, &[0x7960, 0xFFFE],                  -100_000.0),
        (F32, Big,    &[0x4366, 0x3333],                  230.199_996_948_242_2),
        (F32, Little, &[0x3333, 0x4366],                  230.199_996_948_242_2),
        (F32, Big,    &[0xC0A0, 0x0000],                  -5.0),
        (U64, Big,    &[0x0000, 0x0002, 0x540B, 0xE400],  10_000_000_000.0),
        (U64, Little, &[0xE400, 0x540B, 0x0002, 0x0000],  10_000_000_000.0),
        (I64, Big,    &[0xFFFF, 0xFFFD, 0xABF4, 0x1C00],  -10_000_000_000.0),
        (I64, Little, &[0x1C00, 0xABF4, 0xFFFD, 0xFFFF],  -10_000_000_000.0),
        (F64, Big,    &[0x406C, 0xC333, 0x3333, 0x3333],  230.1),
        (F64, Little, &[0x3333, 0x3333, 0xC333, 0x406C],  230.1),
    ];
    for &(number, order, words, expected) in cases {
        let said = layout(number, order, PLAIN).value(0, words, &[]);
        assert_eq!(
            said,
            Ok(Value::Analog(expected)),
            "{number:?} {order:?} {words:04X?}"
        );
    }
}

#[test]
fn a_decimal_scale_gives_the_decimal_result() {
    #[rustfmt::skip]
    let cases = [
        (2301_u16, analog(0.1, 0.0),    "230.1"),
        (3,        analog(0.1, 0.0),    "0.3"),
        (4998,     analog(0.01, 0.0),   "49.98"),
        (987,      analog(0.001, 0.0),  "0.987"),
        (57,       analog(1e-4, 0.0),   "0.0057"),
        (57,       analog(1e-9, 0.0),   "0.000000057"),
        (2301,     analog(-0.1, 0.0),   "-230.1"),
        (2301,     analog(10.0, 0.0),   "23010"),
        (215,      analog(0.5, 0.0),    "107.5"),
        (650,      analog(0.1, -40.0),  "25"),
        (0,        analog(-1.0, 0.0),   "0"),
    ];
    for (raw, decode, expected) in cases {
        let said = layout(Number::U16, Order::Big, decode).value(0, &[raw], &[]);
        let Ok(Value::Analog(value)) = said else {
            panic!("{raw} with {decode:?}: {said:?}");
        };
        assert_eq!(value.to_string(), expected, "{raw} with {decode:?}");
    }
}

#[test]
fn a_counter_declared_signed_is_read_by_its_bits() {
    #[rustfmt::skip]
    let cases: &[(Number, &[u16], i64)] = &[
        (Number::I32, &[0x7FFF, 0xFFF8], 2_147_483_640),
        (Number::I32, &[0x8000, 0x0008], 2_147_483_656),
        (Number::I16, &[0xFFFE],         65_534),
        (Number::U32, &[0xFFFF, 0xFFFF], 4_294_967_295),
        (Number::U64, &[0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF], i64::MAX),
        (Number::F32, &[0x447A, 0x2000], 1_001), // 1000.5, to the nearest
    ];
    for &(number, words, count) in cases {
        let said = layout(number, Order::Big, Decode::Count).value(0, words, &[]);
        assert_eq!(said, Ok(Value::Count(count)), "{number:?}");
    }
    // -2147483640, as a signed reader would have it.
    let words = [0x8000, 0x0008];
    let signed = layout(Number::I32, Order::Big, PLAIN).value(0, &words, &[]);
    assert_eq!(signed, Ok(Value::Analog(-2_147_483_640.0)));
}

#[test]
fn a_float_energy_counts_milliwatt_hours() {
    let kwh = Decode::CountFloat {
        mwh_per_unit: 1_000_000.0,
    };
    let layout = layout(Number::F64, Order::Big, kwh);
    // 230.1 kWh
    let said = layout.value(0, &[0x406C, 0xC333, 0x3333, 0x3333], &[]);
    assert_eq!(said, Ok(Value::Count(230_100_000)));
}

#[test]
fn what_is_not_a_number_is_a_reason() {
    use Reason::{NotAvailable, OutOfRange, ShortAnswer};
    let kwh = Decode::CountFloat { mwh_per_unit: 1e6 };
    #[rustfmt::skip]
    let cases: &[(&str, Number, Decode, &[u16], Reason)] = &[
        ("NaN",                      Number::F32, PLAIN,            &[0x7FC0, 0x0000],         NotAvailable),
        ("infinity",                 Number::F32, PLAIN,            &[0x7F80, 0x0000],         NotAvailable),
        ("NaN of 64 bits",           Number::F64, PLAIN,            &[0x7FF8, 0, 0, 0],        NotAvailable),
        ("a counter of NaN",         Number::F32, kwh,              &[0xFFC0, 0x0000],         NotAvailable),
        ("a count above an i64",     Number::U64, Decode::Count,    &[0x8000, 0, 0, 0],        OutOfRange),
        ("a negative 64-bit count",  Number::I64, Decode::Count,    &[0xFFFF; 4],              OutOfRange),
        ("a count of 1e300",         Number::F64, kwh,              &[0x7E37, 0xE43C, 0, 0],   OutOfRange),
        ("a scale beyond floats",    Number::F64, analog(1e300, 0.0), &[0x7E37, 0xE43C, 0, 0], OutOfRange),
        ("one word of two",          Number::U32, PLAIN,            &[1],                      ShortAnswer),
        ("nothing at all",           Number::U16, PLAIN,            &[],                       ShortAnswer),
    ];
    for &(situation, number, decode, words, reason) in cases {
        let said = layout(number, Order::Big, decode).value(0, words, &[]);
        assert_eq!(said, Err(reason), "{situation}");
    }
}

#[test]
fn a_bit_is_zero_or_one_whatever_its_number_says() {
    let bit = Layout {
        fc: 1,
        ..layout(Number::F64, Order::Little, PLAIN)
    };
    assert_eq!(bit.words(), 1);
    assert_eq!(bit.value(0, &[1], &[]), Ok(Value::Analog(1.0)));
    assert_eq!(bit.value(0, &[0], &[]), Ok(Value::Analog(0.0)));
}

/// A point whose register is followed by these terms and an exponent.
fn with(layout: Layout, extra: Extra) -> Layout {
    Layout {
        extra: Some(Arc::new(extra)),
        ..layout
    }
}

fn term(address: u16, number: Number, weight: f64) -> Term {
    Term {
        field: Field::new(address, number, Order::Big),
        weight,
        absent: None,
    }
}

fn exponent(address: u16, negate: bool) -> Option<Exponent> {
    let field = Field::new(address, Number::I16, Order::Big);
    Some(Exponent { field, negate })
}

#[test]
fn parts_of_a_register_and_packed_decimals_are_numbers() {
    use Number::{Bcd16, Bcd32, Bcd64, Bit, HighByte, LowByte};
    use Order::{Big, Little};
    #[rustfmt::skip]
    let cases: &[OnWire<'_>] = &[
        (Bit(0),   Big,    Big,    &[0x0001],                         Ok(1.0)),
        (Bit(15),  Big,    Big,    &[0x8000],                         Ok(1.0)),
        (Bit(3),   Big,    Big,    &[0xFFF7],                         Ok(0.0)),
        (Bit(8),   Big,    Little, &[0x0001],                         Ok(1.0)),
        (LowByte,  Big,    Big,    &[0xAB5A],                         Ok(90.0)),
        (HighByte, Big,    Big,    &[0xAB5A],                         Ok(171.0)),
        (HighByte, Big,    Little, &[0xAB5A],                         Ok(90.0)),
        (Bcd16,    Big,    Big,    &[0x9876],                         Ok(9_876.0)),
        (Bcd32,    Big,    Big,    &[0x1234, 0x5678],                 Ok(12_345_678.0)),
        (Bcd32,    Little, Big,    &[0x5678, 0x1234],                 Ok(12_345_678.0)),
        (Bcd32,    Big,    Little, &[0x3412, 0x7856],                 Ok(12_345_678.0)),
        (Bcd64,    Big,    Big,    &[0x0000, 0x1234, 0x5678, 0x9012], Ok(123_456_789_012.0)),
        (Bcd16,    Big,    Big,    &[0x12A4],                         Err(Reason::NotAvailable)),
        (Bcd32,    Big,    Big,    &[0xF000, 0x0000],                 Err(Reason::NotAvailable)),
        (Number::U32, Big, Little, &[0x2211, 0x4433],                 Ok(f64::from(0x1122_3344))),
        (Number::F32, Little, Little, &[0x3333, 0x6643],              Ok(230.199_996_948_242_2)),
        (Number::Text(2), Big, Big, &[0x4142, 0x4300],                Err(Reason::Config)),
    ];
    for &(number, order, bytes, words, expected) in cases {
        let field = Field {
            bytes,
            ..Field::new(0, number, order)
        };
        let found = said(&Layout::simple(3, field, PLAIN), words);
        assert_eq!(
            found,
            expected.map(Value::Analog),
            "{number:?} {order:?} {bytes:?} {words:04X?}"
        );
    }
}

#[test]
fn text_ends_where_its_padding_begins() {
    #[rustfmt::skip]
    let cases: &[(Order, &[u16], Result<&str, Reason>)] = &[
        (Order::Big,    &[0x4232, 0x3320, 0x2020], Ok("B23")),
        (Order::Big,    &[0x4232, 0x3300, 0x5858], Ok("B23")),
        (Order::Little, &[0x3242, 0x0033, 0x0000], Ok("B23")),
        (Order::Big,    &[0x4232, 0x33FF, 0xFFFF], Ok("B23")),
        (Order::Big,    &[0x0000, 0x0000, 0x0000], Err(Reason::NotAvailable)),
        (Order::Big,    &[0x4207, 0x3320, 0x2020], Err(Reason::NotAvailable)),
        (Order::Big,    &[0xC328, 0x3320, 0x2020], Err(Reason::NotAvailable)),
        (Order::Big,    &[0x4232],                 Err(Reason::ShortAnswer)),
    ];
    for &(bytes, words, expected) in cases {
        let field = Field {
            bytes,
            ..Field::new(7, Number::Text(3), Order::Big)
        };
        assert_eq!(
            field.text(7, words),
            expected.map(str::to_owned),
            "{words:04X?}"
        );
    }
}

#[test]
fn a_sentinel_counts_in_its_own_width_alone() {
    use Number::{Bcd16, F32, HighByte, I16, I32, U16, U32};
    let ones = [0xFFFF_u64];
    #[rustfmt::skip]
    let cases: &[Sentinel<'_>] = &[
        (U16,      Order::Big,    &ones,           &[0xFFFF],         None),
        (U32,      Order::Big,    &[0xFFFF_FFFF],  &[0x0000, 0xFFFF], Some(65_535.0)),
        (U32,      Order::Big,    &[0xFFFF_FFFF],  &[0xFFFF, 0xFFFF], None),
        (I16,      Order::Big,    &[0x7FFF],       &[0x7FFF],         None),
        (I16,      Order::Big,    &[0x7FFF],       &[0x8000],         Some(-32_768.0)),
        (I32,      Order::Little, &[0x7FFF_FFFF],  &[0xFFFF, 0x7FFF], None),
        (I32,      Order::Little, &[0x7FFF_FFFF],  &[0x7FFF, 0xFFFF], Some(-32_769.0)),
        (U32,      Order::Big,    &[999_999],      &[0x000F, 0x423F], None),
        (F32,      Order::Big,    &[0xC61C_3C00],  &[0xC61C, 0x3C00], None), // -9999
        (HighByte, Order::Big,    &[0xFF],         &[0xFF12],         None),
        (HighByte, Order::Big,    &[0xFF],         &[0x12FF],         Some(18.0)),
        (Bcd16,    Order::Big,    &[0x9999],       &[0x9999],         None),
    ];
    for &(number, order, absent, words, expected) in cases {
        let layout = Layout {
            absent: Some(absent.into()),
            ..layout(number, order, PLAIN)
        };
        let expected = expected.map(Value::Analog).ok_or(Reason::NotAvailable);
        assert_eq!(said(&layout, words), expected, "{number:?} {words:04X?}");
    }
}

#[test]
fn a_value_of_several_fields_is_their_sum() {
    let gigajoule = Decode::CountFloat {
        mwh_per_unit: 1e9 / 3.6,
    };
    let absent = Term {
        absent: Some([0xFFFF_FFFF].into()),
        ..term(2, Number::U32, 1.0)
    };
    #[rustfmt::skip]
    let cases: &[Sum<'_>] = &[
        ("integer and fraction",    Number::I32, gigajoule,     term(2, Number::F32, 1.0),    &[0, 36, 0x3F00, 0], Ok(Value::Count(10_138_888_889))),
        ("two tariffs",             Number::U32, Decode::Count, term(2, Number::U32, 1.0),    &[1, 0, 0, 7],       Ok(Value::Count(65_543))),
        ("MWh beside kWh",          Number::U16, Decode::Count, term(2, Number::U16, 1e3),    &[250, 0, 3],        Ok(Value::Count(3_250))),
        ("power of two phases",     Number::I16, analog(0.1, 0.0), term(1, Number::I16, 1.0), &[30, 0xFFF6],       Ok(Value::Analog(2.0))),
        ("a tenth of a unit more",  Number::U16, PLAIN,         term(1, Number::U16, 0.1),    &[3, 5],             Ok(Value::Analog(3.5))),
        ("one tariff says nothing", Number::U32, Decode::Count, absent,                       &[1, 0, 0xFFFF, 0xFFFF], Err(Reason::NotAvailable)),
        ("a fraction of NaN",       Number::I32, gigajoule,     term(2, Number::F32, 1.0),    &[0, 36, 0x7FC0, 0], Err(Reason::NotAvailable)),
        ("the fraction did not come", Number::I32, gigajoule,   term(2, Number::F32, 1.0),    &[0, 36, 0x3F00],    Err(Reason::ShortAnswer)),
    ];
    for (situation, number, decode, term, words, expected) in cases {
        let extra = Extra {
            also: vec![term.clone()],
            ..Extra::default()
        };
        let layout = with(layout(*number, Order::Big, *decode), extra);
        assert_eq!(said(&layout, words), *expected, "{situation}");
    }
}

#[test]
fn a_sum_of_counters_is_exact_where_a_float_is_not() {
    let layout = with(
        layout(Number::U64, Order::Big, Decode::Count),
        Extra {
            also: vec![term(4, Number::U64, 1.0)],
            ..Extra::default()
        },
    );
    // 2^60 + 1 and 2^60 + 2: no float holds the sum.
    let words = [0x1000, 0, 0, 1, 0x1000, 0, 0, 2];
    assert_eq!(said(&layout, &words), Ok(Value::Count((1 << 61) + 3)));
    let words = [0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF, 0, 0, 0, 1];
    assert_eq!(said(&layout, &words), Err(Reason::OutOfRange));
}

#[test]
fn an_exponent_of_the_same_answer_moves_the_point() {
    let told = Decode::ToldCount {
        unit: CountUnit::new(1_000, 1).unwrap(),
        bits: 32,
    };
    let counts = |count, numerator, denominator| {
        let unit = CountUnit::new(numerator, denominator).unwrap();
        Ok(Value::Scaled {
            count,
            unit,
            bits: 32,
        })
    };
    #[rustfmt::skip]
    let cases: &[Shift<'_>] = &[
        ("tenths",                PLAIN, false, &[0, 2_301, 0xFFFF], Ok(Value::Analog(230.1))),
        ("hundreds",              PLAIN, false, &[0, 2_301, 2],      Ok(Value::Analog(230_100.0))),
        ("as it is",              PLAIN, false, &[0, 2_301, 0],      Ok(Value::Analog(2_301.0))),
        ("divided by it",         PLAIN, true,  &[0, 9_735, 1],      Ok(Value::Analog(973.5))),
        ("not implemented",       PLAIN, false, &[0, 2_301, 0x8000], Err(Reason::NotAvailable)),
        ("beyond every exponent", PLAIN, false, &[0, 2_301, 300],    Err(Reason::OutOfRange)),
        ("it did not come",       PLAIN, false, &[0, 2_301],         Err(Reason::ShortAnswer)),
        ("a counter of tens",     told,  false, &[1, 0, 1],          counts(65_536, 10_000, 1)),
        ("a counter of 1/10000",  told,  false, &[0, 7, 0xFFFC],     counts(7, 1, 10)),
        ("a counter, not implemented", told, false, &[0, 7, 0x8000], Err(Reason::NotAvailable)),
    ];
    for (situation, decode, negate, words, expected) in cases {
        let extra = Extra {
            exponent: exponent(2, *negate),
            ..Extra::default()
        };
        let layout = with(layout(Number::U32, Order::Big, *decode), extra);
        assert_eq!(said(&layout, words), *expected, "{situation}");
    }
}

#[test]
fn a_share_in_percent_becomes_one_of_one() {
    use Reason::{NotAvailable, OutOfRange};
    let tens = |tens: i16| tens.cast_unsigned();
    #[rustfmt::skip]
    let cases = [
        ("a fraction",              987,     tens(-3), Ok(0.987)),
        ("percent",                 987,     tens(-1), Ok(0.987)),
        ("percent, finer",          -9_852,  tens(-2), Ok(-0.9852)),
        ("percent, whole",          95,      0,        Ok(0.95)),
        ("one",                     1,       0,        Ok(1.0)),
        ("minus one",               -1_000,  tens(-3), Ok(-1.0)),
        ("a hundred percent",       100,     0,        Ok(1.0)),
        ("none",                    0,       0,        Ok(0.0)),
        ("a fraction too large",    1_003,   tens(-3), Err(OutOfRange)),
        ("percent too large",       1_005,   tens(-1), Err(OutOfRange)),
        ("no scale",                987,     0x8000,   Err(NotAvailable)),
    ];
    for (situation, raw, factor, expected) in cases {
        let extra = Extra {
            exponent: exponent(1, false),
            ..Extra::default()
        };
        let layout = with(layout(Number::I16, Order::Big, Decode::Share), extra);
        let raw: i16 = raw;
        let said = said(&layout, &[raw.cast_unsigned(), factor]);
        assert_eq!(said, expected.map(Value::Analog), "{situation}");
    }
}

#[test]
fn ratios_of_the_device_multiply_and_an_unknown_one_leaves_a_gap() {
    let unit = CountUnit::new(10_000, 1).unwrap();
    let told = Decode::ToldCount { unit, bits: 32 };
    let float = Decode::ToldFloat { mwh_per_unit: 1e6 };
    let scaled = |count, numerator: i128, denominator, bits| {
        let unit = CountUnit::new(numerator, denominator).unwrap();
        Ok(Value::Scaled { count, unit, bits })
    };
    let nan = f64::NAN;
    #[rustfmt::skip]
    let cases: &[Ratio<'_>] = &[
        ("power",            Number::U32, analog(0.1, 0.0), &[80.0, 9.0, 100.0], Ok(Value::Analog(56_000.0))),
        ("energy",           Number::U32, told,             &[80.0, 9.0, 100.0], scaled(70, 80_000_000, 1, 32)),
        ("a tenth of ratio", Number::U32, told,             &[0.1, 9.0, 1.0],    scaled(70, 1_000, 1, 32)),
        ("energy as float",  Number::F32, float,            &[80.0, 9.0, 100.0], scaled(0, 8_000, 1, 0)),
        ("none is read",     Number::U32, told,             &[],                 Err(Reason::NeverSeen)),
        ("one is not known", Number::U32, told,             &[80.0, 9.0, nan],   Err(Reason::NeverSeen)),
        ("power, not known", Number::U32, PLAIN,            &[nan, 9.0, 100.0],  Err(Reason::NeverSeen)),
        ("a ratio of zero",  Number::U32, PLAIN,            &[0.0, 9.0, 100.0],  Err(Reason::OutOfRange)),
        ("a negative ratio", Number::U32, told,             &[-1.0, 9.0, 100.0], Err(Reason::OutOfRange)),
        ("another's ratio",  Number::U32, analog(0.1, 0.0), &[80.0, nan, 100.0], Ok(Value::Analog(56_000.0))),
    ];
    for (situation, number, decode, factors, expected) in cases {
        let extra = Extra {
            factors: vec![0, 2],
            ..Extra::default()
        };
        let layout = with(layout(*number, Order::Big, *decode), extra);
        assert_eq!(layout.value(0, &[0, 70], factors), *expected, "{situation}");
    }
}

#[test]
fn what_is_not_plausible_is_a_gap_and_not_clamped() {
    let extra = Extra {
        within: Some((45.0, 65.0)),
        rate: Some(0.5),
        ..Extra::default()
    };
    let layout = with(layout(Number::U16, Order::Big, analog(0.01, 0.0)), extra);
    for (raw, expected) in [
        (4_499, Err(Reason::OutOfRange)),
        (4_500, Ok(Value::Analog(45.0))),
        (6_500, Ok(Value::Analog(65.0))),
        (6_501, Err(Reason::OutOfRange)),
    ] {
        assert_eq!(said(&layout, &[raw]), expected, "{raw}");
    }
    let hertz = Value::Analog;
    assert!(!layout.is_leap(hertz(50.0), hertz(51.0), 2.0));
    assert!(layout.is_leap(hertz(50.0), hertz(48.9), 2.0));
    assert!(!layout.is_leap(Value::Count(0), Value::Count(9), 1.0));
}

#[test]
fn a_span_holds_every_field() {
    let value = |address, extra| {
        let field = Field::new(address, Number::U32, Order::Big);
        let layout = Layout::simple(4, field, PLAIN);
        with(layout, extra).span()
    };
    let also = |address| Extra {
        also: vec![term(address, Number::F64, 1.0)],
        ..Extra::default()
    };
    let scaled = Extra {
        exponent: exponent(90, false),
        ..also(104)
    };
    let span = |address, count| Span {
        fc: 4,
        address,
        count,
    };
    #[rustfmt::skip]
    let cases = [
        ("nothing else",          100,    Extra::default(), span(100, 2)),
        ("a term behind",         100,    also(104),        span(100, 8)),
        ("a term before",         100,    also(90),         span(90, 12)),
        ("an exponent before",    100,    scaled,           span(90, 18)),
        ("the last registers",    65_534, Extra::default(), span(65_534, 2)),
        ("beyond the last",       65_535, Extra::default(), span(65_535, 2)),
        ("more than registers",   0,      also(65_535),     span(0, u16::MAX)),
    ];
    for (situation, address, extra, expected) in cases {
        assert_eq!(value(address, extra), expected, "{situation}");
    }
    let coil = Layout::simple(1, Field::new(9, Number::F64, Order::Big), PLAIN);
    assert_eq!(coil.span().count, 1);
}
