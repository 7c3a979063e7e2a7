//! Stub.
use crate::domain::meter::{MeterIndex, PointIndex};
use crate::wire::register::Layout;
use std::time::Duration;
/// s
#[derive(Debug, Clone)]
pub struct Settings {
    pub name: String,
    pub host: String,
    pub port: u16,
    pub timeout: Duration,
    pub polls: Vec<Poll>,
}
/// p
#[derive(Debug, Clone)]
pub struct Poll {
    pub meter: MeterIndex,
    pub unit: u8,
    pub period: Duration,
    pub points: Vec<(PointIndex, Layout)>,
}
