//! Reconciliation through the nodes and classes of a park, with its source.

use super::*;

/// Name, classes, meters, what is complete, and the groups of suspects.
type Row<'a> = (
    &'a str,
    &'a [f64],
    &'a [(&'a str, &'a str, &'a str)],
    &'a [(&'a str, &'a [&'a str])],
    &'a [&'a [&'a str]],
);

fn case(name: &str) -> Json {
    let text = include_str!("../../../../tests/fixtures/reconcile.json");
    let all: Json = serde_json::from_str(text).unwrap();
    let cases = all["cases"].as_array().unwrap();
    cases
        .iter()
        .find(|case| case["name"] == *name)
        .unwrap()
        .clone()
}

/// The monitor after an interval with the readings of a case.
fn after(
    case: &Json,
    classes: &[f64],
    meters: &[(&str, &str, &str)],
    complete: &[(&str, &[&str])],
) -> Monitor {
    let park = Arc::new(park(meters));
    let told: Vec<(&str, f64)> = meters
        .iter()
        .map(|one| one.0)
        .zip(classes.iter().copied())
        .collect();
    let mut monitor = Monitor::new(&park, settings(&told, complete), None);
    let said: Vec<(&str, f64)> = meters
        .iter()
        .map(|one| one.0)
        .zip(case["y"].as_array().unwrap())
        .map(|(id, y)| {
            let y = y.as_f64().unwrap();
            (id, y)
        })
        .collect();
    let values: HashMap<&str, f64> = said.iter().copied().collect();
    // Its registers count 0.02 kWh, and the vectors know one direction of each meter.
    let step = |meter: MeterIndex, channel: Channel| {
        let moves = values[&*park.meters[meter].id] >= 0.0;
        (channel.positive == moves).then_some(20.0)
    };
    monitor.close(span(0), &entries(&park, 0, &said), &step);
    monitor
}

/// Source: reconcile.json, cases A, B and C, through the nodes and classes of a park.
#[test]
fn vectors_of_reconciliation_agree_with_the_monitor_of_a_park() {
    let bus = [
        ("PV1", "pv", ""),
        ("PV2", "pv", ""),
        ("ST", "turbine", ""),
        ("GRID", "grid", ""),
        ("GRID_CHECK", "grid", "GRID"),
        ("BAT", "battery", ""),
        ("L1", "tenant", ""),
        ("L2", "tenant", ""),
        ("L3", "tenant", ""),
        ("AUX", "auxiliary", ""),
    ];
    let tree = [
        ("GRID", "grid", ""),
        ("PVM", "pv", ""),
        ("INV1", "pv", "PVM"),
        ("INV2", "pv", "PVM"),
        ("F1", "tenant", ""),
        ("F2", "tenant", ""),
        ("T1", "tenant", "F1"),
        ("T2", "tenant", "F1"),
        ("T3", "tenant", "F2"),
        ("T4", "tenant", "F2"),
    ];
    let of_bus = [1.0, 1.0, 0.5, 0.2, 0.5, 1.0, 1.0, 1.0, 1.0, 2.0];
    let of_tree = [0.2, 0.5, 1.0, 1.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0];
    let check: &[(&str, &[&str])] = &[("GRID", &["GRID_CHECK"])];
    let feeders: &[(&str, &[&str])] = &[
        ("PVM", &["INV1", "INV2"]),
        ("F1", &["T1", "T2"]),
        ("F2", &["T3", "T4"]),
    ];
    let suspects = ["PV1", "PV2", "L1", "L2", "L3", "ST", "BAT", "AUX"];
    #[rustfmt::skip]
    let cases: [Row<'_>; 3] = [
        ("A_bus_ok",           &of_bus,  &bus,  check,   &[]),
        ("B_bus_L1_12pct_low", &of_bus,  &bus,  check,   &[&suspects]),
        ("C_tree_T4_low",      &of_tree, &tree, feeders, &[&["T3", "T4"], &["F2"], &["GRID"]]),
    ];
    for (name, classes, meters, complete, expected) in cases {
        let case = case(name);
        let monitor = after(&case, classes, meters, complete);
        let found = monitor.reconciliation().unwrap();
        let expect = &case["expect"];
        let chi_square = found.chi_square.unwrap();
        let vector = expect["chi2"].as_f64().unwrap();
        assert!(
            (chi_square - vector).abs() < 1e-4,
            "{name}: {chi_square} {vector}"
        );
        assert_eq!(
            found.degrees,
            meters.len().min(4).min(complete.len() + 1),
            "{name}"
        );
        let groups: Vec<Vec<&str>> = found
            .suspects
            .iter()
            .map(|group| group.meters.iter().map(|one| &*one.meter).collect())
            .collect();
        assert_eq!(groups.len(), expected.len(), "{name}: {groups:?}");
        for (group, expected) in groups.iter().zip(expected) {
            let (mut group, mut expected) = (group.clone(), expected.to_vec());
            group.sort_unstable();
            expected.sort_unstable();
            assert_eq!(group, expected, "{name}");
        }
        for one in found.suspects.iter().flat_map(|group| &group.meters) {
            let place = meters.iter().position(|row| *row.0 == *one.meter).unwrap();
            let x = expect["x"][place].as_f64().unwrap();
            assert!(
                (one.reconciled_wh / 1_000.0 - x).abs() < 1e-6,
                "{name} {one:?} {x}"
            );
            let y = case["y"][place].as_f64().unwrap();
            assert!((one.read_wh / 1_000.0 - y).abs() < 1e-9, "{name} {one:?}");
        }
        // The nodal tests are those of the monitor.
        let view = monitor.view();
        let zs: Vec<f64> = view
            .iter()
            .map(|node| node.last.as_ref().unwrap().z.unwrap())
            .collect();
        let vectors: Vec<f64> = expect["z_node"]
            .as_array()
            .unwrap()
            .iter()
            .map(|z| z.as_f64().unwrap())
            .collect();
        assert_eq!(zs.len(), vectors.len(), "{name}");
        for (z, vector) in zs.iter().zip(&vectors) {
            assert!(
                (z.abs() - vector).abs() < 1e-5,
                "{name}: {zs:?} {vectors:?}"
            );
        }
    }
}
