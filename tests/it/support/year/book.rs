//! The books as they have to be: the registers' own, kept beside the engine's and
//! without its code.
//!
//! ```text
//!   reading ──┬── boundary ──┬── reading      position on the line between both
//!             │   ├── truth ─┤                and how far that line may be off
//! ```
//!
//! A reading is whole counts times what a count is worth, to the milliwatt-hour; a
//! position is what two readings are apart. What the truth may differ by at a boundary follows from the
//! register's step and from how much the power moved between the two readings around it.

use super::park::UWMS_PER_MWH;

pub const INTERVAL_MS: i64 = 900_000;

/// What really flowed through a channel.
#[derive(Default)]
pub struct Ground {
    /// Until each boundary, µW·ms.
    pub flowed: Vec<i128>,
    /// Least and greatest power of each minute, µW.
    pub minutes: Vec<(i64, i64)>,
}

impl Ground {
    /// Least and greatest power of the minutes from `from` to `to`, ms since the start.
    pub fn range(&self, from: i64, to: i64) -> (i64, i64) {
        let (from, to) = ((from / 60_000) as usize, (to / 60_000) as usize);
        let to = to.min(self.minutes.len() - 1);
        let minutes = &self.minutes[from.min(to)..=to];
        let least = minutes.iter().map(|it| it.0).min();
        (least.unwrap(), minutes.iter().map(|it| it.1).max().unwrap())
    }
}

/// A reading: ms since the start, unrolled count, what had really flowed.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    pub ms: i64,
    pub total: i64,
    pub flowed: i128,
}

/// A break that an event tells.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    pub at: Node,
    pub first: i64,
    pub quantum: i128,
}

/// What is known of a boundary.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// The position, mWh.
    pub position: i64,
    /// What really flowed, without what is excluded, µW·ms.
    pub flowed: i128,
    /// How far off the line between the readings may be, µW·ms.
    pub curve: i128,
    /// From the reading before to the one behind.
    pub gap_ms: i64,
}

/// A stretch's end: when, position, what really flowed.
type End = (i64, i64, i128);

#[derive(Debug, Clone)]
struct State {
    quantum: i128,
    base: i64,
    origin: i64,
    last: Option<Node>,
    excluded: i128,
    /// Readings of a register that nobody has said anything of.
    doubtful: Option<Vec<Node>>,
    told: Option<Told>,
    segments: u32,
    rollovers: u32,
}

/// Since a moment that may be seen otherwise later.
struct Saved {
    state: State,
    interval: usize,
    covered_ms: i64,
    nodes: Vec<Node>,
}

/// The books of a register.
pub struct Book {
    pub reach_ms: i64,
    state: State,
    saved: Option<Saved>,
    /// The greatest worth that a count ever had.
    pub step: i128,
    pub bounds: Vec<Option<Bound>>,
    pub covered_ms: Vec<i64>,
    /// Intervals that a break lies in, or a stretch that is excluded or told.
    pub breaks: Vec<u8>,
    pub marked: Vec<bool>,
    modulus: Option<i64>,
}

fn rounded(over: i128, under: i128) -> i64 {
    i64::try_from((2 * over + under).div_euclid(2 * under)).unwrap()
}

impl Book {
    pub fn new(quantum: i128, modulus: Option<i64>, reach_ms: i64, intervals: usize) -> Self {
        Self {
            reach_ms,
            state: State {
                quantum,
                base: 0,
                origin: 0,
                last: None,
                excluded: 0,
                doubtful: None,
                told: None,
                segments: 0,
                rollovers: 0,
            },
            saved: None,
            step: quantum,
            bounds: vec![None; intervals + 1],
            covered_ms: vec![0; intervals + 1],
            breaks: vec![0; intervals + 1],
            marked: vec![false; intervals + 1],
            modulus,
        }
    }

    /// What a register that shows a count has counted: the count and each of its
    /// rollovers to the milliwatt-hour.
    fn worth(&self, total: i64) -> i64 {
        let worth = |counts: i64| rounded(i128::from(counts) * self.state.quantum, UWMS_PER_MWH);
        match self.modulus {
            Some(modulus) => worth(total % modulus) + total / modulus * worth(modulus),
            None => worth(total),
        }
    }

    fn position(&self, total: i64) -> i64 {
        self.state.base + self.worth(total) - self.worth(self.state.origin)
    }

    /// Takes in a reading that the daemon has on its disk.
    pub fn push(&mut self, ground: &Ground, node: Node) {
        if let Some(saved) = &mut self.saved {
            saved.nodes.push(node);
        }
        self.hear(ground, node);
    }

    fn hear(&mut self, ground: &Ground, node: Node) {
        let Some(last) = self.state.last else {
            (self.state.origin, self.state.last) = (node.total, Some(node));
            self.state.segments = 1;
            return;
        };
        if let Some(doubtful) = &mut self.state.doubtful {
            doubtful.push(node);
            // Three readings that go on from there are believed; the step is excluded.
            if let [first, _, third] = doubtful[..] {
                self.excluded_step(ground, last, first);
                self.state.doubtful = None;
                let from = (first.ms, self.state.base, first.flowed);
                let to = (third.ms, self.position(third.total), third.flowed);
                self.stretch(ground, from, to, false, false);
                self.state.last = Some(third);
            }
            return;
        }
        let mut from = (last.ms, self.position(last.total), last.flowed);
        if let Some(told) = self.state.told.take_if(|told| told.at.ms < node.ms) {
            let end = (told.at.ms, self.position(told.at.total), told.at.flowed);
            self.stretch(ground, from, end, false, true);
            self.breaks[interval(told.at.ms)] += 1;
            self.step = self.step.max(told.quantum);
            self.state.base = end.1;
            (self.state.origin, self.state.quantum) = (told.first, told.quantum);
            self.state.segments += 1;
            from = end;
        } else if let Some(modulus) = self.modulus
            && node.total / modulus != last.total / modulus
        {
            self.state.rollovers += 1;
        }
        let to = (node.ms, self.position(node.total), node.flowed);
        self.stretch(ground, from, to, false, false);
        self.state.last = Some(node);
    }

    fn excluded_step(&mut self, ground: &Ground, last: Node, first: Node) {
        let base = self.position(last.total);
        let from = (last.ms, base, last.flowed);
        self.stretch(ground, from, (first.ms, base, first.flowed), true, true);
        self.breaks[interval(first.ms)] += 1;
        (self.state.base, self.state.origin) = (base, first.total);
        self.state.excluded += first.flowed - last.flowed;
        self.state.segments += 1;
    }

    fn stretch(&mut self, ground: &Ground, from: End, to: End, flat: bool, marked: bool) {
        let (first, last) = (interval(from.0), interval(to.0));
        let length = to.0 - from.0;
        for at in first..=last {
            if marked {
                self.marked[at] = true;
            }
            let begin = at as i64 * INTERVAL_MS;
            if length <= self.reach_ms {
                let covered = to.0.min(begin + INTERVAL_MS) - from.0.max(begin);
                self.covered_ms[at] += covered.max(0);
            }
            if at == first {
                continue;
            }
            let rise = i128::from(to.1 - from.1) * i128::from(begin - from.0);
            let line = rounded(rise, i128::from(length));
            let curve = if flat {
                0
            } else {
                let (least, greatest) = ground.range(from.0, to.0);
                let moved = i128::from(greatest - least);
                moved * i128::from(begin - from.0) * i128::from(to.0 - begin) / i128::from(length)
            };
            let flowed = if flat { from.2 } else { ground.flowed[at] };
            self.bounds[at] = Some(Bound {
                position: from.1 + line,
                flowed: flowed - self.state.excluded,
                curve,
                gap_ms: if begin == to.0 { 0 } else { length },
            });
        }
    }

    /// From now on it is a register that begins anew, and nobody says so.
    pub fn doubt(&mut self) {
        self.state.doubtful = Some(Vec::new());
    }

    /// An event is in the books before the register speaks again.
    pub fn tell(&mut self, told: Told) {
        self.state.told = Some(told);
    }

    /// Keeps what is needed to see the time from now on otherwise later.
    pub fn save(&mut self) {
        let interval = self.state.last.map_or(0, |last| interval(last.ms));
        self.saved = Some(Saved {
            state: self.state.clone(),
            interval,
            covered_ms: self.covered_ms[interval],
            nodes: Vec::new(),
        });
    }

    /// The time since then, with an event and with readings that came late.
    pub fn again(&mut self, ground: &Ground, told: Option<Told>, late: &[Node]) {
        let Some(mut saved) = self.saved.take() else {
            return;
        };
        saved.nodes.extend(late);
        saved.nodes.sort_by_key(|node| node.ms);
        self.state = saved.state;
        let behind = saved.interval + 1;
        self.covered_ms[saved.interval] = saved.covered_ms;
        self.covered_ms[behind..].fill(0);
        self.bounds[behind..].fill(None);
        self.marked[saved.interval..].fill(false);
        self.breaks[saved.interval..].fill(0);
        self.state.told = told;
        for node in saved.nodes {
            self.hear(ground, node);
        }
    }

    /// How many segments it has, and how often it rolled over.
    pub fn counts(&self) -> (u32, u32) {
        (self.state.segments, self.state.rollovers)
    }
}

/// The interval that a moment lies in.
pub fn interval(ms: i64) -> usize {
    (ms / INTERVAL_MS) as usize
}

/// What is integrated from samples: how much of each interval they cover, and how far
/// the integral may be off, µW·ms.
pub struct Integral {
    pub reach_ms: i64,
    last: Option<i64>,
    pub covered_ms: Vec<i64>,
    pub slack: Vec<i128>,
}

impl Integral {
    pub fn new(reach_ms: i64, intervals: usize) -> Self {
        Self {
            reach_ms,
            last: None,
            covered_ms: vec![0; intervals + 1],
            slack: vec![0; intervals + 1],
        }
    }

    pub fn push(&mut self, ground: &Ground, ms: i64) {
        let Some(last) = self.last.replace(ms) else {
            return;
        };
        if ms - last > self.reach_ms {
            return;
        }
        let (least, greatest) = ground.range(last, ms);
        for at in interval(last)..=interval(ms) {
            let begin = at as i64 * INTERVAL_MS;
            let covered = ms.min(begin + INTERVAL_MS) - last.max(begin);
            self.covered_ms[at] += covered.max(0);
            self.slack[at] += i128::from(greatest - least) * i128::from(covered.max(0));
        }
    }
}
