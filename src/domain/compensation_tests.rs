//! The loss of a moment on both sides, and what becomes of the energies.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::flow::Known;
use crate::domain::quality::{Gaps, Reason};
use crate::domain::transformer::{DataPlate, Transformer};
use crate::domain::units::MilliwattHours;

/// 1.6 MVA, 1.7 kW of iron, 14.5 kW of copper.
fn behind(boundary: Boundary) -> Compensation {
    Compensation {
        meter: "pcc".into(),
        loss: "pcc-loss".into(),
        transformer: Transformer::new(&DataPlate {
            rated_va: 1.6e6,
            no_load_w: 1_700.0,
            load_w: 14_500.0,
            no_load_current_pct: 0.5,
            short_circuit_pct: 6.0,
        })
        .unwrap(),
        rated_v: 400.0,
        boundary,
    }
}

fn at(active_w: f64) -> Metered {
    Metered {
        active_w,
        beside: Beside::Nothing,
        voltage_v: Some(400.0),
    }
}

#[test]
fn the_loss_is_of_the_direction_in_which_the_two_sides_differ() {
    use Boundary::{GridSide, ParkSide};
    #[rustfmt::skip]
    let cases = [
        // situation                       boundary   meter W      | import W    export W   boundary W
        ("idle at night",                  GridSide,        0.0,     1_700.0,        0.0,      1_700.0),
        ("import",                         GridSide,  800_000.0,     5_325.0,        0.0,    805_325.0),
        ("export",                         GridSide, -600_000.0,         0.0,  3_739.063,   -596_260.937),
        ("export of less than the iron",   GridSide,   -1_000.0,       700.0,    1_000.0,        700.0),
        ("idle, the park feeds the iron",  ParkSide,        0.0,         0.0,    1_700.0,     -1_700.0),
        ("import before the transformer",  ParkSide,  800_000.0,     5_325.0,        0.0,    794_675.0),
        ("export before the transformer",  ParkSide, -600_000.0,         0.0,  3_739.063,   -603_739.063),
        ("import of less than the iron",   ParkSide,    1_000.0,     1_000.0,      700.0,       -700.0),
    ];
    for (situation, boundary, meter, import, export, power) in cases {
        let loss = behind(boundary).loss(at(meter)).unwrap();
        for (ours, expected, what) in [
            (loss.of_import_w, import, "import"),
            (loss.of_export_w, export, "export"),
            (loss.boundary_w, power, "boundary"),
        ] {
            // A load of 1 kW heats the windings with 6 mW.
            assert!((ours - expected).abs() < 0.01, "{situation}: {what} {ours}");
        }
        assert_eq!(
            loss.of_import_w + loss.of_export_w,
            loss.active_w,
            "{situation}"
        );
    }
}

#[test]
fn current_is_of_reactive_or_apparent_power_and_else_of_the_active_alone() {
    let one = behind(Boundary::GridSide);
    let of = |beside| {
        one.loss(Metered {
            beside,
            ..at(800e3)
        })
        .unwrap()
    };
    let reactive = of(Beside::Reactive(-600e3));
    let apparent = of(Beside::Apparent(1e6));
    assert!((reactive.active_w - apparent.active_w).abs() < 1e-9);
    assert!((reactive.active_w - (1_700.0 + 14_500.0 / 2.56)).abs() < 1e-9);
    assert!((of(Beside::Nothing).active_w - 5_325.0).abs() < 1e-9);
    // What is not measured as reactive power is not told as it.
    assert_eq!(apparent.boundary_var, None);
    assert_eq!(of(Beside::Nothing).boundary_var, None);
    let var = reactive.boundary_var.unwrap();
    assert!((var - (-600e3 + reactive.reactive_var)).abs() < 1e-9);
    let other = behind(Boundary::ParkSide).loss(Metered {
        beside: Beside::Reactive(-600e3),
        ..at(800e3)
    });
    let var = other.unwrap().boundary_var.unwrap();
    assert!((var - (-600e3 - reactive.reactive_var)).abs() < 1e-9);
}

#[test]
fn a_voltage_is_measured_or_rated_and_not_that_of_another_side() {
    let one = behind(Boundary::GridSide);
    let of = |active_w, voltage_v| {
        let beside = Beside::Nothing;
        one.loss(Metered {
            active_w,
            beside,
            voltage_v,
        })
    };
    let rated = of(800e3, None).unwrap();
    assert!(rated.at_rated_voltage);
    assert_eq!(rated.active_w, of(800e3, Some(400.0)).unwrap().active_w);
    let high = of(0.0, Some(420.0)).unwrap();
    assert!(!high.at_rated_voltage);
    assert!((high.active_w - 1_700.0 * 1.05 * 1.05).abs() < 1e-9);
    assert_eq!(of(0.0, Some(0.0)).unwrap().active_w, 0.0, "dead");
    for volts in [0.0, 57.7, 10_000.0] {
        assert!(of(800e3, Some(volts)).is_err(), "{volts}");
    }
    assert_eq!(
        of(800e3, Some(100.0)).unwrap_err().to_string(),
        "100.0 V between two phases is 25.0 % of the 400 V of `rated_voltage`; is that the \
         voltage of the meter's side, and does the meter show primary volts?"
    );
}

proptest! {
    /// Whatever the meter says, the two parts make the loss, neither is negative, and
    /// import and export of the boundary follow from those of the meter by them.
    #[test]
    fn both_parts_make_the_boundary(
        active_w in -2e6_f64..2e6, var in -1e6_f64..1e6, volts in 210.0_f64..590.0, park in any::<bool>(),
    ) {
        let boundary = if park { Boundary::ParkSide } else { Boundary::GridSide };
        let one = behind(boundary);
        let metered = Metered {
            active_w,
            beside: Beside::Reactive(var),
            voltage_v: Some(volts),
        };
        let loss = one.loss(metered).unwrap();
        prop_assert!(loss.of_import_w >= 0.0 && loss.of_export_w >= 0.0);
        let given = |value| Ok(Known::given(value));
        let parts = one.parts(
            &Parts::of_power(given(active_w)),
            &Parts { positive: given(loss.of_import_w), negative: given(loss.of_export_w) },
        );
        let (import, export) = (parts.positive.unwrap(), parts.negative.unwrap());
        let expected = Parts::of_power(given(loss.boundary_w));
        prop_assert!((import.value - expected.positive.unwrap().value).abs() < 1e-6);
        prop_assert!((export.value - expected.negative.unwrap().value).abs() < 1e-6);
    }
}

#[test]
fn energies_are_as_good_as_the_worse_of_register_and_loss() {
    let known = |mwh, quality| {
        Ok(Known {
            quality,
            ..Known::given(MilliwattHours(mwh))
        })
    };
    let registers = Parts {
        positive: known(1_000, Quality::Good),
        negative: known(5, Quality::Good),
    };
    let one = behind(Boundary::GridSide);
    let lost = Parts {
        positive: known(7, Quality::Estimated),
        negative: known(9, Quality::Derived),
    };
    let parts = one.parts(&registers, &lost);
    let import = parts.positive.unwrap();
    assert_eq!(
        (import.value.0, import.quality),
        (1_007, Quality::Estimated)
    );
    // The register has not moved yet: below zero, shown, and suspect.
    let export = parts.negative.unwrap();
    assert_eq!((export.value.0, export.quality), (-4, Quality::Suspect));
    let gap = Gaps::one(&Arc::from("pcc-loss"), Reason::Stale);
    let lost = Parts {
        positive: Err(gap.clone()),
        ..lost
    };
    let parts = one.parts(&registers, &lost);
    assert_eq!(parts.positive, Err(gap));
    assert!(parts.negative.is_ok());
}
