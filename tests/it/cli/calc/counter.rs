//! `calc counter` beside the vectors of registers.

use serde_json::{Value, json};

use super::{answer, answer_to, by_flags, by_input, fixture, list, near, number};

/// Source: interval_cases.json `counter_rollover`, by flags and from a file.
#[tokio::test]
async fn steps_are_those_of_the_vectors() {
    let vectors = fixture("interval_cases.json");
    for case in list(&vectors["counter_rollover"]) {
        let words = format!(
            "counter --old {} --new {} --modulus {} --max-plausible {}",
            case["old"], case["new"], case["modulus"], case["max_plausible"]
        );
        let given = json!({"old": case["old"], "new": case["new"], "modulus": case["modulus"],
                           "max_plausible": case["max_plausible"]});
        for found in [answer(&words).await, answer_to("counter", &given).await] {
            let what = format!("{case}");
            assert_eq!(found["status"], case["expect_status"], "{what}");
            if case["expect_delta"].is_null() {
                assert_eq!(found["delta"], Value::Null, "{what}");
                assert_eq!(found["energy_kwh"], Value::Null, "{what}");
            } else {
                near(&found["delta"], &case["expect_delta"], 1e-12, &what);
                near(&found["energy_kwh"], &case["expect_delta"], 1e-12, &what);
            }
        }
    }
}

/// Source: interval_cases.json `meter_exchange` and `ct_vt`.
#[tokio::test]
async fn an_exchange_is_two_segments_with_a_factor_each() {
    let vectors = fixture("interval_cases.json");
    let (old, new) = (
        &vectors["meter_exchange"]["old_meter"],
        &vectors["meter_exchange"]["new_meter"],
    );
    let words = format!(
        "counter --old {} --exchange {},{},{} --new {} --multiplier {}",
        old["start"],
        old["final"],
        new["initial"],
        new["multiplier"],
        new["end"],
        old["multiplier"]
    );
    let found = answer(&words).await;
    near(
        &found["energy_kwh"],
        &vectors["meter_exchange"]["expect_energy_kWh"],
        0.0,
        "exchange",
    );
    assert_eq!(found["segments"][0]["energy_kwh"], "704.000000");
    assert_eq!(found["segments"][1]["energy_kwh"], "396.000000");
    let given = json!({"old": old["start"], "new": new["end"], "multiplier": old["multiplier"], "exchanges": [
        {"old_end": old["final"], "new_start": new["initial"], "multiplier": new["multiplier"]}]});
    assert_eq!(
        answer_to("counter", &given).await["energy_kwh"],
        "1100.000000"
    );
    // Without a factor of its own the new meter has that of the old one.
    let found =
        answer("counter --old 10 --exchange 12,0 --exchange 1,5 --new 6 --multiplier 2").await;
    assert_eq!(found["energy_kwh"], "8.000000");
    // What one segment cannot say, the sum cannot.
    let found = answer("counter --old 10 --exchange 9,0 --new 6").await;
    assert_eq!(
        (&found["status"], &found["energy_kwh"]),
        (&json!("reset_or_exchange"), &Value::Null)
    );
    for case in list(&vectors["ct_vt"]) {
        let found = answer(&format!(
            "counter --old 0 --new {} --multiplier {}",
            case["secondary_kWh"], case["expect_multiplier"]
        ))
        .await;
        near(
            &found["energy_kwh"],
            &case["expect_primary_kWh"],
            0.0,
            "ct_vt",
        );
    }
}

/// One row per register that somebody can read.
#[tokio::test]
async fn a_nameplate_says_how_far_a_register_can_have_come() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, Option<&str>, Option<&str>)] = &[
        // readings and nameplate                                           status                kWh             Δmax
        ("--old 1000 --new 1010 --rated 36kW --seconds 940",                "ok",                 Some("10.000000"), Some("14")),
        ("--old 1000 --new 1014 --rated 36kW --seconds 940",                "ok",                 Some("14.000000"), Some("14")),
        ("--old 1000 --new 1015 --rated 36kW --seconds 940",                "implausible_jump",   None,            Some("14")),
        ("--old 1000 --new 1010 --unit 0.1kWh --rated 36kW --seconds 940",  "ok",                 Some("1.000000"), Some("122")),
        ("--old 99995 --new 4 --digits 5 --rated 36kW --seconds 940",       "rollover",           Some("9.000000"), Some("14")),
        ("--old 99995 --new 4 --rated 36kW --seconds 940",                  "reset_or_exchange",  None,            Some("14")),
        ("--old 65530 --new 20 --bits 16 --unit Wh --rated 1kW --seconds 60", "rollover",         Some("0.026000"), Some("42")),
        ("--old 65530 --new 65535 --bits 16 --unit Wh --rated 1MW --seconds 60", "implausible_jump", None,         Some("40002")),
        ("--old 4294967290 --new 14 --bits 64 --seconds 60",                "reset_or_exchange",  None,            Some("40002")),
        ("--old 99999 --new 999 --digits 5 --seconds 60",                   "rollover",           Some("1000.000000"), Some("40002")),
        ("--old 99998 --new 999 --digits 5 --seconds 60",                   "reset_or_exchange",  None,            Some("40002")),
        ("--old 99999 --new 999 --digits 5",                                "rollover",           Some("1000.000000"), None),
        ("--old 0 --new 9 --unit 1GJ",                                      "ok",                 Some("2500.000000"), None),
        ("--old 0 --new 1 --unit 0.001GJ",                                  "ok",                 Some("0.277778"), None),
        ("--old 7.25 --new 7.50",                                           "ok",                 Some("0.250000"), None),
    ];
    for (words, status, kwh, most) in cases {
        let found = answer(&format!("counter {words}")).await;
        assert_eq!(found["status"], *status, "{words} {found}");
        assert_eq!(found["energy_kwh"].as_str(), *kwh, "{words} {found}");
        assert_eq!(found["max_plausible"].as_str(), *most, "{words} {found}");
    }
    let wh = answer("counter --old 0 --new 1 --unit 0.001GJ").await;
    assert!((number(&wh["energy_wh"]) - 277.778).abs() < 1e-9);
}

#[tokio::test]
async fn the_text_says_what_became_of_it_and_what_to_do() {
    let said = by_flags(
        "counter --old 12345.6 --new 0.4 --digits 5 --unit 1kWh --rated 250kW --seconds 900",
    )
    .await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    for words in [
        "12345.6 to 0.4: reset_or_exchange",
        "100000.0",
        "250kW",
        "900",
        "Δmax",
        "--exchange",
        "energy: unknown",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
}

#[tokio::test]
async fn a_register_that_cannot_be_is_refused() {
    #[rustfmt::skip]
    let cases: &[(&str, &str)] = &[
        ("--old 1",                                             "say --new"),
        ("--old 1 --new 1e3",                                   "`1e3` is no decimal"),
        ("--old -1 --new 1",                                    "shows nothing below zero"),
        ("--old 1 --new -1 --digits 5",                         "shows nothing below zero"),
        ("--old 1 --new 100000 --digits 5",                     "starts again before"),
        ("--old 1 --new 2 --digits 5 --bits 16",                "is said once: --modulus above 0"),
        ("--old 1 --new 2 --bits 20",                           "--bits 16, 32 or 64"),
        ("--old 1 --new 2 --modulus 0",                         "--modulus above 0"),
        ("--old 1 --new 2 --rated 5kW",                         "--rated with --seconds"),
        ("--old 1 --new 2 --rated 5kW --seconds 0",             "--seconds above 0"),
        ("--old 1 --new 2 --rated 5kW --seconds 9 --max-plausible 5", "is said once: --rated"),
        ("--old 1 --new 2 --rated 5 --seconds 60",              "`5` is no nameplate power"),
        ("--old 1 --new 2 --unit 5",                            "`5` is no worth of a count"),
        ("--old 1 --new 2 --unit 0kWh",                         "`0kWh` is no worth of a count"),
        ("--old 1 --new 2 --multiplier 0",                      "0 is no multiplier"),
        ("--old 1 --new 2 --exchange 5",                        "write OLD_END,NEW_START"),
    ];
    for (words, said) in cases {
        by_flags(&format!("counter {words}"))
            .await
            .must_say(64, &[said]);
    }
    let given = json!({"old": -1, "new": 5});
    by_input("counter", &given.to_string(), &[])
        .await
        .must_say(65, &["standard input: -1 is no reading"]);
    let given = json!({"old": true, "new": 5});
    by_input("counter", &given.to_string(), &[])
        .await
        .must_say(65, &["`true` is no decimal"]);
}
