//! Weeks in which the clocks change, through engine and ledger: the year of
//! `benches/year.rs`, as much of it as a test may take.

use std::path::Path;

use jiff::civil::Date;

use crate::support::year::{Settings, quarters, run};

/// Blocks are synchronised to the disk; in memory that costs nothing.
fn dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn books_close(from: &str, seed: u64) {
    let dir = dir();
    let settings = Settings {
        from: from.parse().unwrap(),
        days: 7,
        seed,
        commit_every_s: 10,
        dir: dir.path().to_owned(),
    };
    let verdict = run(&settings);
    assert!(verdict.failures.is_empty(), "{verdict}");
    let ratios = ["at once", "late"].map(|when| format!("ratio changes, entered {when}"));
    let ratios: u64 = ratios.iter().map(|name| verdict.number(name)).sum();
    assert_eq!(ratios, 1, "{verdict}");
    // A week in which nothing happened would prove nothing.
    for what in [
        "backlogs",
        "clock steps",
        "exchanges, entered at once",
        "exchanges, entered late",
        "kills",
        "outages",
        "resets, never entered",
        "revisions by recomputing",
        "rollovers",
        "spikes",
        "  blocks replayed",
        "  held while the clock was not trusted",
        "  lost by kills",
        "  with later revisions",
    ] {
        assert!(verdict.number(what) > 0, "{what}\n{verdict}");
    }
}

#[test]
fn the_books_of_the_week_that_loses_an_hour_close_to_the_milliwatt_hour() {
    books_close("2040-03-20", 1);
}

#[test]
fn the_books_of_the_week_that_has_an_hour_twice_close_to_the_milliwatt_hour() {
    books_close("2040-10-23", 2);
}

/// Source: interval_cases.json, Europe/Berlin.
#[test]
fn the_judge_knows_how_long_a_day_is_without_a_library() {
    let days = [
        ("2025-03-30", 92),
        ("2025-10-26", 100),
        ("2025-07-01", 96),
        ("2040-03-25", 92),
        ("2040-10-28", 100),
        ("2040-02-29", 96),
    ];
    for (date, count) in days {
        let date: Date = date.parse().unwrap();
        assert_eq!(quarters(date), count, "{date}");
    }
}
