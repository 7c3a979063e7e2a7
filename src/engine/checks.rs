//! The checks of a park beside its books: heard with every reading, looked at with
//! every tick, kept on disk so that a restart does not lose what must last.

use std::sync::Arc;

use jiff::Timestamp;

use super::Engine;
use crate::domain::flow::Powers;
use crate::domain::meter::Park;
use crate::domain::plausibility::{
    Change, Finding, MeterDrift, Moment, Plausibility, Settings, Unjudged,
};
use crate::domain::snapshot::Reading;

/// Key of the row of the checks; no meter has such a name.
pub const CHECKS_STATE: &str = "/checks";
/// The row of the checks is written this often, ms, and at the end: what a crash forgets
/// of a condition that must last is no more, and the row of a thousand meters is 1.3 MB.
const KEPT_EVERY_MS: i64 = 300_000;

/// The checks, and what they have found.
#[derive(Default)]
pub struct Checks {
    /// Always there but for the moment in which they look at the rest of the engine, and
    /// in an engine that only keeps books.
    all: Option<Box<Plausibility>>,
    findings: Arc<[Finding]>,
    kept_ms: i64,
}

impl Checks {
    /// The checks of a park, with what was kept of an earlier run.
    pub fn new(park: &Arc<Park>, settings: &Settings, earlier: Option<&str>) -> Self {
        let all = Plausibility::new(park, settings, earlier);
        Self {
            findings: all.open().into(),
            all: Some(Box::new(all)),
            kept_ms: 0,
        }
    }

    /// Takes in what a meter said.
    pub fn hear(&mut self, reading: &Reading) {
        if let Some(all) = &mut self.all {
            all.hear(reading);
        }
    }

    /// Takes note of a reading that came too late to be of now.
    pub fn late(&mut self, reading: &Reading) {
        if let Some(all) = &mut self.all {
            all.late(reading);
        }
    }

    /// What they have found and is not over.
    pub fn findings(&self) -> Arc<[Finding]> {
        Arc::clone(&self.findings)
    }

    /// Every counter against its flow.
    pub fn drifts(&self, settings: &Settings) -> Vec<MeterDrift> {
        let all = self.all.as_ref();
        all.map_or(Vec::new(), |all| all.drifts(settings))
    }

    /// Their row of state.
    pub fn row(&self) -> Option<(String, String)> {
        let all = self.all.as_ref()?;
        Some((CHECKS_STATE.to_owned(), all.state()))
    }

    /// Their row of state, if it was not written for a while.
    pub fn row_when_due(&mut self, now: Option<Timestamp>) -> Option<(String, String)> {
        let now_ms = now?.as_millisecond();
        if now_ms - self.kept_ms < KEPT_EVERY_MS {
            return None;
        }
        self.kept_ms = now_ms;
        self.row()
    }
}

impl Engine {
    /// Takes in what a meter said; what came too late to be of now is in no book.
    pub fn take(&mut self, reading: &Reading, late: bool) {
        if late {
            self.checks.late(reading);
        } else {
            self.hear(reading);
        }
    }

    /// The next state has the row of the checks, whenever it was written last.
    pub fn keep_checks(&mut self) {
        self.checks.kept_ms = 0;
    }

    /// Goes through the checks that are due.
    pub(super) fn check(&mut self, powers: &Powers, now: Timestamp) -> Vec<Change> {
        let Some(mut all) = self.checks.all.take() else {
            return Vec::new();
        };
        let changes = all.tick(&Moment {
            now,
            powers,
            snapshot: &self.snapshot,
            power: &|index, carrier| self.power(index, carrier, now),
        });
        if !changes.is_empty() {
            self.checks.findings = all.open().into();
        }
        self.checks.all = Some(all);
        changes
    }

    /// Checks that cannot judge, and why.
    #[must_use]
    pub fn unjudged(&self) -> Vec<Unjudged> {
        let all = self.checks.all.as_ref();
        all.map_or(Vec::new(), |all| all.unjudged())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::meter::{Freshness, Meter, Point, Quantity, Role};
    use crate::domain::snapshot::Value;
    use crate::domain::units::Power;

    /// A roof on the equator at the meridian of Greenwich, where it is night at midnight.
    fn park() -> Arc<Park> {
        let roof = Meter {
            id: "roof".into(),
            role: Role::named("pv").unwrap(),
            points: vec![Point {
                quantity: Quantity::named("power").unwrap(),
                register: None,
            }],
            freshness: Freshness::Within(Duration::from_secs(30)),
            period: Duration::from_secs(1),
            rated: Some(Power::from_watts(1e6).unwrap()),
            heat_from_flow: None,
            rated_heat: None,
        };
        Arc::new(Park {
            id: "p".into(),
            name: "p".into(),
            time_zone: jiff::tz::TimeZone::UTC,
            settlement_minutes: 15,
            latitude: 0.0,
            longitude: 0.0,
            meters: vec![roof],
            every_load_metered: false,
            losses: None,
            relations: crate::domain::relations::Relations::default(),
        })
    }

    #[test]
    fn a_finding_comes_once_stands_in_the_frame_and_outlives_a_restart() {
        let park = park();
        let mut engine = Engine::new(Arc::clone(&park), &[]);
        let mut changes = Vec::new();
        let mut second = |engine: &mut Engine, nth: i64, watts: f64| {
            let now = Timestamp::from_second(1_780_272_000 + nth).unwrap();
            engine.hear(&Reading {
                meter: 0,
                at: now,
                values: vec![(
                    0,
                    Ok(Value::Analog(watts + crate::domain::units::to_f64(nth % 7))),
                )],
            });
            let tick = engine.tick(now);
            changes.extend(tick.changes.into_iter().map(|change| (nth, change.opened)));
            tick.frame.findings.len()
        };
        for nth in 0..150 {
            assert_eq!(second(&mut engine, nth, 9e3), 0);
        }
        // Half of the five minutes have passed; the other half is seen by the next run.
        let mut engine = Engine::new(Arc::clone(&park), &engine.state_for_resume());
        let open: Vec<usize> = (150..400)
            .map(|nth| second(&mut engine, nth, 9e3))
            .collect();
        assert_eq!(open.last(), Some(&1));
        let mut engine = Engine::new(park, &engine.state_for_resume());
        let open: Vec<usize> = (400..600)
            .map(|nth| second(&mut engine, nth, -1e3))
            .collect();
        assert_eq!((open.first(), open.last()), (Some(&1), Some(&0)));
        let [(opened, true), (closed, false)] = changes[..] else {
            panic!("{changes:?}");
        };
        assert!((300..320).contains(&opened), "{opened}");
        assert!((460..480).contains(&closed), "{closed}");
    }
}
