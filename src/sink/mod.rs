//! Stub.

pub mod influx;
