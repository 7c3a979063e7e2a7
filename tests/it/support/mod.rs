//! Peers and hands for the tests.

pub mod daemon;
pub mod dumps;
pub mod fake_broker;
pub mod hostile;
pub mod http;
pub mod influx;
pub mod influxd;
pub mod lines;
pub mod misattribution;
pub mod mosquitto;
pub mod oracle;
pub mod peer;
pub mod pymodbus;
pub mod shipping;
pub mod show_park;
pub mod store;
pub mod subscriber;
pub mod victoria;
pub mod world;
pub mod year;
