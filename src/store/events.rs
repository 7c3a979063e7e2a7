//! The ledger of meter events: a file of its own, `meter-events.jsonl`, that only grows.
//!
//! ```text
//!   5f3c29aa {"number":1,"meter":"pcc",…}
//!   └─ CRC-32C of the text behind it
//! ```
//!
//! What people say of meters can be had from nowhere else, so it does not lie in the
//! ledger that is rebuilt from the journal. **A line that is confirmed is on the disk, and
//! no line is ever changed**: an event that is not so is withdrawn by a later one. A line
//! that is torn or damaged is passed over and counted; the others stand.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::place;
use crate::domain::event::MeterEvent;

/// The events of a store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Events {
    /// In the order in which they were entered.
    pub list: Vec<MeterEvent>,
    /// Lines that are not whole.
    pub damaged: usize,
}

/// Where the events of a store are.
#[must_use]
pub fn file(dir: &Path) -> PathBuf {
    dir.join("meter-events.jsonl")
}

/// Everything that was entered; nothing where nobody has entered anything.
///
/// # Errors
///
/// [`StoreError::Io`] where the file is there and cannot be read.
pub fn read(dir: &Path) -> Result<Events, StoreError> {
    let path = file(dir);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Events::default()),
        Err(source) => Err(StoreError::Io { path, source }),
    }
}

/// Enters an event under the next number, which `admit` may refuse: nobody else enters
/// one in between. Works beside a daemon, which takes it up by itself.
///
/// # Errors
///
/// The refusal, or what the store says; then nothing is entered.
pub fn enter<R>(
    dir: &Path,
    mut event: MeterEvent,
    admit: impl FnOnce(&MeterEvent, &[MeterEvent]) -> Result<(), R>,
) -> Result<Result<MeterEvent, R>, StoreError> {
    place::check_version(dir)?;
    let path = file(dir);
    let unwritable = |source| StoreError::Unwritable {
        path: path.clone(),
        source,
    };
    let mut open = OpenOptions::new();
    let mut file = open
        .create(true)
        .read(true)
        .append(true)
        .open(&path)
        .map_err(unwritable)?;
    belongs_to_owner(&file, dir);
    file.lock().map_err(unwritable)?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_end(&mut bytes))
        .map_err(unwritable)?;
    let there = parse(&bytes);
    let last = there.list.iter().map(|event| event.number).max();
    // The number of a damaged line is not given again.
    let damaged = u64::try_from(there.damaged).unwrap_or(0);
    event.number = last.unwrap_or(0) + 1 + damaged;
    if let Err(refusal) = admit(&event, &there.list) {
        return Ok(Err(refusal));
    }
    let torn = bytes.last().is_some_and(|last| *last != b'\n');
    append(&mut file, &event, torn).map_err(unwritable)?;
    place::sync_dir(dir).map_err(unwritable)?;
    Ok(Ok(event))
}

/// A file that root made belongs to whom the store does: the daemon reads it, and its user
/// may enter events too. Anybody else cannot give files away, and need not.
fn belongs_to_owner(file: &File, dir: &Path) {
    if let Ok(owner) = std::fs::metadata(dir) {
        let _ = std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

fn append(file: &mut File, event: &MeterEvent, torn: bool) -> std::io::Result<()> {
    let text = serde_json::to_string(event)?;
    let check = crc32c::crc32c(text.as_bytes());
    let begin = if torn { "\n" } else { "" };
    // One write: whoever reads meanwhile sees the line or does not.
    file.write_all(format!("{begin}{check:08x} {text}\n").as_bytes())?;
    file.sync_all()
}

fn parse(bytes: &[u8]) -> Events {
    let mut events = Events::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            continue;
        }
        match event(line) {
            Some(event) => events.list.push(event),
            None => events.damaged += 1,
        }
    }
    events
}

fn event(line: &[u8]) -> Option<MeterEvent> {
    let text = std::str::from_utf8(line).ok()?;
    let (check, json) = text.split_once(' ')?;
    let check = u32::from_str_radix(check, 16).ok()?;
    (crc32c::crc32c(json.as_bytes()) == check).then_some(())?;
    serde_json::from_str(json).ok()
}

/// Looks whether something was entered since the last time, for a daemon that runs.
#[derive(Debug)]
pub struct Watch {
    dir: PathBuf,
    bytes: u64,
}

impl Watch {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            bytes: 0,
        }
    }

    /// What was told did not arrive: it is told again.
    pub fn forget(&mut self) {
        self.bytes = 0;
    }

    /// All events, if there are more than the last time. The file only grows, so its
    /// length says it; one that cannot be read is tried again.
    pub fn news(&mut self) -> Option<Events> {
        let bytes = std::fs::metadata(file(&self.dir)).ok()?.len();
        if bytes == self.bytes {
            return None;
        }
        let events = read(&self.dir).ok()?;
        self.bytes = bytes;
        Some(events)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::event::{Break, Refusal, What};
    use crate::domain::interval::Channel;
    use crate::domain::meter::Carrier;

    fn exchange(second: i64) -> MeterEvent {
        let at = Timestamp::from_second(second).unwrap();
        MeterEvent {
            number: 0,
            meter: "pcc".into(),
            channel: Channel {
                carrier: Carrier::Electricity,
                positive: true,
            },
            at,
            what: What::Exchange(Break {
                last: Some(5),
                first: 0,
                worth: None,
            }),
            who: "w".into(),
            why: "y".into(),
            entered: at,
        }
    }

    fn enter_all(dir: &Path, seconds: &[i64]) {
        for second in seconds {
            let admit = |_: &MeterEvent, _: &[MeterEvent]| Ok::<(), Refusal>(());
            enter(dir, exchange(*second), admit).unwrap().unwrap();
        }
    }

    fn seconds(dir: &Path) -> (Vec<(u64, i64)>, usize) {
        let events = read(dir).unwrap();
        let list = events.list.iter();
        let list = list.map(|event| (event.number, event.at.as_second()));
        (list.collect(), events.damaged)
    }

    #[test]
    fn events_are_numbered_and_stay_and_one_that_is_refused_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(dir.path());
        assert_eq!(seconds(dir.path()), (vec![], 0));
        assert_eq!(watch.news(), None);
        enter_all(dir.path(), &[10, 20]);
        let refuse = |event: &MeterEvent, there: &[MeterEvent]| {
            assert_eq!((event.number, there.len()), (3, 2));
            Err(Refusal::Unknown(7))
        };
        let refused = enter(dir.path(), exchange(30), refuse).unwrap();
        assert_eq!(refused, Err(Refusal::Unknown(7)));
        assert_eq!(seconds(dir.path()), (vec![(1, 10), (2, 20)], 0));
        assert_eq!(watch.news().unwrap().list.len(), 2);
        assert_eq!(watch.news(), None);
    }

    #[test]
    fn a_line_that_is_torn_or_damaged_costs_that_line_alone() {
        let dir = tempfile::tempdir().unwrap();
        enter_all(dir.path(), &[10, 20, 30]);
        let path = file(dir.path());
        let mut bytes = std::fs::read(&path).unwrap();
        let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 20;
        bytes[second] ^= 1;
        bytes.truncate(bytes.len() - 10);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(seconds(dir.path()), (vec![(1, 10)], 2));
        // The next one stands on a line of its own, under a number of its own.
        enter_all(dir.path(), &[40]);
        assert_eq!(seconds(dir.path()), (vec![(1, 10), (4, 40)], 2));
    }

    #[test]
    fn wherever_the_file_is_cut_the_whole_lines_before_stand() {
        let dir = tempfile::tempdir().unwrap();
        enter_all(dir.path(), &[10, 20, 30]);
        let path = file(dir.path());
        let bytes = std::fs::read(&path).unwrap();
        for cut in 0..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
            let (list, damaged) = seconds(dir.path());
            // A line that lacks nothing but its end is whole.
            assert!(
                list.len() == whole || (list.len() == whole + 1 && damaged == 0),
                "{cut}"
            );
        }
    }
}
