//! Rows that a server refuses for good, kept for a person to look at.
//!
//! ```text
//! NAME.lp    # 2026-06-03T06:00:00Z status 422: field type conflict …
//!            electricity,meter=pcc,… power_w=1i 1780468327000
//! NAME.lp.1  the file before it
//! NAME.lock  held for as long as either is looked at or changed
//! ```
//!
//! The server's words stand before the rows as a comment, so either file is line
//! protocol and can be sent again once the cause is gone. Two files of bounded size
//! follow each other: the newest rows are kept, and **what is kept has been on disk
//! before the cursor passes it**. The lock lets the daemon add rows while a command takes
//! some out.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// Size at which a file is put behind: two of them make 10 MB.
const FILE_BYTES: u64 = 5_000_000;

/// The files of one sink.
#[derive(Debug, Clone)]
pub struct Quarantine {
    current: PathBuf,
    before: PathBuf,
    lock: PathBuf,
    limit: u64,
    /// Where rows are only looked at: they are here and in no file.
    in_memory: Option<Arc<Mutex<Vec<Aside>>>>,
}

/// A row that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Aside {
    /// When.
    pub at: String,
    /// The server's words.
    pub words: String,
    /// The row, without its line break.
    pub row: String,
}

impl Quarantine {
    /// The files of the sink `name` in `dir`, which comes about when it is needed.
    #[must_use]
    pub fn new(dir: &Path, name: &str) -> Self {
        Self {
            current: dir.join(format!("{name}.lp")),
            before: dir.join(format!("{name}.lp.1")),
            lock: dir.join(format!("{name}.lock")),
            limit: FILE_BYTES,
            in_memory: None,
        }
    }

    /// One that keeps rows in memory, for a command that tries rows which are on disk.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            in_memory: Some(Arc::default()),
            ..Self::new(Path::new(""), "")
        }
    }

    /// The file that is written to.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.current
    }

    /// Writes `rows` with the server's `words` and waits for the disk.
    ///
    /// # Errors
    ///
    /// What the disk says. Nothing counts as set aside then.
    pub fn keep(&self, rows: &str, words: &str, now: Timestamp) -> io::Result<()> {
        self.keep_all(&[(rows, words)], now)
    }

    /// Writes several rows, each with its own words, and waits for the disk once.
    ///
    /// # Errors
    ///
    /// As [`Self::keep`].
    pub fn keep_all(&self, rows: &[(&str, &str)], now: Timestamp) -> io::Result<()> {
        if let Some(kept) = &self.in_memory {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            for (rows, words) in rows {
                kept.extend(rows.lines().map(|row| Aside {
                    at: now.to_string(),
                    words: super::answer::one_line(words),
                    row: row.to_owned(),
                }));
            }
            return Ok(());
        }
        if let Some(dir) = self.current.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let _alone = self.alone()?;
        let mut text = String::new();
        for (rows, words) in rows {
            let words = super::answer::one_line(words);
            let end = if rows.ends_with('\n') { "" } else { "\n" };
            // Writing to a string cannot fail.
            let _ = write!(text, "# {now} {words}\n{rows}{end}");
        }
        let size = match std::fs::metadata(&self.current) {
            Ok(about) => about.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let more = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if size > 0 && size.saturating_add(more) > self.limit {
            std::fs::rename(&self.current, &self.before)?;
        }
        let mut file: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.current)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()
    }

    /// Every row that is kept, the oldest first.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn list(&self) -> io::Result<Vec<Aside>> {
        if let Some(kept) = &self.in_memory {
            return Ok(kept.lock().unwrap_or_else(PoisonError::into_inner).clone());
        }
        if !self.current.exists() && !self.before.exists() {
            return Ok(Vec::new());
        }
        let _alone = self.alone()?;
        let mut rows = Vec::new();
        for path in [&self.before, &self.current] {
            entries(&text(path)?, &mut rows);
        }
        Ok(rows)
    }

    /// Takes out the rows of which `goes` says so, and gives their number. The others
    /// stay as they are, those that came in the meantime among them.
    ///
    /// # Errors
    ///
    /// What the disk says; a file is as it was or without those rows.
    pub fn take_out(&self, mut goes: impl FnMut(&Aside) -> bool) -> io::Result<usize> {
        if !self.current.exists() && !self.before.exists() {
            return Ok(0);
        }
        let _alone = self.alone()?;
        let mut taken = 0;
        for path in [&self.before, &self.current] {
            let mut rows = Vec::new();
            entries(&text(path)?, &mut rows);
            let all = rows.len();
            rows.retain(|row| !goes(row));
            if rows.len() == all {
                continue;
            }
            taken += all - rows.len();
            replace(path, &rows)?;
        }
        Ok(taken)
    }

    /// The lock, until it is dropped.
    fn alone(&self) -> io::Result<File> {
        // Opened for reading: whoever made it, the daemon can lock it.
        let lock = match File::open(&self.lock) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.lock)?,
            opened => opened?,
        };
        lock.lock()?;
        Ok(lock)
    }
}

fn text(path: &Path) -> io::Result<String> {
    match std::fs::read(path) {
        // A torn end of a row is shown as it is.
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

fn entries(text: &str, rows: &mut Vec<Aside>) {
    let (mut at, mut words) = ("", "");
    for line in text.lines() {
        if let Some(said) = line.strip_prefix("# ") {
            (at, words) = said.split_once(' ').unwrap_or((said, ""));
        } else if !line.is_empty() {
            rows.push(Aside {
                at: at.to_owned(),
                words: words.to_owned(),
                row: line.to_owned(),
            });
        }
    }
}

/// Puts a file of these rows in the place of another, whole or not at all.
fn replace(path: &Path, rows: &[Aside]) -> io::Result<()> {
    let mut text = String::new();
    let mut said = None;
    for row in rows {
        let heading = (&row.at, &row.words);
        if said != Some(heading) {
            let _ = writeln!(text, "# {} {}", row.at, row.words);
            said = Some(heading);
        }
        text.push_str(&row.row);
        text.push('\n');
    }
    if text.is_empty() {
        return std::fs::remove_file(path);
    }
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    // The daemon goes on writing to it, whoever runs the command.
    let before = std::fs::metadata(path)?;
    file.set_permissions(before.permissions())?;
    if file.metadata()?.uid() != before.uid() {
        fchown(&file, Some(before.uid()), Some(before.gid()))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
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
        // The two files and the lock.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
        let listed = quarantine.list().unwrap();
        assert_eq!(listed.last().unwrap().row, "m a=499i 499");
        let times = listed.iter().map(|row| row.row.rsplit_once(' ').unwrap().1);
        let times: Vec<u32> = times.map(|time| time.parse().unwrap()).collect();
        assert!(
            times.windows(2).all(|two| two[0] + 1 == two[1]),
            "{times:?}"
        );
    }

    #[test]
    fn rows_are_taken_out_of_both_files_and_the_others_stay_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let mut quarantine = Quarantine::new(dir.path(), "local");
        quarantine.limit = 200;
        quarantine
            .keep("m a=1i 1\nm a=2i 2\n", "no", now())
            .unwrap();
        let long = "not, for a reason that is explained at length ".repeat(4);
        quarantine
            .keep_all(&[("m a=3i 3\n", "never"), ("m a=4i 4\n", &long)], now())
            .unwrap();
        assert!(quarantine.before.exists());
        let rows = |quarantine: &Quarantine| -> Vec<(String, String)> {
            let list = quarantine.list().unwrap().into_iter();
            list.map(|aside| (aside.row, aside.words)).collect()
        };
        let before = rows(&quarantine);
        let taken =
            quarantine.take_out(|aside| aside.row.contains("=2i") || aside.words == "never");
        assert_eq!(taken.unwrap(), 2);
        let expected = [before[0].clone(), before[3].clone()];
        assert_eq!(rows(&quarantine), expected);
        assert_eq!(quarantine.take_out(|_| true).unwrap(), 2);
        assert!(!quarantine.before.exists() && !quarantine.current.exists());
        assert_eq!(quarantine.list().unwrap(), []);
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_lock_that_cannot_be_written_locks() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::new(dir.path(), "local");
        quarantine
            .keep("m a=1i 1\nm a=2i 2\n", "no", now())
            .unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(&quarantine.current, 0o640);
        mode(&quarantine.lock, 0o444);
        let one = |aside: &Aside| aside.row.ends_with('1');
        assert_eq!(quarantine.take_out(one).unwrap(), 1);
        let about = std::fs::metadata(&quarantine.current).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn who_takes_out_and_who_adds_wait_for_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::new(dir.path(), "local");
        let add = |from: usize| {
            let quarantine = quarantine.clone();
            std::thread::spawn(move || {
                for n in from..from + 200 {
                    let row = format!("m a={n}i {n}\n");
                    quarantine.keep(&row, "no", now()).unwrap();
                }
            })
        };
        let (one, two) = (add(0), add(1_000));
        let mut taken = 0;
        while !(one.is_finished() && two.is_finished()) {
            taken += quarantine
                .take_out(|aside| aside.row.ends_with('7'))
                .unwrap();
        }
        one.join().unwrap();
        two.join().unwrap();
        taken += quarantine
            .take_out(|aside| aside.row.ends_with('7'))
            .unwrap();
        assert_eq!((taken, quarantine.list().unwrap().len()), (40, 360));
    }

    #[test]
    fn a_disk_that_refuses_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let quarantine = Quarantine::new(&dir.path().join("file"), "local");
        assert!(quarantine.keep("m a=1i 1\n", "no", now()).is_err());
    }
}
