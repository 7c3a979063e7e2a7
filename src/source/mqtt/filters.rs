//! What is subscribed at the broker, and what an earlier configuration left there.
//!
//! ```text
//!   file of the last run − wanted ──▶ UNSUBSCRIBE ──acknowledged──▶ file = wanted
//! ```
//!
//! A persistent session keeps its subscriptions, also those that the configuration no
//! longer has, and 3.1.1 has no way to ask for them. So they are noted in a file,
//! **before a filter is subscribed for the first time and until it is gone for sure**.
//! Without the file a topic that nobody asked for gives itself away, by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

/// Filters in one packet: few packets for many filters, each small enough for any broker.
const AT_ONCE: usize = 32;

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    /// The session's owner at the broker.
    client_id: String,
    filters: BTreeSet<String>,
}

/// Subscriptions asked for.
#[derive(Debug)]
enum Asked {
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
}

/// The subscriptions of one session.
#[derive(Debug)]
pub struct Filters {
    client_id: String,
    wanted: BTreeSet<String>,
    gone: BTreeSet<String>,
    file: Option<PathBuf>,
    on_wire: BTreeMap<u16, Asked>,
}

impl Filters {
    /// The filters that are wanted, and those in the file that are not. Blocks.
    pub fn load(client_id: String, wanted: BTreeSet<String>, file: Option<PathBuf>) -> Self {
        let noted = file.as_deref().and_then(read).unwrap_or_default();
        let gone = if noted.client_id == client_id {
            noted.filters.difference(&wanted).cloned().collect()
        } else {
            BTreeSet::new()
        };
        let filters = Self {
            client_id,
            wanted,
            gone,
            file,
            on_wire: BTreeMap::new(),
        };
        let all = filters.wanted.union(&filters.gone).cloned().collect();
        filters.note(all);
        filters
    }

    /// What is subscribed, in packets.
    pub fn wanted(&self) -> Vec<Vec<String>> {
        packets(&self.wanted)
    }

    /// What is to be unsubscribed, in packets.
    pub fn gone(&self) -> Vec<Vec<String>> {
        packets(&self.gone)
    }

    /// A packet is on its way.
    pub fn subscribing(&mut self, pkid: u16, filters: Vec<String>) {
        self.on_wire.insert(pkid, Asked::Subscribe(filters));
    }

    /// A packet is on its way.
    pub fn unsubscribing(&mut self, pkid: u16, filters: Vec<String>) {
        self.on_wire.insert(pkid, Asked::Unsubscribe(filters));
    }

    /// The filters of a packet that the broker refuses.
    pub fn subscribed(&mut self, pkid: u16, granted: &[bool]) -> Vec<String> {
        let Some(Asked::Subscribe(filters)) = self.on_wire.remove(&pkid) else {
            return Vec::new();
        };
        let answers = filters.into_iter().zip(granted);
        let refused = answers.filter(|(_, granted)| !**granted);
        refused.map(|(filter, _)| filter).collect()
    }

    /// These are gone for sure.
    pub fn unsubscribed(&mut self, pkid: u16) {
        let Some(Asked::Unsubscribe(filters)) = self.on_wire.remove(&pkid) else {
            return;
        };
        let before = self.gone.len();
        for filter in &filters {
            self.gone.remove(filter);
        }
        if before > 0 && self.gone.is_empty() {
            info!("Subscriptions of an earlier configuration are gone.");
            let (client_id, file) = (self.client_id.clone(), self.file.clone());
            let filters = self.wanted.clone();
            // Nothing waits for it: until it is written they are unsubscribed again.
            tokio::task::spawn_blocking(move || write(file.as_deref(), client_id, filters));
        }
    }

    /// The connection is gone, and with it the answers.
    pub fn lost(&mut self) {
        self.on_wire.clear();
    }

    /// Whether a topic comes by a filter of ours, so that it is right that it comes.
    pub fn ask_for(&self, topic: &str) -> bool {
        let mut wanted = self.wanted.iter();
        wanted.any(|filter| crate::wire::mqtt::topic::matches(topic, filter))
    }

    fn note(&self, filters: BTreeSet<String>) {
        write(self.file.as_deref(), self.client_id.clone(), filters);
    }
}

fn packets(filters: &BTreeSet<String>) -> Vec<Vec<String>> {
    let all: Vec<String> = filters.iter().cloned().collect();
    all.chunks(AT_ONCE).map(<[String]>::to_vec).collect()
}

fn read(file: &Path) -> Option<Noted> {
    serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
}

/// Writes the file beside, and then over the old one: half a file is none.
fn write(file: Option<&Path>, client_id: String, filters: BTreeSet<String>) {
    let Some(file) = file else { return };
    let noted = Noted { client_id, filters };
    if read(file).as_ref() == Some(&noted) {
        return;
    }
    let written = || -> std::io::Result<()> {
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let beside = file.with_extension("new");
        std::fs::write(&beside, serde_json::to_string(&noted)?)?;
        std::fs::rename(&beside, file)
    };
    if let Err(error) = written() {
        let file = file.display();
        warn!(%file, %error, "Subscriptions cannot be noted; a changed configuration leaves old ones at the broker.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(filters: &[&str]) -> BTreeSet<String> {
        filters.iter().map(|filter| (*filter).to_owned()).collect()
    }

    fn load(dir: &Path, client: &str, filters: &[&str]) -> Filters {
        Filters::load(client.into(), set(filters), Some(dir.join("park.json")))
    }

    #[tokio::test]
    async fn what_the_configuration_no_longer_has_is_unsubscribed_until_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = load(dir.path(), "a", &["meters/+/power", "park/dni"]);
        assert_eq!(first.gone(), Vec::<Vec<String>>::new());
        let changed = load(dir.path(), "a", &["park/dni"]);
        assert_eq!(changed.gone(), [["meters/+/power"]]);
        // A crash before the broker has answered.
        let mut again = load(dir.path(), "a", &["park/dni", "park/ghi"]);
        assert_eq!(again.gone(), [["meters/+/power"]]);
        again.unsubscribing(7, vec!["meters/+/power".into()]);
        again.unsubscribed(7);
        let noted = || read(&dir.path().join("park.json")).unwrap();
        while noted().filters != set(&["park/dni", "park/ghi"]) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(load(dir.path(), "a", &["park/ghi"]).gone(), [["park/dni"]]);
        let stranger = load(dir.path(), "b", &["park/ghi"]);
        assert!(stranger.gone().is_empty(), "another session at the broker");
    }

    #[test]
    fn a_refusal_names_its_filter() {
        let mut filters = Filters::load("a".into(), set(&["x", "y/#"]), None);
        filters.subscribing(1, vec!["x".into(), "y/#".into()]);
        assert_eq!(filters.subscribed(1, &[true, false]), ["y/#"]);
        assert!(filters.subscribed(1, &[false, false]).is_empty(), "once");
        assert!(filters.ask_for("y/a/b") && !filters.ask_for("z"));
    }
}
