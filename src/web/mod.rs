//! Stub.

pub mod api;
pub mod live;
pub mod metrics;
pub mod server;
