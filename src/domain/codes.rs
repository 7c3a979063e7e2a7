//! What the quality of interval data is called: one letter here, and the codes of NEM12,
//! Green Button (ESPI), CIM and MSCONS.
//!
//! | letter | meaning | from |
//! |---|---|---|
//! | `A` | actual, validated | `good` in a closed interval |
//! | `R` | raw, not validated | `good` in an interval that is not closed |
//! | `I` | interpolated | `interpolated`, and `estimated` on a straight line alone |
//! | `L` | like day | `estimated` by days, irradiance or sun |
//! | `C` | computed from balance or check | `derived`, `manual`, and `estimated` by a check meter |
//! | `E` | forecast | nothing: no interval is forecast |
//! | `N` | missing | `missing` |
//! | `X` | failed a check, kept | `stale`, `suspect` |
//!
//! **A number is never sent under a better code than its letter has**: where a format has
//! no code for it, there is none here, and whoever writes that format leaves it out or
//! refuses.

use super::provenance::Made;
use super::quality::{QUALITIES, Quality};

/// A letter, and what it is called elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// The letter.
    pub letter: char,
    /// What it means.
    pub meaning: &'static str,
    /// NEM12 quality flag and method; none where NEM12 has no such value.
    pub nem12: Option<&'static str>,
    /// ESPI `ReadingQuality`.
    pub espi: u8,
    /// Whether ESPI wants the value left out beside it.
    pub espi_omits: bool,
    /// CIM quality.
    pub cim: &'static str,
    /// MSCONS, the code of the quantity.
    pub mscons: u16,
}

/// Every letter. NEM12 is of meters of the types 1 to 4, for final data.
#[rustfmt::skip]
pub const CODES: [CodeRow; 8] = [
    CodeRow { letter: 'A', meaning: "actual, validated",              nem12: Some("A"),   espi: 17, espi_omits: false, cim: "A04", mscons: 220 },
    CodeRow { letter: 'R', meaning: "raw, not validated",             nem12: None,        espi: 14, espi_omits: false, cim: "A04", mscons: 20 },
    CodeRow { letter: 'I', meaning: "interpolated",                   nem12: Some("F17"), espi: 9,  espi_omits: false, cim: "A03", mscons: 67 },
    CodeRow { letter: 'L', meaning: "like day",                       nem12: Some("S14"), espi: 8,  espi_omits: false, cim: "A03", mscons: 67 },
    CodeRow { letter: 'C', meaning: "computed from balance or check", nem12: Some("S12"), espi: 11, espi_omits: false, cim: "A01", mscons: 67 },
    CodeRow { letter: 'E', meaning: "forecast",                       nem12: Some("E52"), espi: 12, espi_omits: false, cim: "A03", mscons: 187 },
    CodeRow { letter: 'N', meaning: "missing",                        nem12: None,        espi: 16, espi_omits: true,  cim: "A02", mscons: 20 },
    CodeRow { letter: 'X', meaning: "failed a check, kept",           nem12: None,        espi: 18, espi_omits: false, cim: "A05", mscons: 20 },
];

/// The letter of a number.
///
/// | argument | is |
/// |---|---|
/// | `quality` | how good it is |
/// | `made` | what it rests on: an estimate is told by how it was made |
/// | `closed` | whether its interval is closed, and so validated |
#[must_use]
pub fn letter(quality: Quality, made: Made, closed: bool) -> char {
    match quality {
        Quality::Good if !closed => 'R',
        Quality::Estimated => match made.methods()[..] {
            ["linear"] => 'I',
            ["check_meter"] => 'C',
            _ => 'L',
        },
        _ => {
            let row = QUALITIES.iter().find(|row| row.quality == quality);
            row.map_or('N', |row| row.letter)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_specification_has_its_codes() {
        // domain.md §2.5, the first code where a cell lists several.
        #[rustfmt::skip]
        let table = [
            ('A', Some("A"),   17, "A04", 220),
            ('R', None,        14, "A04", 20),
            ('I', Some("F17"),  9, "A03", 67),
            ('L', Some("S14"),  8, "A03", 67),
            ('C', Some("S12"), 11, "A01", 67),
            ('E', Some("E52"), 12, "A03", 187),
            ('N', None,        16, "A02", 20),
            ('X', None,        18, "A05", 20),
        ];
        let found = CODES.map(|row| (row.letter, row.nem12, row.espi, row.cim, row.mscons));
        assert_eq!(found, table);
        let omitted: Vec<char> = CODES
            .iter()
            .filter(|row| row.espi_omits)
            .map(|row| row.letter)
            .collect();
        assert_eq!(omitted, ['N']);
    }

    #[test]
    fn a_letter_says_what_was_measured_and_what_was_filled_in() {
        let register = Made::REGISTER;
        #[rustfmt::skip]
        let cases = [
            (Quality::Good,         register,                        true,  'A'),
            (Quality::Good,         register,                        false, 'R'),
            (Quality::Interpolated, register,                        true,  'I'),
            (Quality::Interpolated, register,                        false, 'I'),
            (Quality::Estimated,    register.and(Made::LIKE_DAY),    true,  'L'),
            (Quality::Estimated,    register.and(Made::IRRADIANCE),  true,  'L'),
            (Quality::Estimated,    register.and(Made::SUN),         true,  'L'),
            (Quality::Estimated,    register.and(Made::LINEAR),      true,  'I'),
            (Quality::Estimated,    Made::LINEAR.and(Made::LIKE_DAY),true,  'L'),
            (Quality::Estimated,    register.and(Made::CHECK_METER), true,  'C'),
            (Quality::Derived,      Made::DERIVED,                   true,  'C'),
            (Quality::Manual,       Made::MANUAL,                    true,  'C'),
            (Quality::Stale,        register,                        true,  'X'),
            (Quality::Suspect,      register,                        true,  'X'),
            (Quality::Missing,      Made::NOTHING,                   true,  'N'),
            (Quality::Missing,      Made::NOTHING,                   false, 'N'),
        ];
        for (quality, made, closed, expected) in cases {
            assert_eq!(
                letter(quality, made, closed),
                expected,
                "{quality:?} {made}"
            );
            assert!(CODES.iter().any(|row| row.letter == expected));
        }
    }
}
