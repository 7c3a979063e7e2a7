//! Which requests read a set of points: neighbours together, no value split.
//!
//! ```text
//!   points    [100 101] [102] [103 104]      [110 111]
//!   requests  [100 … 104            ]        [110 111]
//! ```
//!
//! Points of one unit and function code whose registers touch or overlap share a
//! request, up to what the device and Modbus allow. **A value is never split**
//! over two requests: its words would be from two moments. Registers between the
//! points are never read: a device may refuse them, and the whole block with them.
//!
//! The seam for a cost model is `joins`: it decides whether a point is worth
//! reading in the request before it.

use super::register::{Layout, Span};

/// Registers in one answer, by the Modbus specification.
pub const MAX_REGISTERS: u16 = 125;
/// Bits in one answer, by the Modbus specification.
pub const MAX_BITS: u16 = 2_000;

/// One read of a run of registers or bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Function code.
    pub fc: u8,
    /// First register or bit, zero-based.
    pub address: u16,
    /// How many.
    pub count: u16,
    /// Indexes into the layouts that were planned.
    pub points: Vec<usize>,
}

/// The requests that read these points, in order of function code and address.
///
/// Every point is in exactly one request, except one that no request can read:
/// one that does not fit into `max_registers`, reaches beyond address 65535, or
/// has a function code other than 1 to 4. The driver reports such a point as a gap.
#[must_use]
pub fn plan(layouts: &[Layout], max_registers: u16) -> Vec<Request> {
    let max_registers = max_registers.min(MAX_REGISTERS);
    let spans = layouts.iter().map(Layout::span).enumerate();
    let mut points: Vec<(usize, Span)> = spans.collect();
    points.sort_by_key(|(_, span)| *span);
    let mut requests: Vec<Request> = Vec::new();
    for (index, span) in points {
        let max = if span.fc <= 2 {
            MAX_BITS
        } else {
            max_registers
        };
        let reaches = u32::from(span.address) + u32::from(span.count);
        if !(1..=4).contains(&span.fc) || span.count > max || reaches > 65_536 {
            continue;
        }
        match requests.last_mut() {
            Some(request) if let Some(count) = joins(request, span, max) => {
                request.count = count;
                request.points.push(index);
            }
            _ => requests.push(Request {
                fc: span.fc,
                address: span.address,
                count: span.count,
                points: vec![index],
            }),
        }
    }
    requests
}

/// How long a request becomes that takes in one more point at or after its
/// start; none where the point is not worth it or does not fit.
fn joins(request: &Request, span: Span, max: u16) -> Option<u16> {
    let start = u32::from(request.address);
    let end = start + u32::from(request.count);
    let from = u32::from(span.address);
    if request.fc != span.fc || from > end {
        return None;
    }
    let longer = end.max(from + u32::from(span.count)) - start;
    u16::try_from(longer).ok().filter(|count| *count <= max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::register::{Decode, Field, Number, Order};
    use super::*;

    fn at(fc: u8, address: u16, number: Number) -> Layout {
        Layout::simple(fc, Field::new(address, number, Order::Big), Decode::Count)
    }

    /// What a plan asks: function code, address, count and points of each request.
    fn asked(layouts: &[Layout], max: u16) -> Vec<(u8, u16, u16, Vec<usize>)> {
        plan(layouts, max)
            .into_iter()
            .map(|request| (request.fc, request.address, request.count, request.points))
            .collect()
    }

    #[test]
    fn neighbours_are_read_together_and_strangers_are_not() {
        use Number::{F32, U16, U64};
        #[rustfmt::skip]
        let cases = [
            ("neighbours",             vec![at(3, 2, F32), at(3, 0, F32)],   125, vec![(3, 0, 4, vec![1, 0])]),
            ("one register between",   vec![at(3, 0, F32), at(3, 3, F32)],   125, vec![(3, 0, 2, vec![0]), (3, 3, 2, vec![1])]),
            ("another function code",  vec![at(3, 0, U16), at(4, 1, U16)],   125, vec![(3, 0, 1, vec![0]), (4, 1, 1, vec![1])]),
            ("the same register",      vec![at(3, 7, U16), at(3, 7, U16)],   125, vec![(3, 7, 1, vec![0, 1])]),
            ("one inside another",     vec![at(3, 0, U64), at(3, 1, U16)],   125, vec![(3, 0, 4, vec![0, 1])]),
            ("a limit of five",        vec![at(3, 0, U64), at(3, 4, F32)],   5,   vec![(3, 0, 4, vec![0]), (3, 4, 2, vec![1])]),
            ("the last register",      vec![at(3, 65_535, U16)],             125, vec![(3, 65_535, 1, vec![0])]),
            ("beyond the last",        vec![at(3, 65_535, F32)],             125, vec![]),
            ("wider than the limit",   vec![at(3, 0, U64)],                  3,   vec![]),
            ("a code that writes",     vec![at(16, 0, U16), at(0, 0, U16)],  125, vec![]),
            ("bits",                   vec![at(1, 0, F32), at(1, 1, F32)],   1,   vec![(1, 0, 2, vec![0, 1])]),
        ];
        for (situation, layouts, max, expected) in cases {
            assert_eq!(asked(&layouts, max), expected, "{situation}");
        }
    }

    #[test]
    fn a_long_run_is_cut_at_the_limit_of_modbus() {
        let registers: Vec<Layout> = (0..300).map(|a| at(4, a, Number::U16)).collect();
        let counts: Vec<u16> = plan(&registers, u16::MAX).iter().map(|r| r.count).collect();
        assert_eq!(counts, [125, 125, 50]);
        let bits: Vec<Layout> = (0..4_500).map(|a| at(2, a, Number::U16)).collect();
        let counts: Vec<u16> = plan(&bits, 125).iter().map(|r| r.count).collect();
        assert_eq!(counts, [2_000, 2_000, 500]);
    }

    fn layouts() -> impl Strategy<Value = Vec<Layout>> {
        let number = prop::sample::select(vec![Number::U16, Number::F32, Number::U64]);
        let address = prop_oneof![0_u16..300, 65_300_u16..=65_535, any::<u16>()];
        let layout = (0_u8..=5, address, number).prop_map(|(fc, a, number)| at(fc, a, number));
        prop::collection::vec(layout, 0..200)
    }

    proptest! {
        /// Whatever is asked for, every readable point is read once and whole, no
        /// request is too long, and none touches a register that no point has.
        #[test]
        fn a_plan_covers_and_keeps_the_limits(layouts in layouts(), max in 0_u16..=130) {
            let requests = plan(&layouts, max);
            let mut read = vec![0; layouts.len()];
            for request in &requests {
                let limit = if request.fc <= 2 { MAX_BITS } else { max.min(MAX_REGISTERS) };
                prop_assert!((1..=4).contains(&request.fc));
                prop_assert!((1..=limit).contains(&request.count));
                let start = u32::from(request.address);
                let end = start + u32::from(request.count);
                prop_assert!(end <= 65_536);
                let mut wanted = vec![false; usize::from(request.count)];
                for &point in &request.points {
                    let layout = &layouts[point];
                    let from = u32::from(layout.field.address);
                    prop_assert_eq!(layout.fc, request.fc);
                    prop_assert!(start <= from && from + u32::from(layout.words()) <= end);
                    for register in from..from + u32::from(layout.words()) {
                        wanted[usize::try_from(register - start).unwrap()] = true;
                    }
                    read[point] += 1;
                }
                prop_assert!(wanted.iter().all(|wanted| *wanted));
            }
            for (layout, times) in layouts.iter().zip(read) {
                let limit = if layout.is_bit() { MAX_BITS } else { max.min(MAX_REGISTERS) };
                let reaches = u32::from(layout.field.address) + u32::from(layout.words());
                let readable = (1..=4).contains(&layout.fc) && layout.words() <= limit && reaches <= 65_536;
                prop_assert_eq!(times, usize::from(readable));
            }
        }
    }
}
