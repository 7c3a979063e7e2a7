//! The fluids: one row each. To add a fluid, add a row.
//!
//! Polynomials are in °C unless a row says kelvin, densities in kg/m³, heat
//! capacities in J/(kg·K), vapour pressures in Pa. Enthalpy is never a coefficient:
//! it is the integral of the row's heat capacity. (SAM's own enthalpy polynomials of
//! Therminol VP-1 and 66 are not the integrals of its heat capacities.)
//!
//! # Sources
//!
//! | fluid | source | how good |
//! |---|---|---|
//! | water | IAPWS-IF97, see [`water`](super::super::water) | exact for this purpose |
//! | glycols | Melinder, see `glycol` | heat capacity 2 % above 60 °C |
//! | Therminol VP-1 | polynomials of the vendor's bulletin 7239115 | density 0.3 %, heat capacity 0.4 % of the vendor's table |
//! | Therminol 66 | SAM `htf_props.cpp` (BSD-3) | density and heat capacity 1.2 % of the vendor's polynomials |
//! | Syltherm 800 | literature fits in kelvin; vapour pressure of the vendor's table | density 0.9 % of the vendor's table, 1.6 % below 0 °C; heat capacity 0.1 % |
//! | solar salt | SAND2001-2100, SAM `htf_props.cpp` (BSD-3) | what designers use; not compared with measurements |

use super::glycol::{ETHYLENE, Glycol, PROPYLENE};
use super::polynomial::Polynomial;

/// A fluid.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// The name in the configuration.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// Least and greatest temperature at which its properties are known, °C. A
    /// mixture begins at its freezing point.
    pub celsius: (f64, f64),
    /// Where it begins to freeze, °C; none where it stays liquid throughout, or
    /// where that depends on the mixture.
    pub freezes: Option<f64>,
    /// Up to where its formulas rest on data, if they go further, °C.
    pub data_end: Option<f64>,
    /// Its formulas.
    pub formulas: Formulas,
}

/// What gives the properties of a fluid.
#[derive(Debug, PartialEq)]
pub enum Formulas {
    /// IAPWS-IF97.
    Water,
    /// Melinder's mixtures.
    Glycol(&'static Glycol),
    /// Polynomials of temperature; pressure changes nothing.
    Liquid {
        /// kg/m³.
        density: Polynomial,
        /// J/(kg·K).
        heat_capacity: Polynomial,
        /// What the fluid boils at.
        vapour: Vapour,
        /// W/(m·K) and Pa·s, where both are known.
        transport: Option<(Polynomial, Polynomial)>,
    },
}

/// The pressure below which a fluid boils.
#[derive(Debug, PartialEq)]
pub enum Vapour {
    /// Below the atmosphere's throughout the fluid's range, and not checked.
    BelowAtmosphere,
    /// A polynomial, Pa.
    Polynomial(Polynomial),
    /// Points of °C and Pa in rising order. The straight lines between them lie above
    /// the curve, so what passes is liquid; before the first point nothing boils.
    Points(&'static [(f64, f64)]),
}

/// Vapour pressure of Syltherm 800, °C and Pa, as the vendor's data sheet has it.
const SYLTHERM_VAPOUR: &[(f64, f64)] = &[
    (40.0, 100.0),
    (80.0, 1_460.0),
    (120.0, 9_300.0),
    (160.0, 35_000.0),
    (200.0, 94_600.0),
    (240.0, 204_800.0),
    (280.0, 380_200.0),
    (320.0, 630_500.0),
    (360.0, 961_200.0),
    (400.0, 1_373_000.0),
];

/// Every fluid there is.
pub static FLUIDS: &[Row] = &[
    WATER,
    Row {
        name: "meg",
        title: "ethylene glycol",
        celsius: (f64::NEG_INFINITY, 100.0),
        freezes: None,
        data_end: Some(40.0),
        formulas: Formulas::Glycol(&ETHYLENE),
    },
    Row {
        name: "mpg",
        title: "propylene glycol",
        celsius: (f64::NEG_INFINITY, 100.0),
        freezes: None,
        data_end: Some(40.0),
        formulas: Formulas::Glycol(&PROPYLENE),
    },
    Row {
        name: "therminol-vp-1",
        title: "Therminol VP-1",
        celsius: (12.0, 400.0),
        freezes: Some(12.0),
        data_end: None,
        formulas: Formulas::Liquid {
            density: Polynomial::celsius(&[1_083.25, -0.907_97, 7.811_6e-4, -2.367e-6]),
            heat_capacity: Polynomial::celsius(&[
                1_498.0,
                2.414,
                5.959_1e-3,
                -2.987_9e-5,
                4.417_2e-8,
            ]),
            vapour: Vapour::Polynomial(Polynomial::celsius(&[
                2_123.29,
                -190.859,
                4.358_24,
                -3.610_6e-2,
                1.084_08e-4,
            ])),
            transport: None,
        },
    },
    Row {
        name: "therminol-66",
        title: "Therminol 66",
        celsius: (-3.0, 345.0),
        freezes: None,
        data_end: None,
        formulas: Formulas::Liquid {
            density: Polynomial::celsius(&[1_024.8, -0.714_6]),
            heat_capacity: Polynomial::celsius(&[1_480.1, 3.6]),
            vapour: Vapour::BelowAtmosphere,
            transport: None,
        },
    },
    Row {
        name: "syltherm-800",
        title: "Syltherm 800",
        celsius: (-40.0, 400.0),
        freezes: None,
        data_end: None,
        formulas: Formulas::Liquid {
            density: Polynomial::kelvin(&[1_105.702, -0.415_349_5, -6.061_657e-4]),
            heat_capacity: Polynomial::kelvin(&[1_107.798, 1.708]),
            vapour: Vapour::Points(SYLTHERM_VAPOUR),
            transport: None,
        },
    },
    Row {
        name: "solar-salt",
        title: "solar salt",
        celsius: (260.0, 600.0),
        freezes: Some(240.0),
        data_end: None,
        formulas: Formulas::Liquid {
            density: Polynomial::celsius(&[2_090.0, -0.636]),
            heat_capacity: Polynomial::celsius(&[1_443.0, 0.172]),
            vapour: Vapour::BelowAtmosphere,
            transport: Some((
                Polynomial::celsius(&[0.443, 1.9e-4]),
                Polynomial::celsius(&[22.714e-3, -0.12e-3, 2.281e-7, -1.474e-10]),
            )),
        },
    },
];

/// Water.
pub const WATER: Row = Row {
    name: "water",
    title: "water",
    celsius: (0.0, 350.0),
    freezes: Some(0.0),
    data_end: None,
    formulas: Formulas::Water,
};
