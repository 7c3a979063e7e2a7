//! `plan`, and what `check` says of a line that is overbooked.

use serde_json::json;

use super::write;
use crate::support::daemon::ask;

/// A park with meters on a line and one on a network. Each meter has two blocks of
/// registers, far apart.
fn park(baud: u32, meters: usize, period: &str) -> String {
    let mut text = format!(
        "[park]\nid = \"fanshi\"\nname = \"A park\"\ntime_zone = \"Asia/Shanghai\"\n\
         [store]\ndir = \"/nowhere/store\"\n\
         [bus.line.rtu]\ndevice = \"/dev/ttyUSB0\"\nbaud = {baud}\nparity = \"even\"\n\
         [bus.main.tcp]\nhost = \"10.0.0.10\"\n"
    );
    let points = "point = [\n  { quantity = \"power\", address = 0, type = \"f32\", unit = \"W\" },\n  \
         { quantity = \"energy_import\", address = 5000, type = \"u64\", unit = \"Wh\" },\n]\n";
    for nth in 1..=meters {
        text.push_str(&format!(
            "[[meter]]\nid = \"t{nth}\"\nrole = \"tenant\"\nbus = \"line\"\nunit = {nth}\nperiod = \"{period}\"\n{points}"
        ));
    }
    text.push_str(&format!(
        "[[meter]]\nid = \"pcc\"\nrole = \"grid\"\nbus = \"main\"\nunit = 1\nperiod = \"1s\"\n{points}"
    ));
    text
}

#[tokio::test]
async fn a_plan_says_what_each_bus_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "park.toml", &park(9_600, 2, "1s"));
    let said = ask(&["plan", "--config", &file, "--json"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    let document = said.json();
    let buses = document["buses"].as_array().unwrap();
    assert_eq!(buses.len(), 2);
    let line = &buses[0];
    assert_eq!(
        (&line["name"], &line["wiring"]),
        (&json!("line"), &json!("rtu"))
    );
    assert_eq!(
        (&line["endpoint"], &line["cost"]["source"]),
        (&json!("/dev/ttyUSB0"), &json!("line"))
    );
    assert_eq!(line["warning"], json!(null));
    let meter = &line["meters"][1];
    assert_eq!(
        (&meter["id"], &meter["unit"], &meter["requests_per_cycle"]),
        (&json!("t2"), &json!(2), &json!(2))
    );
    let request = &meter["requests"][1];
    assert_eq!(
        (&request["fc"], &request["address"], &request["count"]),
        (&json!(3), &json!(5_000), &json!(4))
    );
    // 8 bytes of question, 5 and the values of the answer.
    assert_eq!(
        (&request["bytes"], &meter["bytes_per_cycle"]),
        (&json!(21), &json!(38))
    );
    // 38 characters of eleven bits at 9600 baud are 43.5 ms; four silences and two
    // turnarounds of 30 ms come to it.
    let ms = meter["ms_per_cycle"].as_f64().unwrap();
    assert!((110.0..150.0).contains(&ms), "{ms}");
    let (pct, load) = (
        meter["load_pct"].as_f64().unwrap(),
        line["load_pct"].as_f64().unwrap(),
    );
    assert!(
        (pct - ms / 10.0).abs() < 0.01 && (load - 2.0 * pct).abs() < 0.01,
        "{pct} {load}"
    );
    // Over a network a frame has other bytes around it, and its time is assumed.
    let network = &buses[1];
    assert_eq!(
        (
            &network["cost"]["source"],
            &network["meters"][0]["bytes_per_cycle"]
        ),
        (&json!("assumed"), &json!(54))
    );
    let slow = ask(&["plan", "--config", &file, "--json", "--latency", "200ms"]).await;
    let load = slow.json()["buses"][1]["load_pct"].as_f64().unwrap();
    assert!((40.0..45.0).contains(&load), "{load}");

    let said = ask(&["plan", "--config", &file]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    for words in [
        "bus line (/dev/ttyUSB0, rtu): load ",
        "by the arithmetic of the line",
        "5000 to 5003",
        "bus main (10.0.0.10:502, tcp)",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
    assert!(!said.out.contains("WARNING"), "{}", said.out);
}

#[tokio::test]
async fn a_line_that_is_booked_above_seventy_percent_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "park.toml", &park(9_600, 7, "1s"));
    let said = ask(&["plan", "--config", &file]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    for words in [
        "WARNING: booked to ",
        "longer periods",
        "a higher baud rate",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
    let document = ask(&["plan", "--config", &file, "--json"]).await.json();
    let line = &document["buses"][0];
    let load = line["load_pct"].as_f64().unwrap();
    assert!((70.0..100.0).contains(&load), "{load}");
    assert!(line["warning"].as_str().unwrap().contains("higher baud"));
    // Busy is not too much.
    let checked = ask(&["check", "--config", &file]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    // The same meters on a faster line, or asked less often.
    for (baud, period) in [(115_200, "1s"), (9_600, "2s")] {
        let file = write(dir.path(), "park.toml", &park(baud, 7, period));
        let document = ask(&["plan", "--config", &file, "--json"]).await.json();
        assert_eq!(
            document["buses"][0]["warning"],
            json!(null),
            "{baud} {period}"
        );
    }
}

#[tokio::test]
async fn an_overbooked_line_is_a_problem_of_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "park.toml", &park(9_600, 12, "1s"));
    let said = ask(&["check", "--config", &file, "--json"]).await;
    assert_eq!(said.code, Some(78), "{said:?}");
    let document = said.json();
    assert_eq!(document["ok"], false);
    let problems = document["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0]["path"], "bus.line");
    let fact = problems[0]["fact"].as_str().unwrap();
    assert!(fact.contains("% of the time of this line"), "{fact}");
    let remedy = problems[0]["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("longer periods") && remedy.contains("sunledger plan"),
        "{remedy}"
    );
    let said = ask(&["check", "--config", &file]).await;
    said.must_say(
        78,
        &["bus.line: its meters ask for", "remedy: longer periods"],
    );
    // A network is not judged: nobody knows its latency.
    let text = park(9_600, 12, "1s").replace(
        "[bus.line.rtu]\ndevice = \"/dev/ttyUSB0\"\nbaud = 9600\nparity = \"even\"\n",
        "[bus.line.tcp]\nhost = \"10.0.0.11\"\n",
    );
    let file = write(dir.path(), "park.toml", &text);
    let said = ask(&["check", "--config", &file]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
}
