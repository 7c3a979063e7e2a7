//! `sunledger explain`: where a number comes from, down to the registers.

mod json;
mod text;

use super::recompute::failure;
use super::{ConfigFile, Failure, USAGE, meter_event, print};
use crate::app::explain::{Contribution, Explained, explain};
use crate::config::{self, Setup};
use crate::domain::event::{MeterEvent, What};
use crate::domain::flow::{FLOWS, Flow, FlowRow};
use crate::domain::interval::Origin;
use crate::domain::provenance::Made;
use crate::domain::time::{rfc3339, slot};
use crate::engine::trace::Trace;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A moment in the interval: RFC 3339, or local time such as 2026-06-03T14:30
    #[arg(value_name = "INTERVAL")]
    interval: String,
    #[command(flatten)]
    file: ConfigFile,
    /// One flow, such as export, load, heat_losses [default: all that the park has]
    #[arg(long, value_name = "FLOW", value_parser = flow_names())]
    flow: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn flow_names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(FLOWS.iter().map(|row| row.name))
}

/// Explains an interval.
///
/// # Errors
///
/// [`USAGE`] for a moment that is none, or of which the ledger knows nothing; otherwise
/// what ledger, journal or events say.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let setup = config::load(&arguments.file.config)?;
    let park = &setup.park;
    let zone = &park.time_zone;
    let at = meter_event::moment("INTERVAL", &arguments.interval, zone)?;
    let span = slot(at, zone, park.settlement_minutes);
    let asked = arguments.flow.as_deref();
    let rows: Vec<&'static FlowRow> = FLOWS
        .iter()
        .filter(|row| asked.is_none_or(|asked| asked == row.name))
        .collect();
    let found = explain(park, &setup.store.dir, span, &rows).map_err(failure)?;
    let Some(mut found) = found else {
        let sentence = format!(
            "the ledger knows nothing of the interval from {} to {}",
            rfc3339(span.start, zone),
            rfc3339(span.end, zone)
        );
        return Err(Failure::new(USAGE, sentence));
    };
    if asked.is_none() {
        found.flows.retain(is_there);
    }
    print(&if arguments.json {
        format!("{}\n", json::json(&found, &setup))
    } else {
        text::text(&found, &setup)
    })
}

/// Whether the park has such a flow at all.
fn is_there(flow: &Explained) -> bool {
    let last = flow.revisions.last();
    let configured =
        last.is_some_and(|(_, stated)| !matches!(stated, Err(gaps) if gaps.is_unconfigured()));
    configured && !(flow.contributions.is_empty() && flow.besides.is_none())
}

/// Whether a flow says where generation, storage and import went.
fn is_attributed(flow: Flow) -> bool {
    matches!(
        flow,
        Flow::Generation
            | Flow::Import
            | Flow::Export
            | Flow::Load
            | Flow::SelfConsumption
            | Flow::BatteryCharge
            | Flow::BatteryDischarge
    )
}

/// Where the energy of an entry comes from.
fn provenance(one: &Contribution) -> String {
    let made = one.entry.as_ref().map_or(Made::NOTHING, |entry| entry.made);
    match (made, one.origin) {
        (Made::INTEGRATED, Some(Origin::Heat)) => "computed from flow and temperatures".to_owned(),
        // What is not known, and what an older ledger does not say.
        (Made::NOTHING, Some(Origin::Register(_))) => "register".to_owned(),
        (Made::NOTHING, Some(Origin::Power)) => "integrated".to_owned(),
        (Made::NOTHING, Some(Origin::Heat)) => "computed from flow and temperatures".to_owned(),
        (Made::NOTHING, None) => "derived".to_owned(),
        (made, _) => made.to_string(),
    }
}

/// Whether the readings come to what the ledger says, or why not.
fn agreement(one: &Contribution, trace: &Trace, events: &[MeterEvent]) -> Result<(), String> {
    let Some(computed) = trace.energy() else {
        return Err("the journal has no readings around the whole interval".to_owned());
    };
    let Some(entry) = &one.entry else {
        return Err("the ledger has no entry yet".to_owned());
    };
    let Ok(said) = entry.energy else {
        return Err(
            "the ledger says that it is unknown; `sunledger recompute` enters it".to_owned(),
        );
    };
    if said == computed {
        return Ok(());
    }
    let is_corrected = |event: &MeterEvent| {
        let own = event.meter == one.meter && event.channel == one.channel;
        own && matches!(event.what, What::Correction { .. })
    };
    if let Some(event) = events.iter().find(|event| is_corrected(event)) {
        return Err(format!("event {} corrects it", event.number));
    }
    let methods = entry.made.methods();
    if !methods.is_empty() {
        return Err(format!("it is estimated there ({})", methods.join(", ")));
    }
    let off = (said - computed).0.abs();
    Err(match trace {
        Trace::Heat(_) if off <= 1 => {
            "what rounding left of the intervals before is carried on".to_owned()
        }
        Trace::Register(register) if !register.breaks.is_empty() || !register.held.is_empty() => {
            "the register was not taken for one that simply went on; `sunledger recompute` \
             judges it again"
                .to_owned()
        }
        _ => "it was booked from other readings or with another configuration; `sunledger \
              recompute --dry-run` compares the day"
            .to_owned(),
    })
}

/// What the registers of a meter are multiplied by: the factor, and the transformers.
fn multiplier(setup: &Setup, meter: &str) -> Option<(f64, Option<[String; 2]>)> {
    let ratio = setup.multipliers.get(meter)?;
    let float = |ratio: &(i128, i128)| {
        let part = |one| crate::domain::units::to_f64(i64::try_from(one).unwrap_or(i64::MAX));
        part(ratio.0) / part(ratio.1)
    };
    let named = setup.transformers.get(meter);
    let named = named.map(|both| both.map(|(primary, secondary)| format!("{primary}/{secondary}")));
    Some((float(ratio), named))
}
