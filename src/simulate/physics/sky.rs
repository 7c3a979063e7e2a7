//! Weather: clouds before the sun, wind, air temperature.
//!
//! Everything is a function of seed and second. Cloud cover wanders over hours;
//! single clouds pass within minutes, and the park is wide enough that none
//! takes the beam away within a second.

use super::noise::{Channel, ease, smooth};
use super::sun::Sun;
use crate::domain::units::to_f64;

const COVER: Channel = Channel(1);
const COVER_FAST: Channel = Channel(2);
const CLOUD: Channel = Channel(3);
const CLOUD_FAST: Channel = Channel(4);
const WIND: Channel = Channel(5);
const GUST: Channel = Channel(6);
const AIR: Channel = Channel(7);

/// Seconds of a mean year.
const YEAR_S: i64 = 31_556_952;
/// Second of a year (from the Unix epoch) in which the air is warmest: late July.
const WARMEST_S: i64 = 206 * 86_400;

/// What the weather station says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sky {
    /// Part of the sun's disc behind clouds, 0 to 1.
    pub cloud: f64,
    /// Beam on a surface that faces the sun, W/m².
    pub dni: f64,
    /// Diffuse light on level ground, W/m².
    pub diffuse: f64,
    /// All light on level ground, W/m².
    pub ghi: f64,
    /// Wind, m/s.
    pub wind: f64,
    /// Air, °C.
    pub air_degc: f64,
}

/// The weather at a second of the park's (shifted) time under a given sun;
/// `local_s` is the second of the local day.
#[must_use]
pub fn sky(seed: u64, second: i64, local_s: i64, sun: &Sun) -> Sky {
    let cloud = cloud(seed, second);
    let dni = sun.clear_dni() * (1.0 - 0.97 * cloud);
    let clear = sun.clear_diffuse();
    let diffuse = clear * (1.0 + 0.9 * cloud);
    let ghi = dni * sun.elevation_deg.to_radians().sin().max(0.0) + diffuse;
    Sky {
        cloud,
        dni,
        diffuse,
        ghi,
        wind: wind(seed, second),
        air_degc: air(seed, second, local_s),
    }
}

fn cloud(seed: u64, second: i64) -> f64 {
    let cover = 0.30
        + 0.45 * smooth(seed, COVER, second, 36_000)
        + 0.20 * smooth(seed, COVER_FAST, second, 9_000);
    let field =
        0.65 * smooth(seed, CLOUD, second, 1_200) + 0.35 * smooth(seed, CLOUD_FAST, second, 420);
    // A cover of 0 lets no cloud through the threshold, a cover of 1 every one.
    ease((field + 2.0 * cover - 1.15) / 0.5)
}

fn wind(seed: u64, second: i64) -> f64 {
    let mean = 3.5 + 2.8 * smooth(seed, WIND, second, 14_400);
    (mean * (1.0 + 0.3 * smooth(seed, GUST, second, 45))).max(0.2)
}

fn air(seed: u64, second: i64, local_s: i64) -> f64 {
    let year = to_f64((second - WARMEST_S).rem_euclid(YEAR_S)) / to_f64(YEAR_S);
    let day = to_f64(local_s - 15 * 3_600) / 86_400.0;
    let turn = std::f64::consts::TAU;
    7.5 + 15.5 * (turn * year).cos()
        + 5.5 * (turn * day).cos()
        + 3.0 * smooth(seed, AIR, second, 50_000)
}

#[cfg(test)]
mod tests {
    use super::super::sun::sun;
    use super::*;

    fn day(seed: u64) -> Vec<f64> {
        let start = "2026-06-20T22:00:00Z".parse::<jiff::Timestamp>().unwrap();
        (0..50_000)
            .map(|s| cloud(seed, start.as_second() + s))
            .collect()
    }

    #[test]
    fn clouds_take_the_beam_within_tens_of_seconds_never_at_once() {
        for seed in 0..8 {
            for pair in day(seed).windows(2) {
                assert!((pair[1] - pair[0]).abs() < 0.03, "{pair:?}");
            }
        }
    }

    #[test]
    fn there_are_clear_and_cloudy_hours() {
        let all: Vec<f64> = (0..20).flat_map(day).collect();
        let share = |test: fn(&f64) -> bool| {
            to_f64(i64::try_from(all.iter().filter(|c| test(c)).count()).unwrap())
                / to_f64(i64::try_from(all.len()).unwrap())
        };
        let (clear, overcast) = (share(|c| *c < 0.05), share(|c| *c > 0.95));
        assert!((0.4..0.92).contains(&clear), "{clear}");
        assert!((0.01..0.4).contains(&overcast), "{overcast}");
    }

    #[test]
    fn july_is_warmer_than_january_and_afternoon_than_morning() {
        let at = |day: &str, hour: i64| {
            let second = day.parse::<jiff::Timestamp>().unwrap().as_second() + hour * 3_600;
            let sun = sun(39.19, 113.26, second);
            sky(1, second, hour * 3_600, &sun).air_degc
        };
        assert!(at("2026-07-20T00:00:00Z", 12) > at("2026-01-20T00:00:00Z", 12) + 15.0);
        assert!(at("2026-07-20T00:00:00Z", 15) > at("2026-07-20T00:00:00Z", 4) + 3.0);
    }
}
