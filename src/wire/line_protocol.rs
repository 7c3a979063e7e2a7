//! InfluxDB line protocol: rows to text, and text back to rows.
//!
//! ```text
//! electricity,meter=pcc,park=fanshi,role=grid power_w=-412000.0,quality=0i 1780468327000
//! └──────────── series key ────────────────┘ └─────── fields ──────────┘ └─ time, ms ─┘
//! ```
//!
//! A series key is escaped once, by [`series_key`], and used for every row of its
//! meter. Floats are written with the shortest digits that read back as the same
//! number, so a value survives the journal and the database bit for bit. A number
//! that is not finite is no number: its field is left out, and a row without a
//! field is left out.
//!
//! A backslash stands for itself unless a comma, an equals sign or a space
//! follows; InfluxDB reads it so. At the end of a name it would swallow the
//! separator, so [`series_key`] refuses it there, with line breaks and control
//! characters, which would make two rows of one.
//!
//! [`parse`] is the strict inverse, used by recovery and audit; [`plain`] is quicker and
//! reads what it can.

pub mod plain;

/// Why a series key or a row was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A name without a character.
    #[error("a measurement or tag name is empty")]
    Empty,
    /// A line break or another control character.
    #[error("`{}` has a control character in it", .0.escape_debug())]
    Control(String),
    /// A backslash at the end.
    #[error("`{0}` ends in a backslash, which line protocol cannot say")]
    TrailingBackslash(String),
    /// A name that InfluxDB keeps for itself.
    #[error("`{0}` is a name that InfluxDB keeps for itself")]
    Reserved(String),
    /// A tag twice.
    #[error("tag `{0}` stands twice")]
    Twice(String),
}

/// The escaped start of a row: measurement and tags, sorted by name.
///
/// A tag with an empty value is left out: InfluxDB has no such thing.
///
/// # Errors
///
/// [`KeyError`] where a name cannot be written so that it reads back the same.
pub fn series_key(measurement: &str, tags: &[(&str, &str)]) -> Result<String, KeyError> {
    check(measurement)?;
    if measurement.starts_with('_') || measurement.starts_with('#') {
        return Err(KeyError::Reserved(measurement.to_owned()));
    }
    let mut sorted: Vec<_> = tags.iter().filter(|(_, value)| !value.is_empty()).collect();
    sorted.sort_unstable();
    let mut key = String::new();
    escape(measurement, &[',', ' '], &mut key);
    let mut before = None;
    for (name, value) in sorted {
        check(name)?;
        check(value)?;
        if name.starts_with('_') || *name == "time" {
            return Err(KeyError::Reserved((*name).to_owned()));
        }
        if before == Some(name) {
            return Err(KeyError::Twice((*name).to_owned()));
        }
        before = Some(name);
        key.push(',');
        escape(name, SEPARATORS, &mut key);
        key.push('=');
        escape(value, SEPARATORS, &mut key);
    }
    Ok(key)
}

/// What separates the parts of tags and fields.
const SEPARATORS: &[char] = &[',', '=', ' '];

fn check(name: &str) -> Result<(), KeyError> {
    if name.is_empty() {
        Err(KeyError::Empty)
    } else if name.chars().any(char::is_control) {
        Err(KeyError::Control(name.to_owned()))
    } else if name.ends_with('\\') {
        Err(KeyError::TrailingBackslash(name.to_owned()))
    } else {
        Ok(())
    }
}

fn escape(name: &str, specials: &[char], into: &mut String) {
    for c in name.chars() {
        if specials.contains(&c) {
            into.push('\\');
        }
        into.push(c);
    }
}

/// Rows on their way into one text.
///
/// ```
/// use sunledger::wire::line_protocol::{Writer, series_key};
///
/// let key = series_key("electricity", &[("park", "fanshi"), ("meter", "pcc")])?;
/// let mut rows = Writer::default();
/// rows.begin(&key);
/// rows.float("power_w", -412_000.0);
/// rows.int("quality", 0);
/// rows.end(1_780_468_327_000);
/// assert_eq!(
///     rows.text,
///     "electricity,meter=pcc,park=fanshi power_w=-412000.0,quality=0i 1780468327000\n"
/// );
/// # Ok::<(), sunledger::wire::line_protocol::KeyError>(())
/// ```
#[derive(Debug, Default)]
pub struct Writer {
    /// The rows, each ending in a line break.
    pub text: String,
    /// How many rows there are.
    pub lines: usize,
    /// How many field values they hold.
    pub points: usize,
    /// Where the open row starts.
    start: usize,
    /// Fields of the open row.
    fields: usize,
}

impl Writer {
    /// Opens a row of a series; `key` comes from [`series_key`].
    pub fn begin(&mut self, key: &str) {
        self.text.truncate(self.closed());
        self.start = self.text.len();
        self.fields = 0;
        self.text.push_str(key);
    }

    /// An analog value. A field name is one of the schema's: plain letters, digits, `_`.
    pub fn float(&mut self, name: &str, value: f64) {
        if value.is_finite() {
            self.field(name);
            self.text.push_str(ryu::Buffer::new().format_finite(value));
        }
    }

    /// A count or a code.
    pub fn int(&mut self, name: &str, value: i64) {
        use std::fmt::Write as _;
        self.field(name);
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{value}i");
    }

    /// Closes the row at `time_ms`, milliseconds since 1970. Without a field there is no row.
    pub fn end(&mut self, time_ms: i64) {
        use std::fmt::Write as _;
        if self.fields == 0 {
            self.text.truncate(self.start);
            return;
        }
        let _ = writeln!(self.text, " {time_ms}");
        self.lines += 1;
        self.points += self.fields;
        self.fields = 0;
        self.start = self.text.len();
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.lines = 0;
        self.points = 0;
        self.start = 0;
        self.fields = 0;
    }

    /// Where the last closed row ends.
    fn closed(&self) -> usize {
        self.start.min(self.text.len())
    }

    fn field(&mut self, name: &str) {
        self.text.push(if self.fields == 0 { ' ' } else { ',' });
        self.fields += 1;
        escape(name, SEPARATORS, &mut self.text);
        self.text.push('=');
    }
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// `1.5`
    Float(f64),
    /// `1i`
    Integer(i64),
    /// `"words"`
    Text(String),
    /// `true`
    Bool(bool),
}

/// A row as read back.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedLine {
    /// Its measurement.
    pub measurement: String,
    /// Its tags, as they stand.
    pub tags: Vec<(String, String)>,
    /// Its fields, as they stand.
    pub fields: Vec<(String, FieldValue)>,
    /// Its time, milliseconds since 1970.
    pub time_ms: i64,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {fact}")]
pub struct ParseError {
    /// Where, in bytes from 1.
    pub column: usize,
    /// What.
    pub fact: &'static str,
}

/// Reads one row, without its line break.
///
/// # Errors
///
/// [`ParseError`] for everything that [`Writer`] would not write: a row without a
/// field or a time, an empty name or value, a number that is none.
pub fn parse(line: &str) -> Result<ParsedLine, ParseError> {
    let mut row = Cursor { line, at: 0 };
    let measurement = row.name(&[',', ' '], "the measurement is empty")?;
    if measurement.starts_with('#') {
        return Err(row.error("a comment is not a row"));
    }
    let mut tags = Vec::new();
    while row.take(',') {
        let name = row.name(SEPARATORS, "a tag has no name")?;
        row.expect('=', "a tag has no value")?;
        tags.push((name, row.name(SEPARATORS, "a tag is empty")?));
    }
    row.expect(' ', "a row needs a field")?;
    let mut fields = Vec::new();
    loop {
        let name = row.name(SEPARATORS, "a field has no name")?;
        row.expect('=', "a field has no value")?;
        fields.push((name, row.value()?));
        if !row.take(',') {
            break;
        }
    }
    row.expect(' ', "a row needs a time")?;
    let time_ms = row.rest().parse().ok().filter(|_| plain_number(row.rest()));
    let time_ms = time_ms.ok_or_else(|| row.error("the time is not a whole number"))?;
    Ok(ParsedLine {
        measurement,
        tags,
        fields,
        time_ms,
    })
}

/// The time of a row, milliseconds since 1970, without reading the rest of it.
#[must_use]
pub fn time_of(line: &str) -> Option<i64> {
    line.rsplit_once(' ')?.1.parse().ok()
}

/// No leading `+`, which Rust would read.
fn plain_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
}

struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or("")
    }

    fn error(&self, fact: &'static str) -> ParseError {
        ParseError {
            column: self.at + 1,
            fact,
        }
    }

    fn take(&mut self, c: char) -> bool {
        let there = self.rest().starts_with(c);
        if there {
            self.at += c.len_utf8();
        }
        there
    }

    fn expect(&mut self, c: char, otherwise: &'static str) -> Result<(), ParseError> {
        if self.take(c) {
            Ok(())
        } else {
            Err(self.error(otherwise))
        }
    }

    /// A name up to an unescaped separator, which stays.
    fn name(&mut self, separators: &[char], empty: &'static str) -> Result<String, ParseError> {
        let mut name = String::new();
        let mut chars = self.rest().char_indices().peekable();
        let mut end = self.rest().len();
        while let Some((at, c)) = chars.next() {
            if separators.contains(&c) {
                end = at;
                break;
            }
            match chars.peek() {
                Some((_, next)) if c == '\\' && separators.contains(next) => {
                    name.push(*next);
                    chars.next();
                }
                _ => name.push(c),
            }
        }
        if name.is_empty() {
            return Err(self.error(empty));
        }
        self.at += end;
        Ok(name)
    }

    fn value(&mut self) -> Result<FieldValue, ParseError> {
        if self.take('"') {
            return self.text();
        }
        let rest = self.rest();
        let text = rest
            .find([',', ' '])
            .map_or(rest, |end| rest.get(..end).unwrap_or(rest));
        let value = match text {
            "t" | "T" | "true" | "True" | "TRUE" => FieldValue::Bool(true),
            "f" | "F" | "false" | "False" | "FALSE" => FieldValue::Bool(false),
            _ => number(text).ok_or_else(|| self.error("a field is not a number"))?,
        };
        self.at += text.len();
        Ok(value)
    }

    fn text(&mut self) -> Result<FieldValue, ParseError> {
        let mut words = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(FieldValue::Text(words));
                }
                '\\' => match chars.clone().next() {
                    Some((_, next @ ('"' | '\\'))) => {
                        words.push(next);
                        chars.next();
                    }
                    _ => words.push(c),
                },
                _ => words.push(c),
            }
        }
        Err(self.error("a text has no end"))
    }
}

fn number(text: &str) -> Option<FieldValue> {
    if !plain_number(text) {
        return None;
    }
    if let Some(digits) = text.strip_suffix('i') {
        return digits.parse().ok().map(FieldValue::Integer);
    }
    // Rust reads `-inf` and `-nan` as numbers.
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let value = text.chars().all(digits).then(|| text.parse().ok())??;
    f64::is_finite(value).then_some(FieldValue::Float(value))
}

#[cfg(test)]
mod tests;
