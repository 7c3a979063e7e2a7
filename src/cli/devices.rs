//! `sunledger devices`: the templates, and with a name its points and who says so.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{CONFIG, Failure, USAGE, print, problem_text};
use crate::config::field::type_name;
use crate::config::template::{DevicePoint, Found, Library, Shared, Template, Values};
use crate::source::modbus::{Expect, Factor, Meaning, Wants};
use crate::wire::register::{Exponent, Field, Number, Order};

/// Arguments of `devices`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The template whose points are listed
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// A directory whose templates stand in for all others, as `[devices] dir`
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the templates.
///
/// # Errors
///
/// [`USAGE`] for a name that there is not, [`CONFIG`] for a file with mistakes.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let library = Library::of_machine(arguments.dir.as_deref());
    let Some(name) = &arguments.name else {
        return list(&library, arguments.json);
    };
    let template = match library.find(name) {
        Found::Template(template) => template,
        found => return Err(missing(name, &found)),
    };
    if arguments.json {
        print(&format!("{:#}\n", document(&template)))
    } else {
        print(&page(&template))
    }
}

fn missing(name: &str, found: &Found) -> Failure {
    match found {
        Found::Wrong { file, problems } => {
            let count = problems.len();
            let text = problem_text(problems);
            Failure::new(CONFIG, format!("{count} problems in {file}\n{text}"))
        }
        Found::Nothing(Some(near)) => Failure::new(
            USAGE,
            format!("there is no template `{name}`; did you mean `{near}`?"),
        ),
        // As `template` it is right, and there is no file to show.
        _ if name == "sunspec" => Failure::new(
            USAGE,
            "`sunspec` is no file: its points are found in the device; sunledger probe ENDPOINT \
             --template sunspec shows them",
        ),
        _ => Failure::new(
            USAGE,
            format!("there is no template `{name}`; sunledger devices lists all"),
        ),
    }
}

fn list(library: &Library, json: bool) -> Result<(), Failure> {
    let mut rows = vec![["NAME", "MANUFACTURER", "MODEL", "KIND", "POINTS"].map(str::to_owned)];
    let mut documents = Vec::new();
    let mut wrong = Vec::new();
    for name in library.names() {
        match library.find(&name) {
            Found::Template(template) => {
                documents.push(summary(&template));
                rows.push(row(&template));
            }
            found => wrong.push(missing(&name, &found).sentence),
        }
    }
    if json {
        print(&format!("{:#}\n", Value::Array(documents)))?;
    } else {
        print(&aligned(&rows))?;
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(CONFIG, wrong.join("\n")))
    }
}

fn row(template: &Shared) -> [String; 5] {
    [
        template.name.clone(),
        template.manufacturer.clone(),
        template.model.clone(),
        template.kind.to_owned(),
        template.points.len().to_string(),
    ]
}

fn summary(template: &Template) -> Value {
    json!({
        "name": template.name,
        "manufacturer": template.manufacturer,
        "model": template.model,
        "kind": template.kind,
        "points": template.points.len(),
    })
}

/// Rows in columns, two spaces apart.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn page(template: &Template) -> String {
    let mut text = format!(
        "{}: {} {}, {}\n",
        template.name, template.manufacturer, template.model, template.kind
    );
    let mut say = |about: &str, what: &str| text.push_str(&format!("  {about:<11} {what}\n"));
    say("file", &template.file);
    for other in &template.also {
        say("also", other);
    }
    if let Some(values) = template.values {
        say("registers", holds(values));
    }
    say("protocol", &protocol(template));
    let customary = template.customary();
    if !customary.is_empty() {
        say(
            "customary",
            &format!("{} (no document states it)", customary.join(", ")),
        );
    }
    for note in &template.notes {
        say("note", note);
    }
    for option in &template.options {
        let choices = option.choices.join(", ");
        say(
            "option",
            &format!(
                "{} = \"{}\" (one of {choices})",
                option.name, option.default
            ),
        );
        say("", &option.about);
    }
    for factor in &template.factors {
        say("factor", &factor_text(factor));
    }
    for expect in &template.identify {
        say("identified", &expect_text(expect));
    }
    text.push('\n');
    let head = [
        "QUANTITY", "FC", "ADDRESS", "TYPE", "SCALE", "UNIT", "POSITIVE", "READ", "SOURCES",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(
        template
            .points
            .iter()
            .map(|point| point_row(template, point)),
    );
    text.push_str(&aligned(&rows));
    for point in &template.points {
        if let Some(note) = &point.note {
            text.push_str(&format!("\n{}: {note}\n", point.spec.quantity.name));
        }
    }
    text.push_str("\nSources:\n");
    let sources = template.sources.iter();
    let sources = sources.map(|source| {
        [
            format!("  {}", source.id),
            source.kind.clone(),
            source.document.clone(),
        ]
    });
    text.push_str(&aligned(&sources.collect::<Vec<_>>()));
    text
}

fn holds(values: Values) -> &'static str {
    match values {
        Values::Primary => "hold what flows (primary values)",
        Values::Secondary => "hold what reaches the meter (secondary values)",
        Values::SetInDevice => "hold primary or secondary values, as the meter is programmed",
    }
}

fn protocol(template: &Template) -> String {
    let protocol = &template.protocol;
    let limits = &protocol.limits;
    let mut said = vec![
        format!("unit {}", protocol.unit),
        format!("at most {} registers", limits.max_registers),
    ];
    if let Some(baud) = protocol.baud {
        let parity = protocol.parity.as_deref().unwrap_or("none");
        let stop = protocol.stop_bits.unwrap_or(1);
        said.push(format!("{baud} baud, parity {parity}, {stop} stop bits"));
    }
    if limits.even_counts {
        said.push("even counts only".to_owned());
    }
    if limits.single_client {
        said.push("one connection at a time".to_owned());
    }
    let times = [
        ("between requests", limits.request_pause),
        ("after connecting", limits.connect_pause),
        ("for an answer", limits.min_timeout),
        ("between readings", protocol.min_period),
    ];
    for (what, time) in times {
        said.extend(time.map(|time| format!("{time:?} {what}")));
    }
    said.join("; ")
}

fn field_text(fc: u8, field: Field) -> String {
    format!(
        "fc {fc}, {}, {}",
        address_text(field.address),
        type_text(field)
    )
}

fn address_text(address: u16) -> String {
    format!("{address} (0x{address:04X})")
}

fn type_text(field: Field) -> String {
    let mut text = type_name(field.number).to_owned();
    match field.number {
        Number::Bit(bit) => text.push_str(&format!(" {bit}")),
        Number::Text(words) => text.push_str(&format!(" of {words}")),
        _ => (),
    }
    if field.order == Order::Little && field.number.words() > 1 {
        text.push_str(" low word first");
    }
    if field.bytes == Order::Little {
        text.push_str(" low byte first");
    }
    text
}

fn factor_text(factor: &Factor) -> String {
    let meaning = match &factor.meaning {
        Meaning::Scale(scale) => format!("raw × {scale}"),
        Meaning::PowerOfTen => "ten to the power of raw".to_owned(),
        Meaning::Codes(codes) => {
            let codes = codes
                .iter()
                .map(|(code, factor)| format!("{code} is {factor}"));
            codes.collect::<Vec<_>>().join(", ")
        }
    };
    format!(
        "{}: {}: {meaning}",
        factor.name,
        field_text(factor.fc, factor.field)
    )
}

fn expect_text(expect: &Expect) -> String {
    let wants = match &expect.wants {
        Wants::Begins(beginnings) => format!("begins with {}", beginnings.join(" or ")),
        Wants::Equals(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
            format!("is {}", numbers.join(" or "))
        }
        Wants::Between(least, most) => format!("is from {least} to {most}"),
    };
    format!(
        "{}: {} {wants}",
        expect.about,
        field_text(expect.fc, expect.field)
    )
}

fn point_row(template: &Template, point: &DevicePoint) -> [String; 9] {
    let spec = &point.spec;
    let mut scale = spec.said.scale.to_string();
    for place in &spec.multiply_by {
        let factor = template.factors.get(*place);
        scale.push_str(&format!(" × {}", factor.map_or("", |factor| &*factor.name)));
    }
    if let Some(Exponent { field, negate }) = spec.exponent {
        let sign = if negate { "-" } else { "" };
        scale.push_str(&format!(" × 10^{sign}[{}]", field.address));
    }
    let mut kind = type_text(spec.field);
    for term in &spec.also {
        kind.push_str(&format!(
            " + {} at {}",
            type_text(term.field),
            term.field.address
        ));
    }
    let when: Vec<String> = point
        .when
        .iter()
        .map(|(key, choice)| format!("{key}={choice}"))
        .collect();
    let read = if point.detail { "all" } else { "essential" };
    [
        spec.quantity.name.to_owned(),
        spec.fc.to_string(),
        address_text(spec.field.address),
        kind,
        scale,
        spec.said.unit.clone(),
        spec.positive
            .map_or("", |positive| positive.name())
            .to_owned(),
        [vec![read.to_owned()], when].concat().join(", "),
        point.sources.join(", "),
    ]
}

fn document(template: &Template) -> Value {
    let points: Vec<Value> = template
        .points
        .iter()
        .map(|point| point_json(template, point))
        .collect();
    let options = template.options.iter().map(|option| {
        json!({"name": option.name, "choices": option.choices, "default": option.default, "about": option.about})
    });
    let sources = template
        .sources
        .iter()
        .map(|source| json!({"id": source.id, "document": source.document, "kind": source.kind}));
    let protocol = &template.protocol;
    json!({
        "name": template.name,
        "manufacturer": template.manufacturer,
        "model": template.model,
        "kind": template.kind,
        "file": template.file,
        "also": template.also,
        "values": template.values.map(|values| match values {
            Values::Primary => "primary",
            Values::Secondary => "secondary",
            Values::SetInDevice => "set-in-device",
        }),
        "notes": template.notes,
        "protocol": {
            "unit": protocol.unit,
            "max_registers": protocol.limits.max_registers,
            "baud": protocol.baud,
            "parity": protocol.parity,
            "stop_bits": protocol.stop_bits,
            "customary": template.customary(),
        },
        "options": options.collect::<Vec<_>>(),
        "factors": template.factors.iter().map(factor_text).collect::<Vec<_>>(),
        "identify": template.identify.iter().map(expect_text).collect::<Vec<_>>(),
        "points": points,
        "sources": sources.collect::<Vec<_>>(),
    })
}

fn point_json(template: &Template, point: &DevicePoint) -> Value {
    let spec = &point.spec;
    let factors = spec
        .multiply_by
        .iter()
        .filter_map(|place| template.factors.get(*place));
    let when: serde_json::Map<String, Value> = point
        .when
        .iter()
        .map(|(option, choice)| (option.clone(), json!(choice)))
        .collect();
    json!({
        "quantity": spec.quantity.name,
        "fc": spec.fc,
        "address": spec.field.address,
        "type": type_text(spec.field),
        "scale": spec.said.scale,
        "offset": spec.said.offset,
        "unit": spec.said.unit,
        "positive": spec.positive.map(|positive| positive.name()),
        "multiply_by": factors.map(|factor| &*factor.name).collect::<Vec<_>>(),
        "when": when,
        "detail": point.detail,
        "note": point.note,
        "sources": point.sources,
    })
}
