//! What a unit was found to refuse: points, gaps between them, lengths.
//!
//! A refused point is not asked for again until it is probed, first after ten
//! minutes (a device that starts up refuses for a while what it has later), then ever
//! more rarely, and at least daily (its firmware may have changed). Gaps and lengths
//! cost nothing but requests; they are forgotten after a day and found again.
//!
//! **Nothing is learned from a device that answered nothing**: one that refuses
//! everything may be starting up, and its points are asked for in every cycle.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::wire::plan::{Limits, Span};

/// When a refused point is probed for the first time.
const FIRST_PROBE: Duration = Duration::from_secs(600);
/// By how much longer each further time.
const LONGER: u32 = 4;
/// The longest time between two probes, and how long gaps and lengths are remembered.
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug, Clone, PartialEq)]
struct Refused {
    span: Span,
    pause: Duration,
    probe_at: Instant,
}

/// How many registers a device does not answer at once.
#[derive(Debug, Clone, Copy, PartialEq)]
struct TooMany {
    count: u16,
    forget_at: Instant,
}

/// What is known about a unit.
#[derive(Debug, Default)]
pub struct Learned {
    points: Vec<Refused>,
    gaps: Vec<(Span, Instant)>,
    /// The most registers that came in one answer.
    most: u16,
    too_many: Option<TooMany>,
    /// Moves with every change that a plan depends on.
    version: u64,
}

impl Learned {
    /// Moves with every change that a plan depends on.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What no request may touch.
    pub fn refused(&self) -> Vec<Span> {
        let points = self.points.iter().map(|refused| refused.span);
        points.chain(self.gaps.iter().map(|gap| gap.0)).collect()
    }

    /// Whether a point is one that the device refuses.
    pub fn refuses(&self, span: &Span) -> bool {
        self.points
            .iter()
            .any(|refused| refused.span.overlaps(span))
    }

    /// What the device allows, as it says and as was found. Between a length that
    /// came and one that did not, the next request tries the middle.
    pub fn limits(&self, said: Limits) -> Limits {
        let found = self.too_many.map_or(said.max_registers, |too_many| {
            let known = self.most.min(too_many.count.saturating_sub(1)).max(1);
            known + (too_many.count - known) / 2
        });
        Limits {
            max_registers: said.max_registers.min(found),
            ..said
        }
    }

    /// The most registers that came in one answer; 0 before the first.
    pub fn most(&self) -> u16 {
        self.most
    }

    /// Registers came, so many in one answer.
    pub fn came(&mut self, span: &Span) {
        if span.fc <= 2 || span.count <= self.most {
            return;
        }
        self.most = span.count;
        if let Some(too_many) = self.too_many {
            if too_many.count <= span.count {
                self.too_many = None;
            }
            self.version += 1;
        }
    }

    /// The device refuses these registers.
    pub fn refuse(&mut self, span: Span, now: Instant) {
        match self.points.iter_mut().find(|refused| refused.span == span) {
            Some(refused) => {
                refused.pause = refused.pause.saturating_mul(LONGER).min(DAY);
                refused.probe_at = now + refused.pause;
            }
            None => {
                self.points.push(Refused {
                    span,
                    pause: FIRST_PROBE,
                    probe_at: now + FIRST_PROBE,
                });
                self.version += 1;
            }
        }
    }

    /// The device answers these registers after all.
    pub fn allow(&mut self, span: Span) {
        let before = self.points.len();
        self.points.retain(|refused| refused.span != span);
        if self.points.len() < before {
            self.version += 1;
        }
    }

    /// The device refuses a block with these registers in it, which nobody needs.
    pub fn refuse_gap(&mut self, gap: Span, now: Instant) {
        if gap.count > 0 && !self.gaps.iter().any(|known| known.0 == gap) {
            self.gaps.push((gap, now + DAY));
            self.version += 1;
        }
    }

    /// The device does not answer so many registers at once.
    pub fn refuse_length(&mut self, count: u16, now: Instant) {
        let known = self.too_many.map_or(u16::MAX, |too_many| too_many.count);
        if (2..known).contains(&count) {
            // What came once and is refused now is a device that changed.
            self.most = self.most.min(count - 1);
            self.too_many = Some(TooMany {
                count,
                forget_at: now + DAY,
            });
            self.version += 1;
        }
    }

    /// A refused point whose time to be probed has come. It is asked for once, and
    /// [`Learned::refuse`] or [`Learned::allow`] follows.
    pub fn due(&self, now: Instant) -> Option<Span> {
        let due = self.points.iter().find(|refused| refused.probe_at <= now);
        due.map(|refused| refused.span)
    }

    /// Forgets what is a day old.
    pub fn forget(&mut self, now: Instant) {
        let before = (self.gaps.len(), self.too_many);
        self.gaps.retain(|gap| gap.1 > now);
        self.too_many = self.too_many.filter(|too_many| too_many.forget_at > now);
        if (self.gaps.len(), self.too_many) != before {
            self.version += 1;
        }
    }
}

/// What is known of a unit, as it is kept: moments in milliseconds of Unix time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    points: Vec<(Span, u64, i64)>,
    gaps: Vec<(Span, i64)>,
    most: u16,
    too_many: Option<(u16, i64)>,
}

impl Saved {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.gaps.is_empty() && self.too_many.is_none()
    }
}

impl Learned {
    /// What is to be kept.
    pub fn saved(&self, now: Instant, wall_ms: i64) -> Saved {
        let wall = |at: Instant| {
            let left = at.saturating_duration_since(now).as_millis();
            wall_ms.saturating_add(i64::try_from(left).unwrap_or(i64::MAX))
        };
        let points = self.points.iter();
        Saved {
            points: points
                .map(|refused| {
                    (
                        refused.span,
                        refused.pause.as_secs(),
                        wall(refused.probe_at),
                    )
                })
                .collect(),
            gaps: self
                .gaps
                .iter()
                .map(|(span, at)| (*span, wall(*at)))
                .collect(),
            most: self.most,
            too_many: self.too_many.map(|it| (it.count, wall(it.forget_at))),
        }
    }

    /// What was kept. Whatever the clock says meanwhile, nothing waits for longer than
    /// a day.
    pub fn restored(saved: &Saved, now: Instant, wall_ms: i64) -> Self {
        let mono = |at_ms: i64| {
            let left = u64::try_from(at_ms.saturating_sub(wall_ms)).unwrap_or(0);
            now + Duration::from_millis(left).min(DAY)
        };
        let points = saved.points.iter();
        Self {
            points: points
                .map(|(span, pause_s, at_ms)| Refused {
                    span: *span,
                    pause: Duration::from_secs(*pause_s).clamp(FIRST_PROBE, DAY),
                    probe_at: mono(*at_ms),
                })
                .collect(),
            gaps: saved
                .gaps
                .iter()
                .map(|(span, at_ms)| (*span, mono(*at_ms)))
                .collect(),
            most: saved.most,
            too_many: saved
                .too_many
                .filter(|(count, _)| *count > 1)
                .map(|(count, at_ms)| TooMany {
                    count,
                    forget_at: mono(at_ms),
                }),
            version: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: u16, count: u16) -> Span {
        Span {
            fc: 3,
            address,
            count,
        }
    }

    #[test]
    fn a_refused_point_is_probed_ever_more_rarely_and_at_least_daily() {
        let mut now = Instant::now();
        let mut learned = Learned::default();
        learned.refuse(at(7, 1), now);
        assert_eq!(learned.refused(), [at(7, 1)]);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let begin = now;
            while learned.due(now).is_none() {
                now += Duration::from_secs(60);
            }
            pauses.push((now - begin).as_secs() / 60);
            learned.refuse(at(7, 1), now);
        }
        assert_eq!(pauses, [10, 40, 160, 640, 1_440, 1_440, 1_440]);
        assert_eq!(learned.refused(), [at(7, 1)], "known once");
        learned.allow(at(7, 1));
        assert_eq!((learned.refused(), learned.due(now + DAY)), (vec![], None));
    }

    #[test]
    fn the_length_that_a_device_answers_is_found_by_halving() {
        let now = Instant::now();
        let mut learned = Learned::default();
        let said = Limits::default();
        learned.came(&at(0, 31));
        assert_eq!(
            learned.limits(said).max_registers,
            125,
            "nothing was refused"
        );
        learned.refuse_length(125, now);
        let mut tried = Vec::new();
        while tried.last() != Some(&learned.limits(said).max_registers) {
            let next = learned.limits(said).max_registers;
            tried.push(next);
            // A device of 60 registers.
            if next <= 60 {
                learned.came(&at(0, next));
            } else {
                learned.refuse_length(next, now);
            }
        }
        assert_eq!(tried.last(), Some(&60), "{tried:?}");
        assert!(tried.len() <= 9, "{tried:?}");
        learned.forget(now + DAY);
        assert_eq!(
            learned.limits(said).max_registers,
            125,
            "asked again after a day"
        );
    }

    #[test]
    fn a_device_whose_limit_shrank_is_followed() {
        let now = Instant::now();
        let mut learned = Learned::default();
        learned.came(&at(0, 125));
        learned.refuse_length(125, now);
        assert!(learned.limits(Limits::default()).max_registers < 125);
        // What it answered before it shrank is not its longest answer.
        learned.refuse_length(40, now);
        assert_eq!(learned.most(), 39);
        learned.refuse_length(2, now);
        assert_eq!(learned.limits(Limits::default()).max_registers, 1);
    }

    #[test]
    fn bits_say_nothing_of_how_many_registers_are_answered() {
        let mut learned = Learned::default();
        for fc in [1, 2] {
            learned.came(&Span { fc, ..at(0, 2_000) });
            assert_eq!(learned.most(), 0, "{fc}");
        }
        learned.came(&at(0, 20));
        assert_eq!(learned.most(), 20);
    }

    #[test]
    fn a_change_moves_the_version_and_what_is_known_does_not() {
        let now = Instant::now();
        let mut learned = Learned::default();
        let mut version = learned.version();
        let mut moved = |learned: &Learned| {
            std::mem::replace(&mut version, learned.version()) != learned.version()
        };
        learned.refuse(at(7, 1), now);
        assert!(moved(&learned));
        learned.refuse(at(7, 1), now);
        assert!(!moved(&learned));
        learned.refuse_gap(at(9, 3), now);
        assert!(moved(&learned));
        learned.refuse_gap(at(9, 3), now);
        learned.refuse_gap(at(9, 0), now);
        learned.came(&at(0, 50));
        learned.forget(now + DAY / 2);
        assert!(!moved(&learned));
        learned.forget(now + DAY);
        assert!(moved(&learned));
        assert_eq!(
            learned.refused(),
            [at(7, 1)],
            "points are probed, not forgotten"
        );
    }
}
