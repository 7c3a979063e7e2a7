//! An explanation, for people.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{agreement, is_attributed, meter_event, multiplier, provenance};
use crate::app::explain::{Contribution, Explanation, Input};
use crate::config::Setup;
use crate::domain::event::MeterEvent;
use crate::domain::flow::Stated;
use crate::domain::interval::Entry;
use crate::domain::meter::Pipe;
use crate::domain::time::rfc3339;
use crate::domain::units::{MilliwattHours, to_f64};
use crate::engine::trace::{
    Boundary, By, HeatTrace, Knot, PowerTrace, RegisterTrace, Trace, Worth,
};

/// Readings that are not believed are listed up to so many.
const MOST_HELD: usize = 3;

/// The explanation as lines.
pub(super) fn text(found: &Explanation, setup: &Setup) -> String {
    let zone = &setup.park.time_zone;
    let mut page = Page {
        setup,
        zone,
        events: &found.events,
        text: format!(
            "{} to {}\n",
            rfc3339(found.span.start, zone),
            rfc3339(found.span.end, zone)
        ),
    };
    for event in &found.events {
        page.line(0, &format!("event {}", meter_event::line(event, zone)));
    }
    for flow in &found.flows {
        let name = flow.row.name;
        let Some((revision, said)) = flow.revisions.last() else {
            page.line(0, &format!("\n{name}: not closed yet"));
            continue;
        };
        let said = stated(said);
        page.line(0, &format!("\n{name}: {said} (revision {revision})"));
        for (revision, said) in flow.revisions.iter().rev().skip(1) {
            page.line(2, &format!("revision {revision}: {}", stated(said)));
        }
        for one in &flow.contributions {
            page.contribution(2, one);
        }
        if let Some(besides) = flow.besides {
            page.line(2, besides);
        }
    }
    if found.flows.iter().any(|flow| is_attributed(flow.row.flow)) {
        page.attribution(found);
    }
    page.text
}

fn stated(said: &Stated<MilliwattHours>) -> String {
    match said {
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

fn entry(entry: Option<&Entry>) -> String {
    match entry {
        None => "no entry".to_owned(),
        Some(entry) => match entry.energy {
            Ok(energy) => format!("{} Wh {}", energy.to_wh_string(), entry.quality.name()),
            Err(reason) => format!("unknown ({})", reason.name()),
        },
    }
}

fn seconds(ms: i64) -> String {
    format!("{:.3} s", to_f64(ms) / 1_000.0)
}

struct Page<'a> {
    setup: &'a Setup,
    zone: &'a TimeZone,
    events: &'a [MeterEvent],
    text: String,
}

impl Page<'_> {
    fn line(&mut self, indent: usize, text: &str) {
        self.text.push_str(&format!("{:indent$}{text}\n", ""));
    }

    fn at(&self, at: Timestamp) -> String {
        rfc3339(at, self.zone)
    }

    fn contribution(&mut self, indent: usize, one: &Contribution) {
        let sign = if one.adds { '+' } else { '-' };
        let way = match (&one.lost, one.channel.positive) {
            (None, true) => String::new(),
            (None, false) => " (other way)".to_owned(),
            (Some(meter), true) => format!(" (transformer of {meter}, import)"),
            (Some(meter), false) => format!(" (transformer of {meter}, export)"),
        };
        let said = entry(one.entry.as_ref());
        let from = provenance(one);
        self.line(
            indent,
            &format!("{sign} {}{way}: {said}, {from}", one.meter),
        );
        let inner = indent + 6;
        for before in one.before.iter().rev() {
            self.line(inner, &format!("before: {}", entry(Some(before))));
        }
        if let Some(entry) = &one.entry {
            if let (Some(opening), Some(closing)) = (entry.opening, entry.closing) {
                let (opening, closing) = (opening.to_wh_string(), closing.to_wh_string());
                let text = format!("position {opening} -> {closing} Wh since its first reading");
                self.line(inner, &text);
            }
            if entry.coverage_pct < 100.0 {
                self.line(inner, &format!("coverage {:.2} %", entry.coverage_pct));
            }
        }
        match &one.trace {
            Some(Trace::Register(register)) => self.register(inner, one, register),
            Some(Trace::Power(power)) => self.power(inner, power),
            Some(Trace::Heat(heat)) => self.heat(inner, one, heat),
            None => (),
        }
        if let Some(trace) = &one.trace {
            self.sum(inner, one, trace);
        }
        self.inputs(inner, &one.inputs);
    }

    fn inputs(&mut self, indent: usize, inputs: &[Input]) {
        if inputs.is_empty() {
            return;
        }
        let terms = inputs.iter().map(|input| {
            let sign = if input.factor < 0.0 { "- " } else { "+ " };
            match input.factor.abs() {
                1.0 => format!("{sign}{}", input.meter),
                factor => format!("{sign}{factor} * {}", input.meter),
            }
        });
        let terms: Vec<String> = terms.collect();
        let sum = terms.join(" ");
        let sum = sum.strip_prefix("+ ").unwrap_or(&sum);
        self.line(indent, &format!("= {sum}, and the net of each is:"));
        for input in inputs {
            let net = input.net().map_or("unknown".to_owned(), |net| {
                format!("{} Wh", net.to_wh_string())
            });
            self.line(indent, &format!("{}: {net}", input.meter));
            for side in &input.sides {
                self.contribution(indent + 2, side);
            }
        }
    }

    /// Whether the readings come to what the ledger says.
    fn sum(&mut self, indent: usize, one: &Contribution, trace: &Trace) {
        let computed = trace.energy().map(MilliwattHours::to_wh_string);
        let text = match (computed, agreement(one, trace, self.events)) {
            (Some(computed), Ok(())) => format!("these readings come to {computed} Wh, as said"),
            (Some(computed), Err(why)) => {
                format!("these readings come to {computed} Wh and the ledger differs: {why}")
            }
            (None, Ok(())) => return,
            (None, Err(why)) => why,
        };
        self.line(indent, &text);
    }

    fn register(&mut self, indent: usize, one: &Contribution, register: &RegisterTrace) {
        let worth = register.worth.as_watt_hours();
        let said = match register.said_by {
            Worth::Configured => "as the configuration says".to_owned(),
            Worth::Told => format!(
                "as the device tells: {} times {} Wh",
                worth / register.configured.as_watt_hours(),
                register.configured.as_watt_hours()
            ),
            Worth::Event(number) => format!("as event {number} says"),
        };
        self.line(indent, &format!("a count is worth {worth} Wh, {said}"));
        if register.said_by == Worth::Configured
            && let Some((factor, named)) = multiplier(self.setup, &one.meter)
        {
            let named = named.map_or(String::new(), |[current, voltage]| {
                format!(" = CT {current} x VT {voltage}")
            });
            self.line(indent, &format!("multiplied by {factor}{named}"));
        }
        let [start, end] = &register.ends;
        self.boundary(indent, "start", start);
        for (before, after) in &register.breaks {
            self.broken(indent, before, after);
        }
        for (at, count) in register.held.iter().take(MOST_HELD) {
            let at = self.at(*at);
            self.line(indent, &format!("not believed: {count} at {at}"));
        }
        if let Some(more @ 1..) = register.held.len().checked_sub(MOST_HELD) {
            self.line(indent, &format!("not believed: {more} readings more"));
        }
        self.boundary(indent, "end", end);
        for segment in &register.segments {
            let Some((from, to)) = segment.counts else {
                continue;
            };
            let text = format!(
                "{from:.3} -> {to:.3} counts of {} Wh: {} Wh",
                segment.worth.as_watt_hours(),
                segment.energy.to_wh_string()
            );
            self.line(indent, &text);
        }
    }

    fn knot(&self, knot: Option<Knot>) -> String {
        let Some(knot) = knot else {
            return "nothing in the journal".to_owned();
        };
        let by = match knot.by {
            By::Reading => String::new(),
            By::Event(number) => format!(" (event {number})"),
        };
        format!("{} at {}{by}", knot.count, self.at(knot.at))
    }

    fn boundary(&mut self, indent: usize, name: &str, end: &Boundary) {
        let (before, after) = (self.knot(end.before), self.knot(end.after));
        let mut text = format!("{name}: {before} | {after}");
        if let Some(between) = end.between() {
            text.push_str(&format!(", {} apart", seconds(between.apart_ms)));
            let quality = between.quality.name();
            let weights = end.before.zip(end.after).zip(end.count());
            match weights {
                Some(((before, after), count)) => text.push_str(&format!(
                    "; there {count:.3} = {:.4} x {} + {:.4} x {} ({quality})",
                    1.0 - between.weight,
                    before.count,
                    between.weight,
                    after.count.saturating_add(after.rolled),
                )),
                None => text.push_str("; in a step that is excluded"),
            }
        }
        self.line(indent, &text);
    }

    /// Where a register did not simply go on.
    fn broken(&mut self, indent: usize, before: &Knot, after: &Knot) {
        let (from, to) = (before.count, after.count);
        let at = self.at(after.at);
        let text = match after.by {
            _ if after.rolled != 0 => format!(
                "rolled over: {from} -> {to} at {at}, {} counts more",
                after.rolled
            ),
            By::Event(number) if before.at == after.at => {
                format!("event {number}: {from} -> {to} at {at}")
            }
            by => {
                let by = match by {
                    By::Event(number) => format!("event {number}, "),
                    By::Reading => String::new(),
                };
                let since = self.at(before.at);
                format!("excluded: {by}{from} at {since} -> {to} at {at}; nobody says what flowed")
            }
        };
        self.line(indent, &text);
    }

    fn power(&mut self, indent: usize, power: &PowerTrace) {
        for (name, (before, after)) in ["start", "end"].into_iter().zip(&power.ends) {
            let [before, after] = [before, after].map(|sample| match sample {
                Some(sample) => format!("{} W at {}", sample.watts, self.at(sample.at)),
                None => "nothing in the journal".to_owned(),
            });
            self.line(indent, &format!("{name}: {before} | {after}"));
        }
        let text = format!(
            "{} samples of power, at most {} apart; up to {} a straight line joins two",
            power.samples,
            seconds(power.longest_gap_ms),
            seconds(power.reach_ms)
        );
        self.line(indent, &text);
    }

    fn heat(&mut self, indent: usize, one: &Contribution, heat: &HeatTrace) {
        let meters = self.setup.park.meters.iter();
        let mut own = meters.filter(|meter| meter.id == one.meter);
        if let Some(settings) = own.find_map(|meter| meter.heat_from_flow) {
            let pipe = match settings.place.sensor {
                Pipe::Supply => "supply",
                Pipe::Return => "return",
            };
            let text = format!(
                "{} at {} bar, `{}` in the {pipe} pipe",
                settings.place.fluid,
                settings.place.pressure_pa / 1e5,
                heat.quantity
            );
            self.line(indent, &text);
        }
        for (name, (before, after)) in ["start", "end"].into_iter().zip(&heat.ends) {
            let [before, after] = [before, after].map(|look| match look {
                Some(look) => format!(
                    "{} {}, {} and {} degC at {}",
                    HeatTrace::passing(look),
                    heat.unit,
                    look.supply,
                    look.back,
                    self.at(Timestamp::from_millisecond(look.ms).unwrap_or_default())
                ),
                None => "nothing in the journal".to_owned(),
            });
            self.line(indent, &format!("{name}: {before} | {after}"));
        }
        let text = format!(
            "{} looks, at most {} apart (joined up to {}), {} increments each with its own \
             temperatures",
            heat.looks,
            seconds(heat.longest_gap_ms),
            seconds(heat.reach_ms),
            heat.increments
        );
        self.line(indent, &text);
        let sum = |wh: f64, m3: f64| format!("{wh:.3} Wh with {m3:.6} m3");
        let counted = sum(heat.counted.wh, heat.counted.volume_m3);
        let other = sum(heat.other_way.wh, heat.other_way.volume_m3);
        self.line(indent, &format!("counted {counted}; the other way {other}"));
        let slow = sum(heat.below_flow.wh, heat.below_flow.volume_m3);
        let narrow = sum(heat.below_spread.wh, heat.below_spread.volume_m3);
        let aside = format!("set aside: too slow {slow}, too small a spread {narrow}");
        self.line(indent, &aside);
        if heat.refused > 0 {
            let text = format!(
                "{} increments are unknown: the fluid is not known there, or the volume went back",
                heat.refused
            );
            self.line(indent, &text);
        }
        if let Some((supply, back)) = heat.temperatures {
            let k = heat
                .k_kwh
                .map_or(String::new(), |k| format!("; k is {k:.6} kWh/(m3 K) there"));
            let text = format!(
                "by volume {supply:.3} degC in the supply and {back:.3} degC in the return{k}"
            );
            self.line(indent, &text);
        }
    }

    fn attribution(&mut self, found: &Explanation) {
        let Some(attribution) = &found.attribution else {
            return;
        };
        let known = match attribution {
            Ok(known) => known,
            Err(gaps) if gaps.is_unconfigured() => return,
            Err(_) => {
                self.line(0, "\nattribution: unknown, as one of its flows is");
                return;
            }
        };
        let rule = match found.shape {
            Some(shape) => format!(
                "export as the powers of each second say it: {:.3} Wh from generators, {:.3} Wh \
                 from batteries",
                shape.generation_wh, shape.battery_wh
            ),
            None => "export by the amounts of the interval: the powers were not known for 95 % \
                     of it, or saw none"
                .to_owned(),
        };
        let quality = known.quality.name();
        self.line(0, &format!("\nattribution: {quality}; {rule}"));
        for (name, energy) in known.value.named() {
            let name = name.replace("_to_", " to ");
            self.line(2, &format!("{name}: {} Wh", energy.to_wh_string()));
        }
    }
}
