//! Check 20: messages that are of now, say a number, and keep their unit.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Q, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::meter::{Freshness, Park};
use crate::domain::quality::Reason;
use crate::domain::units::to_f64;

/// Longer than the next message takes.
const MINUTES: f64 = 5.0;
/// A message that has missed this many others is of another time.
const PERIODS: f64 = 3.0;
/// Messages of devices that speak each second may wait this long, s.
const LEAST_S: f64 = 60.0;
/// Samples after which a step by a thousand is no accident.
const STOOD: f64 = 12.0;
/// Below this part of the nameplate a device in standby may make such a step.
const LEAST_PART: f64 = 0.1;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    periods: PERIODS "" 1.0 to 1000.0 "age of a message when it comes, in periods of the meter";
    samples: STOOD "" 1.0 to 10000.0 "samples for which a step by a thousand must stand";
}

const SAID: [Q; 7] = [
    Q::Power,
    Q::HeatPower,
    Q::Soc,
    Q::Flow,
    Q::Supply,
    Q::Dni,
    Q::Ghi,
];

pub fn subjects(park: &Park, _: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |_| true)
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let meter = need!(look.meter(), "it is no meter");
    let ear = need!(look.ear(), "nothing was heard of it");
    let sleeps = meter.role.needs_sun && look.sun_elevation < 0.0;
    let refused = SAID.iter().find(|q| {
        let point = look
            .site
            .layouts
            .get(look.first())
            .and_then(|layout| layout.point(**q));
        let last = point.map(|point| look.moment.snapshot.last(look.first(), point));
        last.is_some_and(|(_, trouble)| trouble == Some(Reason::NotAvailable))
    });
    if refused.is_some() && !sleeps {
        let since = refused.and_then(|q| look.site.layouts.get(look.first())?.point(*q));
        let last = since.and_then(|point| look.moment.snapshot.last(look.first(), point).0);
        let now = look.moment.now.as_millisecond();
        let minutes = last.map_or(0.0, |last| {
            to_f64(now - last.at.as_millisecond()) / 60_000.0
        });
        let cause = "a sensor is broken or not connected; the device says NaN or \"unavailable\"";
        let remedy = "check the sensor at the device";
        return seen(
            "the time since its last number",
            (minutes, limits.minutes, "min"),
            cause,
            remedy,
        );
    }
    let age_s = -to_f64(ear.ahead_ms) / 1e3;
    let most_s = (limits.periods * meter.period.as_secs_f64()).max(LEAST_S);
    // A row of late messages is a clock, and no single message.
    let speaks = meter.freshness != Freshness::UntilChanged;
    if speaks && ear.off == 1 && age_s > most_s {
        let cause = "the broker kept an old message, and the device is silent";
        let remedy = "publish without the retain flag, and look after the device";
        return seen(
            "the age of its message when it came",
            (age_s, most_s, "s"),
            cause,
            remedy,
        );
    }
    if let (Some(jump), Some(rated)) = (ear.jump, look.rated())
        && f64::from(jump.stood) >= limits.samples
        && jump.before.abs().max(jump.after.abs()) > LEAST_PART * rated
    {
        let cause = "the message changed from W to kW, or from kW to W";
        let remedy = "correct the unit of the point in the configuration, or at the device";
        return seen(
            "its power after a step by 1000",
            (jump.after, jump.before, "W"),
            cause,
            remedy,
        );
    }
    Judged::Clear
}
