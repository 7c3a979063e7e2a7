//! What a configuration means, park by park: the top level.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::DeTable;

use super::polled::Around;
use super::read::{Problem, Problems, Table, list};
use super::template::Library;
use super::{
    Setup, StoreSetup, WebSetup, broker, bus, checks, endpoint, gaps, meter, plant, relations,
    settlement, sink_mqtt, units,
};
use crate::domain::meter::{Losses, Park};
use crate::domain::relations::Relations;
use crate::domain::units::Power;

/// Lengths of a settlement interval, minutes, by their name.
pub const INTERVALS: &[(&str, i64)] = &[
    ("1min", 1),
    ("5min", 5),
    ("10min", 10),
    ("15min", 15),
    ("30min", 30),
    ("60min", 60),
];
/// Least size of the journal: two segments and room to compact.
const LEAST_BYTES: u64 = 32 << 20;

/// Reads a configuration from its text.
///
/// # Errors
///
/// Every mistake, with path, fact and remedy.
pub fn parse(text: &str) -> Result<Setup, Vec<Problem>> {
    let problems = Problems::new(text);
    let table = match document(text) {
        Ok(table) => table,
        Err(error) => {
            let at = error.span().map(|span| span.start);
            problems.add(
                at,
                "",
                format!("is not TOML: {}", error.message()),
                "mend this line; what follows it could not be read",
            );
            return Err(problems.into_list());
        }
    };
    let root = Table::root(table.get_ref(), &problems);
    let setup = read(&root);
    root.finish();
    let list = problems.into_list();
    match setup {
        Some(setup) if list.is_empty() => Ok(setup),
        _ => Err(list),
    }
}

/// The document of a configuration, read on a thread of its own.
///
/// That of a thousand meters takes 150 MB for a moment. The allocator keeps the
/// memory of threads apart: nothing that stays is put between what goes, and all of
/// it returns to the system.
fn document(text: &str) -> Result<Spanned<DeTable<'_>>, toml::de::Error> {
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().spawn_scoped(scope, || DeTable::parse(text));
        let read = reader.ok().and_then(|reader| reader.join().ok());
        read.unwrap_or_else(|| DeTable::parse(text))
    })
}

fn read(root: &Table<'_>) -> Option<Setup> {
    let park = park(root);
    let store = store(root);
    let web = web(root);
    let (buses, known_buses) = bus::buses(root);
    let (brokers, known_brokers) = broker::brokers(root, park.as_ref().map(|park| &*park.id));
    let library = library(root);
    let timeouts: Vec<_> = buses
        .iter()
        .map(|bus| (bus.name.clone(), bus.timeout))
        .collect();
    let around = Around {
        buses: &known_buses,
        timeouts: &timeouts,
        library: &library,
    };
    let mut read = meter::all(root, &around, &known_brokers);
    let (sinks, publishers) = endpoint::sinks(root);
    let park_id = park.as_ref().map(|park| &*park.id);
    let mqtt_sinks = sink_mqtt::sinks(publishers, &brokers, &read.subscriptions, park_id);
    // Read whatever the rest came to: a mistake in one table hides none in another.
    let (every_load_metered, losses) = balance(root);
    let mut relations = relations::check(root, &mut read);
    let checks = checks::checks(root, &read.meters, &read.told);
    relations.gaps = gaps::gaps(root);
    // Asked for also where there is no park to read them with.
    let _ = (root.has("allocation"), root.has("carbon"));
    let plant = plant::plant(root, &read.meters);
    let mut park = park?;
    park.relations = relations;
    park.every_load_metered = every_load_metered;
    park.losses = losses;
    park.meters = read.meters;
    let settlement = settlement::settlement(root, &park);
    Some(Setup {
        plant: plant::completed(plant, &park),
        park: Arc::new(park),
        store: store?,
        web: web?,
        sinks,
        mqtt_sinks,
        buses: bus::with_polls(buses, read.polls),
        brokers: broker::with_subscriptions(brokers, read.subscriptions),
        checks,
        settlement: Arc::new(settlement),
        templates: read.templates,
        multipliers: read.multipliers,
        transformers: read.transformers,
    })
}

/// The templates of this machine, with those of `[devices] dir` before all others.
fn library(root: &Table<'_>) -> Library {
    let table = if root.has("devices") {
        root.table("devices")
    } else {
        None
    };
    let Some(table) = table else {
        return Library::of_machine(None);
    };
    let dir = table
        .required("dir", "/etc/sunledger/devices")
        .map(PathBuf::from);
    table.finish();
    if let Some(dir) = &dir
        && !dir.is_dir()
    {
        table.problem(
            "dir",
            format!("{} is not a directory", dir.display()),
            "a directory of files NAME.toml, or remove it",
        );
    }
    Library::of_machine(dir.as_deref())
}

/// Whether a name can be a tag, a file name and a word in a sentence.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= 64
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !text.starts_with('.')
}

/// A name, or what is wrong with it.
pub(super) fn name(text: &str) -> Result<String, (String, String)> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err((
            format!("`{text}` cannot be a name"),
            "letters, digits, `-`, `_` and `.`, at most 64".to_owned(),
        ))
    }
}

fn park(root: &Table<'_>) -> Option<Park> {
    if !root.has("park") {
        root.problem(
            "park",
            "is missing",
            "add a table [park] with id, name, time_zone",
        );
    }
    let table = root.table("park")?;
    let id = table
        .required("id", "fanshi")
        .and_then(|_| table.parsed("id", "fanshi", name));
    let label = table
        .text("name", "Smart industrial park")
        .map(str::to_owned);
    table.required("time_zone", "Asia/Shanghai");
    let time_zone = table.parsed("time_zone", "Asia/Shanghai", |text| {
        TimeZone::get(text).map_err(|_| {
            (
                format!("`{text}` is not a time zone"),
                "a name of the IANA database, such as \"Asia/Shanghai\"; is tzdata installed?"
                    .to_owned(),
            )
        })
    });
    let settlement = if table.has("settlement_interval") {
        table.parsed("settlement_interval", "15min", |text| {
            INTERVALS
                .iter()
                .find(|row| row.0 == text)
                .map(|row| row.1)
                .ok_or_else(|| {
                    let known = list(INTERVALS.iter().map(|row| format!("\"{}\"", row.0)));
                    (
                        format!("`{text}` is not a settlement interval"),
                        format!("one of {known}"),
                    )
                })
        })
    } else {
        Some(15)
    };
    let latitude = table.number_in("latitude", -90.0, 90.0);
    let longitude = table.number_in("longitude", -180.0, 180.0);
    table.finish();
    let id = id?;
    Some(Park {
        name: label.unwrap_or_else(|| id.clone()),
        id: id.into(),
        time_zone: time_zone?,
        settlement_minutes: settlement?,
        latitude: latitude.unwrap_or(0.0),
        longitude: longitude.unwrap_or(0.0),
        meters: Vec::new(),
        every_load_metered: false,
        losses: None,
        relations: Relations::default(),
    })
}

fn store(root: &Table<'_>) -> Option<StoreSetup> {
    let mut setup = StoreSetup {
        dir: PathBuf::from("/var/lib/sunledger"),
        keep_days: 35,
        max_bytes: 2 << 30,
        free_floor: 512 << 20,
        stop_when_full: false,
    };
    if !root.has("store") {
        return Some(setup);
    }
    let table = root.table("store")?;
    if let Some(dir) = table.text("dir", "/var/lib/sunledger") {
        if dir.is_empty() {
            table.problem(
                "dir",
                "is empty",
                "a directory such as \"/var/lib/sunledger\"",
            );
        }
        setup.dir = PathBuf::from(dir);
    }
    if let Some(days) = table.integer("keep_days", 1, 3_650) {
        setup.keep_days = u32::try_from(days).unwrap_or(35);
    }
    if let Some(bytes) = table.bytes("max_bytes", "2GiB") {
        if bytes < LEAST_BYTES {
            table.problem(
                "max_bytes",
                "is too small for the journal",
                "at least \"32MiB\"",
            );
        }
        setup.max_bytes = bytes;
    }
    if let Some(bytes) = table.bytes("free_floor", "512MiB") {
        setup.free_floor = bytes;
    }
    let policy = table.parsed("when_full", "drop_oldest", |text| match text {
        "drop_oldest" => Ok(false),
        "stop_recording" => Ok(true),
        _ => Err((
            format!("`{text}` is not what can be done about a full journal"),
            "\"drop_oldest\" or \"stop_recording\"".to_owned(),
        )),
    });
    if let Some(stop) = policy {
        setup.stop_when_full = stop;
    }
    table.finish();
    Some(setup)
}

fn web(root: &Table<'_>) -> Option<WebSetup> {
    let mut setup = WebSetup {
        listen: ([127, 0, 0, 1], 8080).into(),
        hosts: Vec::new(),
    };
    if !root.has("web") {
        return Some(setup);
    }
    let table = root.table("web")?;
    let insecure = table.flag("allow_insecure_lan").unwrap_or(false);
    let listen = table.parsed("listen", "127.0.0.1:8080", |text| {
        text.parse::<std::net::SocketAddr>().map_err(|_| {
            (
                format!("`{text}` is not an address with a port"),
                "such as \"127.0.0.1:8080\"".to_owned(),
            )
        })
    });
    if let Some(listen) = listen {
        if !listen.ip().is_loopback() && !insecure {
            table.problem(
                "listen",
                format!("{listen} can be reached from the network, and the page has no login"),
                "listen on 127.0.0.1 behind a proxy with login and TLS, or set `allow_insecure_lan = true`",
            );
        }
        setup.listen = listen;
    }
    setup.hosts = table
        .texts("hosts")
        .into_iter()
        .map(str::to_owned)
        .collect();
    table.finish();
    Some(setup)
}

fn balance(root: &Table<'_>) -> (bool, Option<Losses>) {
    if !root.has("balance") {
        return (false, None);
    }
    let Some(table) = root.table("balance") else {
        return (false, None);
    };
    let every = table.flag("every_load_metered").unwrap_or(false);
    let losses = if table.has("losses") {
        table.table("losses")
    } else {
        None
    };
    let losses = losses.map(|losses| {
        let fixed = losses.parsed("fixed", "3kW", |text| {
            units::measure(text, "W")
                .filter(|watts| *watts >= 0.0)
                .and_then(|watts| Power::from_watts(watts).ok())
                .ok_or_else(|| {
                    (
                        format!("`{text}` is not a power"),
                        "such as \"3kW\"".to_owned(),
                    )
                })
        });
        let load_pct = losses.number_in("load_percent", 0.0, 50.0).unwrap_or(0.0);
        losses.finish();
        Losses {
            fixed: fixed.unwrap_or_default(),
            load_pct,
        }
    });
    table.finish();
    (every, losses)
}
