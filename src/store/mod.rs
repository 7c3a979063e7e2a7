//! Stub.

pub mod journal;
pub mod ledger;
