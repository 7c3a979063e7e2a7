//! Which requests read a set of points at the least cost of bus time.
//!
//! ```text
//!   points    [100 101] [102]   [110 111]        [400 401]
//!   requests  [100 …             … 111 ]         [400 401]
//! ```
//!
//! A request costs a fixed time (turnaround, round trip, framing) and a little for
//! each register. Reading over a gap is worth it where the registers between cost
//! less than another request would; [`Timing`] says what they cost on this line.
//! The plan is the cheapest there is, not a good guess: [`plan`] tries, for each
//! point, every request that could end there.
//!
//! **A point is never split over two requests**: its words would be from two
//! moments. No request is longer than the device allows, and none touches a register
//! that is known to be refused: a device may refuse the whole block with it.

use super::modbus::timing::Timing;

/// Registers in one answer, by the Modbus specification.
pub const MAX_REGISTERS: u16 = 125;
/// Bits in one answer, by the Modbus specification.
pub const MAX_BITS: u16 = 2_000;

/// Registers or bits that must come in one answer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Span {
    /// Function code.
    pub fc: u8,
    /// First register or bit, zero-based.
    pub address: u16,
    /// How many.
    pub count: u16,
}

impl Span {
    fn start(&self) -> u32 {
        u32::from(self.address)
    }

    /// The first register behind it.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.start() + u32::from(self.count)
    }

    /// Whether the two share a register.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.fc == other.fc && self.start() < other.end() && other.start() < self.end()
    }

    fn is_bits(&self) -> bool {
        self.fc <= 2
    }
}

/// One read of a run of registers or bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Function code.
    pub fc: u8,
    /// First register or bit, zero-based.
    pub address: u16,
    /// How many.
    pub count: u16,
    /// Indexes into the spans that were planned, in order of address.
    pub points: Vec<usize>,
}

impl Request {
    /// What it asks for.
    #[must_use]
    pub fn span(&self) -> Span {
        Span {
            fc: self.fc,
            address: self.address,
            count: self.count,
        }
    }
}

/// What a device allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most registers in one answer, 1 to 125.
    pub max_registers: u16,
    /// Whether it answers even counts only.
    pub even_counts: bool,
    /// Most registers that may be read over between two points; none where cost alone
    /// decides. Some devices garble the next answer after a register they do not have.
    pub max_gap: Option<u16>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_registers: MAX_REGISTERS,
            even_counts: false,
            max_gap: None,
        }
    }
}

impl Limits {
    fn most(&self, bits: bool) -> u32 {
        if bits {
            u32::from(MAX_BITS)
        } else {
            u32::from(self.max_registers.min(MAX_REGISTERS))
        }
    }
}

/// What a request for these registers costs, ms. A bit costs a sixteenth of a register.
#[must_use]
pub fn price_ms(span: &Span, cost: &Timing) -> f64 {
    cost.per_request_ms + each_ms(span.is_bits(), cost) * f64::from(span.count)
}

fn each_ms(bits: bool, cost: &Timing) -> f64 {
    if bits {
        cost.per_register_ms / 16.0
    } else {
        cost.per_register_ms
    }
}

/// The requests that read these spans, in order of function code and address.
///
/// Every span is in exactly one request, except one that no request can read: one
/// that does not fit into what the device allows, reaches beyond address 65535, has
/// a function code other than 1 to 4, or overlaps a refused span. The driver reports
/// such a point as a gap.
#[must_use]
pub fn plan(spans: &[Span], limits: &Limits, refused: &[Span], cost: &Timing) -> Vec<Request> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    let key = |index: &usize| {
        let span = spans.get(*index);
        span.map(|span| (span.fc, span.address, std::cmp::Reverse(span.count)))
    };
    order.sort_by_key(key);
    let mut refused = refused.to_vec();
    refused.sort_unstable();
    let mut requests = Vec::new();
    for fc in 1..=4 {
        let mut line = Line::new(fc, limits, &refused, cost);
        for &index in &order {
            if let Some(span) = spans.get(index).filter(|span| span.fc == fc) {
                line.take(index, span);
            }
        }
        line.requests(&mut requests);
    }
    requests
}

/// A run of points that a request reads whole or not at all: a span, and those that
/// lie inside of it.
struct Block {
    start: u32,
    end: u32,
    points: Vec<usize>,
    /// Whether a refused register lies between this block and the one before.
    cut: bool,
}

/// The best way to read all blocks up to one.
struct Best {
    cost: f64,
    /// The first block of the last request.
    from: usize,
}

/// The points of one function code, in order of address.
struct Line<'a> {
    fc: u8,
    bits: bool,
    limits: &'a Limits,
    /// Disjoint, in order: first register and the one behind the last.
    refused: Vec<(u32, u32)>,
    cost: &'a Timing,
    blocks: Vec<Block>,
}

impl<'a> Line<'a> {
    fn new(fc: u8, limits: &'a Limits, refused: &'a [Span], cost: &'a Timing) -> Self {
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for span in refused.iter().filter(|span| span.fc == fc) {
            match merged.last_mut() {
                Some(last) if span.start() <= last.1 => last.1 = last.1.max(span.end()),
                _ => merged.push((span.start(), span.end())),
            }
        }
        Self {
            fc,
            bits: fc <= 2,
            limits,
            refused: merged,
            cost,
            blocks: Vec::new(),
        }
    }

    /// Takes in a span; those before it began earlier, or there and are longer.
    fn take(&mut self, index: usize, span: &Span) {
        let readable = span.count > 0
            && span.end() <= 65_536
            && self.extent(span.start(), span.end()).1 <= self.limits.most(self.bits)
            && !self.is_refused(span.start(), span.end());
        if !readable {
            return;
        }
        // Whatever reads a span reads what lies inside of it.
        if let Some(last) = self.blocks.last_mut()
            && span.end() <= last.end
        {
            last.points.push(index);
            return;
        }
        let before = self.blocks.last().map_or(span.start(), |last| last.end);
        self.blocks.push(Block {
            start: span.start(),
            end: span.end(),
            points: vec![index],
            cut: self.is_refused(before, span.start()),
        });
    }

    fn is_refused(&self, start: u32, end: u32) -> bool {
        let behind = self.refused.partition_point(|span| span.1 <= start);
        let next = self.refused.get(behind);
        start < end && next.is_some_and(|span| span.0 < end)
    }

    /// First register and count of a request over these registers: an even count
    /// where the device wants one and the neighbour may be touched.
    fn extent(&self, start: u32, end: u32) -> (u32, u32) {
        let count = end - start;
        if self.bits || !self.limits.even_counts || count.is_multiple_of(2) {
            return (start, count);
        }
        if end < 65_536 && !self.is_refused(end, end + 1) {
            (start, count + 1)
        } else if start > 0 && !self.is_refused(start - 1, start) {
            (start - 1, count + 1)
        } else {
            (start, count)
        }
    }

    fn registers_ms(&self, count: u32) -> f64 {
        each_ms(self.bits, self.cost) * f64::from(count)
    }

    /// The cheapest way, block by block: the best way to read up to a block is some
    /// last request that ends there, and the best way to read what is before it.
    ///
    /// Blocks begin and end one behind the other, so requests of a best plan never
    /// interleave, and no other split needs to be tried.
    fn requests(self, requests: &mut Vec<Request>) {
        let most = self.limits.most(self.bits);
        let mut best: Vec<Best> = Vec::with_capacity(self.blocks.len());
        for (last, block) in self.blocks.iter().enumerate() {
            let mut found = Best {
                cost: f64::INFINITY,
                from: last,
            };
            let mut next = block;
            for from in (0..=last).rev() {
                let Some(first) = self.blocks.get(from) else {
                    break;
                };
                let gap = next.start.saturating_sub(first.end);
                if from < last && !self.joins(gap, next.cut) {
                    break;
                }
                let (_, count) = self.extent(first.start, block.end);
                if from < last && count > most {
                    break;
                }
                let before = from.checked_sub(1).and_then(|before| best.get(before));
                let cost = before.map_or(0.0, |best| best.cost)
                    + self.cost.per_request_ms
                    + self.registers_ms(count);
                if cost < found.cost {
                    found = Best { cost, from };
                }
                next = first;
            }
            best.push(found);
        }
        self.unwind(&best, requests);
    }

    /// Whether two neighbours may share a request, and could be worth it.
    fn joins(&self, gap: u32, cut: bool) -> bool {
        let allowed = self.limits.max_gap.is_none_or(|max| gap <= u32::from(max));
        // A gap that costs more than a request is never worth it. The one register
        // that an even count may save is on the safe side.
        let saved = u32::from(self.limits.even_counts);
        let worth = self.registers_ms(gap.saturating_sub(saved)) <= self.cost.per_request_ms;
        allowed && !cut && worth
    }

    fn unwind(mut self, best: &[Best], requests: &mut Vec<Request>) {
        let begin = requests.len();
        let mut upto = best.len();
        while let Some(row) = upto.checked_sub(1).and_then(|last| best.get(last)) {
            let Some(blocks) = self.blocks.get_mut(row.from..upto) else {
                break;
            };
            let points = blocks
                .iter_mut()
                .flat_map(|block| std::mem::take(&mut block.points));
            let points = points.collect();
            let start = blocks.first().map_or(0, |block| block.start);
            let end = blocks.last().map_or(0, |block| block.end);
            let (address, count) = self.extent(start, end);
            upto = row.from;
            if let (Ok(address), Ok(count)) = (u16::try_from(address), u16::try_from(count)) {
                requests.push(Request {
                    fc: self.fc,
                    address,
                    count,
                    points,
                });
            }
        }
        if let Some(mine) = requests.get_mut(begin..) {
            mine.reverse();
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
