//! A template and its choices, as a command line names them.

use crate::config::template::{Choices, Found, Library, Shared};

/// A template with its choices.
pub struct Chosen {
    /// The template.
    pub template: Shared,
    /// What is chosen, for every option of it.
    pub choices: Choices,
}

/// The template of a name, with the options of a command line.
///
/// # Errors
///
/// What is no template, or no choice of it, and what there is.
pub fn choose(name: &str, options: &[String]) -> Result<Chosen, String> {
    let template = match Library::of_machine(None).find(name) {
        Found::Template(template) => template,
        Found::Wrong { file, problems } => {
            let count = problems.len();
            return Err(format!(
                "{count} problems in {file}: sunledger devices {name} lists them"
            ));
        }
        Found::Nothing(near) => {
            let near = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
            return Err(format!(
                "there is no template `{name}`; {near}sunledger devices lists all, and `sunspec` walks the models of a device"
            ));
        }
    };
    let mut choices = template.defaults();
    for option in options {
        let (key, choice) = option.split_once('=').unwrap_or((option, ""));
        let Some(known) = template.options.iter().find(|known| known.name == key) else {
            let names: Vec<&str> = template.options.iter().map(|known| &*known.name).collect();
            return Err(match &*names {
                [] => format!("`{name}` has no options"),
                names => format!(
                    "`{name}` has no option `{key}`; one of {}",
                    names.join(", ")
                ),
            });
        };
        if !known.choices.iter().any(|known| known == choice) {
            let choices = known.choices.join(", ");
            return Err(format!(
                "`{choice}` is no choice of `{key}`; one of {choices}: {}",
                known.about
            ));
        }
        choices.insert(key.to_owned(), choice.to_owned());
    }
    Ok(Chosen { template, choices })
}
