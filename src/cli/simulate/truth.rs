//! What really flowed, on disk, to hold the books of a daemon against.
//!
//! ```text
//!   {"at": moment, "since": beginning,
//!    "flowed": [{"meter", "quantity", "wh"}],                        of each register
//!    "moved":  [{"meter", "quantity", "positive_wh", "negative_wh"}]} of each power
//! ```
//!
//! There is a line of the beginning, of **every whole minute**, and of the end: what lies
//! between two lines is exactly what flowed in a settlement interval, whatever its length.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::cli::{Failure, IO};
use crate::simulate::rehearsal::Rehearsal;

const MINUTE_S: i64 = 60;

/// A file of JSON lines.
pub struct Truth {
    path: PathBuf,
    file: File,
    /// The next whole minute.
    next: Timestamp,
}

impl Truth {
    /// Begins a file; one that is there is overwritten.
    pub fn begin(path: &Path, park: &Rehearsal) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| failed(path, &error))?;
        let (path, began) = (path.to_owned(), park.began());
        let next = minute_after(began);
        let mut truth = Self { path, file, next };
        truth.note(park, began)?;
        Ok(truth)
    }

    /// How long it is to the next whole minute.
    pub fn due(&self, park: &Rehearsal) -> Duration {
        let due = self.next.duration_since(park.now());
        Duration::try_from(due).unwrap_or_default()
    }

    /// Writes down the whole minutes that are over.
    pub fn minutes(&mut self, park: &Rehearsal) -> Result<(), Failure> {
        while self.next <= park.now() {
            self.note(park, self.next)?;
            self.next = minute_after(self.next);
        }
        Ok(())
    }

    /// Writes down the last moment.
    pub fn end(&mut self, park: &Rehearsal) -> Result<(), Failure> {
        self.minutes(park)?;
        self.note(park, park.now())
    }

    fn note(&mut self, park: &Rehearsal, at: Timestamp) -> Result<(), Failure> {
        let flowed = park
            .flowed(at)
            .into_iter()
            .map(|one| json!({ "meter": *one.meter, "quantity": one.quantity, "wh": one.wh }));
        let moved = park.moved(at).into_iter().map(|one| {
            json!({
                "meter": *one.meter,
                "quantity": one.quantity,
                "positive_wh": one.positive_wh,
                "negative_wh": one.negative_wh,
            })
        });
        let line = json!({
            "at": at.to_string(),
            "since": park.began().to_string(),
            "flowed": flowed.collect::<Vec<_>>(),
            "moved": moved.collect::<Vec<_>>(),
        });
        let written = writeln!(self.file, "{line}").and_then(|()| self.file.flush());
        written.map_err(|error| failed(&self.path, &error))
    }
}

/// The first whole minute after a moment.
fn minute_after(at: Timestamp) -> Timestamp {
    let minute = at.as_second().div_euclid(MINUTE_S) + 1;
    Timestamp::from_second(minute * MINUTE_S).unwrap_or(Timestamp::MAX)
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(IO, format!("{}: {error}", path.display()))
}
