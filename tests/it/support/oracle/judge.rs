//! What was issued, what was journaled, what arrived: each is held against the one before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use sunledger::store::Reader;
use sunledger::wire::line_protocol::{FieldValue, ParsedLine, parse};

use super::super::influx::{Key, Shelf, Value};
use super::issuer::{Issuer, QUANTITIES};

/// Every value of a row by its key, as a receiver keeps it.
pub fn values(row: &ParsedLine) -> Vec<(Key, Value)> {
    let mut tags = row.tags.clone();
    tags.sort();
    let each = |(field, value): &(String, FieldValue)| {
        let key = Key {
            measurement: row.measurement.clone(),
            tags: tags.clone(),
            field: field.clone(),
            time_ns: row.time_ms * 1_000_000,
        };
        let value = match value {
            FieldValue::Float(value) => Value::Float(*value),
            FieldValue::Integer(value) => Value::Integer(*value),
            other => panic!("{other:?}"),
        };
        (key, value)
    };
    row.fields.iter().map(each).collect()
}

/// What the journal holds at a moment, block by block.
pub struct Journaled(pub BTreeMap<u64, Vec<(Key, Value)>>);

impl Journaled {
    /// Reads a store that nobody writes.
    pub fn read(data: &Path) -> Self {
        let mut reader = Reader::new(data).unwrap();
        let (mut blocks, mut seq) = (BTreeMap::new(), 0);
        while let Some(block) = reader.next_after(seq, None).unwrap() {
            seq = block.seq;
            let rows = block.text.lines().map(|line| parse(line).unwrap());
            blocks.insert(seq, rows.flat_map(|row| values(&row)).collect());
        }
        Self(blocks)
    }

    /// The last block that a store has, also while it is written.
    pub fn last(data: &Path) -> u64 {
        let mut reader = Reader::new(data).unwrap();
        let mut seq = 0;
        while let Some(block) = reader.next_after(seq, None).unwrap() {
            seq = block.seq;
        }
        seq
    }

    pub fn values(&self) -> impl Iterator<Item = &(Key, Value)> {
        self.0.values().flatten()
    }
}

/// A tick, and the reading before it.
const TICK_NS: i64 = 2_000_000_000;

/// The memory over all lives of the daemon.
#[derive(Clone)]
pub struct Judge {
    issuer: Issuer,
    /// Every value that the journal ever held.
    ever: Shelf,
    /// Those of them that damage took out of it.
    taken: BTreeSet<Key>,
}

impl Judge {
    pub fn new(issuer: &Issuer) -> Self {
        Self {
            issuer: issuer.clone(),
            ever: Shelf::new(),
            taken: BTreeSet::new(),
        }
    }

    /// A life has ended: what was journaled before is there, nothing has another value,
    /// and every number was issued at its place, once and in its order.
    pub fn sees(&mut self, journal: &Journaled) {
        let mut now = Shelf::new();
        for (key, value) in journal.values() {
            if let Some(before) = now.insert(key.clone(), value.clone()) {
                assert_eq!(&before, value, "two values of {key:?}");
            }
        }
        for (key, value) in &self.ever {
            match now.get(key) {
                Some(same) => assert_eq!(same, value, "another value of {key:?}"),
                None => assert!(self.taken.contains(key), "{key:?} is gone"),
            }
        }
        let mut last: BTreeMap<(&str, &str), f64> = BTreeMap::new();
        let mut by_time: Vec<_> = now.iter().collect();
        by_time.sort_by_key(|(key, _)| key.time_ns);
        for (key, value) in by_time {
            let tag = key.tags.iter().find(|(name, _)| name == "meter");
            let is_number = QUANTITIES.iter().any(|it| it.2 == key.field);
            let (Some((_, meter)), true) = (tag, is_number) else {
                continue;
            };
            let Value::Float(number) = value else {
                panic!("{key:?} {value:?}");
            };
            assert!(
                self.issuer.issued(meter, &key.field, *number),
                "{number} was never issued as {key:?}"
            );
            let before = last.insert((meter, &key.field), *number);
            assert!(
                before.is_none_or(|before| before < *number),
                "{number} after {before:?} as {key:?}"
            );
        }
        self.ever.extend(now);
    }

    /// Something was done to the journal on purpose: what it no longer holds may be absent
    /// from now on, and lies in these blocks alone.
    pub fn damaged(&mut self, before: &Journaled, after: &Journaled, within: usize) {
        let gone: Vec<_> = before
            .0
            .keys()
            .filter(|seq| !after.0.contains_key(seq))
            .collect();
        assert!(gone.len() <= within, "{gone:?} are gone, {within} may be");
        for (seq, values) in &after.0 {
            assert_eq!(Some(values), before.0.get(seq), "block {seq} has changed");
        }
        let left: BTreeSet<&Key> = after.values().map(|(key, _)| key).collect();
        for (key, _) in gone.iter().flat_map(|seq| &before.0[seq]) {
            if !left.contains(key) {
                self.taken.insert(key.clone());
            }
        }
    }

    /// What was said to be on disk is there: the newest row is not older.
    pub fn keeps_its_promise(&self, promised: Timestamp) {
        let newest = self.ever.keys().map(|key| key.time_ns).max().unwrap();
        let promised_ns = i64::try_from(promised.as_nanosecond()).unwrap();
        // A tick writes the second that has passed.
        assert!(
            promised_ns - newest <= TICK_NS,
            "stored until {promised} was said, the newest row is of {newest} ns"
        );
    }

    /// Every value that the journal ever held, but for what damage took.
    pub fn all(&self) -> &Shelf {
        &self.ever
    }

    /// A receiver has every value, and none is different.
    pub fn holds_all(&self, name: &str, shelf: &Shelf, same: impl Fn(&Value, &Value) -> bool) {
        for (key, value) in &self.ever {
            match shelf.get(key) {
                Some(held) => assert!(same(held, value), "{name}: {held:?} for {value:?}, {key:?}"),
                None => assert!(self.taken.contains(key), "{name} lacks {key:?}"),
            }
        }
    }

    /// A receiver has nothing that was never journaled.
    pub fn invented_nothing(&self, name: &str, shelf: &Shelf) {
        for key in shelf.keys() {
            assert!(
                self.ever.contains_key(key),
                "{name}: nobody journaled {key:?}"
            );
        }
    }
}
