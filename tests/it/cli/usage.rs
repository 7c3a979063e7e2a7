//! The command line: what is refused with 64, and what `--help` says.

use std::process::Stdio;

use crate::support::daemon::{ask, run, sunledger};

/// Every command with its options.
#[rustfmt::skip]
const COMMANDS: &[(&str, &[&str])] = &[
    ("",             &["demo", "run", "check", "status", "simulate", "report", "influx", "--log-format", "Exit codes: 0 done, 64 usage"]),
    ("demo",         &["--listen", "--data", "--for", "--hour", "--seed"]),
    ("run",          &["--config"]),
    ("check",        &["--config", "--json", "--quiet"]),
    ("plan",         &["--config", "--latency", "--json"]),
    ("probe",        &["tcp://HOST[:PORT]", "rtu:///dev/ttyUSB0", "--unit", "--fc", "--address", "--count", "--timeout", "--template", "--option", "--json"]),
    ("scan",         &["tcp://HOST[:PORT]", "--units", "--pause", "--timeout", "--json"]),
    ("commission",   &["--config", "--meter", "--for", "--anyway", "--json"]),
    ("status",       &["--url", "http://127.0.0.1:8080", "--json"]),
    ("simulate",     &["--config", "--fault", "--for", "--free-ports", "--encode", "--database", "--write-config", "--truth", "--seed"]),
    ("report",       &["grid-export", "allocation", "carbon", "--config", "--data", "--from", "--to", "--format", "csv", "json", "--out", "--json"]),
    ("meter-event add",  &["exchange", "reset", "ratio", "correction", "--config", "--meter", "--register", "--at", "--last", "--first", "--multiplier", "--until", "--energy", "--who", "--why", "--json"]),
    ("meter-event withdraw", &["<NUMBER>", "--config", "--who", "--why", "--json"]),
    ("meter-event list", &["--config", "--json"]),
    ("explain",      &["<INTERVAL>", "--config", "--flow", "export", "--json"]),
    ("recompute",    &["--config", "--from", "--to", "--dry-run", "--json"]),
    ("store",        &["check", "backup", "compact", "export"]),
    ("store check",  &["--config", "--data", "--json"]),
    ("store backup", &["--config", "--data", "--out", "--json"]),
    ("store compact", &["--config", "--data", "--remove-set-aside", "--json"]),
    ("store export", &["--config", "--data", "--from", "--to", "--format", "lp", "csv", "--out"]),
    ("calc",         &["heat", "counter", "day", "reconcile", "allocate", "transformer"]),
    ("calc heat",    &["--fluid", "--mass-pct", "--flow-temp", "--return-temp", "--pressure", "--sensor", "--volume", "--mass", "--flow", "--for", "--file", "--json"]),
    ("calc counter", &["--old", "--new", "--modulus", "--digits", "--bits", "--unit", "--multiplier", "--rated", "--seconds", "--max-plausible", "--exchange", "--file", "--json"]),
    ("calc day",     &["--zone", "--date", "--interval", "--file", "--json"]),
    ("calc transformer", &["--rated-power", "--rated-voltage", "--no-load-loss", "--load-loss", "--no-load-current-pct", "--short-circuit-pct", "--power", "--reactive", "--apparent", "--voltage", "--boundary", "--file", "--json"]),
    ("calc reconcile", &["--file", "--json"]),
    ("calc allocate", &["--key", "--unit", "--generation", "--consumption", "--share", "--order", "--file", "--json"]),
    ("influx",       &["setup", "audit"]),
    ("influx setup", &["--config", "--sink", "--retention", "--json"]),
    ("influx audit", &["--config", "--sink", "--from", "--to", "--json"]),
];

#[tokio::test]
async fn help_is_on_standard_output_and_names_every_option() {
    for (command, options) in COMMANDS {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let said = ask(&arguments).await;
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{command}");
        for option in *options {
            assert!(
                said.out.contains(option),
                "{command}: {option} in {}",
                said.out
            );
        }
    }
}

#[tokio::test]
async fn the_version_is_on_standard_output() {
    let said = ask(&["--version"]).await;
    let version = format!("sunledger {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (said.code, said.out, said.err),
        (Some(0), version, String::new())
    );
}

#[tokio::test]
async fn a_command_line_that_means_nothing_is_64() {
    #[rustfmt::skip]
    let cases: &[(&str, &str)] = &[
        // arguments                                                    words
        ("--frobnicate",                                                "unexpected argument '--frobnicate'"),
        ("frobnicate",                                                  "unrecognized subcommand 'frobnicate'"),
        ("run --colour",                                                "unexpected argument '--colour'"),
        ("run extra",                                                   "unexpected argument 'extra'"),
        ("run --config",                                                "a value is required"),
        ("--log-format xml run",                                        "text, json, journald"),
        ("demo --for 20",                                               "a number above zero with a unit, such as 90s or 5min"),
        ("demo --for=-5s",                                              "a number above zero"),
        ("demo --for 0s",                                               "a number above zero"),
        ("demo --hour 24",                                              "an hour from 0 to 24"),
        ("demo --hour noon",                                            "an hour from 0 to 24"),
        ("demo --seed one",                                             "--seed"),
        ("demo --listen 8080",                                          "--listen"),
        ("simulate --for soon",                                         "a number above zero"),
        ("simulate --seed one",                                         "--seed"),
        ("report",                                                      "--from <DATE>"),
        ("report balance --data d --from 2026-06-01 --to 2026-06-02",   "grid-export"),
        ("report grid-export --from 2026-06-01 --to 2026-06-02",        "--config <FILE>"),
        ("report grid-export --data d --config c --from 2026-06-01 --to 2026-06-02", "cannot be used with"),
        ("report grid-export --data d --from 2026-06-31 --to 2026-07-01", "--from <DATE>"),
        ("report grid-export --data d --from 2026-06-02 --to 2026-06-01", "--from 2026-06-02 is after --to 2026-06-01"),
        ("report grid-export --data d --from 2026-06-01 --to 2026-06-02 --format pdf", "csv, json"),
        ("status --url https://127.0.0.1:1",                            "is not an address such as http://127.0.0.1:8080"),
        ("status --url 127.0.0.1:1",                                    "is not an address such as http://127.0.0.1:8080"),
        ("calc",                                                        "reconcile"),
        ("calc boil",                                                   "unrecognized subcommand 'boil'"),
        ("influx",                                                      "setup"),
        ("influx setup --retention soon",                               "such as 730d"),
    ];
    for (arguments, words) in cases {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let said = ask(&arguments).await;
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(64), ""),
            "{arguments:?}"
        );
        assert!(said.err.contains(words), "{words:?} in {}", said.err);
        said.no_panic();
    }
    // Nothing at all is asked for: the help, as a mistake.
    let said = ask(&[]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(64), ""));
    assert!(said.err.contains("Usage: sunledger"), "{}", said.err);
}

#[tokio::test]
async fn a_log_filter_that_means_nothing_is_64() {
    let said =
        run(sunledger(&["demo", "--for", "1s"]).env("SUNLEDGER_LOG", "sunledger=loud")).await;
    said.must_say(64, &["SUNLEDGER_LOG=`sunledger=loud` is no log filter"]);
}

#[tokio::test]
async fn words_that_cannot_be_written_are_74_and_a_reader_that_left_is_no_failure() {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/config/sunledger.toml");
    let full = std::fs::File::options().write(true).open("/dev/full");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    for (out, code) in [(Stdio::from(full.unwrap()), 74), (Stdio::from(writer), 0)] {
        let mut command = sunledger(&["check", "--config", config]);
        let child = command.stdout(out).stderr(Stdio::piped()).spawn();
        let ended = child.unwrap().wait_with_output().await.unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{err}");
        let said = if code == 0 {
            ""
        } else {
            "error: standard output: No space left on device (os error 28)\n"
        };
        assert_eq!(err, said);
    }
}
