//! What really flowed, on disk, to hold the books of a daemon against.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::{Failure, IO};
use crate::simulate::rehearsal::Rehearsal;

/// A file of JSON lines: a moment, and what every register counted up to it.
pub struct Truth {
    path: PathBuf,
    file: File,
}

impl Truth {
    /// Begins a file; one that is there is overwritten.
    pub fn begin(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| failed(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Writes down what flowed since the beginning, Wh.
    pub fn note(&mut self, park: &Rehearsal) -> Result<(), Failure> {
        let now = park.now();
        let flowed: Vec<_> = park
            .flowed(now)
            .into_iter()
            .map(|(meter, quantity, wh)| json!({ "meter": *meter, "quantity": quantity, "wh": wh }))
            .collect();
        let line =
            json!({ "at": now.to_string(), "since": park.began().to_string(), "flowed": flowed });
        let written = writeln!(self.file, "{line}").and_then(|()| self.file.flush());
        written.map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(IO, format!("{}: {error}", path.display()))
}
