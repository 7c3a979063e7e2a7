//! Water with glycol, by Melinder's polynomials in mass fraction and temperature.
//!
//! > property = Σ c (x − x<sub>m</sub>)<sup>i</sup> (T − T<sub>m</sub>)<sup>j</sup>,
//! > x in percent of mass, T in °C
//!
//! Enthalpy is the integral of this one heat capacity. Melinder's data end near
//! 40 °C, and the fit is used up to 100 °C: above 60 °C the heat capacity is good to
//! about 2 %, and the vendor's table of the product at hand is better: a product
//! holds inhibitors, this mixture does not.
//!
//! # Source
//!
//! Coefficients as tabulated in `tests/fixtures/glycol_melinder_coeffs.csv`
//! (`CoolProp`, `MelinderFluids.py`, MIT licence), which a test compares with these.

/// A mixture of water and one glycol.
#[derive(Debug, PartialEq)]
pub struct Glycol {
    /// Mass fraction that the polynomials are centred on, %.
    centre_pct: f64,
    /// Temperature that the polynomials are centred on, °C.
    centre_c: f64,
    terms: [Term; 18],
}

/// A term of the five polynomials: powers of fraction and temperature, coefficients.
#[derive(Debug, PartialEq)]
struct Term {
    of_fraction: i32,
    of_temperature: i32,
    freezing: f64,
    density: f64,
    heat_capacity: f64,
    conductivity: f64,
    ln_viscosity: f64,
}

const fn term(of_fraction: i32, of_temperature: i32, coefficients: [f64; 5]) -> Term {
    let [freezing, density, heat_capacity, conductivity, ln_viscosity] = coefficients;
    Term {
        of_fraction,
        of_temperature,
        freezing,
        density,
        heat_capacity,
        conductivity,
        ln_viscosity,
    }
}

/// Ethylene glycol.
#[rustfmt::skip]
pub static ETHYLENE: Glycol = Glycol {
    centre_pct: 30.8462,
    centre_c: 31.728,
    terms: [
        //   x, T,  freezing,    density,    cp,         lambda,     ln viscosity
        term(0, 0, [    -15.25,     1034.0,     3737.0,      0.472,     0.4705]),
        term(0, 1, [ -1.566e-6,    -0.4781,       2.93, 0.000_890_3,    -0.0255]),
        term(0, 2, [ -2.278e-7, -0.002_692, -0.004_675,  -1.058e-6, 0.000_178_2]),
        term(0, 3, [  2.169e-9,   4.725e-6,  -1.389e-5,  -2.789e-9,  -7.669e-7]),
        term(1, 0, [    -0.808,      1.311,     -17.99, -0.004_286,   0.024_71]),
        term(1, 1, [ -1.339e-6, -0.006_876,     0.1046,  -1.473e-5, -0.000_117_1]),
        term(1, 2, [  2.047e-8,   4.805e-5, -0.000_414_7,   1.059e-7,   1.052e-6]),
        term(1, 3, [-2.717e-11,    1.69e-8,   1.847e-7, -1.142e-10,  -1.634e-8]),
        term(2, 0, [ -0.013_34,    7.49e-5,  -0.099_33,   1.747e-5,   3.328e-6]),
        term(2, 1, [  6.322e-8,   7.855e-5, 0.000_351_6,   6.814e-8,   1.086e-6]),
        term(2, 2, [ 2.373e-10,  -3.995e-7,   5.109e-6,  -3.612e-9,   1.051e-8]),
        term(2, 3, [-2.183e-12,   4.982e-9,  -7.138e-8,  2.365e-12, -6.475e-10]),
        term(3, 0, [ -7.293e-5, -0.000_106_2,   0.002_61,   3.017e-8,   1.659e-6]),
        term(3, 1, [  1.764e-9,   1.229e-6,  -1.189e-6,  -2.412e-9,   3.157e-9]),
        term(3, 2, [-2.442e-11,  -1.153e-8,  -1.643e-7,  4.004e-11,  4.063e-10]),
        term(4, 0, [  1.006e-6,  -9.623e-7,   1.537e-5,  -1.322e-9,   3.089e-8]),
        term(4, 1, [-7.662e-11,  -7.211e-8,  -4.272e-7,  2.555e-11,  1.831e-10]),
        term(5, 0, [   1.14e-9,   4.891e-8,  -1.618e-6,  2.678e-11,  -1.865e-9]),
    ],
};

/// Propylene glycol.
#[rustfmt::skip]
pub static PROPYLENE: Glycol = Glycol {
    centre_pct: 30.7031,
    centre_c: 32.7083,
    terms: [
        //   x, T,  freezing,    density,    cp,         lambda,     ln viscosity
        term(0, 0, [    -13.25,     1018.0,     3882.0,     0.4513,     0.6837]),
        term(0, 1, [  -3.82e-5,    -0.5406,      2.699, 0.000_795_5,  -0.030_45]),
        term(0, 2, [  7.865e-7, -0.002_666, -0.001_659,   3.482e-8, 0.000_252_5]),
        term(0, 3, [ -1.733e-9,   1.347e-5,  -1.032e-5,  -5.966e-9,  -1.399e-6]),
        term(1, 0, [   -0.6631,     0.7604,     -13.04, -0.004_795,   0.033_28]),
        term(1, 1, [  6.774e-6,  -0.009_45,     0.0507,  -1.678e-5, -0.000_398_4]),
        term(1, 2, [ -6.242e-8,   5.541e-5,  -4.752e-5,   8.941e-8,   4.332e-6]),
        term(1, 3, [-7.819e-10,  -1.343e-7,   1.522e-6,  1.493e-10,   -1.86e-8]),
        term(2, 0, [ -0.010_94, -0.002_498,    -0.1598,   2.076e-5,   5.453e-5]),
        term(2, 1, [  5.332e-8,     2.7e-5,   9.534e-5,   1.563e-7,    -8.6e-8]),
        term(2, 2, [ -4.169e-9,  -4.018e-7,   1.167e-5,  -4.615e-9,  -1.593e-8]),
        term(2, 3, [ 3.288e-11,   3.376e-9,   -4.87e-8,  9.897e-12, -4.465e-11]),
        term(3, 0, [-0.000_228_3, -0.000_155, 0.000_353_9,  -9.083e-8,    -3.9e-6]),
        term(3, 1, [ -1.131e-8,   2.829e-6,   3.102e-5,  -2.518e-9,   1.054e-7]),
        term(3, 2, [ 1.918e-10,  -7.175e-9,   -2.95e-7,  6.543e-11,  -1.589e-9]),
        term(4, 0, [ -3.409e-6,  -1.131e-6,       5e-5, -5.952e-10,  -1.587e-8]),
        term(4, 1, [ 8.035e-11,  -2.221e-8,  -7.135e-7, -3.605e-11,  4.475e-10]),
        term(5, 0, [  1.465e-8,   2.342e-8,  -4.959e-7,  2.104e-11,   3.564e-9]),
    ],
};

impl Glycol {
    /// Temperature at which ice begins to form, °C.
    pub fn freezing_point(&self, mass_pct: f64) -> f64 {
        let without_temperature = |term: &Term| match term.of_temperature {
            0 => term.freezing,
            _ => 0.0,
        };
        self.sum(mass_pct, self.centre_c, without_temperature)
    }

    /// Density, kg/m³.
    pub fn density(&self, mass_pct: f64, celsius: f64) -> f64 {
        self.sum(mass_pct, celsius, |term| term.density)
    }

    /// Specific heat capacity, J/(kg·K).
    pub fn heat_capacity(&self, mass_pct: f64, celsius: f64) -> f64 {
        self.sum(mass_pct, celsius, |term| term.heat_capacity)
    }

    /// Integral of the heat capacity from the centre of the fit, J/kg.
    pub fn enthalpy(&self, mass_pct: f64, celsius: f64) -> f64 {
        let over_centre = celsius - self.centre_c;
        let part = |term: &Term| term.heat_capacity / (f64::from(term.of_temperature) + 1.0);
        over_centre * self.sum(mass_pct, celsius, part)
    }

    /// Thermal conductivity, W/(m·K).
    pub fn conductivity(&self, mass_pct: f64, celsius: f64) -> f64 {
        self.sum(mass_pct, celsius, |term| term.conductivity)
    }

    /// Dynamic viscosity, Pa·s.
    pub fn viscosity(&self, mass_pct: f64, celsius: f64) -> f64 {
        self.sum(mass_pct, celsius, |term| term.ln_viscosity).exp() / 1e3
    }

    fn sum(&self, mass_pct: f64, celsius: f64, coefficient: impl Fn(&Term) -> f64) -> f64 {
        let (x, t) = (mass_pct - self.centre_pct, celsius - self.centre_c);
        self.terms
            .iter()
            .map(|term| coefficient(term) * x.powi(term.of_fraction) * t.powi(term.of_temperature))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::vectors::Table;
    use super::*;

    #[test]
    fn the_coefficients_are_those_of_the_table() {
        let text = include_str!("../../../../tests/fixtures/glycol_melinder_coeffs.csv");
        let table = Table::read(text);
        let ours = ETHYLENE.terms.iter().chain(&PROPYLENE.terms);
        let mut seen = 0;
        for (row, term) in table.rows().zip(ours) {
            let theirs = Term {
                of_fraction: row.text("i_x").parse().unwrap(),
                of_temperature: row.text("j_T").parse().unwrap(),
                freezing: row.number("c_Tfreeze"),
                density: row.number("c_rho"),
                heat_capacity: row.number("c_cp"),
                conductivity: row.number("c_lambda"),
                ln_viscosity: row.number("c_ln_mu"),
            };
            assert_eq!(*term, theirs);
            assert_eq!(row.text("fluid"), if seen < 18 { "MEG" } else { "MPG" });
            seen += 1;
        }
        assert_eq!((seen, table.rows().count()), (36, 36));
        assert!(text.contains("MEG xm=30.8462 Tm=31.728 ; MPG xm=30.7031 Tm=32.7083"));
    }
}
