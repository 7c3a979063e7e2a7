//! `[sink.NAME.KIND]` of databases that take line protocol.
//!
//! | kind | where rows go | login |
//! |---|---|---|
//! | `influx` | `org`, `bucket` | `token` |
//! | `influx1` | `database`, `retention_policy` | `user` and `password`, if any |
//! | `influx3` | `database` | `token`, if any |
//! | `victoria_metrics` | the address | `token`, or `user` and `password`, if any |
//!
//! **A secret is named and never written**: where it lies is in the configuration, what it
//! is comes later.

use std::path::{Path, PathBuf};

use super::SecretSource;
use super::endpoint::secret;
use super::read::Table;
use crate::sink::dialect::{Dialect, Login};
use crate::sink::http::Trust;
use crate::sink::influx::Settings;
use crate::sys::secret::Secret;

/// The kinds of databases.
pub const KINDS: [&str; 4] = ["influx", "influx1", "influx3", "victoria_metrics"];

/// Values a second of a backlog unless a sink says otherwise: a day of 10,000 values a
/// second is out within half an hour, if the receiver takes it.
const BACKLOG_RATE: u64 = 500_000;

/// A database to deliver to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfluxSetup {
    /// Name of the sink.
    pub name: String,
    /// Base URL, a path kept.
    pub url: String,
    /// What is spoken there.
    pub dialect: Dialect,
    /// User, where the secret is a password.
    pub user: Option<String>,
    /// Where the token or the password is; none where the server asks for nothing.
    pub secret: Option<SecretSource>,
    /// Certificates.
    pub trust: Trust,
    /// Values a second of a backlog, at most.
    pub backlog_rate: u64,
}

impl InfluxSetup {
    /// What the sink is started with. `secret` is what was found there, `file` where.
    #[must_use]
    pub fn settings(
        &self,
        secret: Option<Secret>,
        file: Option<PathBuf>,
        store_dir: &Path,
    ) -> Settings {
        Settings {
            name: self.name.clone(),
            url: self.url.clone(),
            dialect: self.dialect.clone(),
            login: Login {
                user: self.user.clone(),
                secret,
                file,
            },
            trust: self.trust.clone(),
            quarantine_dir: store_dir.join("quarantine"),
            backlog_rate: self.backlog_rate,
            suspect_wait: Settings::SUSPECT_WAIT,
        }
    }
}

/// Reads `[sink.NAME.KIND]`; `before` are the databases read before it.
pub fn database(
    kind: &str,
    name: &str,
    table: &Table<'_>,
    before: &[InfluxSetup],
) -> Option<InfluxSetup> {
    let example = match kind {
        "influx3" => "http://127.0.0.1:8181",
        "victoria_metrics" => "http://127.0.0.1:8428",
        _ => "http://127.0.0.1:8086",
    };
    table.required("url", example);
    let url = table.parsed("url", example, url);
    let text = |key, example| {
        table.required(key, example);
        table.parsed(key, example, named)
    };
    let dialect = match kind {
        "influx1" => {
            let retention_policy = table.text("retention_policy", "autogen").map(str::to_owned);
            text("database", "energy").map(|database| Dialect::Influx1 {
                database,
                retention_policy,
            })
        }
        "influx3" => text("database", "energy").map(|database| Dialect::Influx3 { database }),
        "victoria_metrics" => Some(Dialect::VictoriaMetrics),
        _ => {
            let (org, bucket) = (text("org", "park"), text("bucket", "energy"));
            org.zip(bucket)
                .map(|(org, bucket)| Dialect::Influx2 { org, bucket })
        }
    };
    let (user, secret) = login(kind, table)?;
    let trust = trust(table, url.as_deref());
    let backlog_rate = table
        .integer("backlog_values_per_s", 1_000, 100_000_000)
        .and_then(|rate| u64::try_from(rate).ok())
        .unwrap_or(BACKLOG_RATE);
    table.finish();
    let (url, dialect) = url.zip(dialect)?;
    let same = |other: &&InfluxSetup| other.url == url && other.dialect == dialect;
    if let Some(other) = before.iter().find(same) {
        table.problem(
            "",
            format!("is the same database as sink `{}`", other.name),
            "leave one of them out: each would send every value",
        );
    }
    Some(InfluxSetup {
        name: name.to_owned(),
        url,
        dialect,
        user,
        secret,
        trust,
        backlog_rate,
    })
}

/// User and secret; none where what is there is wrong.
fn login(kind: &str, table: &Table<'_>) -> Option<(Option<String>, Option<SecretSource>)> {
    let (takes_token, takes_user) = match kind {
        "influx1" => (false, true),
        "victoria_metrics" => (true, true),
        _ => (true, false),
    };
    if kind == "influx" || (takes_token && table.has("token")) {
        let token = secret(table, "token");
        if takes_user && (table.has("user") || table.has("password")) {
            table.problem(
                "token",
                "stands beside a user or a password",
                "one login: `token`, or `user` and `password`",
            );
        }
        return Some((None, Some(token?)));
    }
    if !takes_user {
        return Some((None, None));
    }
    let user = table.text("user", "sunledger").map(str::to_owned);
    match (user, table.has("password")) {
        (Some(user), true) if user.contains(':') => {
            table.problem("user", "has a colon in it", "a name without one");
            None
        }
        (Some(user), true) => Some((Some(user), Some(secret(table, "password")?))),
        (Some(_), false) => {
            secret(table, "password");
            None
        }
        (None, true) => {
            table.problem(
                "password",
                "has no user",
                "add `user = \"…\"`, or leave `password` out",
            );
            None
        }
        (None, false) => Some((None, None)),
    }
}

fn trust(table: &Table<'_>, url: Option<&str>) -> Trust {
    let file = |key, example| table.text(key, example).map(PathBuf::from);
    let ca_file = file("ca_file", "/etc/sunledger/ca.pem");
    let cert_file = file("cert_file", "/etc/sunledger/client.pem");
    let key_file = file("key_file", "/etc/sunledger/client.key");
    for (key, other) in [("cert_file", "key_file"), ("key_file", "cert_file")] {
        if table.has(key) && !table.has(other) {
            table.problem(
                key,
                format!("stands without `{other}`"),
                format!("add `{other}`, or leave `{key}` out"),
            );
        }
    }
    let plain = url.is_some_and(|url| url.starts_with("http://"));
    for key in ["ca_file", "cert_file"] {
        if plain && table.has(key) {
            table.problem(
                key,
                "says nothing to an address without TLS",
                format!("`url = \"https://…\"`, or leave `{key}` out"),
            );
        }
    }
    Trust {
        ca_file,
        identity: cert_file.zip(key_file),
    }
}

/// A name of a database, a bucket, an organisation.
fn named(text: &str) -> Result<String, (String, String)> {
    if text.is_empty() || text.starts_with('_') || text.contains(['"', '\n', '\r']) {
        return Err((
            format!("`{text}` cannot be a name there"),
            "not empty, no `_` at the beginning, no quote and no line break".to_owned(),
        ));
    }
    Ok(text.to_owned())
}

fn url(text: &str) -> Result<String, (String, String)> {
    let remedy =
        "such as \"http://127.0.0.1:8086\" or \"https://db.example.org/influx\"".to_owned();
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let host = rest
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    if host.is_empty() || text.contains(char::is_whitespace) || text.contains(['?', '#']) {
        return Err((format!("`{text}` is not a URL of a server"), remedy));
    }
    if host.contains('@') {
        return Err((
            "holds a user or password".to_owned(),
            "use `token`, or `user` and `password`".to_owned(),
        ));
    }
    let base = text.trim_end_matches('/');
    for path in ["/api/v2/write", "/api/v3/write_lp", "/write"] {
        if let Some(base) = base.strip_suffix(path) {
            return Err((
                format!("ends in `{path}`, which is added to it"),
                format!("`url = \"{base}\"`"),
            ));
        }
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[path = "database_tests.rs"]
mod tests;
