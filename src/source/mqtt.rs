//! Stub.
use crate::domain::meter::{MeterIndex, PointIndex};
use crate::sys::secret::Secret;
use crate::wire::register::Decode;
use std::path::PathBuf;
/// s
#[derive(Debug, Clone)]
pub struct Settings {
    pub name: String,
    pub host: String,
    pub port: u16,
    pub client_id: String,
    pub login: Option<(String, Secret)>,
    pub tls: Option<Tls>,
    pub subscriptions: Vec<Subscription>,
}
/// t
#[derive(Debug, Clone)]
pub struct Tls {
    pub ca_file: Option<PathBuf>,
}
/// p
#[derive(Debug, Clone)]
pub struct Subscription {
    pub meter: MeterIndex,
    pub topic: String,
    pub points: Vec<(PointIndex, Option<String>, Decode)>,
}
