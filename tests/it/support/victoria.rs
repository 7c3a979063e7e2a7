//! VictoriaMetrics: a real receiver of line protocol, read back by its own queries.

use std::process::Command;
use std::time::Duration;

use sunledger::sink::http::Trust;
use sunledger::wire::line_protocol::{FieldValue, parse};

use super::peer::{Running, free_port, start};
use super::shipping::PATIENCE;

/// A value as VictoriaMetrics keeps it: name, labels, time, value.
pub type Sample = (String, Vec<(String, String)>, i64, f64);

/// A receiver that runs; what it stores goes with it.
pub struct Victoria {
    base: String,
    client: reqwest::Client,
    _server: Running,
    _dir: tempfile::TempDir,
}

impl Victoria {
    /// Starts one on a port and waits until it answers.
    pub async fn start(port: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let server = start(
            Command::new("victoria-metrics")
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg(format!("-storageDataPath={}", dir.path().display()))
                .args(["-retentionPeriod=10y", "-memory.allowedBytes=64MB"]),
            "apt install victoria-metrics",
        );
        let url = reqwest::Url::parse(&base).unwrap();
        let victoria = Self {
            base,
            client: sunledger::sink::http::client(&url, &Trust::default()).unwrap(),
            _server: server,
            _dir: dir,
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while victoria.get("/health").await.is_err() {
            assert!(tokio::time::Instant::now() < deadline, "it does not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        victoria
    }

    /// Starts one on a free port.
    pub async fn anywhere() -> Self {
        Self::start(free_port()).await
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    async fn get(&self, path: &str) -> reqwest::Result<String> {
        let answer = self
            .client
            .get(format!("{}{path}", self.base))
            .send()
            .await?;
        answer.error_for_status()?.text().await
    }

    /// Every distinct sample that it has.
    pub async fn samples(&self) -> Vec<Sample> {
        self.get("/internal/force_flush").await.unwrap();
        let text = self
            .get("/api/v1/export?match[]=%7B__name__!=%22%22%7D")
            .await;
        distinct(exported(&text.unwrap()))
    }

    /// Waits until it has as many samples as `text` has values, and holds them
    /// against each other: every one arrived, none is there that was not sent, and
    /// no value differs by more than the twelve digits that it keeps, and the one
    /// rounding by which these become a float again.
    pub async fn holds_exactly(&self, text: &str) {
        let expected = distinct(expected(text));
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut read = self.samples().await;
        while read.len() < expected.len() {
            assert!(
                tokio::time::Instant::now() < deadline,
                "{} of {} samples came",
                read.len(),
                expected.len()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
            read = self.samples().await;
        }
        assert_eq!(read.len(), expected.len());
        for (read, sent) in read.iter().zip(&expected) {
            assert_eq!((&read.0, &read.1, read.2), (&sent.0, &sent.1, sent.2));
            let apart = (read.3 - sent.3).abs();
            let kept = (1e-12 + f64::EPSILON) * sent.3.abs();
            assert!(apart <= kept, "{read:?} {sent:?}");
        }
    }
}

fn expected(text: &str) -> Vec<Sample> {
    let mut samples = Vec::new();
    for line in text.lines() {
        let row = parse(line).unwrap();
        for (field, value) in row.fields {
            let value = match value {
                FieldValue::Float(value) => value,
                FieldValue::Integer(value) => value as f64,
                other => panic!("{other:?}"),
            };
            let name = format!("{}_{field}", row.measurement);
            samples.push((name, row.tags.clone(), row.time_ms, value));
        }
    }
    samples
}

fn exported(text: &str) -> Vec<Sample> {
    let mut samples = Vec::new();
    for line in text.lines() {
        let series: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut labels: Vec<(String, String)> = series["metric"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        let name = labels
            .iter()
            .position(|(name, _)| name == "__name__")
            .unwrap();
        let (_, name) = labels.remove(name);
        let values = series["values"].as_array().unwrap();
        let times = series["timestamps"].as_array().unwrap();
        for (value, time) in values.iter().zip(times) {
            let (time, value) = (time.as_i64().unwrap(), value.as_f64().unwrap());
            samples.push((name.clone(), labels.clone(), time, value));
        }
    }
    samples
}

/// Sorts, and drops a sample that stands twice, as after a retry.
fn distinct(mut samples: Vec<Sample>) -> Vec<Sample> {
    samples.sort_by(|a, b| a.partial_cmp(b).unwrap());
    samples.dedup();
    samples
}
