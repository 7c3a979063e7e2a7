//! How fast the core is: the engine, a frame, the ledger again from the journal, a report.
//!
//! ```sh
//! cargo bench --bench speed -- engine
//! cargo bench --bench speed -- frame
//! cargo bench --bench speed -- report
//! cargo bench --bench speed -- recompute --hours 24
//! cargo bench --bench speed -- journal
//! cargo bench --bench speed -- open
//! cargo bench --bench speed -- --help
//! ```
//!
//! Nothing here polls or serves: what a whole daemon takes is in `park_load`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::panic
)]

mod engine;
mod frame;
mod journal;
mod park;
mod recompute;
mod report;

use std::path::PathBuf;

const HELP: &str = "\
speed engine     [--meters N] [--seconds N]
                 readings a second through the engine
speed frame      [--meters N] [--seconds N]
                 the time of a tick and of what the page shows
speed recompute  [--meters N] [--points N] [--hours N] [--late N] [--keep]
                 the ledger again from a journal that is written for it
speed report     [--meters N] [--days N] [--keep]
                 a report from a ledger that is written for it
speed journal    bytes for a value on disk, and values a second appended to it
speed open       [--gib N] [--keep]
                 how soon a store is open that nobody has fetched anything of
  --late N       messages of each hour that come too late
  --dir DIR      where stores are put [default: the system's temporary directory]
  --keep         leaves the store there, and takes it up if it is there
";

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Arguments {
    what: String,
    meters: Option<usize>,
    points: usize,
    seconds: i64,
    hours: i64,
    days: i64,
    late: i64,
    gib: u64,
    keep: bool,
    dir: PathBuf,
}

fn arguments() -> Option<Arguments> {
    let mut all = std::env::args().skip(1).filter(|one| one != "--bench");
    let mut found = Arguments {
        what: all.next()?,
        meters: None,
        points: 50,
        seconds: 1_800,
        hours: 1,
        days: 365,
        late: 0,
        gib: 2,
        keep: false,
        dir: std::env::temp_dir(),
    };
    while let Some(name) = all.next() {
        if name == "--keep" {
            found.keep = true;
            continue;
        }
        let value = all.next()?;
        match name.as_str() {
            "--meters" => found.meters = Some(value.parse().ok()?),
            "--points" => found.points = value.parse().ok()?,
            "--seconds" => found.seconds = value.parse().ok()?,
            "--hours" => found.hours = value.parse().ok()?,
            "--days" => found.days = value.parse().ok()?,
            "--gib" => found.gib = value.parse().ok()?,
            "--late" => found.late = value.parse().ok()?,
            "--dir" => found.dir = value.into(),
            _ => return None,
        }
    }
    Some(found)
}

fn main() {
    let Some(arguments) = arguments() else {
        print!("{HELP}");
        return;
    };
    match arguments.what.as_str() {
        "engine" => engine::measure(&arguments),
        "frame" => frame::measure(&arguments),
        "journal" => journal::measure(&arguments),
        "open" => journal::open(&arguments),
        "recompute" => recompute::measure(&arguments),
        "report" => report::measure(&arguments),
        _ => print!("{HELP}"),
    }
}

/// The middle, the hundredth from the top, and the most, of times in milliseconds.
pub fn quantiles(times: &[f64]) -> (f64, f64, f64) {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    (sorted[last / 2], sorted[last * 99 / 100], sorted[last])
}
