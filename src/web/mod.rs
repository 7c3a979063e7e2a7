//! The live page, the API and the metrics: what the park looks like from outside.
//!
//! ```text
//!   engine ──watch──▶ Frame ──▶ /            the page (assets)
//!                       ├─────▶ /api/v1/live, /api/v1/live/stream
//!   ledger ──IntervalSource──▶ /api/v1/intervals, /allocation, /carbon
//!   app    ──Health, Numbers─▶ /livez /readyz /metrics
//! ```
//!
//! Everything is read: a request can change nothing. The page tells what the
//! engine says and never waits for the disk; it shows up to when things are
//! stored. **Missing is not zero**: an unknown number is `null` with its gaps in
//! JSON, `--` on the page, and an absent series in the metrics.
//!
//! A browser on another site must not read a page that listens on loopback, so a
//! request whose `Host` is not ours is refused ([`guard`]).

pub mod api;
pub mod assets;
mod attribution;
mod closure;
pub mod frame;
pub mod guard;
pub mod health;
mod intervals;
pub mod live;
pub mod metrics;
mod plant;
mod seats;
pub mod server;
pub mod stream;

pub use api::{IntervalSource, MeterEntry};
pub use frame::Frame;
pub use health::Health;
pub use live::{LiveView, MeterView, Ratios, SinkView};
pub use metrics::{MeterNumbers, Numbers, SinkNumbers};
pub use server::{Limits, Listener, Services, Settings, bind, serve};
