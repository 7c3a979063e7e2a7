//! What messages of a broker say: topics, payloads, numbers. Pure.
//!
//! ```text
//!   topic ──Filter──▶ which sensor ──┐
//!   payload ──Payload──▶ document ───┴─Reader──▶ Said { values, time, … }
//!   Sparkplug B ──Node──▶ births, aliases, deaths ──▶ metrics by name
//! ```
//!
//! **What is not a number is a reason, never a zero**, whatever arrives: a payload is
//! other people's bytes. A field that a message leaves out says nothing, where its
//! device sends only what changed.

pub mod moment;
pub mod payload;
pub mod place;
pub mod reader;
pub mod sparkplug;
pub mod topic;

pub use payload::{Fault, Numbers, Payload};
pub use place::Place;
pub use reader::{Extract, Outlook, Reader, Said, Speech, Way, Words};
pub use topic::Filter;

/// Version of the protocol between us and a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// 3.1.1, which every broker speaks.
    #[default]
    V3,
    /// 5, which tells the broker how large a message may be.
    V5,
}
