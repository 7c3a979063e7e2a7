//! What the machine gives: clocks, the service manager, the log.

pub mod clock;
pub mod log;
pub mod systemd;
