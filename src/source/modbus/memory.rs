//! What was learned of the units of an endpoint, kept over restarts.
//!
//! A small file beside the journal. **Nothing depends on it**: where it is missing,
//! torn or of another version everything is learned again, and where it cannot be
//! written the daemon goes on without it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::learned::{Learned, Saved};

/// What the file holds: units by their ids.
#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    version: u32,
    units: BTreeMap<u8, Saved>,
}

/// The version of the file; another one is not read.
const VERSION: u32 = 1;

/// Where what was learned of a bus is kept, under the directory of the store.
#[must_use]
pub fn path(store: &Path, bus: &str) -> PathBuf {
    store.join("learned").join(format!("{bus}.json"))
}

/// What was learned before, by unit; nothing where nobody knows.
#[must_use]
pub fn load(path: &Path, now: Instant, wall_ms: i64) -> BTreeMap<u8, Learned> {
    let Ok(text) = std::fs::read(path) else {
        return BTreeMap::new();
    };
    let file: File = serde_json::from_slice(&text).unwrap_or_default();
    if file.version != VERSION {
        return BTreeMap::new();
    }
    let units = file.units.into_iter();
    units
        .map(|(unit, saved)| (unit, Learned::restored(&saved, now, wall_ms)))
        .collect()
}

/// The file for what is known now.
#[must_use]
pub fn text<'a>(
    units: impl Iterator<Item = (u8, &'a Learned)>,
    now: Instant,
    wall_ms: i64,
) -> String {
    let known = units.map(|(unit, learned)| (unit, learned.saved(now, wall_ms)));
    let file = File {
        version: VERSION,
        units: known.filter(|(_, saved)| !saved.is_empty()).collect(),
    };
    serde_json::to_string(&file).unwrap_or_default()
}

/// Writes it, whole or not at all.
///
/// # Errors
///
/// What the disk says.
pub fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wire::plan::{Limits, Span};

    #[test]
    fn what_was_learned_is_known_after_a_restart_and_its_times_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path(), "main");
        let absent = Span {
            fc: 3,
            address: 7,
            count: 1,
        };
        let start = Instant::now();
        let mut learned = Learned::default();
        learned.came(&Span {
            count: 60,
            ..absent
        });
        learned.refuse_length(61, start);
        learned.refuse(absent, start);
        let nothing = Learned::default();
        let units = [(3, &learned), (4, &nothing)];
        let known = text(units.into_iter(), start, 1_000_000);
        let newer = known.replace("\"version\":1", "\"version\":2");
        write(&path, &newer).unwrap();
        assert!(load(&path, start, 1_000_000).is_empty(), "{newer}");
        write(&path, &known).unwrap();
        // Four minutes later by the wall clock, in another process.
        let back = load(&path, start, 1_000_000 + 240_000);
        assert_eq!(back.keys().collect::<Vec<_>>(), [&3]);
        let known = &back[&3];
        assert_eq!(known.refused(), [absent]);
        assert_eq!(known.limits(Limits::default()).max_registers, 60);
        assert_eq!(known.due(start + Duration::from_secs(359)), None);
        assert_eq!(known.due(start + Duration::from_secs(361)), Some(absent));
        // A clock that went back lets nobody wait for longer than a day.
        let back = load(&path, start, i64::MIN / 2);
        assert_eq!(
            back[&3].due(start + Duration::from_secs(86_400)),
            Some(absent)
        );
    }

    #[test]
    fn a_file_that_is_none_is_nothing_learned() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path(), "main");
        let now = Instant::now();
        assert!(load(&path, now, 0).is_empty());
        for text in [
            "",
            "{",
            "[]",
            r#"{"version":2,"units":{}}"#,
            r#"{"version":1,"units":{"300":{}}}"#,
        ] {
            write(&path, text).unwrap();
            assert!(load(&path, now, 0).is_empty(), "{text}");
        }
    }
}
