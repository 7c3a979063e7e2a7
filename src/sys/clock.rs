//! The only place that reads clocks.

/// Monotonic time, for waiting and for stamping.
#[must_use]
pub fn mono() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// The wall clock, for storing.
#[must_use]
pub fn wall() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
