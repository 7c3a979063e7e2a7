//! `sunledger calc`: single sums by hand, with the code of the daemon.
//!
//! ```text
//!   flags or a JSON file ──▶ Given ──▶ domain ──▶ Answer: JSON, or text with units
//! ```
//!
//! A flag and the key of a file are one field of one struct, so both ways have the same
//! names and the same checks. **Nothing is computed here**: what a number comes to is
//! the domain's word, and so is why there is none.
//!
//! What is wrong on the command line is [`USAGE`], what is wrong in a file is
//! [`FINDING`], and a file that cannot be read is [`IO`]. An answer that nobody likes (a
//! reset, a suspect) is an answer.

mod allocate;
mod allotted;
mod by_flags;
mod carried;
mod counter;
mod day;
mod decimal;
mod heat;
mod increments;
mod judged;
mod reconcile;
mod reconciled;
mod transformer;

use std::io::Read;

use clap::Subcommand;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::columns::{Side, columns};
use super::{FINDING, Failure, IO, USAGE, print};

/// More than any sum needs, and nothing that fills a memory.
const MOST_BYTES: u64 = 16 << 20;

/// A sum.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Heat from a volume, a mass or a flow and two temperatures, with its coefficient k
    Heat(heat::Arguments),
    /// What a counter makes of two readings: advance, rollover, reset, jump
    Counter(counter::Arguments),
    /// A local day: its beginning and end in UTC, and its settlement intervals
    Day(day::Arguments),
    /// Reconcile meters that should agree, and name the suspects
    Reconcile(reconcile::Arguments),
    /// Share the generation of intervals among tenants, to the last milliwatt-hour
    Allocate(allocate::Arguments),
    /// What a transformer takes between a meter and the boundary of ownership
    Transformer(transformer::Arguments),
}

/// Where the numbers come from, and how the answer is written.
#[derive(Debug, clap::Args)]
pub struct Asked {
    /// Read the numbers from a JSON file in place of flags; `-` is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a sum comes to.
pub struct Answer {
    /// For programs; what went in is added as `input`.
    json: Value,
    /// For people, with what went in.
    text: String,
}

/// Does a sum.
///
/// # Errors
///
/// [`USAGE`] for flags, [`FINDING`] for the content of a file, [`IO`] for a file that
/// cannot be read.
pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Heat(arguments) => heat::run(arguments),
        Command::Counter(arguments) => counter::run(arguments),
        Command::Day(arguments) => day::run(arguments),
        Command::Reconcile(arguments) => reconcile::run(arguments),
        Command::Allocate(arguments) => allocate::run(arguments),
        Command::Transformer(arguments) => transformer::run(arguments),
    }
}

/// Takes the numbers from where they are, and prints what they come to.
fn answer<G: Serialize + DeserializeOwned>(
    asked: &Asked,
    flags: impl FnOnce() -> Result<G, String>,
    sum: impl FnOnce(&G) -> Result<Answer, String>,
) -> Result<(), Failure> {
    let (given, answer) = match asked.file.as_deref() {
        None => {
            let usage = |sentence| Failure::new(USAGE, sentence);
            let given = flags().map_err(usage)?;
            let answer = sum(&given).map_err(usage)?;
            (given, answer)
        }
        Some(file) => {
            let shown = if file == "-" { "standard input" } else { file };
            let finding = |sentence: String| Failure::new(FINDING, format!("{shown}: {sentence}"));
            let given = serde_json::from_str(&read(file, shown)?).map_err(|error| {
                finding(format!("{error}; docs/calc.md shows what it looks like"))
            })?;
            let answer = sum(&given).map_err(finding)?;
            (given, answer)
        }
    };
    if !asked.json {
        return print(&answer.text);
    }
    let mut document = answer.json;
    if let (Some(document), Ok(given)) = (document.as_object_mut(), serde_json::to_value(&given)) {
        document.insert("input".to_owned(), given);
    }
    print(&format!("{document:#}\n"))
}

fn read(file: &str, shown: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let io = |error: std::io::Error| Failure::new(IO, format!("{shown}: {error}"));
    let most = MOST_BYTES + 1;
    let count = if file == "-" {
        std::io::stdin().lock().take(most).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(most).read_to_string(&mut text))
    };
    match count {
        Ok(count) if u64::try_from(count).is_ok_and(|count| count >= most) => {
            let sentence = format!("{shown}: more than {MOST_BYTES} bytes; split it");
            Err(Failure::new(FINDING, sentence))
        }
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            let sentence = format!("{shown}: is no text; save it as JSON in UTF-8");
            Err(Failure::new(FINDING, sentence))
        }
        Err(error) => Err(io(error)),
    }
}

/// A value that a sum cannot do without, by its flag.
fn need<'a, T>(value: Option<&'a T>, flag: &str) -> Result<&'a T, String> {
    let key = flag.replace('-', "_");
    value.ok_or_else(|| format!("a value is missing; say --{flag}, or `{key}` in a file"))
}

/// A title above rows of what, how much, and its unit.
fn section(title: &str, rows: &[(&str, String, &str)]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(what, value, unit)| vec![(*what).to_owned(), value.clone(), (*unit).to_owned()])
        .collect();
    let rows = columns(&rows, &[Side::Left, Side::Right, Side::Left]);
    format!("{title}:\n{rows}")
}
