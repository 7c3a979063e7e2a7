//! Where the sun stands, and how strong it is through clear air.
//!
//! ```text
//!   azimuth     0° north, 90° east, 180° south
//!   elevation   0° horizon, 90° overhead
//! ```
//!
//! The orbit is the mean one with the first two terms of the equation of
//! centre: a hundredth of a degree between 1950 and 2050, less than a trough's
//! acceptance by a factor of a hundred. Refraction is left out.

use crate::domain::units::to_f64;

/// Noon of 1 January 2000 UTC, from which the orbit is counted, Unix seconds.
const EPOCH_S: i64 = 946_728_000;
/// Seconds of a day.
const DAY_S: f64 = 86_400.0;
/// Irradiance at the mean distance of the Earth, W/m².
const SOLAR_CONSTANT: f64 = 1_361.0;

/// The sun over one place at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sun {
    /// Angle over the horizon, degrees.
    pub elevation_deg: f64,
    /// Direction from north over east, degrees.
    pub azimuth_deg: f64,
    /// Latitude over which it stands, degrees.
    pub declination_deg: f64,
    /// Sundial minus clock, minutes.
    pub equation_of_time_min: f64,
    /// Irradiance outside the air, W/m².
    pub extraterrestrial: f64,
}

/// The sun over a latitude and longitude (degrees, north and east positive) at a
/// Unix second.
#[must_use]
pub fn sun(latitude: f64, longitude: f64, second: i64) -> Sun {
    let days = to_f64(second - EPOCH_S) / DAY_S;
    let mean_longitude = 280.460 + 0.985_647_4 * days;
    let anomaly = (357.528 + 0.985_600_3 * days).to_radians();
    let ecliptic =
        (mean_longitude + 1.915 * anomaly.sin() + 0.020 * (2.0 * anomaly).sin()).to_radians();
    let obliquity = (23.439 - 4e-7 * days).to_radians();
    let declination = (obliquity.sin() * ecliptic.sin()).asin();
    let ascension = (obliquity.cos() * ecliptic.sin()).atan2(ecliptic.cos());
    let equation_deg = wrap_deg(mean_longitude - ascension.to_degrees());

    let utc_deg = to_f64(second.rem_euclid(86_400)) / DAY_S * 360.0;
    let hour_angle = wrap_deg(utc_deg - 180.0 + longitude + equation_deg).to_radians();
    let phi = latitude.to_radians();
    let elevation = (phi.sin() * declination.sin()
        + phi.cos() * declination.cos() * hour_angle.cos())
    .clamp(-1.0, 1.0)
    .asin();
    let azimuth = (-declination.cos() * hour_angle.sin())
        .atan2(declination.sin() * phi.cos() - declination.cos() * phi.sin() * hour_angle.cos());
    let distance = 1.000_14 - 0.016_71 * anomaly.cos() - 0.000_14 * (2.0 * anomaly).cos();
    Sun {
        elevation_deg: elevation.to_degrees(),
        azimuth_deg: azimuth.to_degrees().rem_euclid(360.0),
        declination_deg: declination.to_degrees(),
        equation_of_time_min: equation_deg * 4.0,
        extraterrestrial: SOLAR_CONSTANT / (distance * distance),
    }
}

/// An angle in degrees, brought into `[-180, 180)`.
fn wrap_deg(angle: f64) -> f64 {
    (angle + 180.0).rem_euclid(360.0) - 180.0
}

impl Sun {
    /// Path through the air relative to the path overhead; from the horizon down
    /// there is none.
    fn air_mass(&self) -> Option<f64> {
        let elevation = self.elevation_deg;
        (elevation > 0.0).then(|| {
            1.0 / (elevation.to_radians().sin() + 0.505_72 * (elevation + 6.079_95).powf(-1.636_4))
        })
    }

    /// Beam through clear air on a surface that faces the sun, W/m².
    #[must_use]
    pub fn clear_dni(&self) -> f64 {
        self.air_mass().map_or(0.0, |mass| {
            0.95 * self.extraterrestrial * 0.72_f64.powf(mass.powf(0.678))
        })
    }

    /// Light of the clear sky on level ground, W/m².
    #[must_use]
    pub fn clear_diffuse(&self) -> f64 {
        if self.elevation_deg > 0.0 {
            10.0 + 90.0 * self.elevation_deg.to_radians().sin()
        } else {
            (10.0 + self.elevation_deg * 10.0 / 6.0).max(0.0)
        }
    }

    /// Cosine of the angle between the sun and the normal of a tilted surface.
    #[must_use]
    pub fn cos_on_tilted(&self, tilt_deg: f64, faces_deg: f64) -> f64 {
        let (sin_el, cos_el) = self.elevation_deg.to_radians().sin_cos();
        let (sin_tilt, cos_tilt) = tilt_deg.to_radians().sin_cos();
        sin_el * cos_tilt + cos_el * sin_tilt * (self.azimuth_deg - faces_deg).to_radians().cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATITUDE: f64 = 39.19;
    const LONGITUDE: f64 = 113.26;

    fn second(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_second()
    }

    /// The highest elevation of a day, and the second of it.
    fn noon(day: &str) -> (f64, i64) {
        let start = second(&format!("{day}T00:00:00Z"));
        (start..start + 43_200)
            .map(|at| (sun(LATITUDE, LONGITUDE, at).elevation_deg, at))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap()
    }

    /// At noon the sun stands at 90° − latitude + declination; the declination of
    /// solstices and equinoxes is what defines them.
    #[test]
    fn noon_elevation_follows_the_seasons() {
        #[rustfmt::skip]
        let cases = [
            // day           declination
            ("2026-03-20",      0.0),
            ("2026-06-21",     23.44),
            ("2026-09-23",      0.0),
            ("2026-12-22",    -23.44),
        ];
        for (day, declination) in cases {
            let (elevation, _) = noon(day);
            // The equinox is a moment; a day on either side is 0.4°.
            assert!(
                (elevation - (90.0 - LATITUDE + declination)).abs() < 0.25,
                "{day}: {elevation}"
            );
        }
    }

    /// Noon of the sundial: 12:00 UTC minus longitude minus equation of time.
    /// Almanacs put the equation at −14.2 min on 11 February, +16.4 min on 3 November.
    #[test]
    fn noon_comes_when_the_equation_of_time_says() {
        for (day, equation_min) in [
            ("2026-02-11", -14.2),
            ("2026-11-03", 16.4),
            ("2026-06-13", 0.2),
        ] {
            let (_, at) = noon(day);
            let expected = second(&format!("{day}T12:00:00Z"))
                - crate::domain::units::to_i64((LONGITUDE * 4.0 + equation_min) * 60.0);
            assert!((at - expected).abs() < 45, "{day}: {} s", at - expected);
            let told = sun(LATITUDE, LONGITUDE, at).equation_of_time_min;
            assert!((told - equation_min).abs() < 0.3, "{day}: {told}");
        }
    }

    #[test]
    fn the_sun_rises_in_the_east_and_stands_in_the_south_at_noon() {
        let (_, noon) = noon("2026-06-21");
        assert!((sun(LATITUDE, LONGITUDE, noon).azimuth_deg - 180.0).abs() < 0.2);
        let morning = sun(LATITUDE, LONGITUDE, noon - 5 * 3_600);
        let evening = sun(LATITUDE, LONGITUDE, noon + 5 * 3_600);
        assert!(morning.azimuth_deg < 110.0, "{morning:?}");
        assert!(evening.azimuth_deg > 250.0, "{evening:?}");
        assert!((morning.elevation_deg - evening.elevation_deg).abs() < 0.1);
    }

    #[test]
    fn there_is_no_beam_from_below_the_horizon() {
        let (_, noon) = noon("2026-06-21");
        assert_eq!(sun(LATITUDE, LONGITUDE, noon + 43_200).clear_dni(), 0.0);
        let dni = sun(LATITUDE, LONGITUDE, noon).clear_dni();
        assert!((800.0..1_000.0).contains(&dni), "{dni}");
    }
}
