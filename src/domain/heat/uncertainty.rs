//! How wrong a meter may be, as a standard uncertainty.
//!
//! A class promises a greatest error; a greatest error that nothing narrows is a
//! rectangle, and its standard uncertainty is the error over √3. Independent parts add
//! as squares. The legal limit of a heat meter is the plain sum of the errors of its
//! parts, which is wider: it decides about the meter, the squares decide about the
//! balance.
//!
//! **Outside of what a class is defined for there is no uncertainty**, and none is
//! made up: no flow, a spread below ΔΘmin.
//!
//! # Source
//!
//! Heat: MID 2014/32/EU Annex VI (MI-004), and `tests/fixtures/meter_uncertainty.csv`
//! computed from it. Electricity: the classes of IEC 62053-21 and -22, and of the MID.
//! The texts themselves were not read.

/// Half the width of a rectangle over its standard uncertainty.
const RECTANGLE: f64 = 1.732_050_807_568_877_2;
/// The flow sensor's part of the error has an end, %.
const FLOW_ERROR_MAX_PCT: f64 = 5.0;

/// Accuracy class of a heat meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeatClass {
    /// Class 1.
    One,
    /// Class 2.
    Two,
    /// Class 3.
    Three,
}

impl HeatClass {
    /// The flow sensor's error at the permanent flow, %, and what it gains with each
    /// time that the flow goes into it.
    fn flow_error(self) -> (f64, f64) {
        match self {
            Self::One => (1.0, 0.01),
            Self::Two => (2.0, 0.02),
            Self::Three => (3.0, 0.05),
        }
    }
}

/// Greatest errors of the parts of a heat meter, % of the heat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeatErrors {
    /// Of the flow sensor.
    pub flow_pct: f64,
    /// Of the pair of temperature sensors.
    pub sensors_pct: f64,
    /// Of the calculator.
    pub calculator_pct: f64,
}

impl HeatErrors {
    /// Errors that a class allows at a flow and a spread.
    ///
    /// | argument | unit |
    /// |---|---|
    /// | `flow`, `permanent_flow` | one and the same |
    /// | `spread_k` | K, the difference of temperatures in the direction of the meter |
    /// | `least_spread_k` | K, ΔΘmin of its type plate |
    ///
    /// None for a flow or spread that the class says nothing of.
    #[must_use]
    pub fn of(
        class: HeatClass,
        permanent_flow: f64,
        flow: f64,
        least_spread_k: f64,
        spread_k: f64,
    ) -> Option<Self> {
        let defined = flow > 0.0 && permanent_flow > 0.0 && least_spread_k > 0.0;
        if !(defined && spread_k >= least_spread_k) {
            return None;
        }
        let (at_permanent, per_ratio) = class.flow_error();
        let part_of_spread = least_spread_k / spread_k;
        Some(Self {
            flow_pct: (at_permanent + per_ratio * permanent_flow / flow).min(FLOW_ERROR_MAX_PCT),
            sensors_pct: 0.5 + 3.0 * part_of_spread,
            calculator_pct: 0.5 + part_of_spread,
        })
    }

    /// The legal limit: the sum of the parts, %.
    #[must_use]
    pub fn limit_pct(&self) -> f64 {
        self.flow_pct + self.sensors_pct + self.calculator_pct
    }

    /// Standard uncertainty if the legal limit were one rectangle, %.
    #[must_use]
    pub fn standard_of_limit_pct(&self) -> f64 {
        self.limit_pct() / RECTANGLE
    }

    /// Standard uncertainty of three independent parts, %: the one for balances.
    #[must_use]
    pub fn standard_pct(&self) -> f64 {
        let parts = [self.flow_pct, self.sensors_pct, self.calculator_pct];
        squares(&parts).sqrt() / RECTANGLE
    }
}

fn squares(parts: &[f64]) -> f64 {
    parts.iter().map(|part| part * part).sum()
}

/// Accuracy class of an electricity meter: greatest errors in %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ElectricClass {
    /// The name on the type plate.
    pub name: &'static str,
    /// In the normal range of current, at a power factor of 1.
    pub normal_pct: f64,
    /// At low current.
    pub low_current_pct: f64,
    /// At a power factor of one half; none where the class is not known to say it.
    pub half_power_factor_pct: Option<f64>,
}

/// Every class of electricity meters.
#[rustfmt::skip]
pub const ELECTRIC_CLASSES: &[ElectricClass] = &[
    ElectricClass { name: "0.2S", normal_pct: 0.2, low_current_pct: 0.4, half_power_factor_pct: Some(0.3) },
    ElectricClass { name: "0.5S", normal_pct: 0.5, low_current_pct: 1.0, half_power_factor_pct: Some(0.6) },
    ElectricClass { name: "1",    normal_pct: 1.0, low_current_pct: 1.5, half_power_factor_pct: None },
    ElectricClass { name: "2",    normal_pct: 2.0, low_current_pct: 2.5, half_power_factor_pct: None },
    // Of the MID, whose classes are close to these.
    ElectricClass { name: "A",    normal_pct: 2.0, low_current_pct: 2.5, half_power_factor_pct: None },
    ElectricClass { name: "B",    normal_pct: 1.0, low_current_pct: 1.5, half_power_factor_pct: None },
    ElectricClass { name: "C",    normal_pct: 0.5, low_current_pct: 1.0, half_power_factor_pct: None },
];

impl ElectricClass {
    /// The class of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ELECTRIC_CLASSES.iter().find(|class| class.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::Table;
    use super::*;

    fn class(name: &str) -> HeatClass {
        match name {
            "1" => HeatClass::One,
            "2" => HeatClass::Two,
            "3" => HeatClass::Three,
            _ => panic!("{name}"),
        }
    }

    #[test]
    fn heat_meters_agree_with_their_table() {
        let table = Table::read(include_str!(
            "../../../tests/fixtures/meter_uncertainty.csv"
        ));
        for row in table.rows() {
            assert_eq!(row.text("kind"), "heat");
            let errors = HeatErrors::of(
                class(row.text("class")),
                row.number("qp_over_q"),
                1.0,
                row.number("dTmin_K"),
                row.number("dT_K"),
            )
            .unwrap();
            for (column, ours) in [
                ("Ef_pct", errors.flow_pct),
                ("Et_pct", errors.sensors_pct),
                ("Ec_pct", errors.calculator_pct),
                ("E_sum_pct", errors.limit_pct()),
                ("u_sum_pct", errors.standard_of_limit_pct()),
                ("u_components_pct", errors.standard_pct()),
            ] {
                row.printed(ours, column);
            }
        }
        assert_eq!(table.rows().count(), 15);
    }

    #[test]
    fn a_class_says_nothing_of_a_standing_flow_or_a_small_spread() {
        let of = |flow, spread| HeatErrors::of(HeatClass::Two, 10.0, flow, 3.0, spread);
        assert!(of(10.0, 3.0).is_some());
        for (flow, spread) in [
            (0.0, 30.0),
            (-1.0, 30.0),
            (10.0, 2.9),
            (10.0, -30.0),
            (f64::NAN, 30.0),
            (10.0, f64::NAN),
        ] {
            assert_eq!(of(flow, spread), None, "{flow} {spread}");
        }
    }

    #[test]
    fn classes_are_found_by_their_names() {
        for class in ELECTRIC_CLASSES {
            assert_eq!(ElectricClass::named(class.name), Some(class));
            assert!(class.low_current_pct > class.normal_pct);
        }
        assert_eq!(ElectricClass::named("0.1"), None);
    }
}
