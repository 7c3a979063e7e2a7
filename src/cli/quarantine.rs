//! Steps of registers that are in no interval, until somebody says what they were.
//!
//! ```text
//!   ... 4711 4712 │ 3 4 5 ...     the step from 4712 to 3 is no energy, and is listed here
//! ```

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::recompute::channel_name;
use crate::config::Setup;
use crate::domain::counter::Excluded;
use crate::domain::event::{MeterEvent, standing};
use crate::domain::interval::Channel;
use crate::domain::time::rfc3339;
use crate::engine::book::{Quarantined, quarantined};
use crate::store::{LedgerReader, StoreError, place};

/// A step, and what is known of it.
pub(super) struct Listed {
    meter: Arc<str>,
    step: Quarantined,
    /// The event that decides it.
    decided_by: Option<u64>,
}

/// Every step in quarantine, by meter; none where there are no books yet.
pub(super) fn all(setup: &Setup, events: &[MeterEvent]) -> Result<Vec<Listed>, StoreError> {
    let dir = &setup.store.dir;
    if !place::ledger_file(dir).is_file() {
        return Ok(Vec::new());
    }
    let standing = standing(events);
    let mut all = Vec::new();
    for (meter, json) in LedgerReader::open(dir)?.states()? {
        let Some(index) = setup.park.meter(&meter) else {
            continue;
        };
        let Some(meter) = setup.park.meters.get(index) else {
            continue;
        };
        all.extend(quarantined(&json).into_iter().map(|step| Listed {
            meter: Arc::clone(&meter.id),
            decided_by: decides(&standing, &meter.id, step.channel, &step.step),
            step,
        }));
    }
    Ok(all)
}

/// The event that lies in a step.
fn decides(standing: &[MeterEvent], meter: &str, channel: Channel, step: &Excluded) -> Option<u64> {
    let inside = |at: Timestamp| (step.before.0 + 1..=step.after.0).contains(&at.as_millisecond());
    let of = standing.iter().find(|event| {
        *event.meter == *meter
            && event.channel == channel
            && event.breaks().is_some()
            && inside(event.at)
    });
    of.map(|event| event.number)
}

fn at(ms: i64, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| rfc3339(at, zone))
}

impl Listed {
    fn state(&self) -> &'static str {
        match (self.step.held, self.decided_by) {
            (true, _) => "held",
            (false, None) => "excluded",
            (false, Some(_)) => "decided",
        }
    }

    /// In a line, with what to do.
    pub(super) fn line(&self, zone: &TimeZone) -> String {
        let Excluded {
            before,
            after,
            unit,
        } = self.step.step;
        let remedy = match (self.step.held, self.decided_by) {
            (true, _) => "held back until it comes back or goes on from there".to_owned(),
            (false, Some(number)) => format!("decided by event {number}"),
            (false, None) => format!(
                "excluded; say what happened: sunledger meter-event add exchange --meter {} --at …",
                self.meter
            ),
        };
        format!(
            "{} {}  {} at {} -> {} at {} (a count is {} Wh)  {remedy}\n",
            self.meter,
            channel_name(self.step.channel),
            before.1,
            at(before.0, zone),
            after.1,
            at(after.0, zone),
            unit.as_watt_hours(),
        )
    }

    pub(super) fn json(&self, zone: &TimeZone) -> Json {
        let Excluded {
            before,
            after,
            unit,
        } = self.step.step;
        json!({
            "meter": self.meter,
            "channel": channel_name(self.step.channel),
            "state": self.state(),
            "decided_by": self.decided_by,
            "before": { "at": at(before.0, zone), "count": before.1 },
            "after": { "at": at(after.0, zone), "count": after.1 },
            "count_wh": unit.as_watt_hours(),
        })
    }
}
