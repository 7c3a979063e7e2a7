//! Processes: the children that this program starts of itself, the daemon, and
//! what the kernel says about it.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use sunledger::sys::clock::mono;
use tokio::sync::mpsc;

/// Says a line to the parent.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // A parent that is gone hears nothing.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// What the parent says, line by line.
pub fn orders() -> mpsc::UnboundedReceiver<String> {
    let (orders, heard) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if orders.send(line).is_err() {
                return;
            }
        }
    });
    heard
}

/// A child of this very program; it ends with its input.
pub struct Helper {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Helper {
    pub fn start(arguments: &[String]) -> std::io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Ok(Self {
            input: child.stdin.take(),
            child,
            output,
        })
    }

    /// The numbers of its next line.
    pub fn numbers(&mut self) -> Vec<f64> {
        let mut text = String::new();
        let read = self.output.read_line(&mut text);
        assert!(read.is_ok_and(|n| n > 0), "a helper ended");
        text.split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    }

    /// The answer to an order.
    pub fn ask(&mut self, order: &str) -> Vec<f64> {
        let input = self.input.as_mut().expect("open until dropped");
        writeln!(input, "{order}").expect("a helper ended");
        self.numbers()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

/// The daemon; it is ended when dropped.
pub struct Daemon(Child);

/// What the kernel counted of a process.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// User and system time, seconds.
    pub cpu_s: f64,
    /// Resident memory, MiB.
    pub rss_mib: f64,
    /// The most there was, MiB.
    pub peak_mib: f64,
    /// Threads.
    pub threads: u64,
}

/// What the unit gives its process: the daemon is measured as it is run.
fn unit_environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    let unit = include_str!("../../deploy/sunledger.service").lines();
    unit.filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
}

impl Daemon {
    pub fn start(binary: &Path, config: &Path, log: &Path) -> std::io::Result<Self> {
        let log = std::fs::File::create(log)?;
        let child = Command::new(binary)
            .envs(unit_environment())
            .args(["run", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self(child))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn usage(&self) -> std::io::Result<Usage> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        // The fields after the name, which may hold anything, begin with the third.
        let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let field = |nth: usize| -> f64 {
            let text = after.split_whitespace().nth(nth - 3);
            text.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
        };
        let word = |name: &str| -> f64 {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
                .unwrap_or(f64::NAN)
        };
        Ok(Usage {
            // Linux counts in hundredths of a second for every architecture in reach.
            cpu_s: (field(14) + field(15)) / 100.0,
            rss_mib: word("VmRSS:") / 1_024.0,
            peak_mib: word("VmHWM:") / 1_024.0,
            threads: word("Threads:") as u64,
        })
    }

    /// Asks it to end and says how long that took.
    pub fn stop(mut self) -> Duration {
        let begun = mono();
        let _ = Command::new("kill").arg(self.id().to_string()).status();
        let _ = self.0.wait();
        mono() - begun
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
