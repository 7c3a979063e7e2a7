//! Stub.

pub mod check;
pub mod demo;
pub mod influx;
pub mod report;
pub mod run;
pub mod status;
