//! What things mean, without a clock, a device or a disk.

pub mod allocate;
pub mod balance;
pub mod carbon;
pub mod closure;
pub mod commission;
pub mod counter;
pub mod expression;
pub mod flow;
pub mod heat;
pub mod interval;
pub mod kpi;
pub mod meter;
pub mod photovoltaic;
pub mod plausibility;
pub mod quality;
pub mod reconcile;
pub mod schema;
pub mod snapshot;
pub mod sun;
pub mod time;
pub mod topology;
pub mod transformer;
pub mod units;
