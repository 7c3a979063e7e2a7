//! Rows that a server refuses for good, kept for a person to look at.
//!
//! ```text
//! NAME.lp    # 2026-06-03T06:00:00Z status 422: field type conflict …
//!            electricity,meter=pcc,… power_w=1i 1780468327000
//! NAME.lp.1  the file before it
//! ```
//!
//! The server's words stand before the rows as a comment, so either file is line
//! protocol and can be sent again once the cause is gone. Two files of bounded size
//! follow each other: the newest rows are kept, and what is kept has been on disk
//! before the cursor passes it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;

use jiff::Timestamp;

/// Size at which a file is put behind: two of them make 10 MB.
const FILE_BYTES: u64 = 5_000_000;

/// The files of one sink.
#[derive(Debug, Clone)]
pub struct Quarantine {
    current: PathBuf,
    before: PathBuf,
    limit: u64,
}

impl Quarantine {
    /// The files of the sink `name` in `dir`, which comes about when it is needed.
    #[must_use]
    pub fn new(dir: &std::path::Path, name: &str) -> Self {
        Self {
            current: dir.join(format!("{name}.lp")),
            before: dir.join(format!("{name}.lp.1")),
            limit: FILE_BYTES,
        }
    }

    /// The file that is written to.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.current
    }

    /// Writes `rows` with the server's `words` and waits for the disk.
    ///
    /// # Errors
    ///
    /// What the disk says. Nothing counts as set aside then.
    pub fn keep(&self, rows: &str, words: &str, now: Timestamp) -> io::Result<()> {
        if let Some(dir) = self.current.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let size = match std::fs::metadata(&self.current) {
            Ok(about) => about.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let more = u64::try_from(rows.len() + words.len() + 64).unwrap_or(u64::MAX);
        if size > 0 && size.saturating_add(more) > self.limit {
            std::fs::rename(&self.current, &self.before)?;
        }
        let mut file: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.current)?;
        let words = super::answer::one_line(words);
        file.write_all(format!("# {now} {words}\n{rows}").as_bytes())?;
        if !rows.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-06-03T06:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_row_is_kept_with_the_words_of_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::new(&dir.path().join("aside"), "local");
        quarantine
            .keep("m a=1i 1\n", "status 422:\nno", now())
            .unwrap();
        quarantine.keep("m a=2i 2", "again", now()).unwrap();
        assert_eq!(
            std::fs::read_to_string(quarantine.path()).unwrap(),
            "# 2026-06-03T06:00:00Z status 422: no\nm a=1i 1\n\
             # 2026-06-03T06:00:00Z again\nm a=2i 2\n"
        );
    }

    #[test]
    fn the_files_are_bounded_and_keep_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let mut quarantine = Quarantine::new(dir.path(), "local");
        quarantine.limit = 1_000;
        for n in 0..500 {
            quarantine
                .keep(&format!("m a={n}i {n}\n"), "no", now())
                .unwrap();
        }
        let read = |path| std::fs::read_to_string(path).unwrap();
        let (current, before) = (read(&quarantine.current), read(&quarantine.before));
        assert!(current.len() <= 1_000 && before.len() <= 1_000);
        assert!(current.ends_with("m a=499i 499\n"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_disk_that_refuses_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let quarantine = Quarantine::new(&dir.path().join("file"), "local");
        assert!(quarantine.keep("m a=1i 1\n", "no", now()).is_err());
    }
}
