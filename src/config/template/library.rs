//! Where templates are: embedded, and in directories that stand in for them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::read::{Problem, closest};
use super::{Shared, parse};

/// Names and texts of `config/devices/*.toml`, written by the build script.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/devices.rs"));

/// Where the templates of this machine are.
const STANDARD_DIR: &str = "/etc/sunledger/devices";

/// What a template came to: it, or its file and its mistakes.
type Parsed = Result<Shared, (String, Vec<Problem>)>;

/// What was found under a name.
#[derive(Debug)]
pub enum Found {
    /// The template.
    Template(Shared),
    /// A file with mistakes, told once.
    Wrong {
        /// The file.
        file: String,
        /// Its mistakes; none where they were told before.
        problems: Vec<Problem>,
    },
    /// Nothing; perhaps a name that is close to it.
    Nothing(Option<String>),
}

/// Every template there is. Each is read once, however many meters have it.
#[derive(Debug, Default)]
pub struct Library {
    /// Directories whose files stand in for the embedded ones, first match first.
    dirs: Vec<PathBuf>,
    read: RefCell<BTreeMap<String, Parsed>>,
}

impl Library {
    /// The embedded templates alone.
    #[must_use]
    pub fn embedded() -> Self {
        Self::default()
    }

    /// The templates of this machine, those of a directory before all others.
    #[must_use]
    pub fn of_machine(dir: Option<&Path>) -> Self {
        let dirs = dir.map(Path::to_owned).into_iter();
        Self {
            dirs: dirs.chain([PathBuf::from(STANDARD_DIR)]).collect(),
            read: RefCell::default(),
        }
    }

    /// The names of all templates, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let embedded = EMBEDDED.iter().map(|row| row.0.to_owned());
        let mut names: BTreeSet<String> = embedded.collect();
        for dir in &self.dirs {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            let files = entries.map(|entry| entry.path());
            names.extend(files.filter_map(|file| {
                let is_toml = file
                    .extension()
                    .is_some_and(|extension| extension == "toml");
                let name = file.file_stem().filter(|_| is_toml)?;
                Some(name.to_str()?.to_owned())
            }));
        }
        names.into_iter().collect()
    }

    /// The template of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Found {
        if let Some(read) = self.read.borrow().get(name) {
            return match read {
                Ok(template) => Found::Template(Arc::clone(template)),
                Err((file, _)) => Found::Wrong {
                    file: file.clone(),
                    problems: Vec::new(),
                },
            };
        }
        let parsed = match self.text(name) {
            None => {
                let names = self.names();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                return Found::Nothing(near(name, &names));
            }
            Some((file, Ok(text))) => match parse(name, &file, &text) {
                Ok(template) => Ok(Arc::new(template)),
                Err(problems) => Err((file, problems)),
            },
            Some((file, Err(error))) => {
                let problem = Problem {
                    path: String::new(),
                    fact: error.to_string(),
                    remedy: "make it readable, or remove it".to_owned(),
                    line: None,
                };
                Err((file, vec![problem]))
            }
        };
        let found = match &parsed {
            Ok(template) => Found::Template(Arc::clone(template)),
            Err((file, problems)) => Found::Wrong {
                file: file.clone(),
                problems: problems.clone(),
            },
        };
        self.read.borrow_mut().insert(name.to_owned(), parsed);
        found
    }

    /// File and text of a name.
    fn text(&self, name: &str) -> Option<(String, std::io::Result<String>)> {
        // A name is never a path.
        if name.is_empty() || name.contains(['/', '\\', '\0']) || name.starts_with('.') {
            return None;
        }
        for dir in &self.dirs {
            let file = dir.join(format!("{name}.toml"));
            match std::fs::read_to_string(&file) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => (),
                read => return Some((file.display().to_string(), read)),
            }
        }
        let (name, text) = EMBEDDED.iter().find(|row| row.0 == name)?;
        Some((
            format!("config/devices/{name}.toml"),
            Ok((*text).to_owned()),
        ))
    }
}

/// The name that was probably meant: a typing mistake away, or one that it is part of.
fn near(name: &str, names: &[&str]) -> Option<String> {
    let part = || {
        let mut parts = names.iter().filter(|known| {
            let model = known.split_once('-').map_or(**known, |(_, model)| model);
            known.contains(name) || name.contains(model)
        });
        parts.next().copied()
    };
    closest(name, names).or_else(part).map(str::to_owned)
}
