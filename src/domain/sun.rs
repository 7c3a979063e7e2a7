//! Where the sun stands over a place.
//!
//! ```text
//!   azimuth     0° north · 90° east · 180° south · 270° west
//!   elevation   0° horizon · 90° overhead · negative below the horizon
//! ```
//!
//! The low-accuracy method of Meeus, *Astronomical Algorithms*, chapters 12, 22 and 25:
//! 0.01° in ecliptic longitude. Refraction (0.5° at the horizon, 0.02° at 40°) and
//! parallax (0.002°) are left out: a tracker that follows the sun to a tenth of a
//! degree does not see them above 10°. The difference of universal and ephemeris time
//! moves the sun by less than 0.001°.
//!
//! The simulated park has a sun of its own, so that the two check each other.
//!
//! The book was not at hand: what holds the formulas are its worked example, NREL's,
//! and the almanac's seasons.

use super::units::to_f64;

/// Noon of 1 January 2000, from which the days are counted, Unix seconds.
const EPOCH_S: i64 = 946_728_000;
/// Seconds of a day.
const DAY_S: f64 = 86_400.0;
/// Days of a Julian century.
const CENTURY_DAYS: f64 = 36_525.0;

/// The sun over one place at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sun {
    /// Angle over the horizon, degrees.
    pub elevation_deg: f64,
    /// Direction from north over east, degrees, from 0 to 360.
    pub azimuth_deg: f64,
    /// Latitude over which it stands, degrees.
    pub declination_deg: f64,
}

/// The sun over a latitude and longitude at a Unix second.
///
/// | argument | unit |
/// |---|---|
/// | `latitude` | degrees, north is positive |
/// | `longitude` | degrees, east is positive |
/// | `second` | seconds since 1970 in universal time |
#[must_use]
pub fn sun(latitude: f64, longitude: f64, second: i64) -> Sun {
    let days = to_f64(second - EPOCH_S) / DAY_S;
    let t = days / CENTURY_DAYS;

    let mean_longitude = 280.466_46 + t * (36_000.769_83 + t * 0.000_303_2);
    let anomaly = (357.529_11 + t * (35_999.050_29 - t * 0.000_153_7)).to_radians();
    let centre = (1.914_602 - t * (0.004_817 + t * 0.000_014)) * anomaly.sin()
        + (0.019_993 - t * 0.000_101) * (2.0 * anomaly).sin()
        + 0.000_289 * (3.0 * anomaly).sin();
    let node = (125.04 - 1_934.136 * t).to_radians();
    // Aberration and nutation.
    let nutation = -0.004_78 * node.sin();
    let ecliptic = (mean_longitude + centre - 0.005_69 + nutation).to_radians();
    let mean_obliquity = 23.439_291_1 - t * (0.013_004_2 + t * (1.64e-7 - t * 5.04e-7));
    let obliquity = (mean_obliquity + 0.002_56 * node.cos()).to_radians();

    let (sin_ecliptic, cos_ecliptic) = ecliptic.sin_cos();
    let ascension = (obliquity.cos() * sin_ecliptic).atan2(cos_ecliptic);
    let sin_declination = obliquity.sin() * sin_ecliptic;
    let cos_declination = (obliquity.cos() * sin_ecliptic).hypot(cos_ecliptic);

    let sidereal = 280.460_618_37
        + 360.985_647_366_29 * days
        + 0.000_387_933 * t * t
        + nutation * obliquity.cos();
    let hour_angle = (sidereal + longitude).to_radians() - ascension;

    let (sin_latitude, cos_latitude) = latitude.to_radians().sin_cos();
    let up = sin_latitude * sin_declination + cos_latitude * cos_declination * hour_angle.cos();
    let east = -cos_declination * hour_angle.sin();
    let north = cos_latitude * sin_declination - sin_latitude * cos_declination * hour_angle.cos();
    Sun {
        elevation_deg: up.atan2(east.hypot(north)).to_degrees(),
        azimuth_deg: east.atan2(north).to_degrees().rem_euclid(360.0),
        declination_deg: sin_declination.atan2(cos_declination).to_degrees(),
    }
}

impl Sun {
    /// The direction of the sun as parts of east, north and up; their squares add to 1.
    #[must_use]
    pub fn direction(&self) -> [f64; 3] {
        let (up, level) = self.elevation_deg.to_radians().sin_cos();
        let (east, north) = self.azimuth_deg.to_radians().sin_cos();
        [level * east, level * north, up]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600;

    fn second(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_second()
    }

    fn near(ours: f64, theirs: f64, allowed: f64, name: &str) {
        let off = (ours - theirs + 180.0).rem_euclid(360.0) - 180.0;
        assert!(off.abs() <= allowed, "{name}: {ours} is not {theirs}");
    }

    /// The worked example of Reda and Andreas, *Solar Position Algorithm*
    /// (NREL/TP-560-34302), table A5.1: elevation without refraction.
    #[test]
    fn the_sun_of_the_worked_example_of_nrel() {
        let at = second("2003-10-17T19:30:30Z");
        let sun = sun(39.742_476, -105.178_6, at);
        near(sun.elevation_deg, 39.872_046, 0.01, "elevation");
        near(sun.azimuth_deg, 194.340_24, 0.01, "azimuth");
        near(sun.declination_deg, -9.314_34, 0.005, "declination");
    }

    /// Meeus, example 25.a: 13 October 1992, 0 h of ephemeris time, for which the orbit
    /// here takes universal time.
    #[test]
    fn the_declination_of_the_worked_example_of_meeus() {
        let at = second("1992-10-13T00:00:00Z");
        near(
            sun(0.0, 0.0, at).declination_deg,
            -7.785_07,
            1e-4,
            "declination",
        );
    }

    /// Solstices and equinoxes of the almanacs, by what defines them.
    #[test]
    fn seasons_begin_when_the_almanac_says() {
        for (at, declination, name) in [
            ("2024-03-20T03:06:00Z", 0.0, "equinox of spring"),
            ("2024-06-20T20:51:00Z", 23.438, "summer"),
            ("2024-09-22T12:44:00Z", 0.0, "equinox of autumn"),
            ("2024-12-21T09:20:00Z", -23.438, "winter"),
        ] {
            near(
                sun(0.0, 0.0, second(at)).declination_deg,
                declination,
                0.005,
                name,
            );
        }
    }

    /// Noon of the sundial: 12:00 minus longitude minus the equation of time, which
    /// almanacs put at −14.2 min on 11 February and at +16.4 min on 3 November.
    #[test]
    fn noon_comes_when_the_equation_of_time_says() {
        for (day, minutes) in [("2026-02-11", 14.2), ("2026-11-03", -16.4)] {
            let at =
                second(&format!("{day}T12:00:00Z")) + crate::domain::units::to_i64(minutes * 60.0);
            near(sun(48.0, 0.0, at).azimuth_deg, 180.0, 0.1, day);
            // Fifteen degrees to the east, the hand of the clock is an hour ahead.
            near(sun(48.0, 15.0, at - HOUR).azimuth_deg, 180.0, 0.1, day);
        }
    }

    #[test]
    fn the_sun_rises_in_the_east_and_stands_in_the_north_over_the_south() {
        let noon = second("2026-06-21T12:02:00Z");
        let [morning, evening] = [-6, 6].map(|hours| sun(40.0, 0.0, noon + hours * HOUR));
        assert!((45.0..110.0).contains(&morning.azimuth_deg), "{morning:?}");
        assert!((250.0..315.0).contains(&evening.azimuth_deg), "{evening:?}");
        near(sun(-40.0, 0.0, noon).azimuth_deg, 0.0, 0.2, "southern noon");
        assert!(sun(40.0, 0.0, noon + 12 * HOUR).elevation_deg < -20.0);
    }

    proptest! {
        /// The direction has the length of one, and points up while the sun is up.
        #[test]
        fn a_direction_is_a_direction(
            latitude in -90.0..=90.0_f64,
            longitude in -180.0..=180.0_f64,
            second in 0..4_000_000_000_i64,
        ) {
            let sun = sun(latitude, longitude, second);
            let [east, north, up] = sun.direction();
            prop_assert!((east * east + north * north + up * up - 1.0).abs() < 1e-12);
            prop_assert_eq!(up > 0.0, sun.elevation_deg > 0.0);
            prop_assert!(sun.declination_deg.abs() < 23.5);
        }
    }
}
