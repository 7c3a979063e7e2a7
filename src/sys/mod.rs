//! The machine around the daemon: clocks, logs, systemd, secrets, the process.

pub mod clock;
pub mod log;
pub mod process;
pub mod secret;
pub mod systemd;
