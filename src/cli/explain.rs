//! `sunledger explain`: where a number comes from, down to the registers.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::recompute::failure;
use super::{ConfigFile, Failure, USAGE, meter_event, print};
use crate::app::explain::{Around, Contribution, Explained, Explanation, Shown, explain};
use crate::config;
use crate::domain::flow::{FLOWS, FlowRow, Stated};
use crate::domain::interval::{Entry, Origin};
use crate::domain::meter::{Carrier, Park};
use crate::domain::provenance::Made;
use crate::domain::quality::Quality;
use crate::domain::time::{rfc3339, slot};
use crate::domain::units::MilliwattHours;

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
    let text = if arguments.json {
        format!("{}\n", as_json(&found, park))
    } else {
        as_text(&found, park)
    };
    print(&text)
}

/// Whether the park has such a flow at all.
fn is_there(flow: &Explained) -> bool {
    let last = flow.revisions.last();
    let configured =
        last.is_some_and(|(_, stated)| !matches!(stated, Err(gaps) if gaps.is_unconfigured()));
    configured && !(flow.contributions.is_empty() && flow.besides.is_none())
}

fn stated_text(stated: &Stated<MilliwattHours>) -> String {
    match stated {
        Ok(known) => format!(
            "{} Wh, {}, coverage {:.2} %",
            known.value.to_wh_string(),
            known.quality.name(),
            known.coverage_pct
        ),
        Err(gaps) if gaps.is_unconfigured() => "not measured in this park".to_owned(),
        Err(gaps) => {
            let each = gaps.list().iter();
            let each = each.map(|gap| format!("{} ({})", gap.meter, gap.reason.name()));
            format!("unknown: {}", each.collect::<Vec<_>>().join(", "))
        }
    }
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

fn entry_text(entry: Option<&Entry>) -> String {
    match entry {
        None => "no entry".to_owned(),
        Some(entry) => match entry.energy {
            Ok(energy) => format!("{} Wh {}", energy.to_wh_string(), entry.quality.name()),
            Err(reason) => format!("unknown ({})", reason.name()),
        },
    }
}

fn shown_text(shown: Option<Shown>, zone: &TimeZone) -> String {
    shown.map_or("nothing in the journal".to_owned(), |shown| {
        format!("{} at {}", shown.raw, rfc3339(shown.at, zone))
    })
}

fn around_text(name: &str, around: &Around, zone: &TimeZone) -> String {
    let apart = around.before.zip(around.after).map(|(before, after)| {
        let ms = after.at.as_millisecond() - before.at.as_millisecond();
        format!(", {}.{:03} s apart", ms / 1_000, ms % 1_000)
    });
    format!(
        "        {name}: {} | {}{}\n",
        shown_text(around.before, zone),
        shown_text(around.after, zone),
        apart.unwrap_or_default()
    )
}

fn as_text(found: &Explanation, park: &Arc<Park>) -> String {
    let zone = &park.time_zone;
    let mut text = format!(
        "{} to {}\n",
        rfc3339(found.span.start, zone),
        rfc3339(found.span.end, zone)
    );
    for event in &found.events {
        text.push_str(&format!("event {}\n", meter_event::line(event, zone)));
    }
    for flow in &found.flows {
        let Some((revision, stated)) = flow.revisions.last() else {
            text.push_str(&format!("\n{}: not closed yet\n", flow.row.name));
            continue;
        };
        text.push_str(&format!(
            "\n{}: {} (revision {revision})\n",
            flow.row.name,
            stated_text(stated)
        ));
        for (revision, stated) in flow.revisions.iter().rev().skip(1) {
            text.push_str(&format!("  revision {revision}: {}\n", stated_text(stated)));
        }
        for one in &flow.contributions {
            text.push_str(&contribution_text(one, zone));
        }
        if let Some(besides) = flow.besides {
            text.push_str(&format!("  {besides}\n"));
        }
    }
    if let Some(shape) = found.shape
        && found
            .flows
            .iter()
            .any(|flow| flow.row.name == "self_consumption")
    {
        text.push_str(&format!(
            "  export was fed by generators with {:.3} Wh and by batteries with {:.3} Wh, \
             integrated over the seconds\n",
            shape.generation_wh, shape.battery_wh
        ));
    }
    text
}

fn contribution_text(one: &Contribution, zone: &TimeZone) -> String {
    let sign = if one.adds { '+' } else { '-' };
    let way = match (&one.lost, one.channel.positive) {
        (None, true) => String::new(),
        (None, false) => " (other way)".to_owned(),
        (Some(meter), true) => format!(" (transformer of {meter}, import)"),
        (Some(meter), false) => format!(" (transformer of {meter}, export)"),
    };
    let mut text = format!(
        "  {sign} {}{way}: {}, {}\n",
        one.meter,
        entry_text(one.entry.as_ref()),
        provenance(one)
    );
    for before in one.before.iter().rev() {
        text.push_str(&format!("        before: {}\n", entry_text(Some(before))));
    }
    if let Some(entry) = &one.entry {
        if let (Some(opening), Some(closing)) = (entry.opening, entry.closing) {
            text.push_str(&format!(
                "        position {} -> {} Wh since its first reading\n",
                opening.to_wh_string(),
                closing.to_wh_string()
            ));
        }
        if entry.coverage_pct < 100.0 {
            text.push_str(&format!("        coverage {:.2} %\n", entry.coverage_pct));
        }
    }
    if let Some(count_wh) = one.count_wh {
        text.push_str(&format!("        a count is worth {count_wh} Wh\n"));
        for (name, around) in ["start", "end"].into_iter().zip(&one.ends) {
            text.push_str(&around_text(name, around, zone));
        }
    }
    text
}

fn stated_json(stated: &Stated<MilliwattHours>) -> Json {
    match stated {
        Ok(known) => json!({
            "wh": known.value.to_wh_string(),
            "quality": known.quality.name(),
            "coverage_pct": known.coverage_pct,
            "missing": [],
            "provenance": known.made.names(),
            "methods": known.made.methods(),
        }),
        Err(gaps) => json!({
            "wh": null,
            "quality": Quality::Missing.name(),
            "coverage_pct": 0.0,
            "missing": gaps.list(),
            "provenance": [],
            "methods": [],
        }),
    }
}

fn entry_json(entry: &Entry) -> Json {
    json!({
        "wh": entry.energy.ok().map(|energy| energy.to_wh_string()),
        "reason": entry.energy.err().map(|reason| reason.name()),
        "quality": entry.quality.name(),
        "coverage_pct": entry.coverage_pct,
        "provenance": entry.made.names(),
        "methods": entry.made.methods(),
        "opening_wh": entry.opening.map(|position| position.to_wh_string()),
        "closing_wh": entry.closing.map(|position| position.to_wh_string()),
    })
}

fn as_json(found: &Explanation, park: &Arc<Park>) -> Json {
    let zone = &park.time_zone;
    let shown = |shown: Option<Shown>| {
        shown.map(|shown| json!({ "at": rfc3339(shown.at, zone), "count": shown.raw }))
    };
    let around =
        |around: &Around| json!({ "before": shown(around.before), "after": shown(around.after) });
    let contribution = |one: &Contribution| {
        let [start, end] = &one.ends;
        json!({
            "meter": &*one.meter,
            "carrier": if one.channel.carrier == Carrier::Heat { "heat" } else { "electricity" },
            "positive": one.channel.positive,
            "adds": one.adds,
            "loss_of": one.lost.as_deref(),
            "provenance": provenance(one),
            "count_wh": one.count_wh,
            "entry": one.entry.as_ref().map(entry_json),
            "before": one.before.iter().map(entry_json).collect::<Vec<_>>(),
            "start": around(start),
            "end": around(end),
        })
    };
    let flow = |flow: &Explained| {
        let revisions = flow.revisions.iter().map(|(revision, stated)| {
            let mut said = stated_json(stated);
            if let Some(said) = said.as_object_mut() {
                said.insert("revision".to_owned(), json!(revision));
            }
            said
        });
        json!({
            "flow": flow.row.name,
            "revisions": revisions.collect::<Vec<_>>(),
            "contributions": flow.contributions.iter().map(contribution).collect::<Vec<_>>(),
            "besides": flow.besides,
        })
    };
    json!({
        "start": rfc3339(found.span.start, zone),
        "end": rfc3339(found.span.end, zone),
        "events": found.events,
        "flows": found.flows.iter().map(flow).collect::<Vec<_>>(),
        "shape": found.shape,
    })
}
