//! Heat, trees of submeters, and what no meter sees.

use super::*;

const HEAT: &[(&str, &str, &str)] = &[
    ("field", "solar_field", ""),
    ("boiler", "boiler", ""),
    ("pump", "heat_pump", ""),
    ("tank", "heat_storage", ""),
    ("feed", "heat_feed", ""),
    ("dairy", "heat_consumer", ""),
    ("laundry", "heat_consumer", ""),
];

const WARM: &[(&str, f64)] = &[
    ("field", 600.0),
    ("boiler", 100.0),
    ("pump", 40.0),
    ("pump/heat", 120.0),
    ("tank", -200.0),
    ("feed", 620.0),
    ("dairy", 400.0),
    ("laundry", 190.0),
];

#[test]
fn the_node_of_heat_is_judged_and_its_network_when_customers_take_more_than_is_fed() {
    use State::{CannotBeJudged, Closes, DoesNotClose};
    #[rustfmt::skip]
    let cases = [
        ("none",     "",        1.0,  Closes,       CannotBeJudged),
        ("high",     "field",   1.5,  DoesNotClose, CannotBeJudged),
        ("reversed", "tank",   -1.0,  DoesNotClose, CannotBeJudged),
        ("low",      "feed",    0.5,  DoesNotClose, DoesNotClose),
        ("high",     "dairy",   1.5,  Closes,       DoesNotClose),
        ("low",      "dairy",   0.5,  Closes,       CannotBeJudged),
        ("reversed", "pump/heat", -1.0, DoesNotClose, CannotBeJudged),
    ];
    for (fault, id, times, node_of_heat, network) in cases {
        let park = Arc::new(park(HEAT));
        let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
        let said = with(WARM, id, times);
        for nth in 0..3 {
            monitor.close(span(nth), &entries(&park, nth, &said), &no_step);
        }
        assert_eq!(state(&monitor, "heat"), node_of_heat, "{id} {fault}");
        assert_eq!(state(&monitor, "heat network"), network, "{id} {fault}");
        // Nobody accuses a meter that no other one speaks of.
        let found = monitor.reconciliation().unwrap();
        let mut suspects = found.suspects.iter().flat_map(|one| &one.meters);
        assert!(
            suspects.all(|one| !found.unchecked.contains(&one.meter)),
            "{id} {fault}: {found:?}"
        );
        assert_eq!(
            found.suspects.is_empty(),
            found.passes != Some(false),
            "{id} {fault}"
        );
    }
    let park = Arc::new(park(HEAT));
    let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
    monitor.close(span(0), &entries(&park, 0, WARM), &no_step);
    let view = monitor.view();
    let last = node(&view, "heat network").last.as_ref().unwrap();
    assert!((last.residual_wh.unwrap() - 30_000.0).abs() < 1e-6);
    assert_eq!(last.z, None);
    assert_eq!(
        last.why.as_deref(),
        Some("what is lost on the way has no meter")
    );
    let found = monitor.reconciliation().unwrap();
    let names: Vec<&str> = found.unchecked.iter().map(|name| &**name).collect();
    assert_eq!(names, ["pump", "dairy", "laundry"], "no node checks them");
    assert_eq!(&*found.computed[0].0, "heat losses");
}

#[test]
fn a_tree_is_judged_on_both_sides_where_it_is_complete_and_on_one_where_it_is_not() {
    let meters = [
        ("pcc", "grid", ""),
        ("hall", "tenant", ""),
        ("oven", "tenant", "hall"),
        ("light", "tenant", "hall"),
    ];
    use State::{CannotBeJudged, Closes, DoesNotClose};
    #[rustfmt::skip]
    let cases = [
        // oven, light | complete   | open
        (60.0,   40.0,   Closes,       CannotBeJudged),
        (48.0,   40.0,   DoesNotClose, CannotBeJudged),
        (72.0,   40.0,   DoesNotClose, DoesNotClose),
        (-60.0,  40.0,   DoesNotClose, CannotBeJudged),
    ];
    for (oven, light, complete, open) in cases {
        for (told, expected) in [(true, complete), (false, open)] {
            let park = Arc::new(park(&meters));
            let behind: &[(&str, &[&str])] = &[("hall", &["oven", "light"])];
            let told = settings(&[], if told { behind } else { &[] });
            let mut monitor = Monitor::new(&park, told, None);
            let said = [
                ("pcc", 100.0),
                ("hall", 100.0),
                ("oven", oven),
                ("light", light),
            ];
            for nth in 0..3 {
                monitor.close(span(nth), &entries(&park, nth, &said), &no_step);
            }
            assert_eq!(state(&monitor, "behind hall"), expected, "{oven}");
            // What stands behind the hall is not counted a second time.
            assert_eq!(state(&monitor, "electricity"), Closes, "{oven}");
        }
    }
}

#[test]
fn a_plant_behind_a_load_lessens_it_and_a_rest_behind_a_plant_may_be_either() {
    let park = Arc::new(park(&[
        ("pcc", "grid", ""),
        ("hall", "tenant", ""),
        ("oven", "tenant", "hall"),
        ("roof", "pv", "hall"),
        ("plant", "pv", ""),
        ("inverter", "pv", "plant"),
    ]));
    let behind: &[(&str, &[&str])] = &[("hall", &["oven", "roof"])];
    let mut monitor = Monitor::new(&park, settings(&[], behind), None);
    let said = [
        ("pcc", 20.0),
        ("hall", 70.0),
        ("oven", 100.0),
        ("roof", 30.0),
        ("plant", 50.0),
        ("inverter", 55.0),
    ];
    for nth in 0..3 {
        monitor.close(span(nth), &entries(&park, nth, &said), &no_step);
    }
    assert_eq!(state(&monitor, "behind hall"), State::Closes);
    assert_eq!(state(&monitor, "behind plant"), State::CannotBeJudged);
}

#[test]
fn without_a_meter_for_every_load_the_balance_is_judged_where_it_cannot_be() {
    let mut park = park(ELECTRIC);
    park.every_load_metered = false;
    let park = Arc::new(park);
    for (times, expected) in [
        (1.0, State::CannotBeJudged),
        (0.3, State::CannotBeJudged),
        (1.5, State::DoesNotClose),
    ] {
        let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
        for nth in 0..3 {
            let said = with(FAIR, "hall", times);
            monitor.close(span(nth), &entries(&park, nth, &said), &no_step);
        }
        assert_eq!(state(&monitor, "electricity"), expected, "{times}");
    }
}

#[test]
fn a_meter_that_is_computed_is_no_witness_of_what_it_is_computed_from() {
    let mut park = park(&[
        ("pcc", "grid", ""),
        ("hall", "tenant", ""),
        ("rest", "tenant", ""),
    ]);
    let known = |id: &str| ["pcc", "hall"].contains(&id);
    park.relations.derived.push(Derived {
        meter: "rest".into(),
        expression: Expression::parse("pcc - hall", &known).unwrap(),
    });
    let park = Arc::new(park);
    let mut monitor = Monitor::new(&park, settings(&[], &[]), None);
    monitor.close(
        span(0),
        &entries(&park, 0, &[("pcc", 100.0), ("hall", 40.0)]),
        &no_step,
    );
    assert_eq!(monitor.view(), [], "it would close whatever they say");
    let found = monitor.reconciliation().unwrap();
    let names: Vec<&str> = found.unchecked.iter().map(|name| &**name).collect();
    assert_eq!(names, ["pcc", "hall"]);
}
