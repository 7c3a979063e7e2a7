//! From the model's numbers to what registers hold.
//!
//! An energy register holds whole counts, rounded down, and starts again at zero
//! where its bits end; an analog one holds the nearest count, and stops at the
//! end of its range, as a real one does.

use super::super::physics::terminal::MilliJ;
use super::{Device, Number, Point, Source};
use crate::domain::units::{to_f64, to_i64};

/// Milliwatt-hours of a kilowatt-hour: floats that count are told in milliwatt-hours.
const MWH_PER_KWH: f64 = 1_000_000.0;

/// What a register holds, before it is cut into words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held {
    /// An integer; as `i128` so that it can be cut to any width.
    Integer(i128),
    /// A float.
    Float(f64),
}

impl Number {
    /// Registers that it takes; a bit takes one place of its own kind.
    #[must_use]
    pub fn words(self) -> u16 {
        match self {
            Self::Bit | Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
        }
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bit => "bit",
        }
    }

    /// Least and most that it holds, for integers.
    fn range(self) -> Option<(i128, i128)> {
        let unsigned = |bits: u32| (0, (1_i128 << bits) - 1);
        let signed = |bits: u32| (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1);
        match self {
            Self::F32 | Self::F64 => None,
            Self::Bit => Some((0, 1)),
            Self::U16 => Some(unsigned(16)),
            Self::I16 => Some(signed(16)),
            Self::U32 => Some(unsigned(32)),
            Self::I32 => Some(signed(32)),
            Self::U64 => Some(unsigned(64)),
            Self::I64 => Some(signed(64)),
        }
    }
}

impl Point {
    /// Canonical units of one unit of the register.
    fn unit_factor(&self) -> f64 {
        match self.unit {
            "kW" | "kWh" => 1e3,
            "MW" | "MWh" => 1e6,
            "MJ" => 1e6 / 3_600.0,
            _ => 1.0,
        }
    }

    /// Millijoules that one count is worth, transformers included.
    #[must_use]
    pub fn count_mj(&self, device: &Device) -> MilliJ {
        let unit_mj = match self.unit {
            "kWh" => 3.6e9,
            "MJ" => 1e9,
            _ => 3.6e6,
        };
        to_i64(self.scale * unit_mj) * i64::from(device.multiplier)
    }

    /// What the register holds for an energy.
    #[must_use]
    pub fn hold_energy(&self, device: &Device, energy: MilliJ) -> Held {
        match self.number.range() {
            None => Held::Float(to_f64(energy) / to_f64(self.count_mj(device))),
            Some((least, most)) => {
                let count = i128::from(energy.div_euclid(self.count_mj(device)));
                Held::Integer((count - least).rem_euclid(most - least + 1) + least)
            }
        }
    }

    /// What the register holds for a number in canonical units, seen from the
    /// device's side.
    #[must_use]
    pub fn hold_analog(&self, device: &Device, canonical: f64) -> Held {
        let sign = self.sign(device);
        let ratio = self.ratio(device);
        let raw = sign * canonical / (self.scale * self.unit_factor() * ratio);
        match self.number.range() {
            None => Held::Float(raw),
            Some((least, most)) => Held::Integer(i128::from(to_i64(raw)).clamp(least, most)),
        }
    }

    /// Whether power is told the other way round.
    fn sign(&self, device: &Device) -> f64 {
        if device.invert && matches!(self.source, Source::Power(_)) {
            -1.0
        } else {
            1.0
        }
    }

    /// Transformers apply to power.
    fn ratio(&self, device: &Device) -> f64 {
        if matches!(self.source, Source::Power(_)) {
            f64::from(device.multiplier)
        } else {
            1.0
        }
    }

    /// What a reader of the register makes of it, in canonical units.
    #[must_use]
    pub fn canonical(&self, device: &Device, held: Held) -> f64 {
        let raw = match held {
            Held::Integer(count) => to_f64(i64::try_from(count).unwrap_or(i64::MAX)),
            Held::Float(value) => self.as_wire_float(value),
        };
        self.sign(device) * raw * self.scale * self.unit_factor() * self.ratio(device)
    }

    /// The count a reader keeps: the integer, or the milliwatt-hours of a float.
    #[must_use]
    pub fn count(&self, held: Held) -> i64 {
        match held {
            Held::Integer(count) => i64::try_from(count).unwrap_or(i64::MAX),
            Held::Float(value) => to_i64(
                self.as_wire_float(value) * self.scale * self.unit_factor() / 1_000.0 * MWH_PER_KWH,
            ),
        }
    }

    /// A float as it survives the wire.
    fn as_wire_float(&self, value: f64) -> f64 {
        if self.number == Number::F32 {
            f64::from(single(value))
        } else {
            value
        }
    }

    /// The words of the register, high word first or as the device has it.
    #[must_use]
    pub fn words(&self, held: Held) -> Vec<u16> {
        let mut words = match (self.number, held) {
            (Number::F32, Held::Float(value)) => pairs(&single(value).to_be_bytes()),
            (Number::F64, Held::Float(value)) => pairs(&value.to_be_bytes()),
            (_, Held::Integer(count)) => {
                let bytes = count.to_be_bytes();
                let length = usize::from(self.number.words()) * 2;
                pairs(bytes.get(bytes.len() - length..).unwrap_or_default())
            }
            (_, Held::Float(_)) => vec![0; usize::from(self.number.words())],
        };
        if self.little {
            words.reverse();
        }
        words
    }
}

/// The nearest single-precision float.
#[allow(clippy::as_conversions, clippy::cast_possible_truncation)]
fn single(value: f64) -> f32 {
    value as f32
}

/// Big-endian bytes as words.
fn pairs(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks_exact(2)
        .map(|pair| {
            pair.iter()
                .fold(0, |word, byte| word << 8 | u16::from(*byte))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::physics::terminal::{Direction, MJ_PER_WH, Terminal};
    use super::super::all_devices;
    use super::*;

    fn find(id: &str, quantity: &str) -> (&'static Device, &'static Point) {
        let device = all_devices().find(|device| device.id == id).unwrap();
        let point = device
            .points
            .iter()
            .find(|point| point.quantity == quantity);
        (device, point.unwrap())
    }

    #[test]
    fn numbers_are_cut_into_words_as_the_device_has_them() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, f64, &[u16])] = &[
            // device     quantity      canonical   words
            ("pcc",       "power",       -412_000.0, &[0xc8c9, 0x2c00]),
            ("battery",   "power",             70.0, &[0xffba, 0xffff]), // inverted, low word first
            ("brewery",   "power",         65_540.0, &[6_554]),          // 0.01 kW
            ("cold-store","power",            400.0, &[0x4120, 0]),      // 10 W secondary
            ("offices",   "power",              1.0, &[0x3ff0, 0, 0, 0]),
            ("field",     "temp_supply",      -12.3, &[0xff85]),
        ];
        for (id, quantity, canonical, words) in cases {
            let (device, point) = find(id, quantity);
            let held = point.hold_analog(device, *canonical);
            assert_eq!(point.words(held), *words, "{id} {quantity}");
            assert!(
                (point.canonical(device, held) - canonical).abs() < 1e-9,
                "{id}"
            );
        }
    }

    #[test]
    fn energies_are_whole_counts_rounded_down() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, f64, i64)] = &[
            // device        quantity          Wh           count
            ("pcc",          "energy_import",  1_234.9,     1_234),
            ("foundry",      "energy",         1_239.0,       123),
            ("cold-store",   "energy_import",     11.9,         2), // 4 Wh behind the transformers
            ("brewery",      "energy",             7.0,         7),
            ("heat-ceramics","heat_energy",       28.0,         1), // 27.8 Wh
            ("network",      "heat_energy",       28.0,    28_000), // a float: in milliwatt-hours
        ];
        for (id, quantity, wh, count) in cases {
            let (device, point) = find(id, quantity);
            let energy = to_i64(wh * to_f64(MJ_PER_WH));
            assert_eq!(
                point.count(point.hold_energy(device, energy)),
                *count,
                "{id}"
            );
        }
    }

    #[test]
    fn a_register_starts_again_where_its_bits_end() {
        let (device, point) = find("pv", "energy_import");
        assert_eq!(
            point.source,
            Source::Energy(Terminal::Pv, Direction::Negative)
        );
        let full = (1_i64 << 32) * MJ_PER_WH;
        assert_eq!(
            point.count(point.hold_energy(device, full + 5 * MJ_PER_WH)),
            5
        );
        assert_eq!(
            point.words(point.hold_energy(device, full - MJ_PER_WH)),
            [0xffff, 0xffff]
        );
    }
}
