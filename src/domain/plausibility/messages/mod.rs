//! Checks of time and of messages.

pub mod clock;
pub mod content;
