//! Constraints that are no sums: mixing, heat flows, and some without a solution.

use nalgebra::DVector;

use super::*;
use crate::domain::reconcile::tests::{arcs, measured};

/// Two streams that mix: masses add up, and so do masses times temperatures.
struct Mixing;

impl Constraints for Mixing {
    fn names(&self) -> Vec<Arc<str>> {
        arcs(&["mass", "heat"])
    }

    fn at(&self, v: &[f64]) -> Linearised {
        let [m1, m2, m3, t1, t2, t3] = v else {
            panic!("six variables");
        };
        Linearised {
            values: vec![m1 + m2 - m3, m1 * t1 + m2 * t2 - m3 * t3],
            jacobian: vec![
                vec![1.0, 1.0, -1.0, 0.0, 0.0, 0.0],
                vec![*t1, *t2, -t3, *m1, *m2, -m3],
            ],
        }
    }
}

fn mixing() -> Vec<Measured> {
    measured(&[
        ("m1", 10.2, 0.2),
        ("m2", 5.1, 0.1),
        ("m3", 14.8, 0.3),
        ("t1", 90.0, 0.5),
        ("t2", 60.5, 0.5),
        ("t3", 79.0, 0.5),
    ])
}

#[test]
fn streams_that_mix_close_in_mass_and_heat_with_the_least_correction() {
    let readings = mixing();
    let found = reconcile_nonlinear(&readings, &[], &Mixing).unwrap();
    let x: Vec<f64> = found.measured.iter().map(|one| one.value).collect();
    let there = Mixing.at(&x);
    assert!(
        there.values.iter().all(|value| value.abs() < 1e-6),
        "{there:?}"
    );
    // At a least correction it is a combination of the constraints' gradients: what is
    // left of it after fitting them is nothing.
    let pull = DVector::from_iterator(
        6,
        readings
            .iter()
            .zip(&x)
            .map(|(one, x)| (one.value - x) / one.uncertainty.powi(2)),
    );
    let gradients =
        nalgebra::DMatrix::from_row_iterator(2, 6, there.jacobian.into_iter().flatten())
            .transpose();
    let fit = gradients
        .clone()
        .svd(true, true)
        .solve(&pull, 1e-12)
        .unwrap();
    assert!((&gradients * fit - &pull).norm() < 1e-6 * pull.norm());
    assert_eq!(found.global.unwrap().degrees, 2);
}

/// A heat flow of mass flow × heat capacity × spread.
struct Heat;

impl Constraints for Heat {
    fn names(&self) -> Vec<Arc<str>> {
        arcs(&["heat"])
    }

    fn at(&self, v: &[f64]) -> Linearised {
        let (mass, hot, cold, heat) = (v[0], v[1], v[2], v[3]);
        Linearised {
            values: vec![4.18 * mass * (hot - cold) - heat],
            jacobian: vec![vec![4.18 * (hot - cold), 4.18 * mass, -4.18 * mass, -1.0]],
        }
    }
}

#[test]
fn an_unmeasured_heat_flow_follows_from_flow_and_temperatures_with_its_uncertainty() {
    let readings = measured(&[("mass", 2.0, 0.02), ("hot", 80.0, 0.1), ("cold", 50.0, 0.1)]);
    let guess = [Guess {
        name: "heat".into(),
        value: 0.0,
    }];
    let found = reconcile_nonlinear(&readings, &guess, &Heat).unwrap();
    let (heat, u) = found.unmeasured[0].value.unwrap();
    assert!((heat - 4.18 * 60.0).abs() < 1e-9);
    // By parts: 1 % of the flow, and 0.1 K at both pipes of 30 K.
    let expected = 4.18 * 60.0 * (0.01_f64.powi(2) + 2.0 * (0.1_f64 / 30.0).powi(2)).sqrt();
    assert!((u - expected).abs() < 1e-9, "{u} {expected}");
    assert_eq!(found.global, None);
}

/// Source: the product of two equal readings 1 ± 1 is 4: both are 2, by symmetry.
#[test]
fn a_product_far_from_its_readings_is_found() {
    struct Product(f64);
    impl Constraints for Product {
        fn names(&self) -> Vec<Arc<str>> {
            arcs(&["product"])
        }
        fn at(&self, v: &[f64]) -> Linearised {
            Linearised {
                values: vec![v[0] * v[1] - self.0],
                jacobian: vec![vec![v[1], v[0]]],
            }
        }
    }
    let readings = measured(&[("a", 1.0, 1.0), ("b", 1.0, 1.0)]);
    let found = reconcile_nonlinear(&readings, &[], &Product(4.0)).unwrap();
    for one in &found.measured {
        assert!((one.value - 2.0).abs() < 1e-9, "{}", one.value);
    }
    let error = reconcile_nonlinear(&readings, &[], &Product(f64::NAN)).unwrap_err();
    assert_eq!(
        error,
        ReconcileError::NotFinite {
            name: "product".into()
        }
    );
}

#[test]
fn a_linearisation_of_the_wrong_shape_and_one_without_solution_are_refused() {
    struct Shape(Vec<f64>, Vec<Vec<f64>>);
    impl Constraints for Shape {
        fn names(&self) -> Vec<Arc<str>> {
            arcs(&["odd"])
        }
        fn at(&self, _: &[f64]) -> Linearised {
            Linearised {
                values: self.0.clone(),
                jacobian: self.1.clone(),
            }
        }
    }
    struct Never;
    impl Constraints for Never {
        fn names(&self) -> Vec<Arc<str>> {
            arcs(&["square"])
        }
        fn at(&self, v: &[f64]) -> Linearised {
            Linearised {
                values: vec![v[0] * v[0] + 1.0],
                jacobian: vec![vec![2.0 * v[0]]],
            }
        }
    }
    let one = measured(&[("a", 1.0, 0.1)]);
    let said = |constraints: &dyn Constraints| {
        reconcile_nonlinear(&one, &[], constraints)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        said(&Shape(vec![], vec![vec![1.0]])),
        "the vector of values has 0 entries for 1 constraints"
    );
    assert_eq!(
        said(&Shape(vec![0.0], vec![])),
        "the Jacobian has 0 entries for 1 constraints"
    );
    assert_eq!(
        said(&Shape(vec![0.0], vec![vec![1.0, 1.0]])),
        "a row of the Jacobian has 2 entries for 1 variables"
    );
    let never = measured(&[("a", 0.7, 0.1)]);
    let error = reconcile_nonlinear(&never, &[], &Never)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("no solution after 50 linearisations"),
        "{error}"
    );
}
