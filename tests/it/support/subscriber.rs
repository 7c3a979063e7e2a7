//! Somebody who listens to a broker: Debian's `mosquitto_sub`, in a session that the
//! broker keeps.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::mosquitto::Mosquitto;

const PATIENCE: Duration = Duration::from_secs(120);

/// A message as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Whether the broker had kept it for us.
    pub retained: bool,
    pub topic: String,
    pub payload: String,
}

impl Heard {
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.payload).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A subscriber; it ends when it is dropped.
pub struct Subscriber {
    child: Child,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Subscriber {
    /// Listens to everything, and waits until the broker has granted it.
    pub fn start(broker: &Mosquitto) -> Self {
        Self::of(broker, "#", &[])
    }

    pub fn of(broker: &Mosquitto, filter: &str, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("heard");
        let out = std::fs::File::create(&file).unwrap();
        let id = format!("listener-{}", dir.path().display());
        let child = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &broker.port.to_string()])
            .args(["-q", "1", "-c", "-i", &id, "-t", filter, "-t", "probe/#"])
            .args(["-F", "%r %t %p"])
            .args(options)
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto_sub is missing; try\n  apt-get install -y mosquitto-clients");
        let subscriber = Self {
            child,
            file,
            _dir: dir,
        };
        let started = Instant::now();
        let probed = || {
            subscriber
                .lines()
                .iter()
                .any(|heard| heard.topic == "probe/x")
        };
        while !probed() {
            assert!(started.elapsed() < PATIENCE, "the subscription is granted");
            broker.publish_with("probe/x", "1", &[&["-q", "1"], options].concat());
            std::thread::sleep(Duration::from_millis(20));
        }
        subscriber
    }

    fn lines(&self) -> Vec<Heard> {
        let text = std::fs::read_to_string(&self.file).unwrap();
        // The last line may still be on its way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| {
                let mut parts = line.splitn(3, ' ');
                Heard {
                    retained: parts.next() == Some("1"),
                    topic: parts.next().unwrap().to_owned(),
                    payload: parts.next().unwrap_or_default().to_owned(),
                }
            })
            .collect()
    }

    /// Everything that came.
    pub fn heard(&self) -> Vec<Heard> {
        let mut all = self.lines();
        all.retain(|heard| heard.topic != "probe/x");
        all
    }

    /// What came on topics that begin so.
    pub fn on(&self, prefix: &str) -> Vec<Heard> {
        let mut all = self.heard();
        all.retain(|heard| heard.topic.starts_with(prefix));
        all
    }

    /// Waits until something holds of what came.
    pub async fn until(&self, what: &str, holds: impl Fn(&[Heard]) -> bool) -> Vec<Heard> {
        let started = Instant::now();
        loop {
            let heard = self.heard();
            if holds(&heard) {
                return heard;
            }
            assert!(
                started.elapsed() < PATIENCE * 5,
                "waited in vain until {what}: {heard:#?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
