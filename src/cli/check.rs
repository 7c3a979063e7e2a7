//! `sunledger check`: every mistake of a configuration, with its remedy.

use serde_json::json;

use super::{CONFIG, ConfigFile, Failure, print};
use crate::config::{self, ConfigError, Problem, Setup};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Print {"ok":…,"problems":[{"path","fact","remedy"}]}
    #[arg(long)]
    json: bool,
    /// Print nothing; the exit code says it
    #[arg(long)]
    quiet: bool,
}

/// Checks a file.
///
/// # Errors
///
/// [`CONFIG`] where there is a problem.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let found = config::load(&arguments.file.config);
    if arguments.json && !arguments.quiet {
        let problems: Vec<Problem> = match &found {
            Ok(_) => Vec::new(),
            Err(ConfigError::Meaning { problems, .. }) => problems.clone(),
            Err(ConfigError::Read { path, error }) => vec![Problem {
                path: String::new(),
                fact: format!("{}: {error}", path.display()),
                remedy: "name a file that can be read with --config".to_owned(),
                line: None,
            }],
        };
        let text = json!({ "ok": problems.is_empty(), "problems": problems });
        print(&format!("{text}\n"))?;
    }
    let silent = arguments.json || arguments.quiet;
    match found {
        Ok(_) if silent => Ok(()),
        Ok(setup) => print(&format!(
            "{}: ok. Park `{}`: {} meters and sensors on {} buses and {} brokers, {} sinks.\n{}",
            arguments.file.config.display(),
            setup.park.id,
            setup.park.meters.len(),
            setup.buses.len(),
            setup.brokers.len(),
            setup.sinks.len(),
            customary(&setup),
        )),
        Err(_) if silent => Err(Failure::new(CONFIG, "")),
        Err(error) => Err(error.into()),
    }
}

/// What of the templates in use no document states.
fn customary(setup: &Setup) -> String {
    let lines = setup.templates.iter().filter_map(|template| {
        let keys = template.customary();
        (!keys.is_empty()).then(|| {
            let (name, keys) = (&template.name, keys.join(", "));
            format!("  note: {name}: {keys}: customary, no document states it; compare with the device\n")
        })
    });
    lines.collect()
}
