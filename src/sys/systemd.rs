//! What the service manager is told: ready, status, alive, stopping.
//!
//! ```text
//!   engine tick ──▶ Mark ──┐
//!   store commit ─▶ Mark ──┴▶ Progress ── all moved? ──▶ WATCHDOG=1
//! ```
//!
//! **The watchdog is fed by progress**, and by the tick loop itself: a timer of
//! its own would go on feeding while everything else stands still. A store that
//! hangs, or an engine that no longer ticks, ends the feeding, and systemd
//! starts the daemon anew.
//!
//! Outside of systemd there is no `NOTIFY_SOCKET`, and a [`Notifier`] is
//! silent.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;
use tracing::warn;

/// Pings per watchdog period: one may get lost, and one may come late.
const PINGS_PER_PERIOD: u32 = 4;

/// Parts of the watchdog period that a mark may stand still. Half of it: a store
/// that needs a second more than usual is no reason for a restart, and together
/// with the period itself a stall ends within one and a half periods.
const STALLS_PER_PERIOD: u32 = 2;

/// The line to the service manager.
#[derive(Debug, Clone)]
pub struct Notifier {
    manager: Option<Arc<UnixDatagram>>,
}

impl Notifier {
    /// The service manager that `NOTIFY_SOCKET` names; silent where it names none.
    #[must_use]
    pub fn from_env() -> Self {
        let Some(socket) = env::var_os("NOTIFY_SOCKET") else {
            return Self::silent();
        };
        Self::to(&socket).unwrap_or_else(|error| {
            warn!(%error, ?socket, "The service manager cannot be reached.");
            Self::silent()
        })
    }

    /// A line that nobody listens to.
    #[must_use]
    pub fn silent() -> Self {
        Self { manager: None }
    }

    /// The service manager behind a socket: a path, or an abstract name after `@`.
    ///
    /// The socket never blocks: a service manager that does not read loses
    /// messages, and the daemon goes on measuring.
    ///
    /// # Errors
    ///
    /// What the system says where nobody listens there.
    pub fn to(socket: &OsStr) -> io::Result<Self> {
        let address = match socket.as_bytes().split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(socket)?,
        };
        let manager = UnixDatagram::unbound()?;
        manager.connect_addr(&address)?;
        manager.set_nonblocking(true)?;
        Ok(Self {
            manager: Some(Arc::new(manager)),
        })
    }

    /// Start-up is done: the configuration holds, the store is open, the first
    /// poll of every endpoint was tried.
    pub fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// One line for `systemctl status`.
    pub fn status(&self, text: &str) {
        self.send(&[NotifyState::Status(&one_line(text))]);
    }

    /// Shutdown has begun.
    pub fn stopping(&self) {
        self.send(&[NotifyState::Stopping]);
    }

    /// The daemon is alive; sent by [`Watchdog::tick`] alone.
    fn alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(manager) = &self.manager else {
            return;
        };
        let mut message = String::new();
        for state in states {
            message.push_str(&state.to_string());
            message.push('\n');
        }
        if let Err(error) = manager.send(message.as_bytes()) {
            warn!(%error, "The service manager does not listen.");
        }
    }
}

/// A text without line breaks: in the protocol of systemd a new line is a new
/// statement, and a meter's name must not be able to make one.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// The time within which systemd wants a sign of life, where it wants one.
#[must_use]
pub fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|period| !period.is_zero())
}

/// A part of the daemon says here that it got on.
///
/// It moves for a piece of work that was answered for, whatever the answer: a
/// store that reports a full disk is alive, one that never returns is not.
#[derive(Debug, Default)]
pub struct Mark(AtomicU64);

impl Mark {
    /// A piece of work is done.
    pub fn moved(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// When each mark was last seen to move.
///
/// It knows time as an argument, so a test runs an hour in a loop.
#[derive(Debug)]
pub struct Progress {
    window: Duration,
    marks: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    name: &'static str,
    mark: Arc<Mark>,
    count: u64,
    moved_at: Instant,
}

impl Progress {
    /// Progress in which a mark may stand still for `window`.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self {
            window,
            marks: Vec::new(),
        }
    }

    /// A mark that has to move from `now` on, as long as the daemon lives.
    pub fn mark(&mut self, name: &'static str, now: Instant) -> Arc<Mark> {
        let mark = Arc::new(Mark::default());
        self.marks.push(Watched {
            name,
            mark: Arc::clone(&mark),
            count: 0,
            moved_at: now,
        });
        mark
    }

    /// Whether every mark moved within the window before `now`.
    ///
    /// # Errors
    ///
    /// The names of those that stand still.
    pub fn fed(&mut self, now: Instant) -> Result<(), Vec<&'static str>> {
        let mut stalled = Vec::new();
        for watched in &mut self.marks {
            let count = watched.mark.0.load(Ordering::Relaxed);
            if count != watched.count {
                watched.count = count;
                watched.moved_at = now;
            }
            if now.saturating_duration_since(watched.moved_at) > self.window {
                stalled.push(watched.name);
            }
        }
        if stalled.is_empty() {
            Ok(())
        } else {
            Err(stalled)
        }
    }
}

/// Feeds systemd's watchdog as long as there is progress.
#[derive(Debug)]
pub struct Watchdog {
    every: Duration,
    progress: Progress,
    pinged_at: Option<Instant>,
    stalled: Vec<&'static str>,
}

impl Watchdog {
    /// A watchdog that bites after `period` without a ping; it starts hungry.
    #[must_use]
    pub fn new(period: Duration) -> Self {
        Self {
            every: period / PINGS_PER_PERIOD,
            progress: Progress::new(period / STALLS_PER_PERIOD),
            pinged_at: None,
            stalled: Vec::new(),
        }
    }

    /// A mark that has to move from `now` on.
    pub fn mark(&mut self, name: &'static str, now: Instant) -> Arc<Mark> {
        self.progress.mark(name, now)
    }

    /// Sends a ping if one is due and everything got on; called by the tick loop.
    ///
    /// A stall is logged when it begins and when it ends, by name.
    pub fn tick(&mut self, now: Instant, notifier: &Notifier) {
        let stalled = match self.progress.fed(now) {
            Ok(()) => Vec::new(),
            Err(names) => names,
        };
        if stalled != self.stalled {
            warn!(stalled = ?stalled, before = ?self.stalled, "Progress of the daemon changed.");
            self.stalled = stalled;
        }
        let due = self
            .pinged_at
            .is_none_or(|at| now.saturating_duration_since(at) >= self.every);
        if due && self.stalled.is_empty() {
            notifier.alive();
            self.pinged_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Manager {
        socket: UnixDatagram,
        path: PathBuf,
        _dir: tempfile::TempDir,
    }

    impl Manager {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("notify");
            let socket = UnixDatagram::bind(&path).unwrap();
            socket.set_nonblocking(true).unwrap();
            Self {
                socket,
                path,
                _dir: dir,
            }
        }

        fn notifier(&self) -> Notifier {
            Notifier::to(self.path.as_os_str()).unwrap()
        }

        fn heard(&self) -> Vec<String> {
            received(&self.socket)
        }
    }

    fn received(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 512];
        let mut heard = Vec::new();
        while let Ok(length) = socket.recv(&mut buffer) {
            heard.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
        heard
    }

    #[test]
    fn the_manager_hears_ready_with_a_status_then_stopping() {
        let manager = Manager::new();
        let notifier = manager.notifier();
        notifier.ready("13 of 14 meters");
        notifier.status("14 of 14 meters");
        notifier.stopping();
        assert_eq!(
            manager.heard(),
            [
                "READY=1\nSTATUS=13 of 14 meters\n",
                "STATUS=14 of 14 meters\n",
                "STOPPING=1\n"
            ]
        );
    }

    #[test]
    fn an_abstract_socket_is_a_name_after_an_at_sign() {
        let name = format!("sunledger-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_nonblocking(true).unwrap();
        Notifier::to(OsStr::new(&format!("@{name}")))
            .unwrap()
            .stopping();
        assert_eq!(received(&socket), ["STOPPING=1\n"]);
    }

    #[test]
    fn a_name_with_a_line_break_makes_no_second_statement() {
        let manager = Manager::new();
        manager.notifier().status("tenant\nWATCHDOG=trigger");
        assert_eq!(manager.heard(), ["STATUS=tenant WATCHDOG=trigger\n"]);
    }

    #[test]
    fn nobody_at_the_socket_is_an_error_and_later_silence_is_not() {
        assert!(Notifier::to(OsStr::new("/nowhere/notify")).is_err());
        let manager = Manager::new();
        let notifier = manager.notifier();
        drop(manager);
        notifier.ready("alone");
        Notifier::silent().ready("alone");
    }

    #[test]
    fn a_manager_that_does_not_read_never_blocks_the_daemon() {
        let manager = Manager::new();
        let notifier = manager.notifier();
        let (done, wait) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for _ in 0..10_000 {
                notifier.alive();
            }
            done.send(()).unwrap();
        });
        assert_eq!(wait.recv_timeout(Duration::from_secs(30)), Ok(()));
        assert!(!manager.heard().is_empty());
    }

    /// Seconds at which the watchdog is fed when it bites after 40 s and the two
    /// marks move in the seconds that the closures say.
    fn pings(seconds: u64, tick: fn(u64) -> bool, store: fn(u64) -> bool) -> Vec<u64> {
        let manager = Manager::new();
        let notifier = manager.notifier();
        let start = Instant::now();
        let mut watchdog = Watchdog::new(Duration::from_secs(40));
        let ticked = watchdog.mark("engine tick", start);
        let committed = watchdog.mark("store commit", start);
        let mut fed = Vec::new();
        for second in 0..seconds {
            if tick(second) {
                ticked.moved();
            }
            if store(second) {
                committed.moved();
            }
            watchdog.tick(start + Duration::from_secs(second), &notifier);
            for message in manager.heard() {
                assert_eq!(message, "WATCHDOG=1\n");
                fed.push(second);
            }
        }
        fed
    }

    #[test]
    fn a_daemon_that_gets_on_feeds_four_times_a_period() {
        assert_eq!(pings(45, |_| true, |_| true), [0, 10, 20, 30, 40]);
    }

    #[test]
    fn a_stalled_store_ends_the_feeding_half_a_period_later() {
        // The last commit is seen at 24 s and stands for 20 s.
        assert_eq!(pings(200, |_| true, |s| s < 25), [0, 10, 20, 30, 40]);
    }

    #[test]
    fn feeding_goes_on_in_the_second_in_which_the_store_does() {
        assert_eq!(
            pings(100, |_| true, |s| !(5..77).contains(&s)),
            [0, 10, 20, 77, 87, 97]
        );
    }

    #[test]
    fn a_slow_commit_is_no_stall() {
        assert_eq!(pings(45, |_| true, |s| s % 19 == 0), [0, 10, 20, 30, 40]);
    }

    #[test]
    fn every_mark_counts_and_is_named() {
        let start = Instant::now();
        let mut progress = Progress::new(Duration::from_secs(2));
        let tick = progress.mark("engine tick", start);
        let _store = progress.mark("store commit", start);
        let later = start + Duration::from_secs(3);
        tick.moved();
        assert_eq!(progress.fed(later), Err(vec!["store commit"]));
        let latest = later + Duration::from_secs(3);
        assert_eq!(
            progress.fed(latest),
            Err(vec!["engine tick", "store commit"])
        );
    }
}
