//! A template from its text.

use std::sync::Arc;

use toml::de::DeTable;

use super::super::field::{Defaults, absent_by_type, function_code, order, spot};
use super::super::overlap::{clash, unsplittable};
use super::super::point::Spec;
use super::super::read::{Problem, Problems, Table, closest, list};
use super::{Choice, DevicePoint, KINDS, Protocol, Site, Source, Template, Values};
use crate::domain::meter::Role;
use crate::source::modbus;
use crate::source::modbus::{Limits, Meaning, Wants};
use crate::wire::plan::MAX_REGISTERS;
use crate::wire::register::{Layout, Number, Order};

/// Reads the template of a name from the text of a file.
///
/// # Errors
///
/// Every mistake, with its line, the fact and the remedy.
pub fn parse(name: &str, file: &str, text: &str) -> Result<Template, Vec<Problem>> {
    let problems = Problems::new(text);
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map(|span| span.start);
            let fact = format!("is not TOML: {}", error.message());
            problems.add(
                at,
                "",
                fact,
                "mend this line; what follows it could not be read",
            );
            return Err(problems.into_list());
        }
    };
    let root = Table::root(document.get_ref(), &problems);
    let template = template(&root, name, file);
    root.finish();
    let found = problems.into_list();
    match template {
        Some(template) if found.is_empty() => Ok(template),
        _ => Err(found),
    }
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

fn template(root: &Table<'_>, name: &str, file: &str) -> Option<Template> {
    let own = root.required("name", name);
    if own.is_some_and(|own| own != name) {
        root.problem("name", "is not the name of the file", format!("`{name}`"));
    }
    let manufacturer = root.required("manufacturer", "Acrel");
    let model = root.required("model", "DTSD1352");
    root.required("kind", "electricity-meter");
    let kind = root.parsed("kind", "electricity-meter", |text| {
        let kind = KINDS.iter().find(|kind| **kind == text);
        kind.copied().ok_or_else(|| {
            let kinds = list(KINDS.iter().map(|kind| format!("`{kind}`")));
            (
                format!("`{text}` is not a kind of device"),
                format!("one of {kinds}"),
            )
        })
    });
    let also = owned(root.texts("also"));
    let values = root.parsed("values", "primary", |text| match text {
        "primary" => Ok(Values::Primary),
        "secondary" => Ok(Values::Secondary),
        "set-in-device" => Ok(Values::SetInDevice),
        other => Err((
            format!("`{other}` does not say what the registers hold"),
            "`primary`, `secondary` or `set-in-device`".to_owned(),
        )),
    });
    let notes = owned(root.texts("notes"));
    let (protocol, mut defaults) = protocol(root);
    if root.has("not_available")
        && let Some(table) = root.table("not_available")
    {
        defaults.absent = absent_by_type(&table);
    }
    let options = options(root);
    let factors = factors(root, &defaults);
    let identify = identify(root, &defaults);
    let sources = sources(root);
    let names: Vec<&str> = factors.iter().map(|factor| &*factor.name).collect();
    let points = points(root, &defaults, &names, &options, &sources, &protocol);
    Some(Template {
        name: name.to_owned(),
        manufacturer: manufacturer?.to_owned(),
        model: model?.to_owned(),
        kind: kind?,
        also,
        values,
        notes,
        protocol,
        options,
        factors,
        identify,
        points,
        sources,
        file: file.to_owned(),
    })
}

/// Keys of the protocol that a document may state.
const STATED: &[&str] = &[
    "max_registers",
    "even_counts",
    "max_gap",
    "request_pause",
    "connect_pause",
    "min_timeout",
    "min_period",
    "single_client",
    "baud",
    "parity",
    "stop_bits",
];

fn protocol(root: &Table<'_>) -> (Protocol, Defaults) {
    let mut protocol = Protocol {
        unit: 1,
        limits: Limits::default(),
        min_period: None,
        baud: None,
        parity: None,
        stop_bits: None,
        sourced: Vec::new(),
        stated: Vec::new(),
    };
    let mut defaults = Defaults::default();
    if !root.has("protocol") {
        let remedy = "add a table [protocol] with what is known, such as `unit = 1`";
        root.problem("protocol", "is missing", remedy);
        return (protocol, defaults);
    }
    let Some(table) = root.table("protocol") else {
        return (protocol, defaults);
    };
    let of = |key: &str, least: i64, most: i64| table.integer(key, least, most);
    defaults.fc = function_code(&table, "function_code", &defaults).unwrap_or(3);
    defaults.order = order(&table, "order", Order::Big).unwrap_or(Order::Big);
    defaults.bytes = order(&table, "byte_order", Order::Big).unwrap_or(Order::Big);
    protocol.unit = small(of("unit", 0, 255)).unwrap_or(1);
    let most = of("max_registers", 1, MAX_REGISTERS.into());
    protocol.limits = Limits {
        max_registers: small(most).unwrap_or(MAX_REGISTERS),
        even_counts: table.flag("even_counts").unwrap_or(false),
        max_gap: small(of("max_gap", 0, 125)),
        request_pause: table.duration("request_pause", "60ms"),
        connect_pause: table.duration("connect_pause", "1s"),
        min_timeout: table.duration("min_timeout", "5s"),
        single_client: table.flag("single_client").unwrap_or(false),
    };
    protocol.min_period = table.duration("min_period", "60s");
    protocol.baud = small(of("baud", 300, 1_000_000));
    protocol.parity = table.parsed("parity", "none", |text| match text {
        "none" | "even" | "odd" => Ok(text.to_owned()),
        other => Err((
            format!("`{other}` is not a parity"),
            "`none`, `even` or `odd`".to_owned(),
        )),
    });
    protocol.stop_bits = small(of("stop_bits", 1, 2));
    protocol.sourced = owned(table.texts("sourced"));
    for key in &protocol.sourced {
        if !STATED.contains(&&**key) {
            let keys = list(STATED.iter().map(|key| format!("`{key}`")));
            table.problem(
                "sourced",
                format!("`{key}` is nothing that a document states"),
                format!("of {keys}"),
            );
        }
    }
    protocol.stated = STATED
        .iter()
        .copied()
        .filter(|key| table.has(key))
        .collect();
    table.finish();
    (protocol, defaults)
}

fn small<T: TryFrom<i64>>(number: Option<i64>) -> Option<T> {
    T::try_from(number?).ok()
}

fn listed<'a>(root: &Table<'a>, key: &str) -> Vec<Table<'a>> {
    if root.has(key) {
        root.tables(key)
    } else {
        Vec::new()
    }
}

fn options(root: &Table<'_>) -> Vec<Choice> {
    let mut options: Vec<Choice> = Vec::new();
    for table in listed(root, "option") {
        let name = table.required("name", "energy_block");
        let choices = owned(table.texts("choices"));
        let default = table.required("default", choices.first().map_or("1000", |first| first));
        let about = table.required("about", "which block holds the energy registers");
        table.finish();
        if choices.len() < 2 {
            table.problem("choices", "leaves nothing to choose", "at least two");
        }
        let (Some(name), Some(default), Some(about)) = (name, default, about) else {
            continue;
        };
        if !choices.iter().any(|choice| choice == default) {
            let known = list(choices.iter().map(|choice| format!("`{choice}`")));
            table.problem(
                "default",
                format!("`{default}` is no choice"),
                format!("one of {known}"),
            );
        }
        if options.iter().any(|option| option.name == name) {
            table.problem(
                "name",
                format!("`{name}` is taken"),
                "each option has its own",
            );
        }
        options.push(Choice {
            name: name.to_owned(),
            choices,
            default: default.to_owned(),
            about: about.to_owned(),
        });
    }
    options
}

fn factors(root: &Table<'_>, defaults: &Defaults) -> Vec<modbus::Factor> {
    let mut factors: Vec<modbus::Factor> = Vec::new();
    for table in listed(root, "factor") {
        let name = table.required("name", "ct");
        let fc = function_code(&table, "fc", defaults);
        let spot = spot(&table, fc, defaults);
        let meaning = factor_meaning(&table);
        table.finish();
        let (Some(name), Some(fc), Some(spot), Some(meaning)) = (name, fc, spot, meaning) else {
            continue;
        };
        if factors.iter().any(|factor| &*factor.name == name) {
            table.problem(
                "name",
                format!("`{name}` is taken"),
                "each factor has its own",
            );
        }
        factors.push(modbus::Factor {
            name: Arc::from(name),
            fc,
            field: spot.field,
            absent: spot.absent,
            meaning,
        });
    }
    factors
}

fn factor_meaning(table: &Table<'_>) -> Option<Meaning> {
    let power = table.flag("power_of_ten").unwrap_or(false);
    let stated = [table.has("scale"), table.has("codes"), power];
    if stated.into_iter().filter(|stated| *stated).count() > 1 {
        table.problem(
            "",
            "says in two ways what its register means",
            "one of `scale`, `codes` and `power_of_ten`",
        );
        return None;
    }
    if power {
        return Some(Meaning::PowerOfTen);
    }
    if !table.has("codes") {
        let scale = table.number("scale").unwrap_or(1.0);
        if scale <= 0.0 {
            table.problem("scale", format!("{scale} is not above zero"), "such as 0.1");
            return None;
        }
        return Some(Meaning::Scale(scale));
    }
    let codes = table.table("codes")?;
    let mut known = Vec::new();
    for key in codes.keys() {
        let factor = codes.number(key);
        match (key.parse::<i64>(), factor) {
            (Ok(code), Some(factor)) if factor > 0.0 => known.push((code, factor)),
            (Ok(_), Some(factor)) => {
                codes.problem(key, format!("{factor} is not above zero"), "such as 0.1");
            }
            (Err(_), _) => codes.problem(key, "is not a code", "a whole number"),
            (Ok(_), None) => (),
        }
    }
    known.sort_by_key(|(code, _)| *code);
    Some(Meaning::Codes(known))
}

fn identify(root: &Table<'_>, defaults: &Defaults) -> Vec<modbus::Expect> {
    let mut expected = Vec::new();
    for table in listed(root, "identify") {
        let fc = function_code(&table, "fc", defaults);
        let spot = spot(&table, fc, defaults);
        let text = spot
            .as_ref()
            .is_some_and(|spot| matches!(spot.field.number, Number::Text(_)));
        let begins = owned(table.texts("begins"));
        let equals = table.integers("equals");
        let from = table.integer("from", i64::MIN, i64::MAX);
        let to = table.integer("to", i64::MIN, i64::MAX);
        let about = table.required("about", "model text");
        let verify_only = table.flag("verify_only").unwrap_or(false);
        table.finish();
        let wants = match (text, begins.is_empty(), equals.is_empty(), from.zip(to)) {
            (true, false, true, None) => Some(Wants::Begins(begins)),
            (false, true, false, None) => Some(Wants::Equals(equals)),
            (false, true, true, Some((from, to))) if from <= to => Some(Wants::Between(from, to)),
            _ => {
                table.problem(
                    "",
                    "does not say what the register holds",
                    "`begins = [\"…\"]` for text, else `equals = [24]` or `from = 1, to = 9`",
                );
                None
            }
        };
        if let (Some(fc), Some(spot), Some(wants), Some(about)) = (fc, spot, wants, about) {
            expected.push(modbus::Expect {
                fc,
                field: spot.field,
                wants,
                about: about.to_owned(),
                verify_only,
            });
        }
    }
    expected
}

fn sources(root: &Table<'_>) -> Vec<Source> {
    let mut sources = Vec::new();
    for table in listed(root, "source") {
        let id = table.required("id", "maker");
        let document = table.required("document", "user manual V3.1");
        let kind = table.required("kind", "maker document");
        table.finish();
        if let (Some(id), Some(document), Some(kind)) = (id, document, kind) {
            sources.push(Source {
                id: id.to_owned(),
                document: document.to_owned(),
                kind: kind.to_owned(),
            });
        }
    }
    if sources.is_empty() {
        root.problem(
            "source",
            "is missing: nobody says that this is so",
            "a [[source]] for each document, named by the points",
        );
    }
    sources
}

fn points(
    root: &Table<'_>,
    defaults: &Defaults,
    factors: &[&str],
    options: &[Choice],
    sources: &[Source],
    protocol: &Protocol,
) -> Vec<DevicePoint> {
    let mut points: Vec<(DevicePoint, Layout)> = Vec::new();
    for table in listed(root, "point") {
        let (_, spec) = Spec::read(&table, defaults, factors);
        let when = when(&table, options);
        let note = table
            .text("note", "compare with the display")
            .map(str::to_owned);
        let named = owned(table.texts("sources"));
        let detail = table.flag("detail").unwrap_or(false);
        table.finish();
        said_by(&table, &named, sources);
        let Some(spec) = spec else { continue };
        let site = Site::of(Role::named("monitor"));
        let Ok(placed) = spec.place(&site.plain(spec.quantity)) else {
            continue;
        };
        if let Some(fact) = unsplittable(&placed.layout, protocol.limits.max_registers) {
            table.problem(
                "address",
                fact,
                "fields of one value lie close to each other",
            );
        }
        let point = DevicePoint {
            spec,
            when,
            note,
            sources: named,
            detail,
        };
        agrees(&table, &point, &placed.layout, &points);
        points.push((point, placed.layout));
    }
    if points.is_empty() && !root.has("point") {
        root.problem("point", "is missing", "a [[point]] for each register");
    }
    points.into_iter().map(|(point, _)| point).collect()
}

/// Whether a point goes with those before it that can be there at the same time.
fn agrees(
    table: &Table<'_>,
    point: &DevicePoint,
    layout: &Layout,
    before: &[(DevicePoint, Layout)],
) {
    for (other, its) in before {
        let apart = point.when.iter().any(|(option, choice)| {
            let mut when = other.when.iter();
            when.any(|(name, other)| name == option && other != choice)
        });
        if apart {
            continue;
        }
        let name = other.spec.quantity.name;
        if name == point.spec.quantity.name {
            table.problem(
                "quantity",
                format!("`{name}` is measured twice by this device"),
                "one point for each quantity, or a `when` that tells them apart",
            );
        } else if let Some((first, last)) = clash(layout, its) {
            table.problem(
                "address",
                format!("registers {first} to {last} are read as another number by `{name}`"),
                "compare both with the manual: one address, type or order is wrong",
            );
        }
    }
}

fn when(table: &Table<'_>, options: &[Choice]) -> Vec<(String, String)> {
    if !table.has("when") {
        return Vec::new();
    }
    let Some(inner) = table.table("when") else {
        return Vec::new();
    };
    let mut when = Vec::new();
    for key in inner.keys() {
        let Some(choice) = inner.text(key, "1000") else {
            continue;
        };
        let option = options.iter().find(|option| option.name == key);
        match option {
            None => {
                let names: Vec<&str> = options.iter().map(|option| &*option.name).collect();
                let near = closest(key, &names).map_or_else(
                    || "add an [[option]] of this name".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                inner.problem(key, "is not an option", near);
            }
            Some(option) if !option.choices.iter().any(|known| known == choice) => {
                let known = list(option.choices.iter().map(|known| format!("`{known}`")));
                inner.problem(
                    key,
                    format!("`{choice}` is no choice"),
                    format!("one of {known}"),
                );
            }
            Some(_) => when.push((key.to_owned(), choice.to_owned())),
        }
    }
    when
}

/// Whether somebody says that a point is there.
fn said_by(table: &Table<'_>, named: &[String], sources: &[Source]) {
    if named.is_empty() {
        table.problem("sources", "names nobody", "ids of [[source]] that say so");
    }
    for id in named {
        if !sources.iter().any(|source| source.id == *id) {
            table.problem(
                "sources",
                format!("there is no source `{id}`"),
                "add its [[source]]",
            );
        }
    }
}
