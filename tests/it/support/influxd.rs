//! InfluxDB 1, the real one of Debian, read back by its own queries.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::Value as Json;
use sunledger::sink::http::Trust;
use sunledger::wire::line_protocol::{FieldValue, parse};

use super::peer::{Running, free_port, start};
use super::shipping::PATIENCE;

/// The database and the user that it has.
pub const DATABASE: &str = "energy";
pub const USER: &str = "park";
pub const PASSWORD: &str = "the-password-of-the-test";

/// Measurement and tags, field, milliseconds.
pub type Place = (String, Vec<(String, String)>, String, i64);

/// A server that runs; what it stores goes with it.
pub struct Influxd {
    base: String,
    client: reqwest::Client,
    _server: Running,
    _dir: tempfile::TempDir,
}

impl Influxd {
    /// Starts one that asks for a login, and waits until it answers.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, rpc) = (free_port(), free_port());
        let at = |name: &str| dir.path().join(name).display().to_string();
        let config = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:{rpc}\"\n\
             [meta]\ndir = \"{}\"\n[data]\ndir = \"{}\"\nwal-dir = \"{}\"\n\
             [http]\nbind-address = \"127.0.0.1:{port}\"\nauth-enabled = true\n\
             [monitor]\nstore-enabled = false\n",
            at("meta"),
            at("data"),
            at("wal")
        );
        std::fs::write(dir.path().join("influxd.conf"), config).unwrap();
        let server = start(
            Command::new("influxd")
                .arg("-config")
                .arg(dir.path().join("influxd.conf")),
            "apt install influxdb",
        );
        let base = format!("http://127.0.0.1:{port}");
        let url = reqwest::Url::parse(&base).unwrap();
        let influxd = Self {
            base,
            client: sunledger::sink::http::client(&url, &Trust::default()).unwrap(),
            _server: server,
            _dir: dir,
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let create = format!("CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES");
        while influxd.ask(&create).await.is_err() {
            assert!(tokio::time::Instant::now() < deadline, "it does not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        influxd
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub async fn create_database(&self) {
        let asked = format!("CREATE DATABASE {DATABASE}");
        self.ask(&asked).await.unwrap();
    }

    /// Asks in InfluxQL.
    pub async fn ask(&self, query: &str) -> reqwest::Result<Json> {
        let mut url = reqwest::Url::parse(&format!("{}/query", self.base)).unwrap();
        url.query_pairs_mut()
            .append_pair("db", DATABASE)
            .append_pair("epoch", "ms")
            .append_pair("q", query);
        let request = self.client.post(url).basic_auth(USER, Some(PASSWORD));
        let text = request.send().await?.error_for_status()?.text().await?;
        Ok(serde_json::from_str(&text).unwrap())
    }

    /// Everything that it has.
    pub async fn stored(&self) -> BTreeMap<Place, f64> {
        let answer = self.ask("SELECT * FROM /.*/ GROUP BY *").await.unwrap();
        let mut stored = BTreeMap::new();
        let none = Vec::new();
        for series in answer["results"][0]["series"].as_array().unwrap_or(&none) {
            let text = |value: &Json| value.as_str().unwrap().to_owned();
            let tags = series["tags"].as_object().into_iter().flatten();
            let tags: Vec<_> = tags
                .map(|(name, value)| (name.clone(), text(value)))
                .collect();
            let tags: Vec<_> = tags
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect();
            let columns = series["columns"].as_array().unwrap();
            for row in series["values"].as_array().unwrap() {
                let time = row[0].as_i64().unwrap();
                for (column, value) in columns.iter().zip(row.as_array().unwrap()).skip(1) {
                    if let Some(value) = value.as_f64() {
                        let name = text(&series["name"]);
                        stored.insert((name, tags.clone(), text(column), time), value);
                    }
                }
            }
        }
        stored
    }

    /// It holds exactly the values of `text`.
    pub async fn holds_exactly(&self, text: &str) {
        let mut expected = BTreeMap::new();
        for row in text.lines().map(|line| parse(line).unwrap()) {
            for (field, value) in row.fields {
                let value = match value {
                    FieldValue::Float(value) => value,
                    FieldValue::Integer(value) => value as f64,
                    other => panic!("{other:?}"),
                };
                let name = row.measurement.clone();
                expected.insert((name, row.tags.clone(), field, row.time_ms), value);
            }
        }
        let stored = self.stored().await;
        assert_eq!(stored.len(), expected.len());
        for ((place, read), (sent, value)) in stored.iter().zip(&expected) {
            assert_eq!(place, sent);
            // It keeps every digit; the reader of JSON rounds the last one.
            let apart = (read - value).abs();
            assert!(
                apart <= f64::EPSILON * value.abs(),
                "{place:?} {read} {value}"
            );
        }
    }
}
