//! What a model of `SunSpec` is made of.

use std::ops::RangeInclusive;

use super::table::MODELS;

/// A kind of block that a device may list, and what we read of it.
///
/// Points that set something are left out: nothing is written here, and a setting is
/// no measurement.
#[derive(Debug)]
pub struct Model {
    /// The ids that share this layout.
    pub ids: RangeInclusive<u16>,
    /// What it is, for people.
    pub name: &'static str,
    /// Its points.
    pub points: &'static [Point],
    /// What repeats behind them.
    pub group: Option<Group>,
}

/// A part that repeats to the end of a model: an input, a port.
#[derive(Debug)]
pub struct Group {
    /// Offset of the register that says how many there are.
    pub number_at: u16,
    /// Offset of the first one.
    pub first: u16,
    /// Registers of each.
    pub stride: u16,
    /// Offset, within each, of the register that says what kind it is.
    pub kind_at: Option<u16>,
    /// Points of each, with offsets within it; scale factors are those of the model.
    pub points: &'static [Point],
}

/// One measurement of a model.
#[derive(Debug)]
pub struct Point {
    /// Its name in the model.
    pub name: &'static str,
    /// Registers from the one that holds the model's id, which is 0; or from the first
    /// of a group.
    pub offset: u16,
    /// How it is written.
    pub kind: Kind,
    /// Its power of ten.
    pub scale: Scale,
    /// Its unit, behind the power of ten.
    pub unit: &'static str,
    /// The quantity that it is for us.
    pub quantity: &'static str,
}

/// How a point is written, and which pattern says that it is not implemented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Signed, one register; not implemented is 0x8000.
    Int16,
    /// Unsigned, one register; not implemented is 0xFFFF.
    Uint16,
    /// Unsigned, two registers; not implemented is 0xFFFFFFFF.
    Uint32,
    /// Unsigned, four registers; not implemented is all ones.
    Uint64,
    /// Counts up through two registers and starts again behind the last number they
    /// hold; not implemented is 0.
    Acc32,
    /// IEEE 754 single; not implemented is NaN.
    Float32,
    /// A state, one register; not implemented is 0xFFFF.
    Enum16,
}

impl Kind {
    /// How many registers it takes.
    #[must_use]
    pub fn words(self) -> u16 {
        match self {
            Self::Int16 | Self::Uint16 | Self::Enum16 => 1,
            Self::Uint32 | Self::Acc32 | Self::Float32 => 2,
            Self::Uint64 => 4,
        }
    }
}

/// By which power of ten a raw number is multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// None: the number is the value.
    One,
    /// A fixed one.
    Tens(i8),
    /// The one in the register at this offset of the model, from -10 to 10.
    By(u16),
}

/// The model of an id, where it is one that we know.
#[must_use]
pub fn model(id: u16) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.ids.contains(&id))
}
