//! The floors: what each module may use, from the ground up.

use super::scan::{Source, crate_paths, line, paths, words};

/// A module, and what it may use.
pub struct Floor {
    /// The module, from the crate's root; the longest match counts.
    pub module: &'static str,
    /// Modules above in the table that it may use.
    pub may: &'static [&'static str],
    /// Modules under those that it may not use all the same.
    pub never: &'static [&'static str],
    /// Modules above of which it may name these types and nothing else.
    pub parts: &'static [&'static str],
    /// Whether it may touch the machine.
    pub effects: bool,
}

const fn pure(module: &'static str, may: &'static [&'static str]) -> Floor {
    Floor {
        module,
        may,
        never: &[],
        parts: &[],
        effects: false,
    }
}

const fn effects(module: &'static str, may: &'static [&'static str]) -> Floor {
    Floor {
        module,
        may,
        never: &[],
        parts: &[],
        effects: true,
    }
}

/// The types that `config` builds for the floors of effects, and hands over.
pub const SETTINGS: &[&str] = &[
    "Settings",
    "Poll",
    "Wiring",
    "Manners",
    "Serial",
    "Rs485",
    "Factor",
    "Meaning",
    "Expect",
    "Wants",
    "Limits",
    "Subscription",
    "Tls",
    "Secret",
    "Dialect",
    "Login",
    "Trust",
];

/// What each module may use. A row may name only rows above it, so the table
/// itself cannot describe a cycle; beside them a module may use its own parts.
#[rustfmt::skip]
pub const FLOORS: &[Floor] = &[
    // What flows: numbers of physics, which know of no park.
    pure("domain::heat::water", &[]),
    pure("domain::heat::fluid", &["domain::heat::water"]),
    pure("domain::heat::meter", &["domain::heat::fluid"]),
    pure("domain::heat::integration", &["domain::heat::fluid", "domain::heat::meter"]),
    // The words.
    pure("domain::units",    &[]),
    pure("domain::named",    &[]),
    pure("domain::quality",  &["domain::units", "domain::named"]),
    pure("domain::provenance",&[]),
    pure("domain::topology", &[]),
    pure("domain::stated",   &["domain::quality", "domain::provenance"]),
    pure("domain::expression",&["domain::units", "domain::quality", "domain::stated", "domain::provenance"]),
    pure("domain::transformer",&[]),
    pure("domain::relations",&["domain::topology", "domain::expression", "domain::transformer"]),
    pure("domain::meter",    &["domain::units", "domain::quality", "domain::relations", "domain::heat::meter", "domain::heat::integration"]),
    pure("domain::flow",     &["domain::units", "domain::quality", "domain::stated", "domain::meter"]),
    pure("domain::interval", &["domain::units", "domain::quality", "domain::meter", "domain::flow", "domain::provenance"]),
    pure("domain::time",     &["domain::units", "domain::interval"]),
    pure("domain::snapshot", &["domain::units", "domain::quality", "domain::meter", "domain::time"]),
    pure("domain::schema",   &["domain::units", "domain::quality", "domain::meter", "domain::flow"]),
    // What they mean, and bytes.
    pure("domain::reconcile",&["domain::units"]),
    pure("domain",           &["domain::reconcile", "domain::named", "domain::heat::water", "domain::heat::fluid", "domain::heat::meter", "domain::heat::integration", "domain::topology", "domain::stated", "domain::expression", "domain::transformer", "domain::relations", "domain::units", "domain::quality", "domain::meter", "domain::flow", "domain::interval", "domain::time", "domain::snapshot", "domain::schema", "domain::provenance"]),
    pure("wire",             &["domain::units", "domain::quality", "domain::meter", "domain::snapshot", "domain::schema"]),
    pure("report",           &["domain"]),
    // What to do next.
    pure("engine",           &["domain", "wire"]),
    // Effects below.
    effects("sys",           &["domain", "wire", "engine"]),
    effects("store",         &["domain", "wire", "engine"]),
    effects("broker",        &["wire", "sys"]),
    // Effects above, each with no neighbour.
    effects("source",        &["domain", "wire", "engine", "sys", "store", "broker"]),
    effects("sink",          &["domain", "wire", "engine", "sys", "store", "broker"]),
    effects("web",           &["domain", "wire", "engine", "report", "sys", "store"]),
    pure("simulate::physics",&["domain"]),
    pure("simulate::rehearsal::frame",  &[]),
    pure("simulate::rehearsal::encode", &[]),
    pure("simulate::rehearsal::wave",   &[]),
    pure("simulate::rehearsal::model",  &["domain::meter", "simulate::physics", "simulate::rehearsal::wave"]),
    pure("simulate::rehearsal::number", &["domain::units", "wire"]),
    pure("simulate::rehearsal::register", &["domain::units", "domain::meter", "wire", "simulate::rehearsal::model", "simulate::rehearsal::number"]),
    Floor {
        // It keeps a truth of its own and may not ask the daemon for it.
        never: &["domain::balance", "domain::interval"],
        ..effects("simulate", &["domain", "wire", "sys", "store", "simulate::physics", "simulate::rehearsal::frame", "simulate::rehearsal::encode", "simulate::rehearsal::wave", "simulate::rehearsal::model", "simulate::rehearsal::number", "simulate::rehearsal::register"])
    },
    // Assembly.
    Floor {
        // It builds settings and starts nothing.
        parts: &["sys", "store", "broker", "source", "sink", "web", "simulate"],
        ..effects("config", &["domain", "wire", "engine", "report"])
    },
    effects("app", &["domain", "wire", "report", "engine", "sys", "store", "broker", "source", "sink", "web", "simulate", "config"]),
    effects("cli", &["domain", "wire", "report", "engine", "sys", "store", "source", "sink", "web", "simulate", "config", "app"]),
    effects("main", &["cli"]),
];

/// What only floors with effects may touch. The pure ones get data, not devices.
const EFFECTS: &[&str] = &[
    "tokio",
    "tokio_serial",
    "serial2",
    "tracing",
    "rusqlite",
    "reqwest",
    "rumqttc",
    "axum",
    "hyper",
    "socket2",
    "clap",
];
const STD_EFFECTS: &[&str] = &["fs", "net", "env", "process", "thread", "os"];

/// What one module alone may use, so that it can be replaced in one place.
const LIBRARIES: &[(&str, &str)] = &[
    ("nalgebra", "domain::reconcile"),
    ("statrs", "domain::reconcile"),
];

/// Whether a path leads to a module or into it.
fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The row of a module: the longest that it lies in.
pub fn floor_of(module: &str) -> Option<&'static Floor> {
    FLOORS
        .iter()
        .filter(|floor| within(module, floor.module))
        .max_by_key(|floor| floor.module.len())
}

/// Rows that name a row which is not above them.
pub fn upside_down(floors: &[Floor]) -> Vec<String> {
    let mut faults = Vec::new();
    for (place, floor) in floors.iter().enumerate() {
        for name in floor.may.iter().chain(floor.parts) {
            if !floors[..place].iter().any(|above| above.module == *name) {
                faults.push(format!(
                    "`{}` stands on `{name}`, which is not below it",
                    floor.module
                ));
            }
        }
    }
    faults
}

/// Imports that the floors do not allow.
pub fn imports(source: &Source<'_>) -> Vec<String> {
    let module = source.module();
    let Some(floor) = floor_of(&module) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    let mut named = crate_paths(source);
    named.extend(paths(&source.code, "sunledger"));
    for (at, path) in named {
        for (at, path) in through_module(source, floor, at, path) {
            if let Some(why) = forbidden(floor, &path) {
                let line = line(&source.code, at);
                faults.push(format!("{}:{line}: {why}", source.path));
            }
        }
    }
    faults
}

/// What a file takes out of a module of which it may name parts alone:
/// `use crate::source::modbus` and `modbus::Poll` is `source::modbus::Poll`.
fn through_module(
    source: &Source<'_>,
    floor: &Floor,
    at: usize,
    path: String,
) -> Vec<(usize, String)> {
    let name = path.rsplit("::").next().unwrap_or(&path).to_owned();
    let is_module = name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_part = floor.parts.iter().any(|part| within(&path, part));
    let taken = paths(&source.code, &name);
    if !is_module || !is_part || taken.is_empty() {
        return vec![(at, path)];
    }
    taken
        .into_iter()
        .map(|(at, part)| (at, format!("{path}::{part}")))
        .collect()
}

/// Why a module of this floor may not name a path.
fn forbidden(floor: &Floor, path: &str) -> Option<String> {
    let module = floor.module;
    // Naming the whole of what a forbidden part lies in would be a way around.
    let whole = path.strip_suffix("::*").unwrap_or(path);
    let hit = |never: &&&str| within(path, never) || within(never, whole);
    if let Some(never) = floor.never.iter().find(hit) {
        return Some(format!("`{module}` may never use `{never}`"));
    }
    if let Some(part) = floor.parts.iter().find(|part| within(path, part)) {
        let last = path.rsplit("::").next().unwrap_or(path);
        return (!SETTINGS.contains(&last))
            .then(|| format!("`{module}` may name settings of `{part}`, and `{path}` is none"));
    }
    let Some(target) = floor_of(path) else {
        return Some(format!("`{path}` is in no row of the table of floors"));
    };
    let allowed = target.module == module || floor.may.iter().any(|may| within(target.module, may));
    (!allowed).then(|| format!("`{module}` may not use `{}`", target.module))
}

/// What touches the machine in a file.
fn touches(source: &Source<'_>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in EFFECTS {
        found.extend(
            paths(&source.code, root)
                .into_iter()
                .map(|(at, _)| (at, (*root).to_owned())),
        );
    }
    for (at, path) in paths(&source.code, "std") {
        if STD_EFFECTS.iter().any(|effect| within(&path, effect)) {
            let first = path.split("::").next().unwrap_or(&path);
            found.push((at, format!("std::{first}")));
        }
    }
    found.extend(words(&source.code, "::now()").map(|range| (range.start, "::now()".to_owned())));
    found
}

/// Pure modules that touch the machine.
pub fn impure(source: &Source<'_>) -> Vec<String> {
    let module = source.module();
    let Some(floor) = floor_of(&module) else {
        return Vec::new();
    };
    if floor.effects {
        return Vec::new();
    }
    touches(source)
        .into_iter()
        .map(|(at, effect)| {
            let line = line(&source.code, at);
            format!(
                "{}:{line}: `{}` is pure and may not use `{effect}`",
                source.path, floor.module
            )
        })
        .collect()
}

/// Libraries outside of the one module that may use them.
pub fn libraries(source: &Source<'_>) -> Vec<String> {
    let module = source.module();
    let mut faults = Vec::new();
    for (library, home) in LIBRARIES {
        if within(&module, home) {
            continue;
        }
        for (at, _) in paths(&source.code, library) {
            let line = line(&source.code, at);
            faults.push(format!(
                "{}:{line}: only `{home}` may use `{library}`",
                source.path
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        imports(&Source::new(path, text))
    }

    #[test]
    fn the_table_cannot_describe_a_cycle() {
        let cycle = [pure("a", &["b"]), pure("b", &["a"])];
        assert_eq!(
            upside_down(&cycle),
            ["`a` stands on `b`, which is not below it"]
        );
        assert_eq!(upside_down(&[pure("a", &["a"])]).len(), 1);
    }

    #[test]
    fn imports_are_held_to_the_table() {
        #[rustfmt::skip]
        let cases = [
            // file                    code                                          fault
            ("src/domain/flow.rs",     "use super::units::Power;",                   ""),
            ("src/domain/units.rs",    "use super::flow::Flow;",                     "src/domain/units.rs:1: `domain::units` may not use `domain::flow`"),
            ("src/domain/heat/mod.rs", "\nuse crate::wire::plan;",                   "src/domain/heat/mod.rs:2: `domain` may not use `wire`"),
            ("src/store/ledger.rs",    "fn f() { crate::sys::clock::wall() }",       "src/store/ledger.rs:1: `store` may not use `sys`"),
            ("src/sys/log.rs",         "use crate::store::Batch;",                   "src/sys/log.rs:1: `sys` may not use `store`"),
            ("src/web/api.rs",         "use crate::{domain::units, sink::influx};",  "src/web/api.rs:1: `web` may not use `sink`"),
            ("src/sink/influx.rs",     "use crate::config::read;",                   "src/sink/influx.rs:1: `sink` may not use `config`"),
            ("src/engine/book.rs",     "use crate::engine::other; use crate::wire;", ""),
            ("src/config/check.rs",    "use crate::source::modbus::Settings as M;",  ""),
            ("src/config/check.rs",    "use crate::source::modbus::{Poll, run};",    "src/config/check.rs:1: `config` may name settings of `source`, and `source::modbus::run` is none"),
            ("src/config/check.rs",    "use crate::source::modbus; modbus::Poll {}", ""),
            ("src/config/check.rs",    "use crate::source::modbus; modbus::run()",   "src/config/check.rs:1: `config` may name settings of `source`, and `source::modbus::run` is none"),
            ("src/config/check.rs",    "use crate::store;",                          "src/config/check.rs:1: `config` may name settings of `store`, and `store` is none"),
            ("src/simulate/park.rs",   "use crate::domain::balance::balance;",       "src/simulate/park.rs:1: `simulate` may never use `domain::balance`"),
            ("src/simulate/park.rs",   "use crate::domain::interval;",               "src/simulate/park.rs:1: `simulate` may never use `domain::interval`"),
            ("src/simulate/park.rs",   "use crate::domain;",                         "src/simulate/park.rs:1: `simulate` may never use `domain::balance`"),
            ("src/simulate/park.rs",   "use crate::domain::*;",                      "src/simulate/park.rs:1: `simulate` may never use `domain::balance`"),
            ("src/simulate/park.rs",   "use crate::engine::Engine;",                 "src/simulate/park.rs:1: `simulate` may not use `engine`"),
            ("src/simulate/physics.rs","use super::park::Park;",                     "src/simulate/physics.rs:1: `simulate::physics` may not use `simulate`"),
            ("src/report/mod.rs",      "use crate::attic::Trunk;",                   "src/report/mod.rs:1: `attic::Trunk` is in no row of the table of floors"),
            ("src/main.rs",            "fn main() { sunledger::app::run() }",        "src/main.rs:1: `main` may not use `app`"),
            ("src/wire/plan.rs",       "// use crate::app;\nlet a = \"crate::app\";", ""),
            ("src/wire/plan.rs",       "#[cfg(test)]\nmod tests { use crate::app; }", ""),
        ];
        for (path, text, fault) in cases {
            assert_eq!(faults(path, text).join("\n"), fault, "{path}: {text}");
        }
    }

    #[test]
    fn purity_is_of_the_floor() {
        #[rustfmt::skip]
        let cases = [
            ("src/domain/flow.rs",      "let now = Timestamp::now();",       "src/domain/flow.rs:1: `domain::flow` is pure and may not use `::now()`"),
            ("src/engine/book.rs",      "use tokio::time::Instant;",         "src/engine/book.rs:1: `engine` is pure and may not use `tokio`"),
            ("src/wire/plan.rs",        "use std::{fmt, fs::File};",         "src/wire/plan.rs:1: `wire` is pure and may not use `std::fs`"),
            ("src/report/mod.rs",       "std::env::var(\"A\")",              "src/report/mod.rs:1: `report` is pure and may not use `std::env`"),
            ("src/domain/units.rs",     "tracing::info!(\"a\")",             "src/domain/units.rs:1: `domain::units` is pure and may not use `tracing`"),
            ("src/simulate/physics.rs", "use std::net::TcpStream;",          "src/simulate/physics.rs:1: `simulate::physics` is pure and may not use `std::net`"),
            ("src/simulate/modbus.rs",  "use std::net::TcpStream;",          ""),
            ("src/wire/plan.rs",        "use std::fmt; // std::fs\n",        ""),
        ];
        for (path, text, fault) in cases {
            assert_eq!(
                impure(&Source::new(path, text)).join("\n"),
                fault,
                "{path}: {text}"
            );
        }
    }

    #[test]
    fn a_library_has_one_home() {
        #[rustfmt::skip]
        let cases = [
            ("src/domain/reconcile/matrix.rs", "use nalgebra::DMatrix;", ""),
            ("src/domain/carbon/mod.rs",       "use nalgebra::DMatrix;", "src/domain/carbon/mod.rs:1: only `domain::reconcile` may use `nalgebra`"),
            ("src/report/mod.rs",              "\nstatrs::f()",          "src/report/mod.rs:2: only `domain::reconcile` may use `statrs`"),
            ("src/report/mod.rs",              "// nalgebra::DMatrix",   ""),
        ];
        for (path, text, fault) in cases {
            assert_eq!(
                libraries(&Source::new(path, text)).join("\n"),
                fault,
                "{path}: {text}"
            );
        }
    }
}
