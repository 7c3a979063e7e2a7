//! The live view: one moment of the park, as `/api/v1/live` tells it.
//!
//! A [`LiveView`] is plain data and costs next to nothing to make; `frame` turns
//! it into bytes when somebody looks.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::domain::boundary::Netting;
use crate::domain::compensation::Loss;
use crate::domain::flow::{Flow, Powers};
use crate::domain::heat::integration::Sum;
use crate::domain::meter::{Carrier, Meter, MeterIndex, Nature, Park};
use crate::domain::plant::live::UnitNow;
use crate::domain::plausibility::Finding;
use crate::domain::quality::{Quality, Reason};
use crate::domain::snapshot::{Snapshot, Standing, Value, age};
use crate::domain::units::to_f64;
use crate::engine::{Closure, HeatCheck, MeterHeat};

/// The version of this program: a page of another one reloads itself.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Who a park is, for people: the part of [`Park`] that every answer repeats.
#[derive(Debug, Clone)]
pub struct Place {
    /// The tag on every row.
    pub id: Arc<str>,
    /// For people.
    pub name: Arc<str>,
    /// Its civil time.
    pub time_zone: TimeZone,
    /// Length of a settlement interval in minutes.
    pub settlement_minutes: i64,
}

impl Place {
    /// The place of a park.
    #[must_use]
    pub fn of(park: &Park) -> Self {
        Self {
            id: Arc::clone(&park.id),
            name: Arc::from(park.name.as_str()),
            time_zone: park.time_zone.clone(),
            settlement_minutes: park.settlement_minutes,
        }
    }

    /// The name of the time zone, or its offset where it has none.
    #[must_use]
    pub fn zone_name(&self, at: Timestamp) -> String {
        match self.time_zone.iana_name() {
            Some(name) => name.to_owned(),
            None => self.time_zone.to_offset(at).to_string(),
        }
    }

    /// A moment as RFC 3339 with the park's offset.
    #[must_use]
    pub fn rfc3339(&self, at: Timestamp) -> String {
        at.display_with_offset(self.time_zone.to_offset(at))
            .to_string()
    }
}

/// Ratios of summed energies; `None` where a sum is unknown or zero.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ratios {
    /// Generation that was not exported, of generation.
    pub self_consumption: Option<f64>,
    /// Load that was not imported, of load.
    pub self_sufficiency: Option<f64>,
    /// Heat from the sun, of all heat made.
    pub solar_fraction: Option<f64>,
    /// Since when the energies are summed.
    pub from: Option<Timestamp>,
}

/// What a meter says.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterView {
    /// Its name.
    pub id: Arc<str>,
    /// Its role.
    pub role: &'static str,
    /// `good` while everything it measures stands; `stale` where something stood
    /// once; `missing` where nothing ever did.
    pub quality: Quality,
    /// Why the quality is not good.
    pub reason: Option<Reason>,
    /// How long ago it last said a number, seconds.
    pub age_s: Option<f64>,
    /// Power in the direction of its role: electricity where the role has any, else heat.
    pub power_w: Option<f64>,
    /// Heat of a role that has both.
    pub heat_power_w: Option<f64>,
    /// What went wrong last, for people.
    pub last_error: Option<String>,
    /// What to know of its heat beside the number, for people.
    pub notes: Vec<String>,
    /// What was counted of its heat, where that is computed.
    pub heat: Option<HeatView>,
    /// What the transformer between it and the boundary takes, where there is one.
    pub loss: Option<Loss>,
    /// Its other momentary values by field of the schema, `temp_supply_degc`.
    pub values: BTreeMap<&'static str, f64>,
}

/// Heat that was counted from what flows, Wh, since the meter's first look at its pipes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HeatView {
    /// With the hotter supply.
    pub forward_wh: f64,
    /// With the hotter return; zero or negative.
    pub backward_wh: f64,
    /// Set aside and in neither: too slow a flow.
    pub below_flow_wh: f64,
    /// Set aside and in neither: too small a spread.
    pub below_spread_wh: f64,
    /// The part of both whose spread was below ΔΘmin.
    pub below_least_spread_wh: f64,
    /// What a certified register beside it said last.
    #[serde(skip)]
    pub check: Option<HeatCheck>,
}

impl HeatView {
    /// What the engine counted.
    #[must_use]
    pub fn of(heat: &MeterHeat) -> Self {
        let wh = |sum: Sum| sum.joules / 3_600.0;
        let counted = &heat.counted;
        Self {
            forward_wh: wh(counted.positive),
            backward_wh: wh(counted.negative),
            below_flow_wh: wh(counted.below_flow),
            below_spread_wh: wh(counted.below_spread),
            below_least_spread_wh: wh(counted.below_least_spread),
            check: heat.check,
        }
    }
}

impl MeterView {
    /// What the snapshot holds of a meter at `now`.
    #[must_use]
    pub fn new(
        meter: &Meter,
        index: MeterIndex,
        snapshot: &Snapshot,
        now: Timestamp,
        last_error: Option<String>,
    ) -> Self {
        let mut newest: Option<Timestamp> = None;
        let mut reason: Option<Reason> = None;
        let mut values = BTreeMap::new();
        for (place, point) in meter.points.iter().enumerate() {
            newest = newest.max(snapshot.last(index, place).0.map(|said| said.at));
            match snapshot.standing(meter, index, place, now) {
                Ok(Standing {
                    value: Value::Analog(number),
                    ..
                }) if point.quantity.nature == Nature::Analog => {
                    values.insert(point.quantity.field, number);
                }
                Ok(_) => (),
                Err(why) => reason = Some(reason.unwrap_or(why)),
            }
        }
        let carrier = match meter.role.electricity {
            None if meter.role.heat.is_some() => Carrier::Heat,
            _ => Carrier::Electricity,
        };
        let mut take = |carrier| {
            let point = meter.points.get(meter.power_point(carrier)?)?;
            values.remove(point.quantity.field)
        };
        let power_w = take(carrier);
        let both = meter.role.electricity.is_some() && meter.role.heat.is_some();
        let heat_power_w = if both { take(Carrier::Heat) } else { None };
        Self {
            id: Arc::clone(&meter.id),
            role: meter.role.name,
            quality: match (reason, newest) {
                (None, _) => Quality::Good,
                (Some(_), Some(_)) => Quality::Stale,
                (Some(_), None) => Quality::Missing,
            },
            reason,
            age_s: newest.map(|at| seconds(at, now)),
            power_w,
            heat_power_w,
            last_error,
            notes: Vec::new(),
            heat: None,
            loss: None,
            values,
        }
    }
}

/// How far a sink has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SinkView {
    /// Its name.
    pub name: String,
    /// Points that wait on disk.
    pub backlog_points: u64,
    /// The time of the oldest of them.
    pub oldest: Option<Timestamp>,
    /// When it last accepted something.
    pub last_ok: Option<Timestamp>,
    /// What it answered last, for people, where that was a refusal.
    pub last_error: Option<String>,
    /// Rows set aside since the start.
    pub quarantined_rows: u64,
}

/// What became of readings that came too late for their intervals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LateView {
    /// Intervals that wait to be computed again, each meter on its own.
    pub waiting_intervals: u64,
    /// Revisions that were made of it since the start.
    pub revisions: u64,
    /// When some were computed last.
    pub last: Option<Timestamp>,
    /// Why that failed, for people.
    pub last_error: Option<String>,
}

/// One moment of the park.
#[derive(Debug, Clone)]
pub struct LiveView {
    /// Who.
    pub place: Place,
    /// When.
    pub at: Timestamp,
    /// Counts the moments since the start.
    pub seq: u64,
    /// Up to when everything is on disk.
    pub stored_until: Option<Timestamp>,
    /// Whether `at` can be believed.
    pub clock_trusted: bool,
    /// The flows.
    pub powers: Powers,
    /// Over which time import and export were netted; none without a meter at the grid.
    pub netting: Option<Netting>,
    /// What the registers at the grid count of three phases; none without a meter there.
    pub register_mode: Option<&'static str>,
    /// The day's ratios.
    pub ratios: Ratios,
    /// Every unit of the plant, in the order of the configuration.
    pub plant: Vec<UnitNow>,
    /// Every meter, in the order of the configuration.
    pub meters: Vec<MeterView>,
    /// Every sink.
    pub sinks: Vec<SinkView>,
    /// What the checks have found and is not over.
    pub findings: Arc<[Finding]>,
    /// Whether the books close.
    pub closure: Arc<Closure>,
    /// What came too late; none where nothing did.
    pub late: Option<LateView>,
}

impl LiveView {
    /// The flows at `at`; the rest is filled in by its public fields.
    #[must_use]
    pub fn new(place: Place, at: Timestamp, powers: Powers) -> Self {
        Self {
            place,
            at,
            seq: 0,
            stored_until: None,
            clock_trusted: true,
            powers,
            netting: None,
            register_mode: None,
            ratios: Ratios::default(),
            plant: Vec::new(),
            meters: Vec::new(),
            sinks: Vec::new(),
            findings: Arc::from([]),
            closure: Arc::default(),
            late: None,
        }
    }

    /// A flow in watt, where it is known.
    #[must_use]
    pub fn watts(&self, flow: Flow) -> Option<f64> {
        self.powers.of(flow).as_ref().ok().map(|known| known.value)
    }
}

/// How long before `now` a moment was, in seconds.
pub(super) fn seconds(at: Timestamp, now: Timestamp) -> f64 {
    let ms = age(at, now).as_millis();
    i64::try_from(ms).map_or(f64::INFINITY, |ms| to_f64(ms) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::heat::integration::Counted;
    use crate::domain::interval::Span;
    use crate::domain::meter::{Freshness, Point, Quantity, Role};
    use crate::domain::snapshot::Reading;
    use crate::domain::units::MilliwattHours;
    use std::time::Duration;

    fn meter(role: &str, quantities: &[&str]) -> Meter {
        let point = |name: &&str| Point {
            quantity: Quantity::named(name).unwrap(),
            register: None,
        };
        Meter {
            id: "m".into(),
            role: Role::named(role).unwrap(),
            points: quantities.iter().map(point).collect(),
            freshness: Freshness::Within(Duration::from_secs(5)),
            period: Duration::from_secs(1),
            rated: None,
            heat_from_flow: None,
            rated_heat: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + second).unwrap()
    }

    fn park(meters: Vec<Meter>) -> Park {
        Park {
            id: "p".into(),
            name: String::new(),
            time_zone: TimeZone::UTC,
            settlement_minutes: 15,
            latitude: 0.0,
            longitude: 0.0,
            meters,
            every_load_metered: false,
            losses: None,
            relations: crate::domain::relations::Relations::default(),
        }
    }

    /// What a meter that said `values` at second 0 looks like at `second`.
    fn seen(meter: &Meter, values: &[f64], second: i64) -> MeterView {
        let mut snapshot = Snapshot::new(&park(vec![meter.clone()]));
        if !values.is_empty() {
            snapshot.accept(&Reading {
                meter: 0,
                at: at(0),
                values: values
                    .iter()
                    .map(|value| Ok(Value::Analog(*value)))
                    .enumerate()
                    .collect(),
            });
        }
        MeterView::new(meter, 0, &snapshot, at(second), None)
    }

    #[test]
    fn a_meter_tells_its_power_and_the_rest_by_the_names_of_the_schema() {
        let battery = seen(&meter("battery", &["power", "soc"]), &[-5.0, 71.0], 2);
        assert_eq!((battery.quality, battery.age_s), (Quality::Good, Some(2.0)));
        assert_eq!((battery.power_w, battery.heat_power_w), (Some(-5.0), None));
        assert_eq!(battery.values, BTreeMap::from([("soc_pct", 71.0)]));
        let field = seen(&meter("solar_field", &["heat_power"]), &[-46.0], 1);
        assert_eq!((field.power_w, field.heat_power_w), (Some(-46.0), None));
        let boiler = meter("electric_boiler", &["power", "heat_power"]);
        let boiler = seen(&boiler, &[240.0, 236.0], 1);
        assert_eq!(
            (boiler.power_w, boiler.heat_power_w),
            (Some(240.0), Some(236.0))
        );
    }

    #[test]
    fn a_meter_that_fell_silent_is_stale_and_one_never_heard_is_missing() {
        let grid = meter("grid", &["power"]);
        let silent = seen(&grid, &[7.0], 60);
        assert_eq!(
            (silent.quality, silent.reason),
            (Quality::Stale, Some(Reason::Stale))
        );
        assert_eq!((silent.power_w, silent.age_s), (None, Some(60.0)));
        let never = seen(&grid, &[], 60);
        assert_eq!(
            (never.quality, never.reason),
            (Quality::Missing, Some(Reason::NeverSeen))
        );
        assert_eq!((never.power_w, never.age_s), (None, None));
    }

    #[test]
    fn computed_heat_is_told_with_what_was_set_aside_and_what_the_register_says() {
        let powers = crate::domain::balance::powers(&park(Vec::new()), &|_, _| {
            Err(crate::domain::quality::Gaps::config())
        });
        let mut view = LiveView::new(Place::of(&park(Vec::new())), at(0), powers);
        let mut mains = seen(&meter("heat_feed", &["flow"]), &[1.0], 0);
        mains.notes.push("a note".to_owned());
        let mut heat = MeterHeat {
            counted: Counted::default(),
            check: Some(HeatCheck {
                span: Span {
                    start: at(-900),
                    end: at(0),
                },
                register: MilliwattHours(1_000_000),
                computed: MilliwattHours(959_000),
                relative: Some(-0.041),
                agrees: false,
            }),
        };
        heat.counted.positive.joules = 7_200.0;
        heat.counted.below_spread.joules = -3_600.0;
        mains.heat = Some(HeatView::of(&heat));
        view.meters = vec![mains, seen(&meter("heat_feed", &["flow"]), &[1.0], 0)];
        let json = serde_json::to_value(&view).unwrap();
        let told = &json["meters"][0];
        assert_eq!(told["notes"], serde_json::json!(["a note"]));
        assert_eq!(told["heat"]["forward_wh"], 2.0);
        assert_eq!(told["heat"]["below_spread_wh"], -1.0);
        assert_eq!(told["heat_check"]["register_wh"], 1_000.0);
        assert_eq!(told["heat_check"]["computed_wh"], 959.0);
        assert_eq!(told["heat_check"]["deviation_pct"], -0.041 * 100.0);
        assert_eq!(told["heat_check"]["agrees"], false);
        assert_eq!(told["heat_check"]["end"], "2026-05-28T20:26:40+00:00");
        let other = json["meters"][1].as_object().unwrap();
        for key in ["notes", "heat", "heat_check"] {
            assert!(!other.contains_key(key), "{key}");
        }
        let numbers = super::super::metrics::Numbers::default();
        let metrics = super::super::metrics::text(&view, &numbers, 0, 0);
        for line in [
            "sunledger_heat_check_agrees{meter=\"m\"} 0.0\n",
            "sunledger_heat_check_deviation_ratio{meter=\"m\"} -0.041\n",
        ] {
            assert!(metrics.contains(line), "{metrics}");
        }
    }
}
