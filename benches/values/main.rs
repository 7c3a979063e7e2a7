//! How many values one core decodes in a second, and how long a plan takes.
//!
//! `cargo bench --bench values` prints a row for each kind of value. The words of an
//! answer are decoded as the poller decodes them: a layout, the answer of its request,
//! and the ratios of the device.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sunledger::domain::units::CountUnit;
use sunledger::wire::modbus::timing::Timing;
use sunledger::wire::plan::{Limits, Span, plan};
use sunledger::wire::register::{Decode, Exponent, Extra, Field, Layout, Number, Order, Term};

/// Each kind is decoded for about so long.
const FOR: Duration = Duration::from_secs(1);
/// Values of one answer.
const VALUES: u16 = 60;

const PLAIN: Decode = Decode::Analog {
    scale: 0.1,
    offset: 0.0,
};

fn layouts(number: Number, decode: Decode, extra: Option<Extra>, absent: bool) -> Vec<Layout> {
    let extra = extra.map(Arc::new);
    let absent = absent.then(|| Arc::from([0xFFFF_FFFF_u64, 0x7FFF_FFFF].as_slice()));
    (0..VALUES)
        .map(|place| Layout {
            absent: absent.clone(),
            extra: extra.clone(),
            ..Layout::simple(3, Field::new(place * 2, number, Order::Big), decode)
        })
        .collect()
}

fn measure(name: &str, layouts: &[Layout]) {
    let answer: Vec<u16> = (0..130).map(|word| 0x3F00 + word % 7).collect();
    let factors = [80.0, 100.0];
    let mut values = 0_u64;
    let mut good = 0_u64;
    let begun = Instant::now();
    while begun.elapsed() < FOR {
        for _ in 0..1_000 {
            let (layouts, answer) = (black_box(layouts), black_box(&answer[..]));
            for layout in layouts {
                good += u64::from(black_box(layout.value(0, answer, &factors)).is_ok());
            }
            values += layouts.len() as u64;
        }
    }
    assert_eq!(good, values, "{name}: every value is one");
    let rate = values as f64 / begun.elapsed().as_secs_f64();
    println!("{name:<28} {:>8.1} million values/s", rate / 1e6);
}

/// Plans ten thousand points and prints the median of many runs.
fn measure_plan(name: &str, spans: &[Span]) {
    let mut times: Vec<f64> = (0..101)
        .map(|_| {
            let begun = Instant::now();
            let requests = plan(black_box(spans), &Limits::default(), &[], &Timing::NETWORK);
            assert!(!black_box(requests).is_empty());
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<28} {:>8.2} ms", times[50]);
}

fn plans() {
    // Addresses in no order, as they come from configurations.
    let at = |n: u32, every: u32, count: u16, fc: u8| Span {
        fc,
        address: u16::try_from((n * 7_919) % 10_000 * every % 65_000).unwrap(),
        count,
    };
    let points = |every, count, fc| {
        (0..10_000)
            .map(|n| at(n, every, count, fc))
            .collect::<Vec<_>>()
    };
    measure_plan("plan: 10,000 neighbours", &points(1, 1, 3));
    measure_plan("plan: 10,000 apart", &points(6, 2, 4));
    measure_plan("plan: 10,000 bits", &points(1, 1, 1));
}

fn main() {
    plans();
    let ratio = Extra {
        factors: vec![0, 1],
        ..Extra::default()
    };
    let exponent = Extra {
        exponent: Some(Exponent {
            field: Field::new(128, Number::HighByte, Order::Big),
            negate: true,
        }),
        within: Some((-1e30, 1e30)),
        ..Extra::default()
    };
    let sum = Extra {
        also: vec![Term {
            field: Field::new(126, Number::U32, Order::Big),
            weight: 1.0,
            absent: None,
        }],
        ..Extra::default()
    };
    let told = Decode::ToldCount {
        unit: CountUnit::MILLIWATT_HOUR,
        bits: 32,
    };
    let counted = |decode, extra| layouts(Number::U32, decode, Some(extra), false);
    let shifted = Extra {
        exponent: None,
        ..exponent.clone()
    };
    measure("u16", &layouts(Number::U16, PLAIN, None, false));
    measure("i32", &layouts(Number::I32, PLAIN, None, false));
    measure(
        "u32 with sentinels",
        &layouts(Number::U32, PLAIN, None, true),
    );
    measure("f32", &layouts(Number::F32, PLAIN, None, false));
    measure(
        "f32 in a range",
        &layouts(Number::F32, PLAIN, Some(shifted), false),
    );
    measure(
        "u32 counter",
        &layouts(Number::U32, Decode::Count, None, false),
    );
    measure("u32 counter of two tariffs", &counted(Decode::Count, sum));
    measure("u32 with two ratios", &counted(PLAIN, ratio.clone()));
    measure("u32 counter with two ratios", &counted(told, ratio));
}
