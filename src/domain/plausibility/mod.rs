//! Whether what a park says can be true: 21 checks that operators rely on.
//!
//! ```text
//!   hear(reading) ──▶ ear of the meter ──┐
//!   tick(now, …)  ──▶ nodes, means ──────┼──▶ check ──▶ hold ──▶ finding opened | closed
//!                     snapshot, sun ─────┘
//! ```
//!
//! Each check is a row of [`CHECKS`] and a module: what it is asked about, what it
//! allows, and what one look comes to. How long that must last is the business of the
//! `hold`. **What is missing makes a check silent, with the reason, and never
//! raises an alarm**; a finding that explains another silences it.
//!
//! Thresholds are parts of the rated power, so that a park of another size is judged
//! the same. A meter without a nameplate has no part, and is not judged by it.
//!
//! Nothing here changes a number: a finding is said, and the value stands as measured.

mod balance;
mod ear;
mod electrical;
mod finding;
mod heat;
mod hold;
mod look;
mod messages;
mod node;
mod pair;
mod round;
pub mod settings;
mod storage;
mod sun;
mod table;

pub use electrical::drift::MeterDrift;
pub use finding::{Change, Finding, Judged, Seen};
pub use look::Moment;
pub use pair::Sums;
pub use round::{Plausibility, Unjudged};
pub use settings::{CheckSettings, Facts, Param, Settings};
pub use table::{CHECKS, CheckRow, Pace};

#[cfg(test)]
mod tests;
