//! `sunledger store export`.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::{Which, failure, zone};
use crate::cli::meter_event::moment;
use crate::cli::{FINDING, Failure, IO, USAGE};
use crate::store::Reader;
use crate::wire::line_protocol::{FieldValue, parse, time_of};

/// The most that the time of a row is ahead of the tick of its block.
const AHEAD: Duration = Duration::from_secs(60);

/// Arguments of `store export`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Rows from this moment: RFC 3339, local time such as 2026-06-03T14:30, or a date
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Rows before this moment
    #[arg(long, value_name = "TIME")]
    to: String,
    /// How rows are written: line protocol with times in nanoseconds, or CSV
    #[arg(long, value_name = "FORMAT", default_value = "lp", value_parser = ["lp", "csv"])]
    format: String,
    /// A new file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes rows out.
///
/// # Errors
///
/// [`USAGE`] for a period that is none, [`FINDING`] where blocks of it are damaged, [`IO`]
/// where the rows cannot be written, and what the store says.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let dir = arguments.which.dir()?;
    let mut reader = Reader::new(&dir).map_err(|error| failure(&error))?;
    let zone = zone(&dir);
    let from = moment("--from", &arguments.from, &zone)?;
    let to = moment("--to", &arguments.to, &zone)?;
    if from >= to {
        let sentence = format!(
            "--from {} is not before --to {}",
            arguments.from, arguments.to
        );
        return Err(Failure::new(USAGE, sentence));
    }
    let mut rows = Rows {
        out: BufWriter::new(open(arguments)?),
        csv: arguments.format == "csv",
        from_ms: from.as_millisecond(),
        to_ms: to.as_millisecond(),
        count: 0,
    };
    // A row may be written long after its time, and no more than a moment before it.
    let first = from.saturating_sub(AHEAD).unwrap_or(Timestamp::MIN);
    let written = |done: io::Result<()>| match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            let out = arguments
                .out
                .as_deref()
                .unwrap_or(Path::new("standard output"));
            Err(Failure::new(IO, format!("{}: {error}", out.display())))
        }
    };
    let mut goes_on = written(rows.head())?;
    let mut seq = 0;
    while goes_on {
        let block = reader.next_between(seq, first, Timestamp::MAX);
        let Some(block) = block.map_err(|error| failure(&error))? else {
            break;
        };
        seq = block.seq;
        goes_on = written(rows.write(&block.text))?;
    }
    if !goes_on || !written(rows.out.flush())? {
        return Ok(());
    }
    let _ = writeln!(io::stderr(), "{} rows", rows.count);
    if reader.damaged() > 0 {
        let blocks = reader.damaged();
        let sentence =
            format!("{blocks} blocks are damaged and were passed over; store check names them");
        return Err(Failure::new(FINDING, sentence));
    }
    Ok(())
}

fn open(arguments: &Arguments) -> Result<Box<dyn Write>, Failure> {
    let Some(path) = &arguments.out else {
        return Ok(Box::new(io::stdout().lock()));
    };
    match File::create_new(path) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(Failure::new(IO, format!("{}: {error}", path.display()))),
    }
}

/// Rows on their way out.
struct Rows {
    out: BufWriter<Box<dyn Write>>,
    csv: bool,
    from_ms: i64,
    to_ms: i64,
    count: u64,
}

impl Rows {
    fn head(&mut self) -> io::Result<()> {
        if self.csv {
            writeln!(self.out, "time,measurement,tags,field,value")?;
        }
        Ok(())
    }

    /// The rows of a text that are of the period.
    fn write(&mut self, text: &str) -> io::Result<()> {
        for line in text.lines() {
            let inside = |ms: &i64| (self.from_ms..self.to_ms).contains(ms);
            let Some(ms) = time_of(line).filter(inside) else {
                continue;
            };
            self.count += 1;
            if self.csv {
                self.cells(line)?;
            } else {
                // Nanoseconds are what databases expect where nobody says otherwise.
                let nanoseconds = if ms == 0 { "" } else { "000000" };
                writeln!(self.out, "{line}{nanoseconds}")?;
            }
        }
        Ok(())
    }

    /// A line for each field.
    fn cells(&mut self, line: &str) -> io::Result<()> {
        let Ok(row) = parse(line) else { return Ok(()) };
        let time = Timestamp::from_millisecond(row.time_ms).unwrap_or_default();
        let tags: Vec<String> = row
            .tags
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let tags = cell(&tags.join(","));
        for (name, value) in &row.fields {
            let value = match value {
                FieldValue::Float(value) => value.to_string(),
                FieldValue::Integer(value) => value.to_string(),
                FieldValue::Bool(value) => value.to_string(),
                FieldValue::Text(value) => cell(value),
            };
            let (measurement, name) = (cell(&row.measurement), cell(name));
            writeln!(self.out, "{time},{measurement},{tags},{name},{value}")?;
        }
        Ok(())
    }
}

/// A cell of CSV, in quotes where it needs them.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_would_be_several_stands_in_quotes() {
        #[rustfmt::skip]
        let cases = [
            ("plain",     "plain"),
            ("a=1,b=2",   "\"a=1,b=2\""),
            ("said \"x\"", "\"said \"\"x\"\"\""),
        ];
        for (text, wanted) in cases {
            assert_eq!(cell(text), wanted);
        }
    }
}
