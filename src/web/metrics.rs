//! Metrics in OpenMetrics text.
//!
//! Everything is put together at the moment of the scrape from what is known
//! then: the live view and [`Numbers`]. **A missing value is an absent series,
//! never 0.**

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::live::{LiveView, MeterView, VERSION};
use super::plant::mounts;
use super::server::Shared;
use crate::domain::flow::{FLOWS, Flow};
use crate::domain::meter::Carrier;
use crate::domain::plant::live::UnitNow;
use crate::domain::plausibility::{CHECKS, CheckRow};
use crate::domain::quality::Reason;

/// What a scrape tells beside the live view. `None` and an absent row mean: not known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Numbers {
    /// The revision this binary was built from.
    pub revision: Option<String>,
    /// Every meter.
    pub meters: Vec<MeterNumbers>,
    /// Every sink.
    pub sinks: Vec<SinkNumbers>,
    /// Size of the journal on disk.
    pub journal_bytes: Option<u64>,
    /// Time of the oldest point in the journal, seconds since 1970.
    pub journal_oldest_s: Option<f64>,
    /// Points lost because the journal had no room.
    pub journal_dropped_points: Option<u64>,
    /// Readings in the books and not in the journal, whose disk took nothing for too long.
    pub journal_unwritten_readings: Option<u64>,
    /// Readings of meters that were dropped because the engine was behind.
    pub dropped_readings: Option<u64>,
    /// Messages of brokers that were thrown away, by reason.
    pub rejected_messages: Vec<(&'static str, u64)>,
    /// CPU time of this process, seconds.
    pub cpu_s: Option<f64>,
    /// Memory of this process, bytes.
    pub resident_bytes: Option<u64>,
    /// Readings that wait for a trusted clock.
    pub clock_held_readings: Option<u64>,
    /// Readings lost because too many waited for a trusted clock.
    pub clock_held_dropped: Option<u64>,
    /// Intervals of meters that wait to be computed again with late readings.
    pub late_waiting_intervals: Option<u64>,
    /// How often late readings were computed.
    pub late_recomputations: Option<u64>,
    /// Revisions that late readings made.
    pub late_revisions: Option<u64>,
}

/// What is counted at a meter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MeterNumbers {
    /// Its name.
    pub id: Arc<str>,
    /// Reads by result: `ok timeout exception decode connect`.
    pub reads: Vec<(&'static str, u64)>,
    /// When it last answered, seconds since 1970.
    pub last_success_s: Option<f64>,
}

/// What is counted at a sink.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SinkNumbers {
    /// Its name.
    pub name: String,
    /// Requests by answer: `204 401 timeout connect …`.
    pub requests: Vec<(String, u64)>,
    /// When it last accepted something, seconds since 1970.
    pub last_success_s: Option<f64>,
    /// Points that wait on disk.
    pub backlog_points: Option<u64>,
    /// Rows that it refused for good, set aside on disk.
    pub quarantined_rows: Option<u64>,
    /// Messages that it acknowledged, of a broker.
    pub messages: Option<u64>,
    /// States that a newer one replaced before they went out, of a broker.
    pub passed_over_states: Option<u64>,
}

pub(super) type Labels = Vec<(&'static str, String)>;
type Reals = Family<Labels, Gauge<f64, AtomicU64>>;
type Counts = Family<Labels, Counter>;

/// A registry that forgets: it lives for one scrape.
pub(super) struct Scrape(Registry);

impl Scrape {
    pub(super) fn reals(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, f64)>,
    ) {
        let family = Reals::default();
        let mut any = false;
        for (labels, value) in rows {
            family.get_or_create(&labels).set(value);
            any = true;
        }
        if any {
            self.0.register(name, help, family);
        }
    }

    pub(super) fn one_real(&mut self, name: &str, help: &str, value: Option<f64>) {
        let Some(value) = value else { return };
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    fn one_count(&mut self, name: &str, help: &str, value: Option<u64>) {
        let Some(value) = value else { return };
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        self.0.register(name, help, counter);
    }

    fn counts(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, u64)>) {
        let family = Counts::default();
        let mut any = false;
        for (labels, value) in rows {
            family.get_or_create(&labels).inc_by(value);
            any = true;
        }
        if any {
            self.0.register(name, help, family);
        }
    }
}

pub(super) fn label(key: &'static str, value: &str) -> Labels {
    vec![(key, value.to_owned())]
}

fn real(count: u64) -> f64 {
    i64::try_from(count).map_or(f64::INFINITY, crate::domain::units::to_f64)
}

fn live(scrape: &mut Scrape, view: &LiveView) {
    let of = |carrier| {
        let flows = FLOWS.iter().filter(move |row| row.carrier == carrier);
        flows.filter_map(|row| Some((label("flow", row.name), view.watts(row.flow)?)))
    };
    let help = "Electrical power of a flow";
    scrape.reals("power_watts", help, of(Carrier::Electricity));
    let help = "Heat power of a flow";
    scrape.reals("heat_power_watts", help, of(Carrier::Heat));
    let temperatures = view.meters.iter().flat_map(|meter| {
        let values = meter.values.iter();
        values.filter_map(|(field, value)| {
            let point = field.strip_suffix("_degc")?.to_owned();
            let meter = ("meter", meter.id.to_string());
            Some((vec![meter, ("point", point)], *value))
        })
    });
    scrape.reals(
        "temperature_celsius",
        "Temperature at a meter",
        temperatures,
    );
    let residuals = [
        ("electricity", Flow::Residual),
        ("heat", Flow::HeatResidual),
    ];
    let residuals = residuals
        .iter()
        .filter_map(|(domain, flow)| Some((label("domain", domain), view.watts(*flow)?)));
    let help = "What a balance does not explain";
    scrape.reals("balance_residual_watts", help, residuals);
    let ratios = view.ratios;
    let help = "Generation that was not exported, of generation";
    scrape.one_real("self_consumption_ratio", help, ratios.self_consumption);
    let help = "Load that was not imported, of load";
    scrape.one_real("self_sufficiency_ratio", help, ratios.self_sufficiency);
    let help = "Heat from the sun, of all heat made";
    scrape.one_real("solar_fraction_ratio", help, ratios.solar_fraction);
    plant(scrape, view);
    let open = |row: &CheckRow| {
        let mut count = 0.0;
        for finding in view.findings.iter() {
            count += if finding.check == row.number {
                1.0
            } else {
                0.0
            };
        }
        (label("check", row.name), count)
    };
    let help = "Findings of a check that are open";
    scrape.reals("findings", help, CHECKS.iter().map(open));
    let trusted = if view.clock_trusted { 1.0 } else { 0.0 };
    let help = "Whether the wall clock can be believed";
    scrape.one_real("clock_trusted", help, Some(trusted));
}

/// The units of the plant: as many series as the configuration names units, times the
/// numbers of their kind.
fn plant(scrape: &mut Scrape, view: &LiveView) {
    let unit = |unit: &UnitNow, key: &'static str, word: &str| {
        vec![("unit", unit.name.to_string()), (key, word.to_owned())]
    };
    let numbers = view.plant.iter().flat_map(|one| {
        let numbers = one.numbers.iter();
        numbers.filter_map(move |number| Some((unit(one, "number", number.name), number.value()?)))
    });
    scrape.reals("plant", "A number of a unit of the plant", numbers);
    let day = view.plant.iter().flat_map(|one| {
        let day = one.day.iter();
        day.filter_map(move |it| Some((unit(one, "indicator", it.name), it.value?)))
    });
    let help = "An indicator of a unit over the day so far, of a storage over 24 hours";
    scrape.reals("plant_day", help, day);
    let mounts = view.plant.iter().flat_map(|one| {
        let states = one.trackers.map(mounts).into_iter().flatten();
        states.map(move |(state, count)| {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            (unit(one, "state", state), real(count))
        })
    });
    scrape.reals(
        "plant_mounts",
        "Mounts of a solar field by what they do",
        mounts,
    );
}

/// Whether a meter answers: also a device that refuses or has no value does.
fn answers(meter: &MeterView) -> bool {
    !matches!(
        meter.reason,
        Some(Reason::Timeout | Reason::Connect | Reason::Stale | Reason::NeverSeen)
    )
}

fn meters(scrape: &mut Scrape, view: &LiveView, meters: &[MeterNumbers]) {
    let up = view.meters.iter().map(|meter| {
        let up = if answers(meter) { 1.0 } else { 0.0 };
        (label("meter", &meter.id), up)
    });
    scrape.reals("meter_up", "Whether a meter answered when last asked", up);
    let reads = meters.iter().flat_map(|meter| {
        meter.reads.iter().map(|(result, count)| {
            let meter = ("meter", meter.id.to_string());
            (vec![meter, ("result", (*result).to_owned())], *count)
        })
    });
    scrape.counts("meter_reads", "Reads of a meter by result", reads);
    let last = meters
        .iter()
        .filter_map(|meter| Some((label("meter", &meter.id), meter.last_success_s?)));
    let checks = || {
        let meters = view.meters.iter();
        meters.filter_map(|meter| Some((label("meter", &meter.id), meter.heat?.check?)))
    };
    let agrees = checks().map(|(meter, check)| (meter, if check.agrees { 1.0 } else { 0.0 }));
    let help = "Whether a heat register and the heat computed beside it agree within 3 %";
    scrape.reals("heat_check_agrees", help, agrees);
    let deviation = checks().filter_map(|(meter, check)| Some((meter, check.relative?)));
    let help = "Computed heat minus the register, as a part of the register";
    scrape.reals("heat_check_deviation_ratio", help, deviation);
    let help = "When a meter last answered";
    scrape.reals("meter_last_success_timestamp_seconds", help, last);
}

fn sinks(scrape: &mut Scrape, sinks: &[SinkNumbers]) {
    let requests = sinks.iter().flat_map(|sink| {
        sink.requests.iter().map(|(code, count)| {
            let labels = vec![("sink", sink.name.clone()), ("code", code.clone())];
            (labels, *count)
        })
    });
    scrape.counts("sink_requests", "Requests to a sink by answer", requests);
    let last = sinks
        .iter()
        .filter_map(|sink| Some((label("sink", &sink.name), sink.last_success_s?)));
    let help = "When a sink last accepted something";
    scrape.reals("sink_last_success_timestamp_seconds", help, last);
    let backlog = sinks
        .iter()
        .filter_map(|sink| Some((label("sink", &sink.name), real(sink.backlog_points?))));
    scrape.reals("sink_backlog_points", "Points that wait on disk", backlog);
    let aside = sinks
        .iter()
        .filter_map(|sink| Some((label("sink", &sink.name), sink.quarantined_rows?)));
    let help = "Rows that a sink refused for good, set aside on disk";
    scrape.counts("sink_quarantined_rows", help, aside);
    let messages = sinks
        .iter()
        .filter_map(|sink| Some((label("sink", &sink.name), sink.messages?)));
    let help = "Messages that a broker has acknowledged";
    scrape.counts("sink_messages", help, messages);
    let passed_over = sinks
        .iter()
        .filter_map(|sink| Some((label("sink", &sink.name), sink.passed_over_states?)));
    let help = "States that a newer one replaced before they were published";
    scrape.counts("sink_passed_over_states", help, passed_over);
}

fn journal(scrape: &mut Scrape, numbers: &Numbers) {
    let bytes = numbers.journal_bytes.map(real);
    scrape.one_real("journal_bytes", "Size of the journal on disk", bytes);
    let help = "Time of the oldest point in the journal";
    let oldest = numbers.journal_oldest_s;
    scrape.one_real("journal_oldest_timestamp_seconds", help, oldest);
    let help = "Points lost because the journal had no room";
    let dropped = numbers.journal_dropped_points;
    scrape.one_count("journal_dropped_points", help, dropped);
    let help = "Readings not in the journal because the disk took nothing for too long";
    let unwritten = numbers.journal_unwritten_readings;
    scrape.one_count("journal_unwritten_readings", help, unwritten);
}

fn machine(scrape: &mut Scrape, numbers: &Numbers) {
    let help = "Readings of meters dropped because the engine was behind";
    scrape.one_count("dropped_readings", help, numbers.dropped_readings);
    let rejected = numbers.rejected_messages.iter();
    scrape.counts(
        "mqtt_rejected_messages",
        "Messages of brokers that were thrown away, by reason",
        rejected.map(|(reason, count)| (label("reason", reason), *count)),
    );
    let help = "CPU time of this process";
    scrape.one_real("process_cpu_seconds", help, numbers.cpu_s);
    let help = "Memory of this process";
    let resident = numbers.resident_bytes.map(real);
    scrape.one_real("process_resident_memory_bytes", help, resident);
}

fn clock(scrape: &mut Scrape, numbers: &Numbers) {
    let held = numbers.clock_held_readings.map(real);
    let help = "Readings that wait for a trusted clock";
    scrape.one_real("clock_held_readings", help, held);
    let help = "Readings lost because too many waited for a trusted clock";
    scrape.one_count("clock_held_dropped", help, numbers.clock_held_dropped);
}

fn late(scrape: &mut Scrape, numbers: &Numbers) {
    let waiting = numbers.late_waiting_intervals.map(real);
    let help = "Intervals of meters that wait to be computed again with late readings";
    scrape.one_real("late_waiting_intervals", help, waiting);
    let help = "Computations of intervals with late readings";
    scrape.one_count("late_recomputations", help, numbers.late_recomputations);
    let help = "Revisions of intervals that late readings made";
    scrape.one_count("late_revisions", help, numbers.late_revisions);
}

/// The text of a scrape.
pub(super) fn text(view: &LiveView, numbers: &Numbers, requests: u64, streams: u64) -> String {
    let mut scrape = Scrape(Registry::with_prefix("sunledger"));
    let mut build = label("version", VERSION);
    if let Some(revision) = &numbers.revision {
        build.push(("revision", revision.clone()));
    }
    scrape.0.register("build", "What runs", Info::new(build));
    live(&mut scrape, view);
    super::closure::metrics(&mut scrape, view);
    meters(&mut scrape, view, &numbers.meters);
    sinks(&mut scrape, &numbers.sinks);
    journal(&mut scrape, numbers);
    machine(&mut scrape, numbers);
    clock(&mut scrape, numbers);
    late(&mut scrape, numbers);
    let help = "Requests over HTTP";
    scrape.one_count("http_requests", help, Some(requests));
    let help = "Live streams";
    scrape.one_real("sse_clients", help, Some(real(streams)));
    let mut text = String::new();
    if encode(&mut text, &scrape.0).is_err() {
        // Writing into a String cannot go wrong; a torn scrape must not pass for a whole one.
        text.clear();
        let _never = writeln!(text, "# EOF");
    }
    text
}

/// `GET /metrics`
pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    let frame = Arc::clone(&shared.services.live.borrow());
    let numbers = (shared.services.numbers)();
    let text = text(
        frame.view(),
        &numbers,
        shared.requests(),
        shared.streaming(),
    );
    let headers = [
        (
            CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (CACHE_CONTROL, "no-store"),
    ];
    (StatusCode::OK, headers, text).into_response()
}
