//! `calc transformer` beside the cases of the specification.

use serde_json::{Value, json};

use super::{answer, answer_to, by_flags, fixture, list, near, number};

/// Source: interval_cases.json `transformer_loss`.
#[tokio::test]
async fn transformers_take_what_the_cases_say_by_flags_and_by_file() {
    let vectors = fixture("interval_cases.json");
    let set = &vectors["transformer_loss"];
    let plate = format!(
        "--rated-power {}kVA --no-load-loss {}kW --load-loss {}kW --no-load-current-pct {} \
         --short-circuit-pct {}",
        set["Sn_kVA"], set["P0_kW"], set["Pk_kW"], set["i0_pct"], set["uk_pct"]
    );
    for case in list(&set["cases"]) {
        let words = format!(
            "transformer {plate} --power {}kW --reactive {}kvar --voltage {}V",
            case["P_LV_kW"], case["Q_LV_kvar"], case["U_pu"]
        );
        let found = answer(&words).await;
        for (ours, theirs) in [
            ("loss_w", "expect_dP_kW"),
            ("loss_var", "expect_dQ_kvar"),
            ("boundary_w", "P_HV_kW"),
        ] {
            let kilo = json!(number(&found[ours]) / 1e3);
            near(&kilo, &case[theirs], 0.500_001e-6, &words);
        }
        let parts = number(&found["loss_of_import_w"]) + number(&found["loss_of_export_w"]);
        near(&json!(parts), &found["loss_w"], 0.0, &words);
        let import = number(&case["P_LV_kW"]) >= 0.0;
        let other = if import {
            "loss_of_export_w"
        } else {
            "loss_of_import_w"
        };
        assert_eq!(number(&found[other]), 0.0, "{words}");
        let var = number(&case["Q_LV_kvar"]) * 1e3 + number(&found["loss_var"]);
        near(&found["boundary_var"], &json!(var), 1e-6, &words);
        let mut given = found["input"].clone();
        strip(&mut given);
        assert_eq!(found, answer_to("transformer", &given).await, "{words}");
    }
    let other = format!("transformer {plate} --power 800kW --boundary park_side");
    let found = answer(&other).await;
    near(&found["boundary_w"], &json!(794_675.0), 1e-6, &other);
    assert_eq!(found["voltage"], "rated");
    assert_eq!(found["boundary_var"], Value::Null);
}

/// Without the keys that were not said.
fn strip(given: &mut Value) {
    let given = given.as_object_mut().unwrap();
    given.retain(|_, value| !value.is_null());
}

#[tokio::test]
async fn a_transformer_that_cannot_be_is_refused_by_name() {
    let plate = "--rated-power 1600kVA --no-load-loss 1.7kW --load-loss 14.5kW \
                 --no-load-current-pct 0.5 --short-circuit-pct 6";
    #[rustfmt::skip]
    let cases = [
        ("--rated-power 1600kVA",                                          "say --no-load-loss"),
        (&format!("{plate} --power 800"),                                  "--power: `800` is no number in W"),
        (&format!("{plate} --power 800kW --reactive 1kvar --apparent 1kVA"), "say the same"),
        (&format!("{plate} --power 800kW --rated-voltage 400V --voltage 100V"), "25.0 % of the 400 V"),
        (&format!("{plate} --power 800kW --boundary hv"),                  "one of grid_side, park_side"),
        (&format!("{} --power 800kW", plate.replace("1600kVA", "1600VA")), "in another unit?"),
    ];
    for (words, expected) in cases {
        let said = by_flags(&format!("transformer {words}")).await;
        said.must_say(64, &[expected]);
    }
}
