//! Everything that is tested from outside a module, in one binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic
)]

mod again;
mod backlog;
mod checks;
mod cli;
mod conservation;
mod devices;
mod fuzz;
mod influx;
mod kills;
mod late;
mod link;
mod mended;
mod modbus;
mod mqtt;
mod mqtt_sink;
mod park_faults;
mod pipeline;
mod recorded_day;
mod refusals;
mod scenarios;
mod schema;
mod service;
mod simulate;
mod store;
mod sunspec;
mod support;
mod tidy;
mod unit_file;
mod web;
mod wire_capture;
mod year;
