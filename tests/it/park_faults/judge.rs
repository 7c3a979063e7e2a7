//! The judge: each value of the journal against the questions that were asked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sunledger::domain::quality::{REASONS, Reason};
use sunledger::simulate::rehearsal::log::{Asked, Log};
use sunledger::wire::line_protocol::{FieldValue, ParsedLine};
use tokio::time::Instant;

use super::Meter;
use crate::backlog::field;

/// Two clocks are read, and a row has whole milliseconds.
const CLOCKS_MS: i64 = 20;

/// A row of one meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub time_ms: i64,
    /// The question that its values answer, or why it has none.
    pub said: Result<u64, Reason>,
}

/// What came of all that was written down.
#[derive(Debug, Default)]
pub struct Judged {
    /// By meter, in the order of the journal.
    pub rows: BTreeMap<String, Vec<Row>>,
    /// Questions whose answers were stored.
    pub stored: BTreeSet<u64>,
    /// Values that are not what they are filed under.
    pub wrong: Vec<String>,
}

impl Judged {
    /// Rows without values, with their meters.
    pub fn gaps(&self) -> Vec<(&str, i64, Reason)> {
        let mut gaps = Vec::new();
        for (id, rows) in &self.rows {
            for row in rows {
                if let Err(reason) = row.said {
                    gaps.push((id.as_str(), row.time_ms, reason));
                }
            }
        }
        gaps
    }
}

pub fn is_of(row: &ParsedLine, meter: &str) -> bool {
    row.tags
        .iter()
        .any(|(key, id)| key == "meter" && id == meter)
}

/// Two registers, as they were.
fn words(value: f64) -> [u16; 2] {
    let bits = value as u32;
    assert_eq!(f64::from(bits), value, "a whole number of 32 bits");
    [(bits >> 16) as u16, (bits & 0xFFFF) as u16]
}

fn reason(row: &ParsedLine) -> Reason {
    let Some(FieldValue::Integer(code)) = field(row, "reason") else {
        panic!("a gap without a reason: {row:?}")
    };
    REASONS[*code as usize].0
}

/// Holds every row of the meters against the record of what was asked since a moment.
pub fn judge(log: &Log, meters: &[Meter], rows: &[ParsedLine], since: Instant) -> Judged {
    let asked = log.asked();
    assert_eq!(asked.len() as u64, log.questions(), "all are remembered");
    let mut judged = Judged::default();
    for row in rows {
        let Some(meter) = meters.iter().find(|meter| is_of(row, &meter.id)) else {
            continue;
        };
        let proven = prove(log, meter, row, since).and_then(|one| {
            let own = judged.rows.entry(meter.id.clone()).or_default();
            if let Some(one) = &one {
                let before = own.iter().rev().find_map(|row| row.said.ok());
                if before.is_some_and(|before| before >= one.sequence) {
                    return Err(format!("{before:?} was stored before {one:?}"));
                }
                is_of_its_moment(&asked, one, row.time_ms)?;
                judged.stored.insert(one.sequence);
            }
            own.push(Row {
                time_ms: row.time_ms,
                said: one.map(|one| one.sequence).ok_or_else(|| reason(row)),
            });
            Ok(())
        });
        if let Err(why) = proven {
            judged.wrong.push(format!("{why}: {row:?}"));
        }
    }
    judged
}

/// The one question that the values of a row answer; none where it has none.
fn prove(
    log: &Log,
    meter: &Meter,
    row: &ParsedLine,
    since: Instant,
) -> Result<Option<Asked>, String> {
    let mut question: Option<Asked> = None;
    for (name, address) in [
        ("voltage_l1_v", meter.address),
        ("voltage_l2_v", meter.address + 2),
    ] {
        let Some(FieldValue::Float(value)) = field(row, name) else {
            continue;
        };
        let one = log
            .proves(
                meter.bus,
                meter.unit,
                meter.fc,
                address,
                &words(*value),
                since,
            )
            .map_err(|why| format!("{}: {why}", meter.id))?;
        let torn = |other: &Asked| other.sequence != one.sequence;
        if question.as_ref().is_some_and(torn) {
            return Err("a row of two answers".into());
        }
        question = Some(one);
    }
    Ok(question)
}

/// A reading lies in the middle between its question and its answer, so no later question
/// about these registers can be nearer to it than its own.
fn is_of_its_moment(asked: &[Asked], own: &Asked, time_ms: i64) -> Result<(), String> {
    let off = |one: &Asked| (millisecond(one.wall) - time_ms).abs();
    let same = |one: &&Asked| {
        let (q, own) = (one.question, own.question);
        (q.unit, q.fc, q.address) == (own.unit, own.fc, own.address)
    };
    let place = asked.partition_point(|one| one.sequence <= own.sequence);
    let mut later = asked[place..]
        .iter()
        .filter(|one| one.bus == own.bus)
        .filter(same);
    match later.find(|one| off(one) + CLOCKS_MS < off(own)) {
        None => Ok(()),
        Some(one) => Err(format!(
            "the answer to {own:?} is filed under the moment of {one:?}"
        )),
    }
}

fn millisecond(at: Timestamp) -> i64 {
    at.as_millisecond()
}
