//! The stand-in's own reading of line protocol, independent of the encoder under test.

/// A field's value, with its type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Float(f64),
    Integer(i64),
    Text(String),
    Bool(bool),
}

impl Value {
    /// The type, as InfluxDB's messages name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Float(_) => "float",
            Self::Integer(_) => "integer",
            Self::Text(_) => "string",
            Self::Bool(_) => "boolean",
        }
    }
}

/// A row: one point with all its fields.
#[derive(Debug, Clone)]
pub struct Row {
    pub measurement: String,
    pub tags: Vec<(String, String)>,
    pub fields: Vec<(String, Value)>,
    pub time: Option<i64>,
}

/// Cuts `text` at every `at` that stands neither behind a backslash nor in quotes.
fn cut(text: &str, at: char, quotes: bool) -> Vec<&str> {
    let (mut parts, mut start, mut escaped, mut quoted) = (Vec::new(), 0, false, false);
    for (i, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '"' && quotes {
            quoted = !quoted;
        } else if c == at && !quoted {
            parts.push(&text[start..i]);
            start = i + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

fn plain(name: &str) -> String {
    name.replace("\\,", ",")
        .replace("\\=", "=")
        .replace("\\ ", " ")
}

/// Reads one row as InfluxDB 2 does, or says why not in its words.
pub fn read(line: &str) -> Result<Row, String> {
    let refuse = |why: &str| format!("unable to parse '{line}': {why}");
    let parts = cut(line, ' ', true);
    let (key, fields, time) = match parts[..] {
        [_] => return Err(refuse("missing fields")),
        [key, fields] => (key, fields, None),
        [key, fields, time] => (key, fields, Some(time)),
        _ => return Err(refuse("bad timestamp")),
    };
    let mut key = cut(key, ',', false).into_iter();
    let measurement = plain(key.next().unwrap_or(""));
    if measurement.is_empty() {
        return Err(refuse("missing measurement"));
    }
    let mut tags = Vec::new();
    for tag in key {
        match cut(tag, '=', false)[..] {
            [name, value] if !name.is_empty() && !value.is_empty() => {
                tags.push((plain(name), plain(value)));
            }
            [name] if !name.is_empty() => return Err(refuse("missing tag value")),
            [_, ""] => return Err(refuse("missing tag value")),
            _ => return Err(refuse("missing tag key")),
        }
    }
    tags.sort();
    if tags.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(refuse("duplicate tags"));
    }
    let mut read = Vec::new();
    for field in cut(fields, ',', true) {
        match cut(field, '=', true)[..] {
            [name, text] if !name.is_empty() => {
                let value = value(text).ok_or_else(|| refuse("invalid number"))?;
                read.push((plain(name), value));
            }
            _ => return Err(refuse("invalid field format")),
        }
    }
    let time = match time.map(str::parse) {
        None => None,
        Some(Ok(time)) => Some(time),
        Some(Err(_)) => return Err(refuse("bad timestamp")),
    };
    Ok(Row {
        measurement,
        tags,
        fields: read,
        time,
    })
}

fn value(text: &str) -> Option<Value> {
    if let Some(text) = text.strip_prefix('"') {
        let text = text.strip_suffix('"')?;
        return Some(Value::Text(
            text.replace("\\\"", "\"").replace("\\\\", "\\"),
        ));
    }
    match text {
        "t" | "T" | "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "f" | "F" | "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        _ => (),
    }
    if let Some(digits) = text.strip_suffix('i') {
        return digits.parse().ok().map(Value::Integer);
    }
    // NaN and infinities are no numbers here.
    let first = text.trim_start_matches(['-', '+']).chars().next()?;
    let number: f64 = (first.is_ascii_digit() || first == '.').then(|| text.parse().ok())??;
    number.is_finite().then_some(Value::Float(number))
}
