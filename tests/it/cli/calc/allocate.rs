//! `calc allocate` beside the vectors of allocations.

use serde_json::{Value, json};

use super::{answer, answer_to, by_flags, by_input, fixture, list, near};

/// The keys of the vectors, and what they are called here.
const KEYS: [(&str, &str); 4] = [
    ("static", "static"),
    ("static_redistribute", "static-redistributed"),
    ("dynamic_prorata", "dynamic"),
    ("cascade_ABC", "cascade"),
];

fn file(vectors: &Value, key: &str) -> Value {
    let intervals = list(&vectors["intervals"]).iter().map(|one| {
        json!({"name": one["name"], "generation": one["generation_kWh"], "consumption": one["consumption_kWh"]})
    });
    let mut given = json!({"key": key, "tenants": vectors["tenants"], "intervals": intervals.collect::<Vec<_>>()});
    match key {
        "cascade" => given["order"] = vectors["tenants"].clone(),
        "dynamic" => {}
        _ => given["shares"] = vectors["static_shares"].clone(),
    }
    given
}

/// An allocation beside its vector; the books have six decimals of a kilowatt-hour.
fn agrees(found: &Value, expect: &Value, what: &str) {
    near(&found["export_kwh"], &expect["export"], 1e-9, what);
    for (place, tenant) in list(&found["tenants"]).iter().enumerate() {
        near(&tenant["local_kwh"], &expect["local"][place], 2e-6, what);
        if !expect["grid"].is_null() {
            near(&tenant["grid_kwh"], &expect["grid"][place], 1e-6, what);
        }
    }
}

/// Source: allocation.json `intervals` and `totals`, from a file and by flags.
#[tokio::test]
async fn intervals_are_those_of_the_vectors() {
    let vectors = fixture("allocation.json");
    for (theirs, key) in KEYS {
        let found = answer_to("allocate", &file(&vectors, key)).await;
        let ours = list(&found["intervals"]);
        assert_eq!(ours.len(), 5);
        for (ours, case) in ours.iter().zip(list(&vectors["intervals"])) {
            let what = format!("{key} {}", case["name"]);
            assert_eq!(ours["name"], case["name"]);
            agrees(ours, &case["expect"][theirs], &what);
            let mut words = format!(
                "allocate --key {key} --generation {}",
                case["generation_kWh"]
            );
            for (place, name) in ["A", "B", "C"].iter().enumerate() {
                words += &format!(" --consumption {name}={}", case["consumption_kWh"][place]);
                if key.starts_with("static") {
                    words += &format!(" --share {name}={}", vectors["static_shares"][place]);
                }
            }
            if key == "cascade" {
                words += " --order A,B,C";
            }
            let by_flags = answer(&words).await;
            assert_eq!(
                by_flags["intervals"][0]["tenants"], ours["tenants"],
                "{what}"
            );
        }
        if !vectors["totals"][theirs].is_null() {
            agrees(&found["totals"], &vectors["totals"][theirs], key);
        }
    }
}

/// Source: allocation.json `dynamic_prorata_Wh_rounded` and `rounding_cases`: whole units
/// are rounded together, whichever unit the books have.
#[tokio::test]
async fn what_is_rounded_adds_up_to_the_last_digit() {
    let vectors = fixture("allocation.json");
    let rounding = list(&vectors["rounding_cases"]).iter().map(|case| {
        (
            case["generation_Wh"].clone(),
            case["consumption_Wh"].clone(),
            case["expect_dynamic_Wh"].clone(),
        )
    });
    let whole = |value: &Value| json!((value.as_f64().unwrap() * 1e3).round() as i64);
    let intervals = list(&vectors["intervals"]).iter().map(|case| {
        let used: Vec<Value> = list(&case["consumption_kWh"]).iter().map(whole).collect();
        (
            whole(&case["generation_kWh"]),
            json!(used),
            case["expect"]["dynamic_prorata_Wh_rounded"].clone(),
        )
    });
    for (generation, used, expected) in rounding.chain(intervals) {
        let given = json!({"key": "dynamic", "unit": "mWh", "tenants": ["A", "B", "C"],
                           "intervals": [{"generation": generation, "consumption": used}]});
        let found = answer_to("allocate", &given).await;
        for (ours, theirs) in list(&found["intervals"][0]["tenants"])
            .iter()
            .zip(list(&expected))
        {
            let mwh = json!(theirs.as_f64().unwrap() / 1e3);
            near(&ours["local_wh"], &mwh, 1e-12, &given.to_string());
        }
    }
}

#[tokio::test]
async fn energies_are_exact_decimals_in_the_unit_that_was_said() {
    let found = answer("allocate --key dynamic --unit Wh --generation 0.001 --consumption A=12345678901.234 --consumption B=0").await;
    let (one, other) = (
        &found["intervals"][0]["tenants"][0],
        &found["intervals"][0]["tenants"][1],
    );
    assert_eq!(one["local_wh"], "0.001");
    assert_eq!(one["grid_wh"], "12345678901.233");
    assert_eq!(one["grid_kwh"], "12345678.901233");
    assert_eq!(other["grid_kwh"], "0.000000");
    let said = by_flags("allocate --key static --generation 100 --consumption A=30 --consumption B=80 --share A=0.5 --share B=0.5").await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    for words in [
        "key: static",
        "share of A: 0.5",
        "generation 100.000000 kWh",
        "export 20.000000 kWh",
        "80.000000  50.000000  30.000000",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
}

#[tokio::test]
async fn what_cannot_be_allocated_is_refused() {
    let two = "--generation 10 --consumption A=5 --consumption B=5";
    #[rustfmt::skip]
    let cases: &[(&str, &str)] = &[
        ("--key dynamic",                                                    "say --consumption TENANT=ENERGY"),
        ("--key dynamic --consumption A=5",                                  "say --generation"),
        ("--generation 1 --consumption A=5",                                 "say --key"),
        ("--key fair --generation 1 --consumption A=5",                      "`fair` is no key; one of `static`"),
        ("--key dynamic --generation -1 --consumption A=5",                  "`generation` is -1000.000 Wh"),
        ("--key dynamic --generation 1 --consumption A=-5",                  "look for a swapped direction"),
        ("--key dynamic --generation 0.0000001 --consumption A=5",           "is no whole number of milliwatt-hours"),
        ("--key dynamic --unit kW --generation 1 --consumption A=5",         "`kW` is no unit of energy"),
        ("--key dynamic --generation 1 --consumption A",                     "write TENANT=NUMBER"),
        ("--key dynamic --generation 1 --consumption A=1 --consumption A=2", "`A` is there twice"),
        ("--key dynamic --generation 900000000000 --consumption A=1",        "more than any park moves in an interval"),
        ("--key cascade --order A,X TWO",                                    "`X` of the order is no tenant"),
        ("--key cascade --order A TWO",                                      "1 places in the cascade for 2 tenants"),
        ("--key cascade --order A,A TWO",                                    "there already"),
        ("--key dynamic --order A,B TWO",                                    "`order` means nothing with the key `dynamic`"),
        ("--key dynamic --share A=1 --share B=0 TWO",                        "`shares` means nothing"),
        ("--key static TWO",                                                 "0 shares for 2 tenants; list each tenant once"),
        ("--key static --share A=0.5 TWO",                                   "say one --share B=SHARE"),
        ("--key static --share A=0.5 --share B=0.1 --share X=0.1 TWO",       "--share X is of no tenant"),
        ("--key static --share A=0.7 --share B=0.4 TWO",                     "110 %, which is above 100 %; lower them"),
        ("--key static --share A=1.2 --share B=0.4 TWO",                     "a share of 1.2 is none; it is from 0 to 1"),
    ];
    for (words, said) in cases {
        let words = words.replace("TWO", two);
        by_flags(&format!("allocate {words}"))
            .await
            .must_say(64, &[said]);
    }
    let given = |consumption: Value| {
        json!({"key": "dynamic", "tenants": ["A", "B"], "intervals": [
            {"name": "noon", "generation": 5, "consumption": [1, 2]},
            {"name": "one", "generation": 5, "consumption": consumption}]})
        .to_string()
    };
    by_input("allocate", &given(json!([1, null])), &[])
        .await
        .must_say(65, &["interval `one`: unknown: B"]);
    by_input("allocate", &given(json!([1])), &[])
        .await
        .must_say(65, &["1 consumptions for 2 tenants"]);
    by_input("allocate", &given(json!([1, -1])), &[])
        .await
        .must_say(65, &["`B` is -1000.000 Wh"]);
}
