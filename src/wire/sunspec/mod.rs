//! SunSpec: what a device says of itself, and where its values are.
//!
//! ```text
//!   base      base+2                                             id 0xFFFF
//!   "SunS"  │ id  L  L registers │ id  L  L registers │ … │ end
//!             └ model 1            └ the next one
//! ```
//!
//! A device lists its models one behind the other; each begins with its id and the
//! length of what follows. [`Walk`] finds the [`Chain`], the tables say which
//! registers of a model hold what, [`serve()`] says which of them answers for a
//! quantity of a meter. Everything is big-endian and read with function code 3.
//!
//! **The chain is walked with the lengths that the device says**, never with those of
//! a table: a firmware adds models nobody knows, and pads those that everybody does.
//! **A value and its scale factor come from one answer**, so that a factor that moves
//! between two requests makes no number that the device never said.
//!
//! # Source
//!
//! Model ids, points, offsets, types, scale factors and units are facts of the model
//! definitions of the `SunSpec` Alliance, <https://github.com/sunspec/models>, commit
//! 7abdf8982d5364f8ae916deee18aac86c11be36d, `json/model_*.json` (Apache-2.0). The
//! tables here are our own; no text is taken over.

mod model;
mod serve;
mod show;
mod sources;
mod table;
mod walk;
mod wanted;

pub use model::{Group, Kind, Model, Point, Scale, model};
pub use serve::{Asked, Missing, Options, Ratios, Served, serve};
pub use show::{Shown, points};
pub use table::MODELS;
pub use walk::{Ask, BASES, Chain, Found, Identity, Lost, Said, Walk};
pub use wanted::{Wanted, wanted};
