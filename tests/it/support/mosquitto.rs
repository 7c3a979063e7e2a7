//! Debian's mosquitto as a real broker.

use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const INSTALL: &str = "mosquitto is missing; try\n  apt-get install -y mosquitto mosquitto-clients";

/// A running broker; ends when it is dropped.
pub struct Mosquitto {
    pub port: u16,
    pub dir: tempfile::TempDir,
    child: Option<Child>,
    options: Vec<String>,
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Mosquitto {
    /// A broker for everyone.
    pub fn start() -> Self {
        Self::with(|_| "allow_anonymous true\n".into())
    }

    /// A broker with these lines of configuration; files go into its directory.
    pub fn with(lines: impl FnOnce(&PathBuf) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let lines = lines(&dir.path().to_path_buf());
        let mut text = format!("listener {port} 127.0.0.1\nuser root\n");
        if !lines.contains("persistence ") {
            text.push_str("persistence false\n");
        }
        let _ = write!(text, "{lines}");
        let file = dir.path().join("mosquitto.conf");
        std::fs::write(&file, text).unwrap();
        let options = vec!["-c".into(), file.display().to_string()];
        let mut broker = Self {
            port,
            dir,
            child: None,
            options,
        };
        broker.run();
        broker
    }

    /// Starts it (again) and waits until it listens.
    pub fn run(&mut self) {
        // Debian keeps the daemon where only root looks.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let child = Command::new("mosquitto")
            .args(&self.options)
            .env("PATH", path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect(INSTALL));
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "mosquitto listens"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends it as a service manager does: it writes down what it has to keep.
    pub fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = child.id().to_string();
            let sent = Command::new("kill").args(["-TERM", &pid]).status();
            assert!(sent.unwrap().success());
            let _ = child.wait();
        }
    }

    /// Publishes with quality of service 1 and waits until the broker has it.
    pub fn publish(&self, topic: &str, payload: &str) {
        self.publish_with(topic, payload, &["-q", "1"]);
    }

    pub fn publish_with(&self, topic: &str, payload: &str, options: &[&str]) {
        let port = self.port.to_string();
        let run = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &port, "-t", topic, "-m", payload])
            .args(options)
            .output()
            .expect(INSTALL);
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}
