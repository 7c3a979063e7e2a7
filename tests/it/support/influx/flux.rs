//! The one shape of Flux that the audit uses, and annotated CSV for its answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::lines::Value;
use super::{Key, Shelf};

/// `from |> range |> filter`, taken apart.
#[derive(Debug)]
pub struct Asked {
    pub bucket: String,
    start: Timestamp,
    stop: Timestamp,
    wanted: Vec<(String, String)>,
}

/// Reads the query, or refuses it: nothing else is Flux here.
pub fn read(query: &str) -> Result<Asked, String> {
    let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
    let refuse = |rest: &str| format!("error @1:1: the stand-in does not speak `{rest}`");
    let mut rest = query.as_str();
    let expect = |word: &str, rest: &mut &str| match rest.strip_prefix(word) {
        Some(more) => {
            *rest = more;
            Ok(())
        }
        None => Err(refuse(rest)),
    };
    expect("from(bucket: ", &mut rest)?;
    let bucket = text(&mut rest)?;
    expect(") |> range(start: ", &mut rest)?;
    let start = time(&mut rest, ", stop: ")?;
    let stop = time(&mut rest, ") |> filter(fn: (r) => ")?;
    if stop <= start {
        return Err("cannot query an empty range".to_owned());
    }
    let mut wanted = Vec::new();
    loop {
        expect("r.", &mut rest)?;
        let (column, more) = rest.split_once(" == ").ok_or_else(|| refuse(rest))?;
        if !matches!(column, "_measurement" | "park") {
            return Err(refuse(column));
        }
        rest = more;
        wanted.push((column.to_owned(), text(&mut rest)?));
        if expect(" and ", &mut rest).is_err() {
            break;
        }
    }
    if rest != ")" {
        return Err(refuse(rest));
    }
    Ok(Asked {
        bucket,
        start,
        stop,
        wanted,
    })
}

fn text(rest: &mut &str) -> Result<String, String> {
    let mut chars = rest.char_indices();
    if chars.next().map(|(_, c)| c) != Some('"') {
        return Err("a text was expected".to_owned());
    }
    let mut text = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                *rest = &rest[at + 1..];
                return Ok(text);
            }
            '\\' => text.push(chars.next().ok_or("a text has no end")?.1),
            _ => text.push(c),
        }
    }
    Err("a text has no end".to_owned())
}

fn time(rest: &mut &str, end: &str) -> Result<Timestamp, String> {
    let (text, more) = rest.split_once(end).ok_or("a time was expected")?;
    *rest = more;
    text.parse().map_err(|_| format!("`{text}` is no time"))
}

fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn stamp(time_ns: i64) -> String {
    Timestamp::from_nanosecond(time_ns.into())
        .unwrap()
        .to_string()
}

/// The answer: a table for each series and field, in annotated CSV.
pub fn answer(asked: &Asked, shelf: &Shelf) -> String {
    let within = |time: i64| {
        let time = Timestamp::from_nanosecond(time.into()).unwrap();
        time >= asked.start && time < asked.stop
    };
    let matches = |key: &Key| {
        asked.wanted.iter().all(|(column, value)| {
            if column == "_measurement" {
                key.measurement == *value
            } else {
                key.tags
                    .iter()
                    .any(|(name, tag)| name == column && tag == value)
            }
        })
    };
    let mut tables: BTreeMap<(&String, &Vec<(String, String)>, &String), Vec<(i64, &Value)>> =
        BTreeMap::new();
    for (key, value) in shelf {
        if matches(key) && within(key.time_ns) {
            let table = (&key.measurement, &key.tags, &key.field);
            tables.entry(table).or_default().push((key.time_ns, value));
        }
    }
    let mut csv = String::new();
    let mut heading = String::new();
    for (number, ((measurement, tags, field), rows)) in tables.iter().enumerate() {
        let kind = match rows[0].1 {
            Value::Float(_) => "double",
            Value::Integer(_) => "long",
            Value::Text(_) => "string",
            Value::Bool(_) => "boolean",
        };
        let (mut types, mut groups, mut names) = (
            format!(
                "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,{kind},string,string"
            ),
            "#group,false,false,true,true,false,false,true,true".to_owned(),
            ",result,table,_start,_stop,_time,_value,_field,_measurement".to_owned(),
        );
        let mut last = format!("{},{}", cell(field), cell(measurement));
        for (name, value) in *tags {
            types += ",string";
            groups += ",true";
            let _ = write!(names, ",{}", cell(name));
            let _ = write!(last, ",{}", cell(value));
        }
        let default = format!(
            "#default,_result{}",
            ",".repeat(names.matches(',').count() - 1)
        );
        let new = format!("{types}\r\n{groups}\r\n{default}\r\n{names}\r\n");
        if new != heading {
            if !csv.is_empty() {
                csv += "\r\n";
            }
            csv += &new;
            heading = new;
        }
        for (time, value) in rows {
            let value = match value {
                Value::Float(value) => format!("{value}"),
                Value::Integer(value) => value.to_string(),
                Value::Text(value) => cell(value),
                Value::Bool(value) => value.to_string(),
            };
            let (start, stop, at) = (asked.start, asked.stop, stamp(*time));
            let _ = write!(csv, ",,{number},{start},{stop},{at},{value},{last}\r\n");
        }
    }
    csv + "\r\n"
}
