//! Where readings come from: one worker per physical endpoint, Modbus or MQTT.
//!
//! ```text
//!   Modbus      ── modbus::run ──▶┐
//!   Modbus      ── modbus::run ──▶├── Heard ──▶ app
//!   MQTT broker ── mqtt::run ────▶┘     ◀── receipt (on disk) ── PUBACK
//! ```
//!
//! **A device is never silent here.** One that does not answer, answers short or
//! says NaN is [`Heard`] with reasons in place of values, each period again.
//!
//! Sources are read-only: none names a Modbus call that writes, and MQTT publishes
//! nothing but the requests without which a device stays silent. They know no meter by
//! name, only its place in the park.

mod backoff;
pub mod modbus;
pub mod mqtt;
mod stats;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::domain::meter::{MeterIndex, PointIndex};
use crate::domain::quality::Reason;
use crate::domain::snapshot::Value;

pub use stats::{MeterCounts, Outcome, Rejected, SourceStats};

/// Capacity of the queue from all sources to the app. A thousand meters of four
/// requests each fit at once; the app empties it many times a second. Modbus
/// drops what does not fit, counted; MQTT waits and leaves messages at the broker.
pub const SOURCE_QUEUE: usize = 4_096;

/// What a source heard at one moment from one meter, not necessarily of all its points.
#[derive(Debug)]
pub struct Heard {
    /// The meter.
    pub meter: MeterIndex,
    /// Midpoint of request and answer; arrival of a message.
    pub at: Instant,
    /// What was said by point, or why nothing was.
    pub values: Vec<(PointIndex, Result<Value, Reason>)>,
    /// What went wrong, for people.
    pub detail: Option<String>,
    /// To be fired when this is on disk: the broker waits for it. Dropping it
    /// unfired makes the broker send the message again.
    pub receipt: Option<oneshot::Sender<()>>,
    /// Of a time gone by: stored, and no measurement of now.
    pub late: bool,
    /// When a late one was true, by its own word; none where nobody knows.
    pub of: Option<Timestamp>,
}
