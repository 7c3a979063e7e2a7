//! Transformers over time: a night, an export, gaps, restarts, and what a flow is made of.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::balance::settle;
use crate::domain::closure::{Class, LOSSES_PCT, Told};
use crate::domain::flow::{Energies, Flow};
use crate::domain::interval::{Channel, Entry, ExportShape, Span};
use crate::domain::meter::{
    Carrier, Freshness, Losses, Meter, Nature, Park, Point, Quantity, RegisterKind, Role,
    TRANSFORMER_LOSS,
};
use crate::domain::plausibility::{Facts, Settings};
use crate::domain::provenance::Made;
use crate::domain::quality::{Quality, Reason};
use crate::domain::relations::{Boundary, Compensation, Relations};
use crate::domain::snapshot::{Reading, Value};
use crate::domain::transformer::{DataPlate, Transformer};
use crate::domain::units::{CountUnit, MilliwattHours, Power};
use crate::engine::Engine;

#[path = "loss_law_tests.rs"]
mod law;

const WHOLE: [&str; 7] = [
    "power",
    "energy_import",
    "energy_export",
    "reactive_power",
    "voltage_l1",
    "voltage_l2",
    "voltage_l3",
];
const QUARTER: i64 = 900;

fn meter(id: &str, role: &'static Role, quantities: &[&str]) -> Meter {
    let register = RegisterKind {
        unit: CountUnit::new(1_000, 1).unwrap(),
        modulus: None,
        told: false,
    };
    let point = |name: &&str| {
        let quantity = Quantity::named(name).unwrap();
        Point {
            quantity,
            register: (quantity.nature == Nature::Register).then_some(register),
        }
    };
    Meter {
        id: id.into(),
        role,
        points: quantities.iter().map(point).collect(),
        freshness: Freshness::Within(Duration::from_secs(10)),
        period: Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

/// A park whose meter is on the side of 400 V, with one load behind it.
fn park(quantities: &[&str], boundary: Boundary) -> Arc<Park> {
    let role = |name| Role::named(name).unwrap();
    Arc::new(Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: vec![
            meter("pcc", role("grid"), quantities),
            meter("hall", role("tenant"), &["power"]),
            meter("pcc-loss", &TRANSFORMER_LOSS, &["power"]),
        ],
        every_load_metered: true,
        losses: None,
        relations: Relations {
            compensations: vec![Compensation {
                meter: "pcc".into(),
                loss: "pcc-loss".into(),
                transformer: Transformer::new(&DataPlate {
                    rated_va: 1.6e6,
                    no_load_w: 1_700.0,
                    load_w: 14_500.0,
                    no_load_current_pct: 0.5,
                    short_circuit_pct: 6.0,
                })
                .unwrap(),
                rated_v: 400.0,
                boundary,
            }],
            ..Relations::default()
        },
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_272_000 + second).unwrap()
}

fn span(nth: i64) -> Span {
    Span {
        start: at(nth * QUARTER),
        end: at((nth + 1) * QUARTER),
    }
}

/// Registers that follow the power of the low-voltage side, and the power.
#[derive(Default)]
struct Meterman {
    import_wh: f64,
    export_wh: f64,
}

impl Meterman {
    /// A second at this power; what the meter says then.
    fn second(&mut self, s: i64, watts: f64, volts: f64) -> Reading {
        let wh = watts / 3_600.0;
        self.import_wh += wh.max(0.0);
        self.export_wh += (-wh).max(0.0);
        let phase = volts / 3.0_f64.sqrt();
        let values = [
            Value::Analog(watts),
            Value::Count(self.import_wh as i64),
            Value::Count(self.export_wh as i64),
            Value::Analog(0.0),
            Value::Analog(phase),
            Value::Analog(phase),
            Value::Analog(phase),
        ];
        Reading {
            meter: 0,
            at: at(s),
            values: values.into_iter().map(Ok).enumerate().collect(),
        }
    }
}

/// The same reading with the first points alone.
fn only(mut reading: Reading, count: usize) -> Reading {
    reading.values.truncate(count);
    reading
}

fn hall(s: i64, watts: f64) -> Reading {
    Reading {
        meter: 1,
        at: at(s),
        values: vec![(0, Ok(Value::Analog(watts)))],
    }
}

fn entry<'a>(entries: &'a [Entry], meter: &str, positive: bool, span: Span) -> &'a Entry {
    let channel = Channel {
        carrier: Carrier::Electricity,
        positive,
    };
    let is_it =
        |entry: &&Entry| *entry.meter == *meter && entry.channel == channel && entry.span == span;
    // The newest word counts.
    entries.iter().rev().find(is_it).unwrap()
}

/// What the ledger makes of entries: of two words on one channel, the newer.
fn settled(park: &Park, entries: &[Entry], span: Span) -> Energies {
    let newest: Vec<Entry> = entries
        .iter()
        .rev()
        .filter(|it| it.span == span)
        .cloned()
        .collect();
    settle(park, &newest, ExportShape::default(), span)
}

fn mwh(flows: &Energies, flow: Flow) -> i64 {
    flows.of(flow).as_ref().unwrap().value.0
}

/// Two quarters at a power and a voltage, every second; the flows of the second.
fn steady(park: &Arc<Park>, points: usize, watts: f64, volts: f64) -> (Energies, Vec<Entry>) {
    let mut engine = Engine::new(Arc::clone(park), &[]);
    let (mut man, mut entries) = (Meterman::default(), Vec::new());
    for s in 0..2 * QUARTER + 70 {
        engine.hear(&only(man.second(s, watts, volts), points));
        engine.hear(&hall(s, watts));
        entries.extend(engine.tick(at(s)).entries);
    }
    (settled(park, &entries, span(1)), entries)
}

#[test]
fn an_idle_park_imports_its_iron_and_says_where_it_went() {
    let park = park(&WHOLE, Boundary::GridSide);
    let (flows, entries) = steady(&park, 7, 0.0, 400.0);
    // 1.7 kW for a quarter of an hour.
    for flow in [Flow::Import, Flow::Load, Flow::Losses] {
        assert_eq!(mwh(&flows, flow), 425_000, "{flow:?}");
    }
    assert_eq!(mwh(&flows, Flow::Export), 0);
    assert_eq!(mwh(&flows, Flow::Residual), 0);
    let import = flows.of(Flow::Import).as_ref().unwrap();
    assert_eq!(import.quality, Quality::Derived);
    let made = Made::REGISTER.and(Made::INTEGRATED).and(Made::DERIVED);
    assert_eq!(import.made, made);
    // The register is what it was.
    let register = entry(&entries, "pcc", true, span(1));
    assert_eq!(
        (register.energy, register.quality),
        (Ok(MilliwattHours(0)), Quality::Good)
    );
    assert_eq!(register.made, Made::REGISTER);
}

#[test]
fn export_is_less_at_the_boundary_and_the_residual_stays_nothing() {
    let park = park(&WHOLE, Boundary::GridSide);
    let (flows, entries) = steady(&park, 7, -600e3, 400.0);
    let register = entry(&entries, "pcc", false, span(1)).energy.unwrap().0;
    let lost = entry(&entries, "pcc-loss", false, span(1))
        .energy
        .unwrap()
        .0;
    // 3.739063 kW for a quarter of an hour.
    assert!((lost - 934_766).abs() <= 1, "{lost}");
    assert_eq!(mwh(&flows, Flow::Export), register - lost);
    assert_eq!(mwh(&flows, Flow::Import), 0);
    assert_eq!(mwh(&flows, Flow::Losses), lost);
    assert_eq!(mwh(&flows, Flow::Load), lost - register);
    // The hall's integral and the register in whole watt-hours differ by less than one.
    assert!(mwh(&flows, Flow::Residual).abs() < 1_000);
}

#[test]
fn before_the_grids_own_transformer_losses_are_taken_off_and_are_not_the_parks() {
    let park = park(&WHOLE, Boundary::ParkSide);
    let (flows, entries) = steady(&park, 7, 800e3, 400.0);
    let register = entry(&entries, "pcc", true, span(1)).energy.unwrap().0;
    let lost = entry(&entries, "pcc-loss", true, span(1)).energy.unwrap().0;
    assert!((lost - 1_331_250).abs() <= 1, "{lost}");
    assert_eq!(mwh(&flows, Flow::Import), register - lost);
    assert_eq!(mwh(&flows, Flow::Load), register - lost);
    assert!(
        flows
            .of(Flow::Losses)
            .as_ref()
            .unwrap_err()
            .is_unconfigured()
    );
}

#[test]
fn a_voltage_that_is_not_measured_is_the_rated_one_and_the_energy_says_so() {
    let assumed = Made::RATED_VOLTAGE;
    let whole = park(&WHOLE, Boundary::GridSide);
    let (flows, _) = steady(&whole, 7, 0.0, 420.0);
    let import = flows.of(Flow::Import).as_ref().unwrap();
    assert_eq!(import.value.0, 468_563, "1.7 kW at 1.05 of the voltage");
    assert!(!import.made.rests_on(assumed));
    // Its points of voltage are silent, and it has none.
    for (park, points) in [(whole, 4), (park(&WHOLE[..4], Boundary::GridSide), 4)] {
        let (flows, _) = steady(&park, points, 0.0, 420.0);
        let import = flows.of(Flow::Import).as_ref().unwrap();
        assert_eq!(import.value.0, 425_000);
        assert!(import.made.rests_on(assumed), "{}", import.made);
        assert_eq!(import.made.methods(), ["rated_voltage"]);
    }
}

/// A quarter whose voltage was known but for one second says so, and the next does not; a
/// second at a boundary is the end of one and the beginning of the other.
#[test]
fn one_second_at_rated_voltage_is_told_in_its_interval_and_in_no_other() {
    let park = park(&WHOLE, Boundary::GridSide);
    for (silent, expected) in [
        (QUARTER + 450, [false, true, false]),
        (2 * QUARTER, [false, true, true]),
    ] {
        let mut engine = Engine::new(Arc::clone(&park), &[]);
        let (mut man, mut entries) = (Meterman::default(), Vec::new());
        for s in 0..3 * QUARTER + 70 {
            let mut reading = man.second(s, 0.0, 400.0);
            if s == silent {
                // A value that the device refuses stands no longer.
                for (_, value) in reading.values.iter_mut().skip(4) {
                    *value = Err(Reason::NotAvailable);
                }
            }
            engine.hear(&reading);
            engine.hear(&hall(s, 0.0));
            entries.extend(engine.tick(at(s)).entries);
        }
        let assumed = |nth| {
            let lost = entry(&entries, "pcc-loss", true, span(nth));
            lost.made.rests_on(Made::RATED_VOLTAGE)
        };
        assert_eq!([0, 1, 2].map(assumed), expected, "{silent}");
    }
}

#[test]
fn a_power_that_was_not_known_leaves_the_loss_unknown_and_the_boundary_with_it() {
    let park = park(&WHOLE, Boundary::GridSide);
    #[rustfmt::skip]
    let cases = [
        // situation                    silent            | quality
        ("all was heard",               900..900,           Some(Quality::Derived)),
        ("20 s are scaled up",          1_000..1_020,       Some(Quality::Estimated)),
        ("two minutes are too long",    1_000..1_120,       None),
    ];
    for (situation, silent, quality) in cases {
        let mut engine = Engine::new(Arc::clone(&park), &[]);
        let (mut man, mut entries) = (Meterman::default(), Vec::new());
        for s in 0..2 * QUARTER + 70 {
            let reading = man.second(s, 800e3, 400.0);
            if !silent.contains(&s) {
                engine.hear(&reading);
            }
            entries.extend(engine.tick(at(s)).entries);
        }
        let flows = settled(&park, &entries, span(1));
        let register = entry(&entries, "pcc", true, span(1));
        assert!(register.energy.is_ok(), "{situation}: the register went on");
        match (flows.of(Flow::Import), quality) {
            (Ok(known), Some(quality)) => {
                assert_eq!(known.quality, quality, "{situation}");
                let lost = known.value.0 - register.energy.unwrap().0;
                assert!((lost - 1_331_250).abs() <= 1, "{situation}: {lost}");
            }
            (Err(gaps), None) => {
                let named: Vec<_> = gaps.list().iter().map(|gap| &*gap.meter).collect();
                assert_eq!(named, ["pcc-loss"], "{situation}");
            }
            (found, _) => panic!("{situation}: {found:?}"),
        }
    }
}

#[test]
fn a_reactive_power_that_is_measured_and_silent_is_not_taken_for_zero() {
    let park = park(&WHOLE, Boundary::GridSide);
    let mut engine = Engine::new(Arc::clone(&park), &[]);
    engine.hear(&only(Meterman::default().second(0, 800e3, 400.0), 3));
    let frame = engine.tick(at(0)).frame;
    let gaps = frame.powers.of(Flow::Import).as_ref().unwrap_err();
    assert_eq!(
        &*gaps.list()[0].meter,
        "pcc",
        "the meter to look at is named"
    );
    assert_eq!(frame.meters[0].power_w, Some(800e3), "what it says stands");
    assert_eq!(frame.meters[2].power_w, None);
}

#[test]
fn live_shows_what_the_meter_says_and_beside_it_the_boundary() {
    let park = park(&WHOLE, Boundary::GridSide);
    let mut engine = Engine::new(Arc::clone(&park), &[]);
    engine.hear(&Meterman::default().second(0, -600e3, 400.0));
    engine.hear(&hall(0, -600e3));
    let frame = engine.tick(at(0)).frame;
    let [pcc, _, lost] = &frame.meters[..] else {
        panic!("{:?}", frame.meters);
    };
    assert_eq!(pcc.power_w, Some(-600e3));
    let loss = pcc.loss.unwrap();
    assert!((loss.boundary_w + 596_260.937_5).abs() < 1e-3, "{loss:?}");
    assert!(!loss.at_rated_voltage);
    assert_eq!(lost.power_w, Some(loss.active_w));
    assert_eq!(lost.quality, Quality::Derived);
    let known = |flow| frame.powers.of(flow).as_ref().unwrap().value;
    assert_eq!(known(Flow::Export), -loss.boundary_w);
    assert_eq!(known(Flow::Losses), loss.active_w);
    assert!(known(Flow::Residual).abs() < 1e-6);
    // A voltage of another side is no voltage: said, and not computed with.
    engine.hear(&Meterman::default().second(1, -600e3, 10_000.0));
    let frame = engine.tick(at(1)).frame;
    let lost = &frame.meters[2];
    assert_eq!(
        (lost.power_w, lost.reason),
        (None, Some(Reason::OutOfRange))
    );
    assert!(
        lost.trouble.as_ref().unwrap().contains("2500.0 %"),
        "{lost:?}"
    );
    assert!(frame.powers.of(Flow::Export).is_err());
}

#[test]
fn the_interval_under_way_knows_the_boundary_too() {
    let park = park(&WHOLE, Boundary::GridSide);
    let mut engine = Engine::new(Arc::clone(&park), &[]);
    let mut man = Meterman::default();
    for s in 0..=450 {
        engine.hear(&man.second(s, 0.0, 400.0));
        engine.hear(&hall(s, 0.0));
        let frame = engine.tick(at(s)).frame;
        if s == 450 {
            let import = frame.open[0].flows.of(Flow::Import).as_ref().unwrap();
            assert_eq!(import.value.0, 212_500, "1.7 kW for 450 s");
        }
    }
}

/// An hour and a half of a power at the hall, and of what belongs to it at the grid.
fn closes(park: &Arc<Park>, hall_w: f64, metered_w: f64) -> (f64, Vec<String>) {
    let mut settings = Settings::default();
    let nameplate = Facts {
        accuracy: Told {
            class: Some(Class::Percent(LOSSES_PCT)),
            ..Told::default()
        },
        ..Facts::default()
    };
    settings.facts.insert("pcc-loss".to_owned(), nameplate);
    let mut engine = Engine::judging(Arc::clone(park), &[], &settings);
    let mut man = Meterman::default();
    let mut last = None;
    for s in 0..6 * QUARTER + 70 {
        engine.hear(&man.second(s, metered_w, 400.0));
        engine.hear(&hall(s, hall_w));
        last = Some(engine.tick(at(s)).frame);
    }
    let frame = last.unwrap();
    let nodes = &frame.closure.nodes;
    let node = nodes
        .iter()
        .find(|node| &*node.name == "electricity")
        .unwrap();
    let residual = node.last.as_ref().unwrap().residual_wh.unwrap();
    let found = frame.findings.iter().filter(|one| one.name == "balance");
    (
        residual,
        found.map(|one| one.seen.what.to_string()).collect(),
    )
}

#[test]
fn the_books_close_on_either_side_of_the_transformer() {
    let fixed = Power::from_watts(500.0).unwrap();
    let stated = |boundary| {
        let mut park = Arc::unwrap_or_clone(park(&WHOLE, boundary));
        park.losses = Some(Losses {
            fixed,
            load_pct: 0.0,
        });
        Arc::new(park)
    };
    // 10 kW heat the windings with less than a watt.
    #[rustfmt::skip]
    let cases = [
        // situation                           park                               hall W     meter W
        ("the transformer is before it",       park(&WHOLE, Boundary::GridSide),   10_000.0,  10_000.0),
        ("so, with other losses as well",      stated(Boundary::GridSide),         10_000.0,  10_500.0),
        ("the transformer is behind it",       park(&WHOLE, Boundary::ParkSide),   10_000.0,  11_700.6),
        ("so, with other losses as well",      stated(Boundary::ParkSide),         10_000.0,  12_200.7),
        ("behind it, and the hall feeds back", park(&WHOLE, Boundary::ParkSide),  -10_000.0,  -8_299.6),
    ];
    for (situation, park, hall_w, metered_w) in cases {
        let (residual_wh, found) = closes(&park, hall_w, metered_w);
        assert!(residual_wh.abs() < 2.0, "{situation}: {residual_wh} Wh");
        assert!(found.is_empty(), "{situation}: {found:?}");
        // A park that hides as much as a transformer takes is found out.
        let (residual_wh, found) = closes(&park, hall_w, metered_w + 1_700.0);
        assert!(
            (residual_wh - 425.0).abs() < 3.0,
            "{situation}: {residual_wh} Wh"
        );
        assert_eq!(found.len(), 1, "{situation}");
    }
}
