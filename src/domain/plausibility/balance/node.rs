//! Check 16: a balance against its own uncertainty.
//!
//! The mean residual of an interval is measured against what the classes of the meters
//! allow. One that lasts is a load without a meter, or a meter that is wrong in a way
//! that no other check knows.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Site, need};
use super::super::node::{Means, Node};
use super::super::settings::{CheckSettings, limits};
use super::super::table::{Subject, nodes};
use crate::domain::closure::{
    self, Accuracy, LOSSES_PCT, Member, Ramp, UNSEEN_PART, Uncertainty, Verdict, Watch,
};
use crate::domain::flow::Known;
use crate::domain::meter::Park;
use crate::domain::units::to_i64;

/// The row is counted by the watch: one flagged interval is a finding.
const TIMES: f64 = 1.0;
/// One residual in 370 of correct meters is larger.
const UNCERTAINTIES: f64 = 3.0;
/// Intervals in a row.
const IN_A_ROW: f64 = 3.0;

limits! {
    times: TIMES "" 1.0 to 1.0 "how often it must be flagged";
    uncertainties: UNCERTAINTIES "" 1.0 to 100.0 "standard uncertainties that a residual may be";
    in_a_row: IN_A_ROW "intervals" 1.0 to 100.0 "how many intervals in a row";
}

pub fn subjects(_: &Park, _: &Site, all: &[Node]) -> Vec<Subject> {
    nodes(all, |node| !node.is_feeder())
}

/// When a residual is flagged, by the settings of the check or as where it has none.
pub fn limits(settings: Option<&CheckSettings>) -> closure::Limits {
    let values = settings.map_or(&[][..], |settings| &settings.values);
    allowed(&Limits::of(values))
}

fn allowed(limits: &Limits) -> closure::Limits {
    closure::Limits {
        uncertainties: limits.uncertainties,
        // Flagged is what exceeds this number.
        in_a_row: u32::try_from(to_i64(limits.in_a_row) - 1).unwrap_or(0),
    }
}

pub fn judge(look: &Look<'_>, memory: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let allowed = allowed(&limits);
    let (_, means) = need!(look.means(), "a meter of the balance was silent");
    let residual = closure::residual(&members(look, means));
    let watch = memory.watch.get_or_insert_with(|| Watch::new(allowed));
    match watch.hear(&residual) {
        Verdict::Closed | Verdict::Exceeded(_) => Judged::Clear,
        Verdict::Unknown => Judged::Not("a meter of the balance was silent"),
        Verdict::Flagged(_) => {
            let uncertainty = residual.map_or(0.0, |known| known.value.uncertainty);
            let limit = (limits.uncertainties * uncertainty).copysign(means.residual);
            let cause = if means.residual > 0.0 {
                "a load or a loss has no meter, or a meter of the sources shows too much"
            } else {
                "a source has no meter, or a meter of the loads shows too much"
            };
            let remedy =
                "look for what has no meter; then compare each meter with its register over a day";
            seen(
                "the mean residual of an interval",
                (means.residual, limit, "W"),
                cause,
                remedy,
            )
        }
    }
}

/// The members with what a correct meter may be off by.
fn members(look: &Look<'_>, means: &Means) -> Vec<Member> {
    let member = |sign: f64, value: f64, accuracy: &Accuracy| Member {
        sign,
        value: Ok(Known::given(value)),
        uncertainty: Uncertainty::of(value, accuracy, Ramp::default()).combined(),
    };
    let mut members: Vec<Member> = means
        .members
        .iter()
        .map(|(part, mean)| {
            let told = look.facts_of(part.meter).map(|facts| facts.accuracy);
            let meter = look.park.meters.get(part.meter);
            let rated = meter.and_then(|meter| meter.rated_of(part.carrier));
            let rated = rated.map(|rated| rated.as_watts());
            let load = rated.map(|rated| mean / rated);
            let accuracy = Accuracy {
                quantum: rated.map_or(0.0, |rated| UNSEEN_PART * rated),
                ..told.unwrap_or_default().accuracy(part.carrier, load)
            };
            member(part.sign, *mean, &accuracy)
        })
        .collect();
    let losses = Accuracy {
        class_pct: LOSSES_PCT,
        ..Accuracy::default()
    };
    members.push(member(-1.0, means.losses, &losses));
    members
}
