//! The machine around the daemon: clocks, logs, systemd, secrets.

pub mod clock;
pub mod log;
pub mod secret;
pub mod systemd;
