use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::wire::modbus::line::{Line, Parity};

/// A request costs as much as so many registers.
fn worth(registers: f64) -> Timing {
    Timing {
        per_request_ms: registers,
        per_register_ms: 1.0,
    }
}

/// No gap is worth reading.
const STRICT: Limits = Limits {
    max_registers: MAX_REGISTERS,
    even_counts: false,
    max_gap: Some(0),
};

fn at(fc: u8, address: u16, count: u16) -> Span {
    Span { fc, address, count }
}

fn most(max_registers: u16) -> Limits {
    Limits {
        max_registers,
        ..STRICT
    }
}

type Asked = (u8, u16, u16, Vec<usize>);

/// What a plan asks: function code, address, count and points of each request.
fn asked(spans: &[Span], limits: &Limits, refused: &[Span], cost: &Timing) -> Vec<Asked> {
    plan(spans, limits, refused, cost)
        .into_iter()
        .map(|request| (request.fc, request.address, request.count, request.points))
        .collect()
}

#[test]
fn neighbours_are_read_together_and_strangers_are_not() {
    #[rustfmt::skip]
    let cases = [
        ("neighbours",             vec![at(3, 2, 2), at(3, 0, 2)],   125, vec![(3, 0, 4, vec![1, 0])]),
        ("one register between",   vec![at(3, 0, 2), at(3, 3, 2)],   125, vec![(3, 0, 2, vec![0]), (3, 3, 2, vec![1])]),
        ("another function code",  vec![at(4, 1, 1), at(3, 0, 1)],   125, vec![(3, 0, 1, vec![1]), (4, 1, 1, vec![0])]),
        ("the same register",      vec![at(3, 7, 1), at(3, 7, 1)],   125, vec![(3, 7, 1, vec![0, 1])]),
        ("one inside another",     vec![at(3, 1, 1), at(3, 0, 4)],   125, vec![(3, 0, 4, vec![1, 0])]),
        ("a limit of five",        vec![at(3, 0, 4), at(3, 4, 2)],   5,   vec![(3, 0, 4, vec![0]), (3, 4, 2, vec![1])]),
        ("the last register",      vec![at(3, 65_535, 1)],           125, vec![(3, 65_535, 1, vec![0])]),
        ("beyond the last",        vec![at(3, 65_535, 2)],           125, vec![]),
        ("wider than the limit",   vec![at(3, 0, 4)],                3,   vec![]),
        ("nothing",                vec![at(3, 0, 0)],                125, vec![]),
        ("a code that writes",     vec![at(16, 0, 1), at(0, 0, 1)],  125, vec![]),
        ("bits",                   vec![at(1, 0, 1), at(1, 1, 1)],   1,   vec![(1, 0, 2, vec![0, 1])]),
    ];
    for (situation, spans, max, expected) in cases {
        let said = asked(&spans, &most(max), &[], &worth(1e9));
        assert_eq!(said, expected, "{situation}");
    }
}

#[test]
fn a_gap_is_read_over_where_it_costs_less_than_a_request() {
    let spans = [at(3, 0, 2), at(3, 12, 2), at(3, 40, 2)];
    #[rustfmt::skip]
    let cases = [
        ("cheap requests",       Limits::default(),                                     9.0, vec![(3, 0, 2), (3, 12, 2), (3, 40, 2)]),
        ("worth ten registers",  Limits::default(),                                    11.0, vec![(3, 0, 14), (3, 40, 2)]),
        ("worth thirty",         Limits::default(),                                    30.0, vec![(3, 0, 42)]),
        ("gaps are not allowed", Limits { max_gap: Some(9), ..Limits::default() },   1000.0, vec![(3, 0, 2), (3, 12, 2), (3, 40, 2)]),
        ("short gaps are",       Limits { max_gap: Some(10), ..Limits::default() },  1000.0, vec![(3, 0, 14), (3, 40, 2)]),
        ("a limit of 40",        Limits { max_registers: 40, ..Limits::default() },  1000.0, vec![(3, 0, 14), (3, 40, 2)]),
    ];
    for (situation, limits, request, expected) in cases {
        let requests = plan(&spans, &limits, &[], &worth(request));
        let said: Vec<_> = requests
            .iter()
            .map(|r| (r.fc, r.address, r.count))
            .collect();
        assert_eq!(said, expected, "{situation}");
    }
}

#[test]
fn a_refused_span_is_never_touched() {
    let spans = [at(3, 0, 2), at(3, 10, 2), at(3, 20, 2)];
    #[rustfmt::skip]
    let cases = [
        ("nothing refused",         vec![],                           vec![(3, 0, 22, vec![0, 1, 2])]),
        ("a register in a gap",     vec![at(3, 5, 1)],                vec![(3, 0, 2, vec![0]), (3, 10, 12, vec![1, 2])]),
        ("of another code",         vec![at(4, 5, 1)],                vec![(3, 0, 22, vec![0, 1, 2])]),
        ("a point",                 vec![at(3, 11, 1)],               vec![(3, 0, 2, vec![0]), (3, 20, 2, vec![2])]),
        ("two that overlap",        vec![at(3, 2, 12), at(3, 4, 2)],  vec![(3, 0, 2, vec![0]), (3, 20, 2, vec![2])]),
    ];
    for (situation, refused, expected) in cases {
        let said = asked(&spans, &Limits::default(), &refused, &worth(1e9));
        assert_eq!(said, expected, "{situation}");
    }
}

#[test]
fn a_device_of_even_counts_is_asked_for_even_counts() {
    let even = |max_registers| Limits {
        even_counts: true,
        max_registers,
        max_gap: None,
    };
    #[rustfmt::skip]
    let cases = [
        ("one register",          vec![at(3, 0, 1)],       vec![],              60, vec![(3, 0, 2, vec![0])]),
        ("the next is refused",   vec![at(3, 7, 1)],       vec![at(3, 8, 1)],   60, vec![(3, 6, 2, vec![0])]),
        ("the last of all",       vec![at(3, 65_535, 1)],  vec![],              60, vec![(3, 65_534, 2, vec![0])]),
        ("no neighbour is left",  vec![at(3, 7, 1)],       vec![at(3, 6, 1), at(3, 8, 1)], 60, vec![(3, 7, 1, vec![0])]),
        ("an odd limit",          vec![at(3, 0, 3)],       vec![],              3,  vec![]),
        ("bits have no parity",   vec![at(2, 0, 1)],       vec![],              60, vec![(2, 0, 1, vec![0])]),
    ];
    for (situation, spans, refused, max, expected) in cases {
        let said = asked(&spans, &even(max), &refused, &worth(1e9));
        assert_eq!(said, expected, "{situation}");
    }
}

#[test]
fn a_long_run_is_cut_at_the_limit_of_modbus() {
    let registers: Vec<Span> = (0..300).map(|address| at(4, address, 1)).collect();
    let requests = plan(&registers, &Limits::default(), &[], &Timing::NETWORK);
    assert_eq!(requests.len(), 3);
    assert_eq!(requests.iter().map(|r| r.count).sum::<u16>(), 300);
    let bits: Vec<Span> = (0..4_500).map(|address| at(2, address, 1)).collect();
    let requests = plan(&bits, &Limits::default(), &[], &Timing::NETWORK);
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.count <= MAX_BITS));
}

/// 9600 baud, 8E1 (11 bits a character), devices that think for 30 ms.
fn serial_9600() -> Timing {
    let line = Line {
        baud: 9_600,
        parity: Parity::Even,
        stop_bits: 1,
    };
    line.timing(Duration::from_millis(30))
}

#[test]
fn a_serial_line_of_9600_baud_reads_over_gaps_of_about_twenty_registers() {
    let cost = serial_9600();
    assert!((cost.per_request_ms - 52.9).abs() < 0.1, "{cost:?}");
    assert!((cost.per_register_ms - 2.29).abs() < 0.01, "{cost:?}");
    for (gap, requests) in [(5, 1), (22, 1), (24, 2), (60, 2)] {
        let spans = [at(3, 0, 2), at(3, 2 + gap, 2)];
        assert_eq!(
            plan(&spans, &Limits::default(), &[], &cost).len(),
            requests,
            "{gap}"
        );
    }
}

fn spans() -> impl Strategy<Value = Vec<Span>> {
    let address = prop_oneof![0_u16..300, 65_300_u16..=65_535, any::<u16>()];
    let count = prop::sample::select(vec![0_u16, 1, 2, 4, 10, 107]);
    let span = (0_u8..=5, address, count).prop_map(|(fc, address, count)| at(fc, address, count));
    prop::collection::vec(span, 0..200)
}

fn limits() -> impl Strategy<Value = Limits> {
    let gap = prop::option::of(0_u16..40);
    (1_u16..=130, any::<bool>(), gap).prop_map(|(max_registers, even_counts, max_gap)| Limits {
        max_registers,
        even_counts,
        max_gap,
    })
}

fn refusals() -> impl Strategy<Value = Vec<Span>> {
    let span =
        (1_u8..=4, 0_u16..300, 1_u16..6).prop_map(|(fc, address, count)| at(fc, address, count));
    prop::collection::vec(span, 0..8)
}

/// The least cost of reading these spans, by trying every way to part them.
fn exhaustive(spans: &[Span], most: u32, cost: &Timing) -> f64 {
    fn part(spans: &[Span], groups: &mut Vec<(u32, u32)>, most: u32, cost: &Timing) -> f64 {
        let Some((span, rest)) = spans.split_first() else {
            let of = |group: &(u32, u32)| {
                cost.per_request_ms + cost.per_register_ms * f64::from(group.1 - group.0)
            };
            return groups.iter().map(of).sum();
        };
        let mut least = f64::INFINITY;
        for index in 0..groups.len() {
            let old = groups[index];
            let joined = (old.0.min(span.start()), old.1.max(span.end()));
            if joined.1 - joined.0 <= most {
                groups[index] = joined;
                least = least.min(part(rest, groups, most, cost));
                groups[index] = old;
            }
        }
        groups.push((span.start(), span.end()));
        least = least.min(part(rest, groups, most, cost));
        groups.pop();
        least
    }
    part(spans, &mut Vec::new(), most, cost)
}

proptest! {
    /// Whatever is asked for, every readable point is read once and whole, no request
    /// is too long, and none touches a refused register.
    #[test]
    fn a_plan_covers_and_keeps_the_limits(
        spans in spans(), limits in limits(), refused in refusals(), worth_of in 0.0_f64..80.0,
    ) {
        let requests = plan(&spans, &limits, &refused, &worth(worth_of));
        let mut read = vec![0; spans.len()];
        for request in &requests {
            let asked = request.span();
            prop_assert!((1..=4).contains(&asked.fc));
            prop_assert!((1..=limits.most(asked.fc <= 2)).contains(&u32::from(asked.count)));
            prop_assert!(asked.end() <= 65_536);
            let alone = request.points.len() == 1;
            prop_assert!(asked.fc <= 2 || !limits.even_counts || asked.count % 2 == 0 || alone
                || refused.iter().any(|r| r.end() == asked.start() || r.start() == asked.end())
                || asked.end() == 65_536);
            prop_assert!(!refused.iter().any(|span| span.overlaps(&asked)), "{:?}", asked);
            let mut wanted = vec![false; usize::from(asked.count)];
            for &point in &request.points {
                let span = &spans[point];
                prop_assert_eq!(span.fc, asked.fc);
                prop_assert!(asked.start() <= span.start() && span.end() <= asked.end());
                for register in span.start()..span.end() {
                    wanted[usize::try_from(register - asked.start()).unwrap()] = true;
                }
                read[point] += 1;
            }
            let gaps = wanted.split(|wanted| *wanted).map(<[bool]>::len);
            let longest = gaps.max().unwrap_or(0);
            if let Some(max_gap) = limits.max_gap {
                prop_assert!(longest <= usize::from(max_gap).max(usize::from(limits.even_counts)));
            }
        }
        for (span, times) in spans.iter().zip(read) {
            let refused = refused.iter().any(|refused| refused.overlaps(span));
            let odd = limits.even_counts && span.fc > 2 && span.count % 2 == 1;
            let fits = u32::from(span.count) + u32::from(odd) <= limits.most(span.fc <= 2);
            let readable = (1..=4).contains(&span.fc) && span.count > 0 && span.end() <= 65_536;
            if readable && fits && !refused {
                prop_assert_eq!(times, 1, "{:?}", span);
            } else if !readable || refused {
                prop_assert_eq!(times, 0, "{:?}", span);
            } else {
                prop_assert!(times <= 1);
            }
        }
    }

    /// No way to part the points costs less bus time, on a line of 9600 baud with
    /// devices that think for 30 ms and on Modbus TCP.
    #[test]
    fn no_other_cover_costs_less(
        places in prop::collection::vec((0_u16..260, prop::sample::select(vec![1_u16, 2, 4, 30])), 1..8),
        max in prop::sample::select(vec![30_u16, 60, 125]),
        serial in any::<bool>(),
    ) {
        let cost = if serial { serial_9600() } else { Timing { per_register_ms: 0.15, ..Timing::NETWORK } };
        let spans: Vec<Span> = places.into_iter().map(|(address, count)| at(3, address, count)).collect();
        let limits = Limits { max_registers: max, ..Limits::default() };
        let planned: f64 = plan(&spans, &limits, &[], &cost).iter().map(|r| price_ms(&r.span(), &cost)).sum();
        let least = exhaustive(&spans, u32::from(max), &cost);
        prop_assert!((planned - least).abs() < 1e-6 * least, "{} against {}", planned, least);
    }
}
