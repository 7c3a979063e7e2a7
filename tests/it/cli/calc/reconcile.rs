//! `calc reconcile` beside the vectors of reconciliations.

use serde_json::{Value, json};

use super::{answer_to, by_flags, by_input, fixture, list, near, number};

fn either<'a>(case: &'a Value, one: &str, other: &str) -> &'a Value {
    if case[one].is_null() {
        &case[other]
    } else {
        &case[one]
    }
}

/// A vector as the file of a reconciliation; its uncertainties are given, or follow from
/// class and step where it has those.
fn file(case: &Value, by_class: bool) -> Value {
    let names = list(either(case, "names", "names_measured"));
    let measured = names.iter().enumerate().map(|(place, name)| {
        if by_class {
            json!({"name": name, "value": case["y"][place], "class_pct": case["class_mpe_pct"][place],
                   "quantum": case["register_quantum_kWh"]})
        } else {
            json!({"name": name, "value": case["y"][place], "uncertainty": case["u"][place]})
        }
    });
    let open = case["unmeasured"].as_array().cloned().unwrap_or_default();
    let rows = list(either(case, "A", "A_measured")).iter().enumerate();
    let constraints = rows.map(|(row, cells)| {
        let others = case["B_unmeasured"][row]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let names = names.iter().chain(&open);
        let terms = names.zip(list(cells).iter().chain(&others));
        let terms: Vec<Value> = terms
            .filter(|(_, cell)| number(cell) != 0.0)
            .map(|(name, cell)| json!([name, cell]))
            .collect();
        json!({"name": format!("node {row}"), "terms": terms})
    });
    json!({"unit": "kWh", "measured": measured.collect::<Vec<_>>(), "unmeasured": open,
           "constraints": constraints.collect::<Vec<_>>()})
}

/// What the vector expects, within what its digits allow.
fn agrees(found: &Value, case: &Value, allowed: f64) {
    let name = case["name"].as_str().unwrap();
    let expect = &case["expect"];
    near(&found["global"]["chi_square"], &expect["chi2"], 1e-4, name);
    assert_eq!(found["global"]["degrees"], expect["dof"], "{name}");
    near(
        &found["global"]["limit"],
        &expect["chi2_crit95"],
        1e-9,
        name,
    );
    near(&found["global"]["p_value"], &expect["p_value"], 1e-7, name);
    near(&found["z_limit"], &expect["z_crit_sidak"], 1e-9, name);
    let passes = number(&expect["chi2"]) <= number(&expect["chi2_crit95"]);
    assert_eq!(found["global"]["passes"], passes, "{name}");
    for (place, one) in list(&found["measured"]).iter().enumerate() {
        let what = format!("{name} {}", one["name"]);
        near(&one["raw"], &case["y"][place], 0.0, &what);
        near(&one["raw_uncertainty"], &case["u"][place], 1e-9, &what);
        near(&one["value"], &expect["x"][place], allowed, &what);
        near(&one["uncertainty"], &expect["u_x"][place], allowed, &what);
        near(&one["adjustment"], &expect["adj"][place], allowed, &what);
        if one["checked"] == true {
            near(&one["z"], &expect["z_meas"][place], allowed, &what);
            near(&one["vdi"], &expect["vdi2048"][place], allowed, &what);
        } else {
            assert_eq!(
                (&one["z"], &expect["z_meas"][place]),
                (&Value::Null, &json!(0.0)),
                "{what}"
            );
        }
    }
    let unmeasured = case["expect_unmeasured"].as_array().into_iter().flatten();
    let ours = list(&found["unmeasured"]);
    assert_eq!(
        ours.len(),
        case["unmeasured"].as_array().map_or(0, Vec::len)
    );
    for (ours, theirs) in ours.iter().zip(unmeasured) {
        assert_eq!(ours["name"], theirs["name"]);
        near(&ours["value"], &theirs["value"], 1e-6, name);
        near(&ours["uncertainty"], &theirs["u"], 1e-6, name);
    }
}

/// Source: reconcile.json, all cases.
#[tokio::test]
async fn every_vector_is_reconciled_from_a_file() {
    for case in list(&fixture("reconcile.json")["cases"]) {
        agrees(
            &answer_to("reconcile", &file(case, false)).await,
            case,
            1e-6,
        );
        if !case["class_mpe_pct"].is_null() {
            agrees(&answer_to("reconcile", &file(case, true)).await, case, 1e-6);
        }
    }
}

#[tokio::test]
async fn suspects_and_unchecked_meters_are_named() {
    let cases = fixture("reconcile.json");
    let case = |name: &str| {
        list(&cases["cases"])
            .iter()
            .find(|case| case["name"] == name)
            .unwrap()
    };
    let tree = file(case("C_tree_T4_low"), false);
    let found = answer_to("reconcile", &tree).await;
    assert_eq!(found["suspects"][0]["names"], json!(["T3", "T4"]), "a tie");
    assert_eq!(found["suspects"][1]["names"], json!(["F2"]));
    assert_eq!(found["unchecked"], json!([]));
    let said = by_input("reconcile", &tree.to_string(), &[]).await;
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(0), ""),
        "a suspect is an answer"
    );
    for words in ["suspect: T3 or T4", "kWh", "34.100000", "fails", "node 3"] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
    let heat = file(case("D_heat_unmeasured_loss"), false);
    let found = answer_to("reconcile", &heat).await;
    assert_eq!(found["unchecked"], json!(["T1", "T2", "T3"]));
    assert_eq!(found["suspects"], json!([]));
    assert_eq!(found["constraints"][1]["miss"], Value::Null);
    let said = by_input("reconcile", &heat.to_string(), &[]).await;
    for words in [
        "checked by no constraint: T1, T2, T3",
        "9.164920 ± 3.010037 kWh",
        "unchecked",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
}

/// Two meters in one line, by the words of a technician.
#[tokio::test]
async fn what_flows_in_flows_out_and_a_class_is_a_word() {
    let given = |class: Value| {
        json!({"unit": "kWh", "measured": [
                  {"name": "main", "value": 1000.0, "class": class, "ct_pct": 0.5, "quantum": 1.0},
                  {"name": "check", "value": 1010.0, "class_pct": 1.0}],
               "constraints": [{"name": "line", "in": ["main"], "out": ["check"]}]})
    };
    let found = answer_to("reconcile", &given(json!("0.5S"))).await;
    near(
        &found["measured"][0]["raw_uncertainty"],
        &json!(4.102_845),
        1e-6,
        "class, CT, count",
    );
    near(
        &found["measured"][1]["raw_uncertainty"],
        &json!(1010.0 / 100.0 / 3.0_f64.sqrt()),
        1e-9,
        "class",
    );
    near(
        &found["constraints"][0]["miss"],
        &json!(-10.0),
        1e-9,
        "main − check",
    );
    near(
        &found["measured"][0]["value"],
        &found["measured"][1]["value"],
        1e-9,
        "they agree",
    );
    let said = by_input("reconcile", &given(json!("0.3")).to_string(), &[]).await;
    said.must_say(65, &["`main`: `0.3` is no class; one of 0.2S, 0.5S"]);
    // A constant stands on the other side.
    let mut shifted = given(json!("0.5S"));
    shifted["constraints"][0]["constant"] = json!(-10.0);
    let found = answer_to("reconcile", &shifted).await;
    near(
        &found["constraints"][0]["miss"],
        &json!(0.0),
        1e-9,
        "it holds",
    );
}

#[tokio::test]
async fn what_cannot_be_reconciled_is_refused() {
    let meter = |name: &str| json!({"name": name, "value": 5.0, "uncertainty": 0.1});
    let line = |terms: Value| json!([{"name": "line", "terms": terms}]);
    let two = json!([meter("a"), meter("b")]);
    let balance = line(json!([["a", 1], ["b", -1]]));
    #[rustfmt::skip]
    let cases: &[(&Value, &Value, &str)] = &[
        (&json!([meter("a"), meter("a")]), &balance,                              "`a` is there twice"),
        (&two, &line(json!([["a", 1], ["c", -1]])),                               "neither measured nor unmeasured; add it to"),
        (&two, &line(json!([["a", 1], ["a", -1]])),                               "add up its coefficients"),
        (&two, &line(json!([])),                                                  "has no terms; leave it out"),
        (&two, &json!([balance[0], balance[0]]),                                  "follows from `line`; leave it out"),
        (&two, &json!([balance[0], {"name": "other", "in": ["a"], "out": ["b"], "constant": 3}]), "contradicts `line`"),
        (&json!([{"name": "a", "value": 5, "uncertainty": 0}, meter("b")]), &balance, "`a` has an uncertainty of 0"),
        (&json!([{"name": "a", "value": 0, "class": "1"}, meter("b")]), &balance,  "`a` has an uncertainty of 0"),
        (&json!([{"name": "a", "value": 5}, meter("b")]), &balance,                "`a` says its `uncertainty`, or"),
        (&json!([{"name": "a", "value": 5, "uncertainty": 1, "class": "1"}, meter("b")]), &balance, "one of the two"),
        (&json!([{"name": "a", "value": 5, "class_pct": 1, "class": "1"}, meter("b")]), &balance, "leave one out"),
        (&json!([{"name": "a", "value": 5, "class_pct": -1}, meter("b")]), &balance, "an error below zero"),
        (&json!([{"name": "a", "value": null}]), &balance,                        "docs/calc.md"),
    ];
    for (measured, constraints, words) in cases {
        let given = json!({"measured": measured, "constraints": constraints});
        by_input("reconcile", &given.to_string(), &[])
            .await
            .must_say(65, &["standard input: ", words]);
    }
    by_flags("reconcile")
        .await
        .must_say(64, &["say --file FILE"]);
}

/// Flow and temperatures beside a heat meter and the boiler before it.
fn carried() -> Value {
    json!({"unit": "kW", "measured": [
        {"name": "flow", "value": 40.6, "uncertainty": 0.4},
        {"name": "supply", "value": 90.0, "uncertainty": 0.3},
        {"name": "return", "value": 50.0, "uncertainty": 0.3},
        {"name": "meter", "value": 1840.0, "uncertainty": 18.0},
        {"name": "boiler", "value": 1835.0, "uncertainty": 12.0}],
      "constraints": [
        {"name": "pipe", "out": ["meter"], "heat": [
            {"flow": "flow", "supply": "supply", "return": "return", "fluid": "water", "sensor": "return"}]},
        {"name": "header", "in": ["boiler"], "out": ["meter"]}]})
}

/// Source: the least squares of scipy 1.17.1 (SLSQP, `ftol` 1e-14) over the water of
/// iapws 1.5.5 at 16 bar; it ends within a millionth of its own solution.
#[tokio::test]
async fn heat_that_a_flow_carries_is_reconciled_with_flow_and_temperatures() {
    let found = answer_to("reconcile", &carried()).await;
    let expected = [
        40.331_280_02,
        89.845_837_48,
        50.156_023_91,
        1_840.208_042_91,
        1_840.208_042_91,
    ];
    for (one, expected) in list(&found["measured"]).iter().zip(expected) {
        near(
            &one["value"],
            &json!(expected),
            1e-5,
            one["name"].as_str().unwrap(),
        );
    }
    near(
        &found["global"]["chi_square"],
        &json!(1.174_358_336_6),
        1e-6,
        "χ²",
    );
    assert_eq!(found["global"]["degrees"], 2);
    // Without the meter of the supply it follows from the others.
    let mut open = carried();
    open["measured"].as_array_mut().unwrap().remove(1);
    open["unmeasured"] = json!(["supply"]);
    let found = answer_to("reconcile", &open).await;
    let supply = &found["unmeasured"][0];
    assert_eq!(supply["name"], "supply");
    assert!((number(&supply["value"]) - 89.4).abs() < 0.5, "{supply}");
    assert!(number(&supply["uncertainty"]) > 0.3, "{supply}");
    // Megawatts.
    let mut mega = carried();
    for place in [3, 4] {
        let one = &mut mega["measured"][place];
        one["value"] = json!(number(&one["value"]) / 1e3);
        one["uncertainty"] = json!(number(&one["uncertainty"]) / 1e3);
    }
    mega["constraints"][0]["heat"][0]["coefficient"] = json!(0.001);
    let found = answer_to("reconcile", &mega).await;
    near(
        &found["measured"][0]["value"],
        &json!(40.331_280_02),
        1e-5,
        "flow",
    );
}

#[tokio::test]
async fn heat_that_can_not_be_is_refused_with_what_would_be_right() {
    let change = |pointer: &str, value: Value| {
        let mut given = carried();
        *given.pointer_mut(pointer).unwrap() = value;
        given
    };
    let mut unmeasured = carried();
    unmeasured["measured"].as_array_mut().unwrap().remove(0);
    unmeasured["unmeasured"] = json!(["flow"]);
    let cases = [
        (
            change("/measured/1/value", json!(250.0)),
            "constraint `pipe`",
        ),
        (
            change("/constraints/0/heat/0/flow", json!("flaw")),
            "names `flaw`, which is no variable",
        ),
        (change("/constraints/0/heat/0/fluid", json!("wine")), "wine"),
        (unmeasured, "the flow `flow` is not measured"),
    ];
    for (given, words) in cases {
        let said = by_input("reconcile", &given.to_string(), &[]).await;
        assert_eq!(said.code, Some(65), "{words}: {}", said.err);
        assert!(said.err.contains(words), "{words:?} in {}", said.err);
    }
}
