//! `calc heat` beside the tables of the standard, of mixtures, and of increments.

use serde_json::{Value, json};

use super::{answer, answer_to, by_flags, by_input, fixture, list, near, number};

/// A table of `tests/fixtures`: each line as column and cell.
fn table(name: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| {
            let cells = head.iter().zip(line.split(','));
            cells
                .map(|(head, cell)| ((*head).to_owned(), cell.to_owned()))
                .collect()
        })
        .collect()
}

#[tokio::test]
async fn a_cubic_metre_between_90_and_50_degrees_is_a_line_of_the_standard() {
    let found = answer(
        "heat --fluid water --flow-temp 90 --return-temp 50 --pressure 16 --sensor return --volume 1",
    )
    .await;
    // Source: en1434_k.csv, 16 bar, 90/50: E_return of 0.1 m³ is 4598.74 Wh.
    near(&found["energy_kwh"], &json!(45.9874), 5e-5, "heat");
    near(
        &found["k_kwh_per_m3_k"],
        &json!(45.987_413 / 40.0),
        1e-7,
        "k",
    );
    near(
        &found["energy_mj"],
        &json!(number(&found["energy_kwh"]) * 3.6),
        1e-9,
        "MJ",
    );
    let (rho, hot, cold) = (
        number(&found["density_return_kg_per_m3"]),
        number(&found["enthalpy_flow_kj_per_kg"]),
        number(&found["enthalpy_return_kj_per_kg"]),
    );
    let by_hand = rho * (hot - cold) / 3_600.0;
    near(&found["energy_kwh"], &json!(by_hand), 1e-9, "ρ Δh");
    assert_eq!(found["input"]["flow_temp"], 90.0);
    let said = by_flags(
        "heat --fluid water --flow-temp 90 --return-temp 50 --pressure 16 --sensor return --volume 1",
    )
    .await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    for words in [
        "90  °C",
        "50  °C",
        "16  bar absolute",
        "1  m³",
        "45.987",
        "kWh/(m³·K)",
        "return",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
}

/// Source: en1434_k.csv, to its printed digits.
#[tokio::test]
async fn k_and_heat_of_water_are_those_of_the_table() {
    let rows = table("en1434_k.csv");
    assert_eq!(rows.len(), 81);
    for row in rows {
        for sensor in ["flow", "return"] {
            let found = answer(&format!(
                "heat --fluid water --flow-temp {} --return-temp {} --pressure {} --sensor {sensor} --volume 0.1",
                row["t_flow_C"], row["t_return_C"], row["p_bar_abs"]
            ))
            .await;
            let theirs = |column: String| json!(row[&column].parse::<f64>().unwrap());
            let what = format!("{row:?} {sensor}");
            near(
                &found["k_kwh_per_m3_k"],
                &theirs(format!("k_{sensor}_kWh_m3K")),
                1e-6,
                &what,
            );
            let wh = json!(number(&found["energy_kwh"]) * 1e3);
            near(&wh, &theirs(format!("E_{sensor}_Wh_0p1m3")), 0.01, &what);
        }
    }
}

/// Source: glycol_k.csv.
#[tokio::test]
async fn k_of_glycols_is_that_of_their_table() {
    for row in table("glycol_k.csv") {
        let found = answer(&format!(
            "heat --fluid {} --mass-pct {} --flow-temp {} --return-temp {} --sensor {}",
            row["fluid"].to_lowercase(),
            row["x_mass_pct"],
            row["t_flow_C"],
            row["t_return_C"],
            row["sensor"]
        ))
        .await;
        let theirs = json!(row["k_kWh_m3K"].parse::<f64>().unwrap());
        near(&found["k_kwh_per_m3_k"], &theirs, 2e-6, &format!("{row:?}"));
        assert_eq!(found["energy_kwh"], Value::Null, "no volume, no heat");
    }
}

/// Source: heat_integration.json.
#[tokio::test]
async fn increments_are_summed_one_by_one() {
    let vectors = fixture("heat_integration.json");
    let steps = list(&vectors["steps"]).iter();
    let steps: Vec<Value> = steps
        .map(|step| json!({"volume": step["V_m3"], "flow_temp": step["tf"], "return_temp": step["tr"]}))
        .collect();
    let given = json!({"fluid": "water", "sensor": "return", "pressure": 16, "increments": steps});
    let found = answer_to("heat", &given).await;
    near(
        &found["energy_kwh"],
        &vectors["expect_total_kWh"],
        1e-6,
        "sum",
    );
    let gj = json!(number(&found["energy_mj"]) / 1e3);
    near(&gj, &vectors["expect_total_GJ"], 1e-8, "sum");
    let ours = list(&found["increments"]);
    for (ours, theirs) in ours.iter().zip(list(&vectors["expect_step_kWh"])) {
        near(&ours["energy_kwh"], theirs, 1e-6, "step");
    }
    assert_eq!(ours[2]["place"], "below_spread");
    assert!(
        number(&found["set_aside_kwh"]) < 0.0,
        "it flowed backwards, and is shown"
    );
    near(
        &found["mean_flow_temp"],
        &json!((800.0 + 50.0 + 19.0) / 11.5),
        1e-9,
        "mean",
    );
    near(
        &found["mean_return_temp"],
        &json!((400.0 + 45.0 + 19.05) / 11.5),
        1e-9,
        "mean",
    );

    // A mean of temperatures over time is not the heat.
    assert!(number(&found["energy_kwh"]) > 2.0 * number(&vectors["wrong_time_average_kWh"]));
    let said = by_input("heat", &given.to_string(), &[]).await;
    for words in [
        "466.972",
        "below_spread",
        "mean flow temperature, by volume",
        "75.565",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
}

#[tokio::test]
async fn the_pipe_of_the_sensor_and_a_mass_make_the_difference_they_make() {
    let vectors = fixture("heat_integration.json");
    let place = &vectors["sensor_position"];
    for (sensor, key) in [
        ("return", "expect_return_kWh"),
        ("supply", "if_configured_as_flow_kWh"),
        ("flow", "if_configured_as_flow_kWh"),
    ] {
        let found = answer(&format!(
            "heat --fluid water --supply-temp 90 --return-temp 50 --sensor {sensor} --volume 100"
        ))
        .await;
        near(&found["energy_kwh"], &place[key], 1e-3, sensor);
        let found = answer(&format!(
            "heat --fluid water --flow-temp 90 --return-temp 50 --sensor {sensor} --mass 50000"
        ))
        .await;
        near(
            &found["energy_kwh"],
            &vectors["mass_flow_equiv"]["expect_kWh"],
            1e-6,
            sensor,
        );
    }
    let found = answer(
        "heat --fluid water --flow-temp 90 --return-temp 50 --sensor return --flow 12 --for 15min",
    )
    .await;
    near(
        &found["volume_m3"],
        &json!(3.0),
        1e-12,
        "12 m³/h for a quarter of an hour",
    );
    near(
        &found["power_kw"],
        &json!(number(&found["energy_kwh"]) * 4.0),
        1e-9,
        "power",
    );
    // A hotter return is negative heat, and no cut-off hides a small one.
    let found =
        answer("heat --fluid water --flow-temp 50 --return-temp 50.1 --sensor return --volume 1")
            .await;
    assert!(number(&found["energy_kwh"]) < -0.1, "{found}");
    // Every fluid answers.
    for (fluid, hot, cold) in [
        ("therminol-vp-1", 390, 290),
        ("therminol-66", 300, 200),
        ("syltherm-800", 350, 250),
        ("solar-salt", 550, 290),
    ] {
        let words = format!(
            "heat --fluid {fluid} --flow-temp {hot} --return-temp {cold} --sensor return --volume 1"
        );
        assert!(
            number(&answer(&words).await["energy_kwh"]) > 30.0,
            "{fluid}"
        );
    }
    let warm =
        answer("heat --fluid mpg --mass-pct 30 --flow-temp 60 --return-temp 30 --sensor return")
            .await;
    assert!(
        warm["cautions"][0]
            .as_str()
            .unwrap()
            .contains("data of propylene glycol 30 % end at 40 °C")
    );
}

#[tokio::test]
async fn a_spread_that_a_meter_does_not_count_or_counts_badly_is_said() {
    let cases = [
        (90.0, 50.0, None),
        (53.0, 50.0, None),
        (52.9, 50.0, Some("below ΔΘmin of 3 K")),
        (
            50.1,
            50.0,
            Some("below a spread of 0.2 K nothing is counted"),
        ),
        (
            49.9,
            50.0,
            Some("below a spread of 0.2 K nothing is counted"),
        ),
        (48.0, 50.0, Some("below ΔΘmin of 3 K")),
        (40.0, 50.0, Some("heat flows back")),
    ];
    for (supply, back, expected) in cases {
        let words = format!(
            "heat --fluid water --flow-temp {supply} --return-temp {back} --sensor return --volume 1"
        );
        let found = answer(&words).await;
        let cautions = list(&found["cautions"]);
        assert_eq!(
            cautions.len(),
            usize::from(expected.is_some()),
            "{cautions:?}"
        );
        if let Some(expected) = expected {
            assert!(
                cautions[0].as_str().unwrap().contains(expected),
                "{cautions:?}"
            );
        }
        assert_eq!(number(&found["energy_kwh"]) < 0.0, supply < back);
    }
}

#[tokio::test]
async fn a_cut_off_of_flow_needs_the_greatest_flow_and_times() {
    let given = |seconds: Value| {
        json!({"fluid": "water", "sensor": "return", "greatest_flow": 10,
               "increments": [{"volume": 0.01, "seconds": seconds, "flow_temp": 80, "return_temp": 40}]})
    };
    let slow = answer_to("heat", &given(json!(3_600))).await;
    assert_eq!(slow["increments"][0]["place"], "below_flow");
    let fast = answer_to("heat", &given(json!(60))).await;
    assert_eq!(fast["increments"][0]["place"], "counted");
    near(
        &fast["energy_kwh"],
        &slow["set_aside_kwh"],
        1e-12,
        "the same heat",
    );
    let said = by_input("heat", &given(Value::Null).to_string(), &[]).await;
    said.must_say(65, &["increments[0]: ", "say `seconds`"]);
}

/// One row per thing that cannot be: 64 by flags, 65 in a file, with a sentence.
#[tokio::test]
async fn what_cannot_be_is_refused_by_name() {
    #[rustfmt::skip]
    let cases: &[(&str, f64, f64, f64, f64, &str)] = &[
        // fluid          flow    return   bar   m³    words
        ("water",         90.0,   -5.0,   16.0,  1.0,  "water at -5 °C is frozen"),
        ("water",        400.0,   50.0,  900.0,  1.0,  "is outside of 0.0 °C to 350.0 °C"),
        ("water",        120.0,   60.0,    1.0,  1.0,  "water at 120 °C boils below 198"),
        ("water",         90.0,   50.0,    0.0,  1.0,  "is no absolute pressure of water"),
        ("water",         90.0,   50.0,   16.0, -0.5,  "volume went back by 0.5 m³"),
        ("solar-salt",   500.0,  200.0,   16.0,  1.0,  "solar salt at 200 °C is frozen"),
        ("therminol-vp-1", 390.0, 200.0,   1.0,  1.0,  "Therminol VP-1 at 390 °C boils below"),
        ("lemonade",      90.0,   50.0,   16.0,  1.0,  "`lemonade` is not a fluid; one of `water`, `meg`"),
        ("mpg",           60.0,   30.0,   16.0,  1.0,  "say its mass fraction in percent"),
    ];
    for (fluid, flow, back, bar, volume, words) in cases {
        let said = by_flags(&format!(
            "heat --fluid {fluid} --flow-temp {flow} --return-temp {back} --pressure {bar} --sensor return --volume {volume}"
        ))
        .await;
        said.must_say(64, &[words]);
        assert_eq!(said.out, "");
        let given = json!({"fluid": fluid, "flow_temp": flow, "return_temp": back,
                           "pressure": bar, "sensor": "return", "volume": volume});
        by_input("heat", &given.to_string(), &[])
            .await
            .must_say(65, &["standard input: ", words]);
        let given = json!({"fluid": fluid, "pressure": bar, "sensor": "return", "increments": [
            {"volume": volume, "flow_temp": flow, "return_temp": back}]});
        by_input("heat", &given.to_string(), &[])
            .await
            .must_say(65, &["standard input: ", words]);
    }
}

#[tokio::test]
async fn words_that_mean_nothing_are_refused_with_what_would() {
    let water = "heat --fluid water --flow-temp 90 --return-temp 50";
    #[rustfmt::skip]
    let cases: &[(&str, &str)] = &[
        ("",                                        "say --sensor"),
        ("--sensor middle",                         "`middle` is not a pipe"),
        ("--sensor return --volume 1 --mass 1",     "how much flowed is said once"),
        ("--sensor return --flow 1",                "how much flowed is said once"),
        ("--sensor return --for 1h",                "how much flowed is said once"),
        ("--sensor return --flow 1 --for soon",     "`soon` is no duration"),
        ("--sensor return --mass-pct 30",           "leave the mass fraction out"),
        ("--sensor return --volume NaN",            "the volume is not a finite number"),
        ("--sensor return --volume much",           "--volume"),
    ];
    for (words, said) in cases {
        by_flags(&format!("{water} {words}"))
            .await
            .must_say(64, &[said]);
    }
    by_flags("heat --fluid water --sensor return --return-temp 50")
        .await
        .must_say(64, &["say --flow-temp, or `flow_temp` in a file"]);
    let both = json!({"fluid": "water", "sensor": "return", "flow_temp": 90, "increments": []});
    by_input("heat", &both.to_string(), &[])
        .await
        .must_say(65, &["each of the `increments` has its own"]);
    let neither = json!({"fluid": "water", "sensor": "return", "increments": [{"flow_temp": 90, "return_temp": 50}]});
    by_input("heat", &neither.to_string(), &[])
        .await
        .must_say(65, &["increments[0]: say `volume` in m³ or `mass` in kg"]);
}
