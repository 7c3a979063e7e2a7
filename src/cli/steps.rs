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
use crate::app::recompute::Recomputed;
use crate::config::Setup;
use crate::domain::counter::Excluded;
use crate::domain::event::{MeterEvent, What, standing};
use crate::domain::interval::{CLOSE_AFTER_S, Channel};
use crate::domain::meter::Park;
use crate::domain::provenance::Made;
use crate::domain::time::{rfc3339, slot};
use crate::engine::book::{Quarantined, quarantined};
use crate::store::{LedgerReader, StoreError, place};

/// A step, and what is known of it.
pub(super) struct Listed {
    meter: Arc<str>,
    step: Quarantined,
    /// The event that says what it was.
    event: Option<u64>,
    /// Whether the books have it: the interval of the event rests on a person's word.
    is_booked: bool,
}

/// Every step in quarantine, by meter; none where there are no books yet.
pub(super) fn all(setup: &Setup, events: &[MeterEvent]) -> Result<Vec<Listed>, StoreError> {
    let dir = &setup.store.dir;
    if !place::ledger_file(dir).is_file() {
        return Ok(Vec::new());
    }
    let standing = standing(events);
    let mut all = Vec::new();
    let ledger = LedgerReader::open(dir)?;
    for (meter, json) in ledger.states()? {
        let Some(index) = setup.park.meter(&meter) else {
            continue;
        };
        let Some(meter) = setup.park.meters.get(index) else {
            continue;
        };
        for step in quarantined(&json) {
            let event = decides(&standing, &meter.id, step.channel, &step.step);
            all.push(Listed {
                meter: Arc::clone(&meter.id),
                event: event.map(|event| event.number),
                is_booked: match event {
                    Some(event) => is_booked(&ledger, setup, event)?,
                    None => false,
                },
                step,
            });
        }
    }
    Ok(all)
}

/// The event that says what a step was: one that lies in it, or a correction of all of it.
fn decides<'a>(
    standing: &'a [MeterEvent],
    meter: &str,
    channel: Channel,
    step: &Excluded,
) -> Option<&'a MeterEvent> {
    let (before, after) = (step.before.0, step.after.0);
    let says = |event: &&MeterEvent| {
        let at = event.at.as_millisecond();
        match event.what {
            What::Correction { until, .. } => at <= before && after <= until.as_millisecond(),
            _ => event.breaks().is_some() && (before + 1..=after).contains(&at),
        }
    };
    let of = standing
        .iter()
        .filter(|event| *event.meter == *meter && event.channel == channel);
    // What a correction says stands above all others.
    of.filter(says).max_by_key(|event| event.breaks().is_none())
}

/// Whether the interval in which an event lies was computed with it. One that lies beyond
/// the journal changes nothing, and neither does a reset without a last reading.
fn is_booked(ledger: &LedgerReader, setup: &Setup, event: &MeterEvent) -> Result<bool, StoreError> {
    let park = &setup.park;
    let interval = slot(event.at, &park.time_zone, park.settlement_minutes);
    let entries = ledger.entries(interval.start, interval.end)?;
    Ok(entries.iter().any(|entry| {
        entry.meter == event.meter
            && entry.channel == event.channel
            && entry.made.rests_on(Made::MANUAL)
    }))
}

/// Why an event that was entered has not changed the number of its interval, with what to
/// do; nothing where it has, or will when the interval closes.
pub(super) fn left_undone(
    event: &MeterEvent,
    events: &[MeterEvent],
    done: &Recomputed,
    park: &Park,
) -> Option<String> {
    let zone = &park.time_zone;
    let meter = &event.meter;
    let remedy = format!(
        "say what flowed: sunledger meter-event add correction --meter {meter} --at … --until … \
         --energy …"
    );
    if let Some(first) = done.withdrawn.first() {
        return Some(format!(
            "{} intervals from {} on keep the value that was withdrawn: neither the journal nor \
             the ledger knows what was measured; {remedy}",
            done.withdrawn.len(),
            rfc3339(first.span.start, zone)
        ));
    }
    // What was withdrawn says of which kind it was.
    let of = match event.what {
        What::Withdrawn { of } => events.iter().find(|other| other.number == of)?,
        _ => event,
    };
    of.breaks()?;
    let interval = slot(of.at, zone, park.settlement_minutes);
    let is_over = interval.end.as_second() + CLOSE_AFTER_S <= event.entered.as_second();
    let key = (interval, Arc::clone(meter), of.channel);
    (is_over && !done.again.contains(&key)).then(|| {
        format!(
            "the interval from {} stays as it is: the journal does not reach to the readings \
             around the event; {remedy}",
            rfc3339(interval.start, zone)
        )
    })
}

fn at(ms: i64, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| rfc3339(at, zone))
}

impl Listed {
    fn state(&self) -> &'static str {
        match (self.step.held, self.is_booked) {
            (true, _) => "held",
            (false, false) => "excluded",
            (false, true) => "decided",
        }
    }

    /// In a line, with what to do.
    pub(super) fn line(&self, zone: &TimeZone) -> String {
        let Excluded {
            before,
            after,
            unit,
        } = self.step.step;
        let remedy = match (self.step.held, self.event) {
            (true, _) => "held back until it comes back or goes on from there".to_owned(),
            (false, Some(number)) if self.is_booked => format!("decided by event {number}"),
            (false, Some(number)) => format!(
                "excluded: the books do not have event {number}, or it says no last reading; \
                 recompute the day, or say what flowed: sunledger meter-event add correction \
                 --meter {} --at …",
                self.meter
            ),
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
            "decided_by": self.event.filter(|_| self.is_booked),
            "before": { "at": at(before.0, zone), "count": before.1 },
            "after": { "at": at(after.0, zone), "count": after.1 },
            "count_wh": unit.as_watt_hours(),
        })
    }
}
