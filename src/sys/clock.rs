//! The only module that reads clocks.

/// The monotonic clock, for waiting and for stamping.
#[must_use]
pub fn mono() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// The wall clock.
#[must_use]
pub fn wall() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
