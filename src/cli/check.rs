//! `sunledger check`: every mistake of a configuration, with its remedy.

use std::collections::BTreeMap;

use serde_json::json;

use super::{CONFIG, ConfigFile, Failure, print};
use crate::config::{self, ConfigError, Problem, Setup};
use crate::source::modbus::Wiring;
use crate::source::modbus::load::load;
use crate::wire::modbus::timing::Timing;

/// A line cannot be booked for more than all of its time.
const FULL_PCT: f64 = 100.0;

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
    let path = &arguments.file.config;
    let found = config::load(path).and_then(|setup| match overbooked(&setup) {
        problems if problems.is_empty() => Ok(setup),
        problems => Err(ConfigError::Meaning {
            path: path.clone(),
            problems,
        }),
    });
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
            setup.sink_names().len(),
            customary(&setup),
        )),
        Err(_) if silent => Err(Failure::new(CONFIG, "")),
        Err(error) => Err(error.into()),
    }
}

/// Lines whose meters ask for more time than there is. Networks are not judged: nobody
/// knows their latency before it is measured.
fn overbooked(setup: &Setup) -> Vec<Problem> {
    let lines = setup.buses.iter();
    let lines = lines.filter(|bus| matches!(bus.wiring, Wiring::Serial(_)));
    let each = lines.filter_map(|bus| {
        let pct = load(bus, Timing::NETWORK, &BTreeMap::new()).pct();
        (pct > FULL_PCT).then(|| Problem {
            path: format!("bus.{}", bus.name),
            fact: format!("its meters ask for {pct:.0} % of the time of this line"),
            remedy:
                "longer periods, fewer points (`only = […]`), a higher baud rate or a second line; \
                     sunledger plan shows which meter takes how much"
                    .to_owned(),
            line: None,
        })
    });
    each.collect()
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
