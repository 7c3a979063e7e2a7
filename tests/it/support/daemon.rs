//! The program itself, as a person or a service manager has it: arguments in, words
//! and an exit code out.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// What is promised on the machine of the issue, and what a slow one gets.
const SLACK: u32 = 5;
/// A demo tells its address within this.
pub const START_WITHIN: Duration = Duration::from_secs(5);
/// SIGTERM ends everything within this.
pub const END_WITHIN: Duration = Duration::from_secs(10);
/// How often a file is looked at for the next word.
const LOOK: Duration = Duration::from_millis(20);

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; none where a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Ended with a code and a sentence for people: no panic, no backtrace.
    pub fn must_say(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} in {self:?}");
        }
        self.no_panic();
        let errors = self.err.lines().filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{self:?}");
    }

    pub fn no_panic(&self) {
        for word in ["panicked", "RUST_BACKTRACE", "stack backtrace", "src/"] {
            assert!(!self.err.contains(word), "{word:?} in {self:?}");
        }
    }
}

/// The program with arguments, in an environment that says nothing to it.
pub fn sunledger(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sunledger"));
    command.args(arguments).env("RUST_BACKTRACE", "1");
    for variable in [
        "SUNLEDGER_LOG",
        "JOURNAL_STREAM",
        "NOTIFY_SOCKET",
        "CREDENTIALS_DIRECTORY",
    ] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command to its end, which must come by itself.
pub async fn run(command: &mut Command) -> Ended {
    let output = timeout(END_WITHIN * SLACK, command.output()).await;
    let output = output.expect("it ends by itself").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// Runs the program with arguments to its end.
pub async fn ask(arguments: &[&str]) -> Ended {
    run(&mut sunledger(arguments)).await
}

/// A daemon that serves its page. It ends with its test.
pub struct Daemon {
    child: Child,
    words: tempfile::TempDir,
    demo: bool,
    pub address: SocketAddr,
}

impl Daemon {
    /// Starts `sunledger demo` on a free port, and waits for its address.
    pub async fn demo(arguments: &[&str]) -> Self {
        let mut all = vec!["demo", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        Self::start(sunledger(&all)).await
    }

    /// Starts `sunledger run` on a configuration that listens on a free port.
    pub async fn run(config: &Path) -> Self {
        Self::start(sunledger(&["run", "--config", config.to_str().unwrap()])).await
    }

    /// Starts a command, and waits until it says where it listens.
    pub async fn start(mut command: Command) -> Self {
        let words = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(words.path().join(name)).unwrap();
        command.stdout(file("out")).stderr(file("err"));
        let demo = command.as_std().get_args().next() == Some("demo".as_ref());
        let mut daemon = Self {
            child: command.spawn().unwrap(),
            words,
            demo,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let waiting = async {
            loop {
                if let Some(address) = daemon.address_said() {
                    return address;
                }
                let ended = daemon.child.try_wait().unwrap();
                assert!(ended.is_none(), "it ended at once: {}", daemon.err());
                sleep(LOOK).await;
            }
        };
        let said = timeout(START_WITHIN * SLACK, waiting).await;
        daemon.address = said.expect("it says where it listens");
        daemon
    }

    /// The address: a demo promises it on standard output, a daemon logs it.
    fn address_said(&self) -> Option<SocketAddr> {
        let said = if self.demo { self.out() } else { self.err() };
        said.lines().find_map(|line| {
            let address = if self.demo {
                line.strip_prefix("listening on http://")?
            } else {
                let (_, rest) = line.split_once("The page is served. address=")?;
                rest.split(' ').next()?
            };
            address.parse().ok()
        })
    }

    pub fn out(&self) -> String {
        std::fs::read_to_string(self.words.path().join("out")).unwrap()
    }

    pub fn err(&self) -> String {
        std::fs::read_to_string(self.words.path().join("err")).unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Waits until something holds of the live document.
    pub async fn until(
        &self,
        what: &str,
        holds: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let waiting = async {
            loop {
                let live = super::http::get(self.address, "/api/v1/live").await.json();
                if holds(&live) {
                    return live;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        let held = timeout(super::http::PATIENCE, waiting).await;
        held.unwrap_or_else(|_| panic!("{what} did not come: {}", self.err()))
    }

    /// Sends a signal, such as `TERM`, and waits for the end.
    pub async fn end(self, signal: &str) -> Ended {
        let kill = format!("kill -{signal} {}", self.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().await;
        assert!(sent.unwrap().success(), "{kill}");
        self.ended(END_WITHIN * SLACK).await
    }

    /// Waits for the end, which must come by itself.
    pub async fn ended(mut self, within: Duration) -> Ended {
        let status = timeout(within, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("no end in {within:?}: {}", self.err()));
        Ended {
            code: status.unwrap().code(),
            out: self.out(),
            err: self.err(),
        }
    }
}
