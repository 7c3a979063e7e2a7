//! An explanation, for programs.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};

use super::{agreement, multiplier, provenance};
use crate::app::explain::{Contribution, Explained, Explanation, Input};
use crate::config::Setup;
use crate::domain::attribution::NAMES;
use crate::domain::event::MeterEvent;
use crate::domain::flow::Stated;
use crate::domain::interval::Entry;
use crate::domain::meter::Carrier;
use crate::domain::quality::Quality;
use crate::domain::time::rfc3339;
use crate::domain::units::MilliwattHours;
use crate::engine::trace::{
    Boundary, By, HeatSum, HeatTrace, Knot, PowerTrace, RegisterTrace, Trace, Worth,
};

/// The explanation as JSON.
pub(super) fn json(found: &Explanation, setup: &Setup) -> Json {
    let zone = &setup.park.time_zone;
    let page = Page {
        setup,
        zone,
        events: &found.events,
    };
    json!({
        "start": rfc3339(found.span.start, zone),
        "end": rfc3339(found.span.end, zone),
        "events": found.events,
        "flows": found.flows.iter().map(|flow| page.flow(flow)).collect::<Vec<_>>(),
        "shape": found.shape,
        "attribution": attribution(found),
    })
}

fn attribution(found: &Explanation) -> Json {
    let Some(stated) = &found.attribution else {
        return Json::Null;
    };
    let rule = if found.shape.is_some() {
        "seconds"
    } else {
        "amounts"
    };
    match stated {
        Ok(known) => {
            let each = known.value.named().into_iter();
            let each = each.map(|(name, energy)| (name.to_owned(), json!(energy.to_wh_string())));
            json!({
                "export_by": rule,
                "quality": known.quality.name(),
                "coverage_pct": known.coverage_pct,
                "missing": [],
                "wh": each.collect::<Map<_, _>>(),
            })
        }
        Err(gaps) => json!({
            "export_by": rule,
            "quality": Quality::Missing.name(),
            "coverage_pct": 0.0,
            "missing": gaps.list(),
            "wh": NAMES.map(|name| (name.to_owned(), Json::Null)).into_iter().collect::<Map<_, _>>(),
        }),
    }
}

fn stated(said: &Stated<MilliwattHours>) -> Json {
    match said {
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

fn entry(entry: &Entry) -> Json {
    json!({
        "wh": entry.energy.ok().map(MilliwattHours::to_wh_string),
        "reason": entry.energy.err().map(|reason| reason.name()),
        "quality": entry.quality.name(),
        "coverage_pct": entry.coverage_pct,
        "provenance": entry.made.names(),
        "methods": entry.made.methods(),
        "opening_wh": entry.opening.map(MilliwattHours::to_wh_string),
        "closing_wh": entry.closing.map(MilliwattHours::to_wh_string),
    })
}

fn event_of(by: By) -> Option<u64> {
    match by {
        By::Reading => None,
        By::Event(number) => Some(number),
    }
}

/// Adds the members of an object to another.
fn merge(into: &mut Json, more: Json) {
    if let (Some(into), Json::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

struct Page<'a> {
    setup: &'a Setup,
    zone: &'a TimeZone,
    events: &'a [MeterEvent],
}

impl Page<'_> {
    fn at(&self, at: Timestamp) -> String {
        rfc3339(at, self.zone)
    }

    fn flow(&self, flow: &Explained) -> Json {
        let revisions = flow.revisions.iter().map(|(revision, said)| {
            let mut said = stated(said);
            merge(&mut said, json!({ "revision": revision }));
            said
        });
        let contributions = flow.contributions.iter().map(|one| self.contribution(one));
        json!({
            "flow": flow.row.name,
            "revisions": revisions.collect::<Vec<_>>(),
            "contributions": contributions.collect::<Vec<_>>(),
            "besides": flow.besides,
        })
    }

    fn contribution(&self, one: &Contribution) -> Json {
        let heat = one.channel.carrier == Carrier::Heat;
        let mut said = json!({
            "meter": &*one.meter,
            "carrier": if heat { "heat" } else { "electricity" },
            "positive": one.channel.positive,
            "adds": one.adds,
            "loss_of": one.lost.as_deref(),
            "provenance": provenance(one),
            "count_wh": null,
            "entry": one.entry.as_ref().map(entry),
            "before": one.before.iter().map(entry).collect::<Vec<_>>(),
        });
        if let Some((factor, named)) = multiplier(self.setup, &one.meter) {
            let named = named.map(|[ct, vt]| json!({ "ct": ct, "vt": vt }));
            let more = json!({ "multiplier": factor, "transformer": named });
            merge(&mut said, more);
        }
        if let Some(trace) = &one.trace {
            merge(
                &mut said,
                match trace {
                    Trace::Register(register) => self.register(register),
                    Trace::Power(power) => self.power(power),
                    Trace::Heat(heat) => self.heat(heat),
                },
            );
            let differs = agreement(one, trace, self.events).err();
            merge(
                &mut said,
                json!({
                    "readings_wh": trace.energy().map(MilliwattHours::to_wh_string),
                    "differs": differs,
                }),
            );
        }
        if !one.inputs.is_empty() {
            let inputs = one.inputs.iter().map(|input| self.input(input));
            merge(&mut said, json!({ "inputs": inputs.collect::<Vec<_>>() }));
        }
        said
    }

    fn input(&self, input: &Input) -> Json {
        let sides = input.sides.iter().map(|side| self.contribution(side));
        json!({
            "meter": &*input.meter,
            "factor": input.factor,
            "net_wh": input.net().map(MilliwattHours::to_wh_string),
            "contributions": sides.collect::<Vec<_>>(),
        })
    }

    fn knot(&self, knot: Option<Knot>) -> Json {
        knot.map_or(Json::Null, |knot| {
            json!({
                "at": self.at(knot.at),
                "count": knot.count,
                "count_wh": knot.worth.as_watt_hours(),
                "event": event_of(knot.by),
            })
        })
    }

    fn boundary(&self, end: &Boundary) -> Json {
        let between = end.between();
        json!({
            "before": self.knot(end.before),
            "after": self.knot(end.after),
            "apart_ms": between.map(|it| it.apart_ms),
            "weight_before": between.map(|it| 1.0 - it.weight),
            "weight_after": between.map(|it| it.weight),
            "quality": between.map(|it| it.quality.name()),
            "count": end.count(),
        })
    }

    fn register(&self, register: &RegisterTrace) -> Json {
        let (by, event) = match register.said_by {
            Worth::Configured => ("configuration", None),
            Worth::Told => ("device", None),
            Worth::Event(number) => ("event", Some(number)),
        };
        let [start, end] = &register.ends;
        let breaks = register.breaks.iter().map(|(before, after)| {
            json!({
                "before": self.knot(Some(*before)),
                "after": self.knot(Some(*after)),
                "rolled_over_counts": after.rolled,
                "excluded": after.begins && before.at != after.at,
            })
        });
        let held = register.held.iter();
        let held = held.map(|(at, count)| json!({ "at": self.at(*at), "count": count }));
        let segments = register.segments.iter().map(|segment| {
            json!({
                "from_count": segment.counts.map(|counts| counts.0),
                "to_count": segment.counts.map(|counts| counts.1),
                "count_wh": segment.worth.as_watt_hours(),
                "wh": segment.energy.to_wh_string(),
            })
        });
        json!({
            "count_wh": register.worth.as_watt_hours(),
            "count_wh_configured": register.configured.as_watt_hours(),
            "count_wh_by": by,
            "count_wh_event": event,
            "start": self.boundary(start),
            "end": self.boundary(end),
            "readings": register.readings,
            "breaks": breaks.collect::<Vec<_>>(),
            "not_believed": held.collect::<Vec<_>>(),
            "segments": segments.collect::<Vec<_>>(),
        })
    }

    fn power(&self, power: &PowerTrace) -> Json {
        let [start, end] = power.ends.map(|(before, after)| {
            let [before, after] = [before, after]
                .map(|sample| sample.map(|one| json!({ "at": self.at(one.at), "w": one.watts })));
            json!({ "before": before, "after": after })
        });
        json!({
            "start": start,
            "end": end,
            "power": {
                "samples": power.samples,
                "longest_gap_ms": power.longest_gap_ms,
                "joined_up_to_ms": power.reach_ms,
            },
        })
    }

    fn heat(&self, heat: &HeatTrace) -> Json {
        let [start, end] = heat.ends.map(|(before, after)| {
            let [before, after] = [before, after].map(|look| {
                look.map(|look| {
                    let at = Timestamp::from_millisecond(look.ms).unwrap_or_default();
                    json!({
                        "at": self.at(at),
                        heat.quantity: HeatTrace::passing(&look),
                        "temp_supply": look.supply,
                        "temp_return": look.back,
                    })
                })
            });
            json!({ "before": before, "after": after })
        });
        let sum = |sum: HeatSum| json!({ "wh": sum.wh, "volume_m3": sum.volume_m3 });
        json!({
            "start": start,
            "end": end,
            "heat": {
                "quantity": heat.quantity,
                "unit": heat.unit,
                "looks": heat.looks,
                "increments": heat.increments,
                "refused": heat.refused,
                "longest_gap_ms": heat.longest_gap_ms,
                "joined_up_to_ms": heat.reach_ms,
                "counted": sum(heat.counted),
                "other_way": sum(heat.other_way),
                "below_flow": sum(heat.below_flow),
                "below_spread": sum(heat.below_spread),
                "temp_supply_degc": heat.temperatures.map(|both| both.0),
                "temp_return_degc": heat.temperatures.map(|both| both.1),
                "k_kwh_per_m3_k": heat.k_kwh,
            },
        })
    }
}
