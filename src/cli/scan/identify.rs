//! Which templates a device is recognised by.

use std::collections::BTreeMap;

use crate::cli::asking::Asker;
use crate::config::template::{Found, Library, Shared};
use crate::source::modbus::link::Failure;
use crate::wire::plan::Span;

/// Questions in a row that a unit leaves unanswered before it is left alone.
const PATIENCE: u32 = 3;

/// Templates that can be recognised: those whose identification is more than a setting.
#[must_use]
pub fn recognisable() -> Vec<Shared> {
    let library = Library::of_machine(None);
    let names = library.names().into_iter();
    let templates = names.filter_map(|name| match library.find(&name) {
        Found::Template(template) => Some(template),
        Found::Wrong { .. } | Found::Nothing(_) => None,
    });
    templates
        .filter(|template| template.identify.iter().any(|expect| !expect.verify_only))
        .collect()
}

/// Names of the templates whose identification this unit holds; none where it stops
/// answering.
pub async fn identify(asker: &mut Asker, unit: u8, templates: &[Shared]) -> Option<Vec<String>> {
    // Several templates look at the same register.
    let mut said: BTreeMap<Span, Option<Vec<u16>>> = BTreeMap::new();
    let mut silent = 0;
    let mut names = Vec::new();
    for template in templates {
        let mut all = true;
        for expect in template
            .identify
            .iter()
            .filter(|expect| !expect.verify_only)
        {
            let span = Span {
                fc: expect.fc,
                address: expect.field.address,
                count: expect.words(),
            };
            let words = match said.get(&span) {
                Some(known) => known.clone(),
                None => {
                    let came = asker.ask(unit, span.fc, span.address, span.count).await;
                    silent = match came {
                        Err(Failure::Timeout | Failure::HungUp | Failure::Connect(_)) => silent + 1,
                        _ => 0,
                    };
                    if silent >= PATIENCE {
                        return None;
                    }
                    let came = came.ok();
                    said.insert(span, came.clone());
                    came
                }
            };
            let holds = words.is_some_and(|words| expect.holds(span.address, &words).is_ok());
            if !holds {
                all = false;
                break;
            }
        }
        if all {
            names.push(template.name.clone());
        }
    }
    Some(names)
}
