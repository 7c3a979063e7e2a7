//! A year of a park, second by second: whether the books close, to the milliwatt-hour
//! against the registers and within what a meter can tell against the truth.
//!
//! ```sh
//! cargo bench --bench year -- --days 366 --from 2040-01-01 --seed 1
//! ```
//!
//! Exits with 1 where they do not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic
)]

#[path = "../tests/it/support/year/mod.rs"]
mod year;

use std::path::Path;
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        let value = arguments.get(at + 1);
        Some(
            value
                .unwrap_or_else(|| panic!("{name} needs a value"))
                .clone(),
        )
    };
    let number = |name: &str, default: i64| {
        let given = value(name).map(|text| text.parse());
        given.map_or(default, |number| {
            number.unwrap_or_else(|_| panic!("{name} needs a number"))
        })
    };
    let from = value("--from").unwrap_or_else(|| "2040-01-01".to_owned());
    // Blocks are synchronised to the disk; in memory that costs nothing.
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let dir = dir.unwrap();
    let settings = year::Settings {
        from: from
            .parse()
            .unwrap_or_else(|_| panic!("--from needs a date")),
        days: number("--days", 366),
        seed: number("--seed", 1).unsigned_abs(),
        commit_every_s: number("--commit-every", 10),
        dir: dir.path().to_owned(),
    };
    let began = Instant::now();
    let verdict = year::run(&settings);
    print!("{verdict}");
    println!(
        "{:<44} {:>20.0} s",
        "run time",
        began.elapsed().as_secs_f64()
    );
    drop(dir);
    std::process::exit(i32::from(!verdict.failures.is_empty()));
}
