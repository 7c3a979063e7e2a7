//! The one place that reads a clock.

/// The monotonic clock, for waiting and for stamping what devices say.
#[must_use]
pub fn mono() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// The wall clock, for storing.
#[must_use]
pub fn wall() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
