//! `calc`: single sums through the command line, held to the vectors that the daemon's
//! own code is held to.

mod allocate;
mod counter;
mod day;
mod documented;
mod heat;
mod reconcile;
mod transformer;

use serde_json::{Value, json};

use super::write;
use crate::support::daemon::{Ended, ask, run, sunledger};

/// A sum by flags.
async fn by_flags(words: &str) -> Ended {
    let words: Vec<&str> = words.split_whitespace().collect();
    ask(&[&["calc"], &words[..]].concat()).await
}

/// The answer of a sum by flags.
async fn answer(words: &str) -> Value {
    let said = by_flags(&format!("{words} --json")).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{words}");
    said.json()
}

/// A sum from standard input.
async fn by_input(sum: &str, given: &str, options: &[&str]) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "given.json", given);
    let mut command = sunledger(&[&["calc", sum, "--file", "-"], options].concat());
    run(command.stdin(std::fs::File::open(path).unwrap())).await
}

/// The answer of a sum from standard input.
async fn answer_to(sum: &str, given: &Value) -> Value {
    let said = by_input(sum, &given.to_string(), &["--json"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{given}");
    said.json()
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        value => value
            .as_f64()
            .unwrap_or_else(|| panic!("{value} is no number")),
    }
}

/// A value of an answer beside that of a vector.
fn near(ours: &Value, theirs: &Value, allowed: f64, what: &str) {
    let (ours, theirs) = (number(ours), number(theirs));
    assert!(
        (ours - theirs).abs() <= allowed,
        "{what}: {ours} is not {theirs}"
    );
}

fn list(value: &Value) -> &Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{value} is no list"))
}

/// A file has the rules of its own: its content is 65, and a file that is not there 74.
#[tokio::test]
async fn a_file_that_cannot_be_used_is_65_and_one_that_cannot_be_read_74() {
    let sums = [
        "heat",
        "counter",
        "day",
        "reconcile",
        "allocate",
        "transformer",
    ];
    #[rustfmt::skip]
    let cases: &[(&str, &str)] = &[
        ("",                    "EOF while parsing"),
        ("no json",             "docs/calc.md"),
        ("[1]",                 "docs/calc.md"),
        ("{\"flux\": 1}",       "unknown field `flux`"),
    ];
    for sum in sums {
        for (given, words) in cases {
            let said = by_input(sum, given, &[]).await;
            said.must_say(65, &["standard input: ", words]);
            assert_eq!(said.out, "", "{sum} {given}");
        }
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing.json");
        let missing = missing.to_str().unwrap();
        ask(&["calc", sum, "--file", missing])
            .await
            .must_say(74, &[missing, "No such file"]);
        let path = dir.path().join("binary");
        std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
        let path = path.to_str().unwrap();
        ask(&["calc", sum, "--file", path])
            .await
            .must_say(65, &[path, "UTF-8"]);
        let directory = dir.path().to_str().unwrap();
        ask(&["calc", sum, "--file", directory])
            .await
            .must_say(74, &[directory]);
        let nothing = ask(&["calc", sum]).await;
        nothing.must_say(64, &["say --"]);
    }
}

#[tokio::test]
async fn flags_and_a_file_are_not_mixed_and_what_went_in_comes_out() {
    for words in [
        "heat --file f.json --fluid water",
        "counter --file f.json --old 1",
        "day --file f.json --zone Asia/Shanghai",
        "allocate --file f.json --key dynamic",
    ] {
        let said = by_flags(words).await;
        assert_eq!(said.code, Some(64), "{said:?}");
        assert!(said.err.contains("cannot be used with"), "{said:?}");
    }
    let given = json!({"zone": "Asia/Shanghai", "date": "2026-06-03", "interval": "60min"});
    let found = answer_to("day", &given).await;
    assert_eq!(found["input"], given);
    let same = answer("day --zone Asia/Shanghai --date 2026-06-03 --interval 60min").await;
    assert_eq!(found, same, "a flag and a key are one thing");
}
