//! Check 19: the clock of a device.
//!
//! A device that shows its clock in a register is compared with the time at which that was
//! read: the middle of question and answer. A device that stamps its messages is compared
//! with the time when they come. One message that is old may have waited; a row of them,
//! each as late as the one before, is a clock.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::meter::Park;
use crate::domain::quality::Reason;
use crate::domain::units::to_f64;

/// Longer than a gateway needs to send what has waited.
const MINUTES: f64 = 5.0;
/// Seconds that an interval of a quarter of an hour bears: 0.8 % of it.
const WARN_S: f64 = 7.0;
/// Books of settlement do not bear more.
const FAULT_S: f64 = 60.0;
/// Enough to be a habit.
const READINGS: f64 = 12.0;
/// Readings with the time of the one before: two may be a retransmission.
const TWICE: u32 = 3;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    warn_s: WARN_S "s" 7.0 to 3600.0 "how far a clock may be off";
    readings: READINGS "" 2.0 to 10000.0 "readings in a row";
}

pub fn subjects(park: &Park, _: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |_| true)
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    if refused(look) {
        let cause = "the device's clock is fast, or its time zone is wrong: its values are refused";
        let remedy = "set up the time server of the device or gateway";
        return seen(
            "a value of the future, refused,",
            (1.0, 0.0, ""),
            cause,
            remedy,
        );
    }
    if let Some(ahead) = look.clock_ahead_s() {
        return if ahead.abs() <= limits.warn_s {
            Judged::Clear
        } else {
            let cause = match (ahead.abs() > FAULT_S, ahead > 0.0) {
                (true, _) => {
                    "the device's clock or time zone is wrong: what it stores is not of the books' intervals"
                }
                (false, true) => "the device's clock is fast",
                (false, false) => "the device's clock is slow, or stands",
            };
            off(ahead, limits.warn_s, cause)
        };
    }
    let ear = need!(
        look.ear().filter(|ear| ear.newest_ms.is_some()),
        "nothing was heard of it"
    );
    if ear.twice >= TWICE {
        let cause = "the device's clock stands, or two devices share one name";
        let remedy = "restart the device's clock, and look for a second device of this name";
        return seen(
            "readings in a row with the same time",
            (f64::from(ear.twice), f64::from(TWICE), ""),
            cause,
            remedy,
        );
    }
    let ahead = to_f64(ear.ahead_ms) / 1e3;
    if f64::from(ear.off) < limits.readings || ahead.abs() <= limits.warn_s {
        return Judged::Clear;
    }
    let cause = match (ahead > 0.0, ahead.abs() > FAULT_S) {
        (true, false) => "the device's clock is fast",
        (false, false) => "the device's clock is slow, or its messages wait on the way",
        (true, true) => "the device's clock or time zone is wrong: intervals are booked too early",
        (false, true) => "the device's clock or time zone is wrong: intervals are booked too late",
    };
    off(ahead, limits.warn_s, cause)
}

/// The finding of a clock that is so many seconds ahead.
fn off(ahead: f64, warn_s: f64, cause: &'static str) -> Judged {
    seen(
        "the device's time against the daemon's",
        (ahead, warn_s.copysign(ahead), "s"),
        cause,
        "set up the time server of the device or gateway",
    )
}

/// Whether its values are refused because they are of the future.
fn refused(look: &Look<'_>) -> bool {
    let points = look.meter().map_or(0, |meter| meter.points.len());
    (0..points).any(|point| {
        let (_, trouble) = look.moment.snapshot.last(look.first(), point);
        trouble == Some(Reason::Clock)
    })
}
