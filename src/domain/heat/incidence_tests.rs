//! Modifiers against their vectors, and trackers against what geometry says.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::super::sun::sun;
use super::super::vectors::{close, decimals};
use super::*;

fn at(elevation_deg: f64, azimuth_deg: f64) -> Sun {
    Sun {
        elevation_deg,
        azimuth_deg,
        declination_deg: 0.0,
    }
}

#[test]
fn modifiers_agree_with_the_vectors() {
    let text = include_str!("../../../tests/fixtures/solar_thermal.json");
    let json: Json = serde_json::from_str(text).unwrap();
    for case in json["trough_field"].as_array().unwrap() {
        let theta = case["theta_deg"].as_f64().unwrap();
        let expect = |key: &str| case["expect"][key].as_f64().unwrap();
        let (ls2, euro) = (Modifier::Ls2, Modifier::EuroTrough);
        decimals(
            ls2.with_cosine(theta).unwrap(),
            expect("K_LS2"),
            9,
            "K LS-2",
        );
        decimals(ls2.iam(theta).unwrap(), expect("IAM_LS2"), 9, "IAM LS-2");
        decimals(
            euro.with_cosine(theta).unwrap(),
            expect("K_EuroTrough"),
            9,
            "K EuroTrough",
        );
    }
}

/// SAM's library has the LS-2 optics as 1, 0.0506, −0.1763: Dudley's coefficients,
/// from degrees into radians.
#[test]
fn the_form_of_sam_in_radians_is_that_of_dudley_in_degrees() {
    let sam = Modifier::Sam([1.0, 0.050_6, -0.176_3]);
    for theta in [0.0, 10.0, 25.0, 40.0, 60.0, 75.0] {
        close(
            sam.with_cosine(theta).unwrap(),
            Modifier::Ls2.with_cosine(theta).unwrap(),
            2e-4,
            &format!("{theta}°"),
        );
    }
}

#[test]
fn a_table_is_read_between_its_points_and_not_beyond() {
    let table =
        Modifier::Table(ModifierTable::new(vec![(0.0, 1.0), (30.0, 0.96), (60.0, 0.70)]).unwrap());
    close(table.iam(0.0).unwrap(), 1.0, 1e-12, "0°");
    close(table.iam(15.0).unwrap(), 0.98, 1e-12, "15°");
    close(table.with_cosine(60.0).unwrap(), 0.35, 1e-12, "60°");
    assert_eq!(table.iam(60.1), None);
}

#[test]
fn a_table_that_is_none_says_why() {
    for (points, said) in [
        (
            vec![(0.0, 1.0)],
            "a modifier of 1 points says nothing between them; at least two",
        ),
        (
            vec![(0.0, 1.0), (30.0, 0.9), (30.0, 0.8)],
            "incidence angle 30° is out of place; rising, from 0 to below 90 degrees",
        ),
        (
            vec![(0.0, 1.0), (90.0, 0.0)],
            "incidence angle 90° is out of place; rising, from 0 to below 90 degrees",
        ),
        (
            vec![(0.0, 1.0), (30.0, -0.1)],
            "modifier -0.1 is no part of the light; it is zero or more, without the cosine",
        ),
    ] {
        assert_eq!(ModifierTable::new(points).unwrap_err().to_string(), said);
    }
    assert!(ModifierTable::new(vec![(f64::NAN, 1.0), (30.0, 0.9)]).is_err());
}

#[test]
fn an_angle_that_no_fit_describes_has_no_modifier() {
    for modifier in [Modifier::Ls2, Modifier::EuroTrough] {
        assert_eq!(modifier.with_cosine(0.0), Some(1.0));
        for theta in [-1.0, 85.0, 90.0, 180.0, f64::NAN] {
            assert_eq!(modifier.with_cosine(theta), None, "{theta}");
            assert_eq!(modifier.iam(theta), None, "{theta}");
        }
    }
}

#[test]
fn mounts_face_the_sun() {
    let (ns, ew) = (Axis::NORTH_SOUTH, Axis::EAST_WEST);
    #[rustfmt::skip]
    let cases = [
        // the sun                  axis  elevation azimuth | demanded incidence
        ("in the east",             ns,   30.0,     90.0,     -60.0,    0.0),
        ("in the west",             ns,   30.0,    270.0,      60.0,    0.0),
        ("noon in the south",       ns,   50.0,    180.0,       0.0,   40.0),
        ("noon in the north",       ns,   50.0,      0.0,       0.0,   40.0),
        ("overhead",                ns,   90.0,      0.0,       0.0,    0.0),
        ("in the east",             ew,   30.0,     90.0,       0.0,   60.0),
        ("noon in the south",       ew,   50.0,    180.0,     -40.0,    0.0),
        ("noon in the north",       ew,   50.0,      0.0,      40.0,    0.0),
    ];
    for (name, axis, elevation, azimuth, demanded, incidence) in cases {
        let met = axis.meet(&at(elevation, azimuth)).unwrap();
        close(met.demanded_deg, demanded, 1e-9, name);
        close(met.incidence_deg, incidence, 1e-6, name);
    }
    assert_eq!(ns.meet(&at(0.0, 90.0)), None);
    assert_eq!(ns.meet(&at(-5.0, 90.0)), None);
}

/// Duffie and Beckman's form for an axis north–south:
/// cos θ = √(cos² zenith + cos² declination · sin² hour angle).
#[test]
fn incidence_is_that_of_the_textbook() {
    let latitude = 37.0_f64;
    let noon = 1_782_043_200; // 21 June 2026, 12 h
    let equation_of_time_deg = -0.45; // −1.8 min
    for hour in -5..=5_i32 {
        let sun = sun(latitude, 0.0, noon + i64::from(hour) * 3_600);
        let hour_angle = (15.0 * f64::from(hour) + equation_of_time_deg).to_radians();
        let declination = sun.declination_deg.to_radians();
        let cos_zenith = latitude.to_radians().sin() * declination.sin()
            + latitude.to_radians().cos() * declination.cos() * hour_angle.cos();
        let across = declination.cos() * hour_angle.sin();
        let theta = cos_zenith.hypot(across).acos().to_degrees();
        let met = Axis::NORTH_SOUTH.meet(&sun).unwrap();
        close(met.incidence_deg, theta, 0.05, &format!("{hour} h"));
        let demanded = across.atan2(cos_zenith).to_degrees();
        close(met.demanded_deg, demanded, 0.05, &format!("{hour} h"));
    }
}

proptest! {
    /// Whatever the axis, the mount that takes the demanded angle sees the sun at the
    /// incidence angle: its normal and the sun are θ apart, and no other angle is better.
    #[test]
    fn no_other_angle_is_better(
        axis in 0.0..360.0_f64,
        elevation in 1.0..89.0_f64,
        azimuth in 0.0..360.0_f64,
        off in -60.0..60.0_f64,
    ) {
        let sun = at(elevation, azimuth);
        let met = Axis::towards(axis).meet(&sun).unwrap();
        let [east, north, up] = sun.direction();
        let seen = |angle: f64| {
            let (sin, cos) = angle.to_radians().sin_cos();
            let (axis_sin, axis_cos) = axis.to_radians().sin_cos();
            // The normal of a mount that is turned to the left of its axis.
            -axis_cos * sin * east + axis_sin * sin * north + cos * up
        };
        let best = seen(met.demanded_deg);
        prop_assert!((best - met.incidence_deg.to_radians().cos()).abs() < 1e-9);
        prop_assert!(seen(met.demanded_deg + off) <= best + 1e-12);
    }
}
