//! Vectors with their source, laws, and situations.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

pub(super) fn arcs(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

pub(super) fn measured(all: &[(&str, f64, f64)]) -> Vec<Measured> {
    all.iter()
        .map(|(name, value, uncertainty)| Measured {
            name: (*name).into(),
            value: *value,
            uncertainty: *uncertainty,
        })
        .collect()
}

/// A balance written as it is read: `"a + b - c"`.
fn balance(name: &str, terms: &str) -> Constraint {
    let mut sign = 1.0;
    let mut all = Vec::new();
    for word in terms.split_whitespace() {
        match word {
            "+" => sign = 1.0,
            "-" => sign = -1.0,
            _ => all.push((word.into(), sign)),
        }
    }
    Constraint {
        name: name.into(),
        terms: all,
        constant: 0.0,
    }
}

fn numbers(json: &Json) -> Vec<f64> {
    let all = json.as_array().unwrap().iter();
    all.map(|one| one.as_f64().unwrap()).collect()
}

fn strings(json: &Json) -> Vec<String> {
    let all = json.as_array().into_iter().flatten();
    all.map(|one| one.as_str().unwrap().to_owned()).collect()
}

fn cases() -> Vec<Json> {
    let text = include_str!("../../../tests/fixtures/reconcile.json");
    let all: Json = serde_json::from_str(text).unwrap();
    all["cases"].as_array().unwrap().clone()
}

fn case(name: &str) -> Json {
    let mut all = cases().into_iter();
    all.find(|case| case["name"] == name).unwrap()
}

/// The readings, the unmeasured names and the constraints of a vector.
fn given(case: &Json) -> (Vec<Measured>, Vec<Arc<str>>, Vec<Constraint>) {
    let either = |a: &str, b: &str| {
        if case[a].is_null() {
            case[b].clone()
        } else {
            case[a].clone()
        }
    };
    let names = strings(&either("names", "names_measured"));
    let (y, u) = (numbers(&case["y"]), numbers(&case["u"]));
    let readings: Vec<Measured> = (0..y.len())
        .map(|place| Measured {
            name: names[place].as_str().into(),
            value: y[place],
            uncertainty: u[place],
        })
        .collect();
    let open = strings(&case["unmeasured"]);
    let known = either("A", "A_measured");
    let constraints = known
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(row, known)| {
            let mut cells = numbers(known);
            if !open.is_empty() {
                cells.extend(numbers(&case["B_unmeasured"][row]));
            }
            let names = names.iter().chain(&open);
            let terms = names.zip(cells).filter(|(_, cell)| *cell != 0.0);
            Constraint {
                name: format!("node {row}").into(),
                terms: terms
                    .map(|(name, cell)| (name.as_str().into(), cell))
                    .collect(),
                constant: case["b"][row].as_f64().unwrap_or(0.0),
            }
        });
    let constraints = constraints.collect();
    let open = open.iter().map(|name| Arc::from(name.as_str())).collect();
    (readings, open, constraints)
}

fn near(found: f64, expected: &Json, tolerance: f64, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found} is not {expected}"
    );
}

/// Source: reconcile.json, cases A to E; x within 1e-6, the global test within 1e-4.
#[test]
fn every_vector_is_reconciled() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let (readings, open, constraints) = given(&case);
        let found = reconcile(&readings, &open, &constraints).unwrap();
        let expect = &case["expect"];
        let global = found.global.unwrap();
        near(global.chi_square, &expect["chi2"], 1e-4, name);
        assert_eq!(
            Some(global.degrees as u64),
            expect["dof"].as_u64(),
            "{name}"
        );
        near(global.limit, &expect["chi2_crit95"], 1e-9, name);
        near(global.p_value, &expect["p_value"], 1e-8, name);
        near(found.limit, &expect["z_crit_sidak"], 1e-9, name);
        for (place, one) in found.measured.iter().enumerate() {
            let what = format!("{name} {}", one.name);
            near(one.value, &expect["x"][place], 1e-6, &what);
            near(one.uncertainty, &expect["u_x"][place], 1e-6, &what);
            near(one.raw - one.value, &expect["adj"][place], 1e-6, &what);
            // A meter that nothing checks is 0 in the vector and has no test here.
            let (z, vdi) = one.test.map_or((0.0, 0.0), |test| (test.z, test.vdi));
            near(z, &expect["z_meas"][place], 1e-6, &what);
            near(vdi, &expect["vdi2048"][place], 1e-6, &what);
            if !expect["C"].is_null() {
                for other in 0..found.measured.len() {
                    let ours = found.covariance(place, other).unwrap();
                    near(ours, &expect["C"][place][other], 1e-8, &what);
                }
            }
        }
        // The vector names its nodes by the order of a null space, so they are compared
        // as sets.
        let mut z: Vec<f64> = found
            .nodes
            .iter()
            .filter_map(|node| node.miss)
            .map(|miss| miss.1)
            .collect();
        let mut expected = numbers(&expect["z_node"]);
        z.sort_by(f64::total_cmp);
        expected.sort_by(f64::total_cmp);
        assert_eq!(z.len(), expected.len(), "{name}");
        for (ours, expected) in z.iter().zip(&expected) {
            assert!(
                (ours - expected).abs() < 1e-6,
                "{name}: node {ours} {expected}"
            );
        }
        let unmeasured = case["expect_unmeasured"].as_array().into_iter().flatten();
        for (one, expected) in found.unmeasured.iter().zip(unmeasured) {
            let (value, u) = one.value.unwrap();
            assert_eq!(*one.name, *expected["name"].as_str().unwrap());
            near(value, &expected["value"], 1e-6, name);
            near(u, &expected["u"], 1e-6, name);
        }
    }
}

/// Source: reconcile.json, case B: one balance detects and cannot isolate.
#[test]
fn meters_of_one_balance_are_suspects_together_the_largest_first() {
    let (readings, open, constraints) = given(&case("B_bus_L1_12pct_low"));
    let found = reconcile(&readings, &open, &constraints).unwrap();
    assert!(!found.global.unwrap().passes());
    let suspects = found.suspects();
    assert_eq!(
        suspects.len(),
        1,
        "the cross-checked meter is below the limit"
    );
    let first: Vec<&str> = suspects[0].names.iter().map(|name| &**name).collect();
    assert_eq!(first.len(), 8);
    assert_eq!(first[3..], ["L2", "L3", "ST", "BAT", "AUX"]);
    assert!((suspects[0].z - 8.215_601).abs() < 1e-6);
}

/// Source: reconcile.json, case C `expect_suspects_sorted`; it stops at the third.
#[test]
fn two_meters_behind_one_feeder_are_a_tie() {
    let case = case("C_tree_T4_low");
    let (readings, open, constraints) = given(&case);
    let suspects = reconcile(&readings, &open, &constraints)
        .unwrap()
        .suspects();
    let groups: Vec<Vec<&str>> = suspects
        .iter()
        .map(|group| group.names.iter().map(|name| &**name).collect())
        .collect();
    assert_eq!(groups, [vec!["T3", "T4"], vec!["F2"], vec!["GRID"]]);
    let flat: Vec<&str> = groups.iter().flatten().copied().take(3).collect();
    assert_eq!(flat, strings(&case["expect_suspects_sorted"]));
}

/// Source: reconcile.json, case D: what no other meter confirms.
#[test]
fn meters_that_only_carry_an_unmeasured_loss_are_named_as_unchecked() {
    let (readings, open, constraints) = given(&case("D_heat_unmeasured_loss"));
    let found = reconcile(&readings, &open, &constraints).unwrap();
    let unchecked: Vec<&str> = found.unchecked().map(|name| &**name).collect();
    assert_eq!(unchecked, ["T1", "T2", "T3"]);
    assert!(found.suspects().is_empty());
    assert_eq!(found.nodes[1].miss, None, "its loss is unmeasured");
    for place in 5..8 {
        assert_eq!(found.measured[place].value, found.measured[place].raw);
    }
}

#[test]
fn an_unmeasured_variable_that_another_can_stand_in_for_is_left_open() {
    let readings = measured(&[("feed", 10.0, 0.1), ("a", 4.0, 0.1), ("check", 9.9, 0.1)]);
    let constraints = [
        balance("pipe", "feed - check"),
        balance("header", "feed - a - b - loss"),
        balance("house", "a - room"),
    ];
    let open = arcs(&["b", "loss", "room"]);
    let found = reconcile(&readings, &open, &constraints).unwrap();
    assert_eq!(found.unmeasured[0].value, None, "b or loss");
    assert_eq!(found.unmeasured[1].value, None, "loss or b");
    let room = found.unmeasured[2].value.unwrap();
    assert!((room.0 - 4.0).abs() < 1e-12 && (room.1 - 0.1).abs() < 1e-12);
    let global = found.global.unwrap();
    assert_eq!(global.degrees, 1, "the pipe alone");
    assert!((global.chi_square - 0.5).abs() < 1e-9);
}

#[test]
fn what_occurs_nowhere_is_left_open_and_unchecked() {
    let readings = measured(&[("a", 1.0, 0.1), ("b", 1.1, 0.1), ("lonely", 7.0, 0.1)]);
    let found = reconcile(&readings, &arcs(&["ghost"]), &[balance("line", "a - b")]).unwrap();
    assert_eq!(found.unmeasured[0].value, None);
    assert_eq!(
        found.unchecked().collect::<Vec<_>>(),
        [&Arc::from("lonely")]
    );
    assert_eq!(found.measured[2].value, 7.0);
}

/// A park in which most meters are silent.
#[test]
fn more_unmeasured_variables_than_constraints_leave_what_they_leave_open() {
    let readings = measured(&[("main", 10.0, 0.3), ("a", 4.0, 0.4)]);
    let nodes = [
        balance("bus", "main - b - c - d"),
        balance("hall", "a - room"),
    ];
    let found = reconcile(&readings, &arcs(&["b", "c", "d", "room"]), &nodes).unwrap();
    let values: Vec<Option<f64>> = found
        .unmeasured
        .iter()
        .map(|one| one.value.map(|(value, _)| value))
        .collect();
    assert_eq!(values[..3], [None, None, None]);
    assert!((values[3].unwrap() - 4.0).abs() < 1e-12);
    assert_eq!((found.global, found.unchecked().count()), (None, 2));
    let nothing = reconcile(&readings, &arcs(&["b"]), &[]).unwrap();
    assert_eq!(nothing.unmeasured[0].value, None);
}

#[test]
fn without_redundancy_nothing_is_tested_and_the_unmeasured_is_computed() {
    let readings = measured(&[("main", 10.0, 0.3), ("a", 4.0, 0.4)]);
    let found = reconcile(
        &readings,
        &arcs(&["rest"]),
        &[balance("bus", "main - a - rest")],
    )
    .unwrap();
    assert_eq!(found.global, None);
    assert_eq!(found.unchecked().count(), 2);
    let (rest, u) = found.unmeasured[0].value.unwrap();
    assert!((rest - 6.0).abs() < 1e-12 && (u - 0.5).abs() < 1e-12);
    let nothing = reconcile(&readings, &[], &[]).unwrap();
    assert_eq!((nothing.global, nothing.unchecked().count()), (None, 2));
}

#[test]
fn a_mistake_is_a_sentence_that_names_it() {
    let two = measured(&[("a", 1.0, 0.1), ("b", 1.0, 0.1)]);
    let plus = |constant: f64| Constraint {
        constant,
        ..balance("sum", "a + b")
    };
    let zero = |uncertainty: f64| measured(&[("a", 1.0, uncertainty), ("b", 1.0, 0.1)]);
    let nan = measured(&[("a", f64::NAN, 0.1)]);
    let error = |readings: &[Measured], open: &[&str], constraints: &[Constraint]| {
        reconcile(readings, &arcs(open), constraints)
            .unwrap_err()
            .to_string()
    };
    let line = || balance("line", "a - b");
    #[rustfmt::skip]
    let cases = [
        (error(&zero(0.0), &[], &[line()]), "`a` has an uncertainty of 0; it must be above zero, from the class of its meter and the step of its register"),
        (error(&zero(-1.0), &[], &[line()]), "`a` has an uncertainty of -1; it must be above zero, from the class of its meter and the step of its register"),
        (error(&nan, &[], &[]), "`a` is not a finite number; treat it as unmeasured"),
        (error(&two, &["a"], &[line()]), "`a` is there twice; a variable is measured by one meter or unmeasured"),
        (error(&two, &[], &[balance("line", "a - c")]), "constraint `line` names `c`, which is neither measured nor unmeasured"),
        (error(&two, &[], &[balance("line", "a - a")]), "constraint `line` names `a` twice; add up its coefficients"),
        (error(&two, &[], &[balance("line", "")]), "constraint `line` has no terms; leave it out"),
        (error(&two, &[], &[line(), balance("again", "b - a")]), "constraint `again` follows from `line`; leave it out"),
        (error(&two, &[], &[line(), plus(2.0), balance("third", "a")]), "constraint `third` contradicts `line`, `sum`: their left sides are the same, their constants are not"),
        (error(&two, &[], &[plus(2.0), Constraint { name: "other".into(), ..plus(3.0) }]), "constraint `other` contradicts `sum`: their left sides are the same, their constants are not"),
        (error(&two, &["z"], &[balance("one", "a - z"), balance("two", "b - z"), balance("three", "a - b")]), "constraint `three` follows from `one`, `two`; leave it out"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

proptest! {
    /// However wrong the meters are: reconciled values close every balance, no value is
    /// less certain than its reading, and a reconciled park has nothing left to correct.
    #[test]
    fn what_is_reconciled_closes_and_stays(
        readings in prop::collection::vec((-1e4_f64..1e4, 0.01_f64..50.0), 9),
    ) {
        let names = ["grid", "pv", "f1", "f2", "a", "b", "c", "d", "e"];
        let given: Vec<Measured> = names
            .iter()
            .zip(&readings)
            .map(|(name, (value, uncertainty))| Measured { name: (*name).into(), value: *value, uncertainty: *uncertainty })
            .collect();
        let nodes = [balance("bus", "grid + pv - f1 - f2"), balance("f1", "f1 - a - b"), balance("f2", "f2 - c - d - e")];
        let found = reconcile(&given, &[], &nodes).unwrap();
        for node in &nodes {
            let sum: f64 = node.terms.iter().map(|(name, sign)| {
                let one = found.measured.iter().find(|one| one.name == *name).unwrap();
                sign * one.value
            }).sum();
            prop_assert!(sum.abs() < 1e-8, "{} misses by {}", node.name, sum);
        }
        for (one, (_, u)) in found.measured.iter().zip(&readings) {
            prop_assert!(one.uncertainty <= *u && one.test.is_some());
        }
        let again: Vec<Measured> = found.measured.iter().zip(&readings).map(|(one, (_, uncertainty))| Measured {
            name: Arc::clone(&one.name), value: one.value, uncertainty: *uncertainty,
        }).collect();
        let again = reconcile(&again, &[], &nodes).unwrap();
        prop_assert!(again.global.unwrap().chi_square < 1e-9);
        // The order of the constraints and their signs are a matter of taste.
        let turned: Vec<Constraint> = nodes.iter().rev().map(|node| Constraint {
            terms: node.terms.iter().map(|(name, sign)| (Arc::clone(name), -3.0 * sign)).collect(),
            ..node.clone()
        }).collect();
        let other = reconcile(&given, &[], &turned).unwrap();
        for (one, other) in found.measured.iter().zip(&other.measured) {
            prop_assert!((one.value - other.value).abs() < 1e-7);
        }
    }
}
