//! The folder of device templates: each is right in itself, and each reads a dump of
//! its registers as what a person worked out.
//!
//! A dump `tests/fixtures/devices/NAME.json` names its template, the role of the meter
//! and what is chosen; `registers` are by function code and first address, `expected`
//! is every quantity of the template under these choices in its canonical unit, energy
//! in watt-hours, `null` where the device says that it has none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sunledger::config::template::{Choices, Found, Library, Ready, Shared, Site};
use sunledger::domain::meter::Role;
use sunledger::domain::quality::Reason;
use sunledger::domain::snapshot::Value;
use sunledger::wire::register::Decode;

#[derive(Debug, Deserialize)]
struct Dump {
    template: String,
    role: String,
    #[serde(default)]
    options: Choices,
    registers: BTreeMap<String, BTreeMap<String, Vec<u16>>>,
    expected: BTreeMap<String, Option<f64>>,
    /// What a person noted.
    #[serde(flatten)]
    _notes: BTreeMap<String, serde_json::Value>,
}

impl Dump {
    /// The registers around an address, with where they begin.
    fn around(&self, fc: u8, address: u16) -> Option<(u16, &[u16])> {
        let blocks = self.registers.get(&fc.to_string())?.iter();
        blocks
            .map(|(begins, words)| (begins.parse::<u16>().expect("an address"), words.as_slice()))
            .find(|(begins, words)| {
                let end = u32::from(*begins) + u32::try_from(words.len()).unwrap();
                (u32::from(*begins)..end).contains(&address.into())
            })
    }
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let files = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn dumps() -> Vec<(String, Dump)> {
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let dump = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        (stem(&file), dump)
    };
    files("tests/fixtures/devices", "json")
        .into_iter()
        .map(read)
        .collect()
}

fn template(library: &Library, name: &str) -> Result<Shared, String> {
    match library.find(name) {
        Found::Template(template) => Ok(template),
        Found::Wrong { file, problems } => Err(format!("{file}: {problems:#?}")),
        Found::Nothing(near) => Err(format!("there is no template `{name}`; near: {near:?}")),
    }
}

/// A value in the canonical unit of its quantity; energy in watt-hours.
#[derive(Debug, Clone, Copy)]
struct Said {
    value: f64,
    /// Half of what a count is worth, where an energy told as a float is rounded to one.
    rounded: f64,
}

fn canonical(value: Value, point: &Ready) -> Said {
    let (value, step) = match value {
        Value::Analog(value) => (value, 0.0),
        Value::Count(count) => {
            let worth = point.register.unwrap().unit.as_watt_hours();
            (count as f64 * worth, worth)
        }
        Value::Scaled { count, unit, .. } => {
            (count as f64 * unit.as_watt_hours(), unit.as_watt_hours())
        }
    };
    let floats = matches!(
        point.layout.decode,
        Decode::CountFloat { .. } | Decode::ToldFloat { .. }
    );
    let rounded = if floats { step / 2.0 } else { 0.0 };
    Said { value, rounded }
}

/// What a template makes of a dump, by quantity.
fn said(dump: &Dump, template: &Shared) -> BTreeMap<String, Result<Said, Reason>> {
    let role = Role::named(&dump.role).unwrap_or_else(|| panic!("no role {}", dump.role));
    let mut choices = template.defaults();
    for (option, choice) in &dump.options {
        let known = choices.insert(option.clone(), choice.clone());
        assert!(
            known.is_some(),
            "`{option}` is no option of {}",
            template.name
        );
    }
    let chosen = template
        .ready(&Site::of(Some(role)), &choices, |_| true)
        .unwrap();
    let factors: Vec<f64> = chosen
        .factors
        .iter()
        .map(|factor| {
            let (base, words) = dump
                .around(factor.fc, factor.field.address)
                .unwrap_or_default();
            factor.value(base, words).unwrap_or(f64::NAN)
        })
        .collect();
    let points = chosen.points.into_iter().map(|point| {
        let span = point.layout.span();
        let (base, words) = dump.around(span.fc, span.address).unwrap_or_default();
        let value = point.layout.value(base, words, &factors);
        (
            point.quantity.name.to_owned(),
            value.map(|value| canonical(value, &point)),
        )
    });
    points.collect()
}

fn differs(found: Result<Said, Reason>, expected: Option<f64>) -> bool {
    match (found, expected) {
        (Ok(found), Some(expected)) => {
            let near = 1e-9 * expected.abs().max(1e-9) + found.rounded * 1.000_001;
            (found.value - expected).abs() > near
        }
        (Err(Reason::NotAvailable), None) => false,
        _ => true,
    }
}

#[test]
fn every_template_is_right_in_itself_and_has_a_dump() {
    let library = Library::embedded();
    let dumps = dumps();
    let mut faults = Vec::new();
    let files = files("config/devices", "toml");
    let mut names: Vec<String> = files.iter().map(|file| stem(file)).collect();
    names.sort();
    assert_eq!(
        library.names(),
        names,
        "what is embedded is what is in the folder"
    );
    for name in names {
        if let Err(fault) = template(&library, &name) {
            faults.push(fault);
        }
        if !dumps.iter().any(|(_, dump)| dump.template == name) {
            faults.push(format!("{name} has no dump in tests/fixtures/devices"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_dump_is_read_as_what_it_holds() {
    let library = Library::embedded();
    let mut faults = Vec::new();
    for (file, dump) in dumps() {
        let template = match template(&library, &dump.template) {
            Ok(template) => template,
            Err(fault) => {
                faults.push(format!("{file}: {fault}"));
                continue;
            }
        };
        let said = said(&dump, &template);
        for (quantity, found) in &said {
            match dump.expected.get(quantity) {
                None => faults.push(format!(
                    "{file}: `{quantity}` is {found:?}, nothing is expected"
                )),
                Some(expected) if differs(*found, *expected) => {
                    faults.push(format!(
                        "{file}: `{quantity}` is {found:?}, expected {expected:?}"
                    ));
                }
                Some(_) => (),
            }
        }
        for quantity in dump
            .expected
            .keys()
            .filter(|quantity| !said.contains_key(*quantity))
        {
            faults.push(format!(
                "{file}: `{quantity}` is expected, and no point says it"
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_dump_of_a_device_is_recognised_as_it() {
    let library = Library::embedded();
    let mut faults = Vec::new();
    for (file, dump) in dumps() {
        let Ok(template) = template(&library, &dump.template) else {
            continue;
        };
        for expect in &template.identify {
            // A dump that leaves out what identifies the device says nothing of it.
            if let Some((base, words)) = dump.around(expect.fc, expect.field.address)
                && let Err(holds) = expect.holds(base, words)
            {
                faults.push(format!("{file}: {} holds {holds}", expect.about));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
