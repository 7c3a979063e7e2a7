//! Parks whose books close, and parks in which one meter is off.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::domain::closure::Class;
use crate::domain::expression::Expression;
use crate::domain::interval::Channel;
use crate::domain::meter::{Freshness, Losses, Meter, Point, Quantity, RegisterKind, Role};
use crate::domain::quality::{Quality, Reason};
use crate::domain::relations::{Derived, Relations};
use crate::domain::topology::{Placed, Topology};
use crate::domain::units::{CountUnit, MilliwattHours, Power};

#[path = "monitor_tests/trees.rs"]
mod trees;
#[path = "monitor_tests/vectors.rs"]
mod vectors;

const QUARTER_S: i64 = 900;

/// A meter that is read each second, with registers of both directions.
fn meter(id: &str, role: &str) -> Meter {
    let role = Role::named(role).unwrap();
    let register = |name: &str| Point {
        quantity: Quantity::named(name).unwrap(),
        register: Some(RegisterKind {
            unit: CountUnit::MILLIWATT_HOUR,
            modulus: None,
            told: false,
        }),
    };
    let mut points = vec![register("energy_import"), register("energy_export")];
    if role.heat.is_some() {
        points = vec![register("heat_energy")];
        if role.electricity.is_some() {
            points.push(register("energy_import"));
        }
    }
    if role.name == "heat_storage" {
        points = vec![register("energy_import"), register("energy_export")];
    }
    Meter {
        id: id.into(),
        role,
        points,
        freshness: Freshness::Within(Duration::from_secs(5)),
        period: Duration::from_millis(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

/// Meters as id, role, and the meter each stands behind.
fn park(meters: &[(&str, &str, &str)]) -> Park {
    let placed: Vec<Placed> = meters
        .iter()
        .map(|(id, _, behind)| Placed {
            meter: (*id).into(),
            behind: (!behind.is_empty()).then(|| (*behind).into()),
        })
        .collect();
    Park {
        id: "p".into(),
        name: "p".into(),
        time_zone: TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: meters.iter().map(|(id, role, _)| meter(id, role)).collect(),
        every_load_metered: true,
        losses: None,
        relations: Relations {
            topology: Topology::new(&placed).unwrap(),
            ..Relations::default()
        },
    }
}

fn span(nth: i64) -> Span {
    let at = |nth: i64| Timestamp::from_second(1_780_272_000 + nth * QUARTER_S).unwrap();
    Span {
        start: at(nth),
        end: at(nth + 1),
    }
}

/// The entries of an interval, from the signed kWh of every meter in its balance; a name
/// with `/heat` means the heat of a meter that has both.
fn entries(park: &Park, nth: i64, said: &[(&str, f64)]) -> Vec<Entry> {
    let mut all = Vec::new();
    for (id, kwh) in said {
        let (id, heat) = id
            .strip_suffix("/heat")
            .map_or((*id, false), |id| (id, true));
        let meter = &park.meters[park.meter(id).unwrap()];
        let carrier = match (meter.role.electricity, heat) {
            (Some(_), false) => Carrier::Electricity,
            _ => Carrier::Heat,
        };
        for positive in [true, false] {
            let way = if positive { *kwh } else { -*kwh };
            let energy = MilliwattHours::from_watt_hours(way.max(0.0) * 1_000.0);
            all.push(Entry {
                meter: (*id).into(),
                channel: Channel { carrier, positive },
                span: span(nth),
                energy: Ok(energy),
                quality: Quality::Good,
                coverage_pct: 100.0,
                made: crate::domain::provenance::Made::REGISTER,
                opening: None,
                closing: None,
            });
        }
    }
    all
}

fn limits() -> Limits {
    Limits {
        uncertainties: 3.0,
        in_a_row: 2,
    }
}

fn settings(told: &[(&str, f64)], complete: &[(&str, &[&str])]) -> Settings {
    let accuracy = |pct: f64| Told {
        class: Some(Class::Percent(pct)),
        ..Told::default()
    };
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    Settings {
        limits: limits(),
        told: told
            .iter()
            .map(|(id, pct)| ((*id).into(), accuracy(*pct)))
            .collect(),
        complete: complete
            .iter()
            .map(|(id, behind)| ((*id).to_owned(), ids(behind)))
            .collect(),
    }
}

/// A register without steps.
fn no_step(_: MeterIndex, _: Channel) -> Option<f64> {
    None
}

fn node<'a>(view: &'a [NodeView], name: &str) -> &'a NodeView {
    let found = view.iter().find(|node| *node.name == *name);
    found.unwrap_or_else(|| panic!("{name} of {view:?}"))
}

fn state(monitor: &Monitor, name: &str) -> State {
    node(&monitor.view(), name).last.as_ref().unwrap().state
}

const ELECTRIC: &[(&str, &str, &str)] = &[
    ("pcc", "grid", ""),
    ("pv", "pv", ""),
    ("battery", "battery", ""),
    ("hall", "tenant", ""),
    ("office", "tenant", ""),
];

/// A quarter-hour that closes: 200 made, 40 charged, 60 exported, 100 used.
const FAIR: &[(&str, f64)] = &[
    ("pcc", -60.0),
    ("pv", 200.0),
    ("battery", -40.0),
    ("hall", 70.0),
    ("office", 30.0),
];

fn with(said: &[(&'static str, f64)], id: &str, times: f64) -> Vec<(&'static str, f64)> {
    let changed =
        |(name, kwh): &(&'static str, f64)| (*name, if *name == id { kwh * times } else { *kwh });
    said.iter().map(changed).collect()
}

#[test]
fn a_fair_park_closes_and_one_meter_that_is_off_does_not() {
    #[rustfmt::skip]
    let cases = [
        ("none",       "",        1.0,   false),
        ("12 % low",   "hall",    0.88,  true),
        ("12 % low",   "pv",      0.88,  true),
        ("12 % high",  "pcc",     1.12,  true),
        ("reversed",   "battery", -1.0,  true),
        ("reversed",   "hall",   -1.0,   true),
        ("reversed",   "pcc",    -1.0,   true),
        ("reversed",   "pv",     -1.0,   true),
        ("0.3 % off",  "pv",      1.003, false),
    ];
    for (fault, id, times, fails) in cases {
        let park = Arc::new(park(ELECTRIC));
        let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
        let said = with(FAIR, id, times);
        let mut changes = Vec::new();
        for nth in 0..5 {
            let found = monitor.close(span(nth), &entries(&park, nth, &said), &no_step);
            changes.extend(found.into_iter().map(|change| (nth, change)));
        }
        let name = format!("{id} {fault}");
        assert_eq!(monitor.view().len(), 1, "{name}");
        let last = node(&monitor.view(), "electricity").last.clone().unwrap();
        if fails {
            assert_eq!(last.state, State::DoesNotClose, "{name}");
            let [(2, change)] = &changes[..] else {
                panic!("{name}: {changes:?}");
            };
            assert!(!change.closes && change.row == 3, "{name}");
            assert_eq!(change.since, span(0).start, "{name}");
            assert_eq!(
                node(&monitor.view(), "electricity").since,
                Some(span(0).start)
            );
        } else {
            assert_eq!(last.state, State::Closes, "{name}");
            assert_eq!(changes, [], "{name}");
        }
        let found = monitor.reconciliation().unwrap();
        assert_eq!(found.passes, Some(!fails), "{name}");
        assert_eq!(found.suspects.is_empty(), !fails, "{name}");
    }
}

/// 12 % of 70 kWh is missing from the loads; class 1.5 in a rectangle of each meter.
#[test]
fn the_residual_stands_beside_its_own_uncertainty() {
    let park = Arc::new(park(ELECTRIC));
    let mut monitor = Monitor::new(&park, settings(&[("hall", 2.0)], &[]), None);
    let said = with(FAIR, "hall", 0.88);
    monitor.close(span(0), &entries(&park, 0, &said), &no_step);
    let view = monitor.view();
    let last = node(&view, "electricity").last.as_ref().unwrap();
    let residual = last.residual_wh.unwrap();
    assert!((residual - 8_400.0).abs() < 1e-6, "{residual}");
    let squares: f64 = [60.0, 200.0, 40.0, 30.0]
        .map(|kwh: f64| (kwh * 1.5 / 100.0).powi(2))
        .iter()
        .sum();
    let u = ((squares + (61.6_f64 * 2.0 / 100.0).powi(2)) / 3.0).sqrt() * 1_000.0;
    let found = last.uncertainty_wh.unwrap();
    // Two tenths of a Wh are the millisecond of a reading period.
    assert!((found - u).abs() < 0.2, "{found} {u}");
    assert!((last.z.unwrap() - residual / found).abs() < 1e-12);
    assert_eq!(last.state, State::Doubtful);
}

#[test]
fn steps_of_registers_reading_periods_and_the_nameplate_widen_the_uncertainty() {
    let u = |change: &dyn Fn(&mut Meter), step: Option<f64>| {
        let mut park = park(ELECTRIC);
        change(&mut park.meters[3]);
        let park = Arc::new(park);
        let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
        let of_hall = |meter: MeterIndex, _: Channel| step.filter(|_| meter == 3);
        monitor.close(span(0), &entries(&park, 0, FAIR), &of_hall);
        let view = monitor.view();
        node(&view, "electricity")
            .last
            .as_ref()
            .unwrap()
            .uncertainty_wh
            .unwrap()
    };
    let plain = u(&|_| (), None);
    let extra = |wider: f64| (wider * wider - plain * plain).sqrt();
    // Each direction has a register: twice the variance of a step of 2 kWh.
    let step = extra(u(&|_| (), Some(2_000.0)));
    assert!((step - 2_000.0 / 3.0_f64.sqrt()).abs() < 1.0, "{step}");
    // 20 s anywhere at 280 kW, and a register of good quality was read within a minute.
    let period = |s| move |meter: &mut Meter| meter.period = Duration::from_secs(s);
    let skew = |s: f64| s / 12.0_f64.sqrt() * 70_000.0 / 900.0;
    let slow = extra(u(&period(20), None));
    assert!((slow - skew(20.0)).abs() < 1.0, "{slow}");
    let seldom = extra(u(&period(600), Some(1e-3)));
    assert!((seldom - skew(60.0)).abs() < 1.0, "{seldom}");
    // 0.2 % of 4 MW over a quarter-hour, each direction.
    let rated = |meter: &mut Meter| meter.rated = Some(Power::from_watts(4e6).unwrap());
    let unseen = extra(u(&rated, None));
    assert!((unseen - 2_000.0 / 3.0_f64.sqrt()).abs() < 1.0, "{unseen}");
}

#[test]
fn a_node_that_closes_again_says_so_once_and_a_gap_says_nothing() {
    let park = Arc::new(park(ELECTRIC));
    let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
    let wrong = with(FAIR, "hall", 0.5);
    let silent = |nth| {
        let mut entries = entries(&park, nth, FAIR);
        for entry in entries.iter_mut().filter(|entry| *entry.meter == *"pv") {
            entry.energy = Err(Reason::Timeout);
        }
        entries
    };
    use State::{CannotBeJudged, Closes, DoesNotClose, Doubtful};
    #[rustfmt::skip]
    let story = [
        // wrong, silent, state, a change: closes
        ('f', Closes,         None),
        ('w', Doubtful,       None),
        ('s', CannotBeJudged, None),
        ('w', Doubtful,       None),
        ('w', DoesNotClose,   Some(false)),
        ('s', CannotBeJudged, None),
        ('w', DoesNotClose,   None),
        ('f', Closes,         Some(true)),
        ('f', Closes,         None),
    ];
    for (nth, (kind, expected, changed)) in (0..).zip(story) {
        let said = match kind {
            'f' => entries(&park, nth, FAIR),
            'w' => entries(&park, nth, &wrong),
            _ => silent(nth),
        };
        // Each interval is heard by a monitor that was started anew.
        monitor = Monitor::new(&park, settings(&[], &[]), Some(&monitor.state()));
        let changes = monitor.close(span(nth), &said, &no_step);
        let closes: Vec<bool> = changes.iter().map(|change| change.closes).collect();
        assert_eq!(closes, changed.into_iter().collect::<Vec<_>>(), "{nth}");
        assert_eq!(state(&monitor, "electricity"), expected, "{nth}");
        let view = monitor.view();
        let found = node(&view, "electricity");
        assert_eq!(found.standing, (4..7).contains(&nth), "{nth}");
        let last = found.last.as_ref().unwrap();
        if kind == 's' {
            let gap = &last.missing[..];
            assert!(gap.len() == 1 && *gap[0].meter == *"pv" && *gap[0].reason == *"timeout");
            assert_eq!((last.residual_wh, last.z), (None, None));
        }
    }
    let view = monitor.view();
    let past = &node(&view, "electricity").past;
    assert_eq!(past.len(), 9);
    assert_eq!(past[2].residual_wh, None);
    assert!((past[3].residual_wh.unwrap() - 35_000.0).abs() < 1e-6);
    for nth in 9..30 {
        monitor.close(span(nth), &entries(&park, nth, FAIR), &no_step);
    }
    let view = monitor.view();
    assert_eq!(node(&view, "electricity").past.len(), KEPT);
    assert_eq!(node(&view, "electricity").since, Some(span(7).start));
}

/// What no entry speaks of, and what is estimated, is missing by the name of its meter.
#[test]
fn a_number_that_is_not_measured_is_no_witness() {
    #[rustfmt::skip]
    let cases = [
        (Quality::Good,         0.0,   None),
        (Quality::Derived,      100.0, None),
        (Quality::Manual,       0.0,   None),
        (Quality::Interpolated, 90.0,  None),
        (Quality::Interpolated, 49.0,  Some("interpolated")),
        (Quality::Estimated,    100.0, Some("estimated")),
        (Quality::Suspect,      100.0, Some("suspect")),
        (Quality::Stale,        100.0, Some("stale")),
    ];
    for (quality, coverage_pct, reason) in cases {
        let park = Arc::new(park(ELECTRIC));
        let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
        let mut said = entries(&park, 0, FAIR);
        for entry in said.iter_mut().filter(|entry| *entry.meter == *"hall") {
            (entry.quality, entry.coverage_pct) = (quality, coverage_pct);
        }
        monitor.close(span(0), &said, &no_step);
        let view = monitor.view();
        let last = node(&view, "electricity").last.as_ref().unwrap();
        let found = last.missing.first().map(|gap| (&*gap.meter, &*gap.reason));
        assert_eq!(found, reason.map(|reason| ("hall", reason)), "{quality:?}");
        let closes = if reason.is_some() {
            State::CannotBeJudged
        } else {
            State::Closes
        };
        assert_eq!(last.state, closes, "{quality:?} {coverage_pct}");
    }
    let park = Arc::new(park(ELECTRIC));
    let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
    monitor.close(span(0), &entries(&park, 0, &FAIR[1..4]), &no_step);
    let view = monitor.view();
    let missing = &node(&view, "electricity").last.as_ref().unwrap().missing;
    let missing: Vec<_> = missing
        .iter()
        .map(|gap| (&*gap.meter, &*gap.reason))
        .collect();
    assert_eq!(missing, [("pcc", "never_seen"), ("office", "never_seen")]);
}

#[test]
fn what_the_others_carry_of_a_missing_meter_is_computed() {
    let park = Arc::new(park(ELECTRIC));
    let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
    monitor.close(span(0), &entries(&park, 0, &FAIR[..4]), &no_step);
    let found = monitor.reconciliation().unwrap();
    let [(name, wh, u_wh)] = &found.computed[..] else {
        panic!("{found:?}");
    };
    assert_eq!(&**name, "office");
    assert!(
        (wh - 30_000.0).abs() < 1e-6 && *u_wh > 1_000.0,
        "{wh} {u_wh}"
    );
    assert_eq!(found.passes, None, "nothing is left to check");
    assert_eq!(found.unchecked.len(), 4);
}

#[test]
fn of_two_entries_of_a_channel_the_one_that_came_last_is_judged() {
    let park = Arc::new(park(ELECTRIC));
    let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
    let mut all = entries(&park, 0, &with(FAIR, "hall", 0.5));
    all.extend(entries(&park, 0, FAIR));
    monitor.close(span(0), &all, &no_step);
    assert_eq!(state(&monitor, "electricity"), State::Closes);
}

#[test]
fn configured_losses_flow_out_of_the_node() {
    let mut park = park(ELECTRIC);
    park.losses = Some(Losses {
        fixed: Power::from_watts(4_000.0).unwrap(),
        load_pct: 4.0,
    });
    let park = Arc::new(park);
    let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
    // Of 100 kWh 4 are lost with the load and 1 without.
    let said = with(FAIR, "hall", 65.0 / 70.0);
    monitor.close(span(0), &entries(&park, 0, &said), &no_step);
    let view = monitor.view();
    let last = node(&view, "electricity").last.as_ref().unwrap();
    assert!(last.residual_wh.unwrap().abs() < 1e-6, "{last:?}");
    assert_eq!(monitor.reconciliation().unwrap().passes, Some(true));
    // A nameplate knows its losses to a fifth of them, in a rectangle.
    let mut without = Monitor::new(&Arc::new(self::park(ELECTRIC)), settings(&[], &[]), None);
    without.close(span(0), &entries(&park, 0, &said), &no_step);
    let view = without.view();
    let meters = node(&view, "electricity").last.as_ref().unwrap();
    let together = meters
        .uncertainty_wh
        .unwrap()
        .hypot(1_000.0 / 3.0_f64.sqrt());
    let found = last.uncertainty_wh.unwrap();
    assert!((found - together).abs() < 1e-6, "{found} {together}");
    let unchecked = &monitor.reconciliation().unwrap().unchecked;
    assert_eq!(unchecked, &Vec::<Arc<str>>::new());
}

proptest! {
    /// Meters within their classes, on a park that has no fault: whatever flows, no node
    /// ever fails to close. Exact meters leave nothing at all.
    #[test]
    fn with_exact_meters_no_node_ever_fails_to_close(
        quarters in prop::collection::vec(
            (0.0_f64..5e3, -2e3_f64..2e3, 0.0_f64..3e3, 0.0_f64..3e3, 0.0_f64..1.0), 1..12),
        within in prop::collection::vec(-0.4_f64..0.4, 8),
    ) {
        let meters = [
            ("pcc", "grid", ""), ("pv", "pv", ""), ("battery", "battery", ""),
            ("hall", "tenant", ""), ("oven", "tenant", "hall"), ("light", "tenant", "hall"),
            ("office", "tenant", ""),
        ];
        let park = Arc::new(park(&meters));
        for error in [0.0, 1.0] {
            let behind: &[(&str, &[&str])] = &[("hall", &["oven", "light"])];
            let mut monitor = Monitor::new(&park, settings(&[], behind), None);
            for (nth, (pv, battery, hall, office, part)) in (0..).zip(&quarters) {
                let truth = [
                    ("pcc", hall + office - pv - battery), ("pv", *pv), ("battery", *battery),
                    ("hall", *hall), ("oven", hall * part), ("light", hall * (1.0 - part)),
                    ("office", *office),
                ];
                let said: Vec<(&str, f64)> = truth.iter().zip(&within)
                    .map(|((id, kwh), off)| (*id, kwh * (1.0 + error * off / 100.0)))
                    .collect();
                let changes = monitor.close(span(nth), &entries(&park, nth, &said), &no_step);
                prop_assert_eq!(changes, []);
                for node in monitor.view() {
                    let last = node.last.unwrap();
                    prop_assert_eq!(last.state, State::Closes, "{} {:?}", node.name, last);
                    if error == 0.0 {
                        prop_assert!(last.residual_wh.unwrap().abs() < 0.01);
                    }
                }
            }
        }
    }
}
