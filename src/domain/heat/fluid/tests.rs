//! The tables that the fluids are held to, and where they say no.

use proptest::prelude::*;

use super::super::vectors::{Table, close, decimals};
use super::*;

/// High enough that nothing here boils.
const HIGH: f64 = 2e6;

fn fluid(name: &str) -> Fluid {
    Fluid::named(name, None).unwrap()
}

fn glycol(name: &str, pct: f64) -> Fluid {
    Fluid::named(&name.to_lowercase(), Some(pct)).unwrap()
}

/// Tolerance of the tables of computed properties: relative, or half the last digit.
const RELATIVE: f64 = 1e-6;

#[test]
fn glycols_agree_with_their_table() {
    let table = Table::read(include_str!("../../../../tests/fixtures/glycol.csv"));
    for row in table.rows() {
        let fluid = glycol(row.text("fluid"), row.number("x_mass_pct"));
        let celsius = row.number("T_C");
        let (_, viscosity) = fluid.transport(celsius, HIGH).unwrap().unwrap();
        for (column, ours) in [
            ("rho", fluid.density(celsius, HIGH).unwrap()),
            ("cp_J_kgK", fluid.heat_capacity(celsius, HIGH).unwrap()),
            ("Tfreeze_C", fluid.freezing_point().unwrap()),
            ("mu_mPa_s", viscosity * 1e3),
        ] {
            row.printed_or(ours, column, RELATIVE);
        }
    }
    assert!(table.rows().count() > 80);
}

#[test]
fn therminol_vp_1_agrees_with_the_vendor() {
    let table = Table::read(include_str!("../../../../tests/fixtures/therminol_vp1.csv"));
    let oil = fluid("therminol-vp-1");
    let zero = oil.enthalpy(12.0, HIGH).unwrap();
    for row in table.rows() {
        let celsius = row.number("T_C");
        let density = oil.density(celsius, HIGH).unwrap();
        let heat_capacity = oil.heat_capacity(celsius, HIGH).unwrap() / 1e3;
        let enthalpy = (oil.enthalpy(celsius, HIGH).unwrap() - zero) / 1e3;
        row.printed_or(density, "vendor_rho", RELATIVE);
        row.printed_or(heat_capacity, "vendor_cp", RELATIVE);
        row.printed_or(enthalpy, "vendor_h", RELATIVE);
        if celsius >= 102.0 {
            let off = |ours: f64, column| (ours / row.number(column) - 1.0).abs();
            assert!(off(density, "table_rho") < 0.002_6, "{celsius} {density}");
            assert!(off(heat_capacity, "table_cp") < 0.003_2, "{celsius}");
        }
    }
    assert_eq!(table.rows().count(), 13);
}

/// SAM's enthalpy between 293 and 393 °C is 244.262 kJ/kg, its heat capacity
/// integrates to 245.859, and the vendor's to this.
#[test]
fn enthalpy_is_the_integral_of_the_vendors_heat_capacity() {
    let oil = fluid("therminol-vp-1");
    let gain = oil.mean_cp(393.0, 293.0, HIGH).unwrap() * 100.0 / 1e3;
    decimals(gain, 243.814, 3, "VP-1, 293 to 393 °C");
}

#[test]
fn syltherm_800_agrees_with_its_table() {
    let table = Table::read(include_str!("../../../../tests/fixtures/syltherm800.csv"));
    let oil = fluid("syltherm-800");
    for row in table.rows() {
        let celsius = row.number("T_C");
        let density = oil.density(celsius, HIGH).unwrap();
        let heat_capacity = oil.heat_capacity(celsius, HIGH).unwrap();
        row.printed_or(density, "poly_rho", RELATIVE);
        row.printed_or(heat_capacity, "poly_cp_J_kgK", RELATIVE);
        for (ours, column, allowed) in [
            (density, "coolprop_rho", 8e-3),
            (density, "fit2_rho", 2e-3),
            (heat_capacity, "coolprop_cp_J_kgK", 3e-4),
            (heat_capacity, "fit2_cp_J_kgK", 3e-4),
        ] {
            let theirs = row.number(column);
            close(
                ours / theirs,
                1.0,
                allowed,
                &format!("{column} {celsius} °C"),
            );
        }
    }
    assert_eq!(table.rows().count(), 10);
}

/// Points of the vendor's table: °C, kg/m³, J/(kg·K).
#[test]
fn syltherm_800_is_near_the_vendors_points() {
    let oil = fluid("syltherm-800");
    for (celsius, density, capacity) in [
        (-40.0, 990.61, 1_506.0),
        (0.0, 953.16, 1_574.0),
        (40.0, 917.07, 1_643.0),
        (120.0, 846.35, 1_779.0),
        (200.0, 773.33, 1_916.0),
        (280.0, 692.87, 2_052.0),
        (400.0, 547.00, 2_257.0),
    ] {
        let allowed = if celsius < 0.0 { 0.016 } else { 0.009 };
        let ours = oil.density(celsius, HIGH).unwrap();
        close(ours / density, 1.0, allowed, &format!("{celsius} °C"));
        let ours = oil.heat_capacity(celsius, HIGH).unwrap();
        close(ours / capacity, 1.0, 1e-3, &format!("cp {celsius} °C"));
    }
}

#[test]
fn solar_salt_agrees_with_its_table() {
    let table = Table::read(include_str!("../../../../tests/fixtures/solar_salt.csv"));
    let salt = fluid("solar-salt");
    for row in table.rows() {
        let celsius = row.number("T_C");
        let density = salt.density(celsius, HIGH).unwrap();
        let heat_capacity = salt.heat_capacity(celsius, HIGH).unwrap();
        let (conductivity, viscosity) = salt.transport(celsius, HIGH).unwrap().unwrap();
        for (column, ours) in [
            ("rho", density),
            ("cp_J_kgK", heat_capacity),
            ("h_J_kg", salt.enthalpy(celsius, HIGH).unwrap()),
            ("k_W_mK", conductivity),
            ("mu_Pa_s", viscosity),
            ("rho_cp_MJ_m3K", density * heat_capacity / 1e6),
        ] {
            row.printed_or(ours, column, RELATIVE);
        }
    }
    let gain = salt.mean_cp(290.0, 565.0, HIGH).unwrap() * 275.0;
    decimals(gain / 1e3, 417.045_750, 6, "salt, 290 to 565 °C");
    assert_eq!(table.rows().count(), 13);
}

/// The vendor's polynomials of density and heat capacity, as TRANSFORM has them.
#[test]
fn therminol_66_is_near_the_vendors_polynomials() {
    let oil = fluid("therminol-66");
    for celsius in [-3.0, 20.0, 100.0, 200.0, 300.0, 345.0] {
        let density = 1_020.62 - 0.614_254 * celsius - 3.21e-4 * celsius * celsius;
        let capacity = 1_496.005 + 3.313 * celsius + 8.970_785e-4 * celsius * celsius;
        let ours = oil.density(celsius, HIGH).unwrap();
        close(ours / density, 1.0, 0.012, &format!("density {celsius} °C"));
        let ours = oil.heat_capacity(celsius, HIGH).unwrap();
        close(ours / capacity, 1.0, 0.012, &format!("cp {celsius} °C"));
    }
}

#[test]
fn water_is_that_of_the_water_module() {
    let liquid = water::liquid(6e5, 60.0).unwrap();
    assert_eq!(Fluid::WATER, fluid("water"));
    assert_eq!(Fluid::WATER.density(60.0, 6e5), Ok(1.0 / liquid.volume));
    assert_eq!(Fluid::WATER.enthalpy(60.0, 6e5), Ok(liquid.enthalpy));
    let capacity = Fluid::WATER.heat_capacity(60.0, 6e5).unwrap();
    assert_eq!(Fluid::WATER.mean_cp(60.0, 60.0, 6e5), Ok(capacity));
    close(
        Fluid::WATER.mean_cp(60.01, 59.99, 6e5).unwrap(),
        capacity,
        1e-2,
        "mean over a small spread",
    );
}

#[test]
fn a_wrong_choice_says_what_to_write() {
    for (name, pct, said) in [
        (
            "oil",
            None,
            "`oil` is not a fluid; one of `water`, `meg`, `mpg`, `therminol-vp-1`, \
             `therminol-66`, `syltherm-800`, `solar-salt`",
        ),
        (
            "mpg",
            None,
            "propylene glycol is a mixture with water; say its mass fraction in percent",
        ),
        (
            "water",
            Some(30.0),
            "water is no mixture with water; leave the mass fraction out",
        ),
        (
            "meg",
            Some(75.0),
            "ethylene glycol of 75 % is unknown; from 0 to 60 percent of mass, not of volume",
        ),
    ] {
        assert_eq!(Fluid::named(name, pct).unwrap_err().to_string(), said);
    }
    assert!(Fluid::named("meg", Some(f64::NAN)).is_err());
}

#[test]
fn beyond_its_range_a_fluid_has_no_properties() {
    let mpg = glycol("mpg", 30.0);
    #[rustfmt::skip]
    let cases = [
        // fluid                   °C      Pa      what is said
        (Fluid::WATER,             -1.0,   6e5,    "water at -1 °C is frozen, it freezes at 0.0 °C; is the sensor wired and scaled right, and is it this fluid?"),
        (Fluid::WATER,            360.0,   5e7,    "water at 360 °C is outside of 0.0 °C to 350.0 °C, where it is known; is the sensor wired and scaled right, and is it this fluid?"),
        (Fluid::WATER,            120.0,   1e5,    "water at 120 °C boils below 198665 Pa absolute, and 100000 Pa is declared; a gauge pressure lacks 101325 Pa"),
        (Fluid::WATER,             60.0,   0.0,    "0 Pa is no absolute pressure of water, which lies between 0 Pa and 100 MPa; a gauge pressure lacks 101325 Pa"),
        (mpg,                     -13.0,   3e5,    "propylene glycol 30 % at -13 °C is frozen, it freezes at -12.8 °C; is the sensor wired and scaled right, and is it this fluid?"),
        (mpg,                     101.0,   3e5,    "propylene glycol 30 % at 101 °C is outside of -12.8 °C to 100.0 °C"),
        (mpg,                      95.0,   5e4,    "propylene glycol 30 % at 95 °C boils below"),
        (fluid("therminol-vp-1"),  11.0,   2e6,    "Therminol VP-1 at 11 °C is frozen"),
        (fluid("therminol-vp-1"), 400.5,   2e6,    "Therminol VP-1 at 400.5 °C is outside of 12.0 °C to 400.0 °C"),
        (fluid("therminol-vp-1"), 393.0,   5e5,    "Therminol VP-1 at 393 °C boils below"),
        (fluid("therminol-66"),   350.0,   5e5,    "Therminol 66 at 350 °C is outside of -3.0 °C to 345.0 °C"),
        (fluid("syltherm-800"),   -41.0,   2e6,    "Syltherm 800 at -41 °C is outside of -40.0 °C to 400.0 °C"),
        (fluid("syltherm-800"),   390.0,   1e6,    "Syltherm 800 at 390 °C boils below 1270050 Pa"),
        (fluid("solar-salt"),     250.0,   2e5,    "solar salt at 250 °C is outside of 260.0 °C to 600.0 °C"),
        (fluid("solar-salt"),     230.0,   2e5,    "solar salt at 230 °C is frozen"),
    ];
    for (fluid, celsius, pressure_pa, said) in cases {
        for answer in [
            fluid.density(celsius, pressure_pa),
            fluid.enthalpy(celsius, pressure_pa),
            fluid.heat_capacity(celsius, pressure_pa),
            fluid.mean_cp(celsius, celsius, pressure_pa),
            fluid.transport(celsius, pressure_pa).map(|_| f64::INFINITY),
        ] {
            let told = answer.unwrap_err().to_string();
            assert!(told.starts_with(said), "{told}");
        }
    }
}

#[test]
fn a_number_that_is_none_is_refused_by_every_fluid() {
    for row in FLUIDS {
        let pct = matches!(row.formulas, Formulas::Glycol(_)).then_some(40.0);
        let fluid = Fluid::named(row.name, pct).unwrap();
        assert!(fluid.density(f64::NAN, HIGH).is_err(), "{fluid}");
        assert!(fluid.enthalpy(300.0, f64::NAN).is_err(), "{fluid}");
        assert!(fluid.enthalpy(f64::INFINITY, HIGH).is_err(), "{fluid}");
    }
}

/// Known of the oil: 1 090 kPa at 400 °C, and one atmosphere at 257 °C.
#[test]
fn therminol_vp_1_boils_where_the_vendor_says() {
    let oil = fluid("therminol-vp-1");
    close(oil.boils_below(400.0).unwrap(), 1.09e6, 5e3, "400 °C");
    close(oil.boils_below(257.0).unwrap(), 101_325.0, 1e3, "257 °C");
}

#[test]
fn beyond_its_data_a_mixture_warns() {
    let mixture = glycol("meg", 40.0);
    assert_eq!(mixture.caution(40.0), None);
    assert_eq!(fluid("therminol-vp-1").caution(390.0), None);
    assert_eq!(
        mixture.caution(75.0).unwrap().to_string(),
        "data of ethylene glycol 40 % end at 40 °C, and at 75 °C the fit goes on without them: \
         its heat capacity is good to 2 %; the vendor's table of the product is better"
    );
}

proptest! {
    /// More heat is more temperature, in every fluid over all of its range, and the
    /// enthalpies between three temperatures add up.
    #[test]
    fn enthalpy_rises_with_temperature(
        row in 0..FLUIDS.len(),
        pct in 0.0..=60.0_f64,
        place in 0.0..1.0_f64,
        step in 1e-3..0.2_f64,
    ) {
        let row = &FLUIDS[row];
        let mixture = matches!(row.formulas, Formulas::Glycol(_)).then_some(pct);
        let fluid = Fluid::named(row.name, mixture).unwrap();
        let (least, most) = fluid.range();
        let cold = least + place * (most - least) * 0.8;
        let warm = cold + step * (most - least);
        let pressure = 25e6;
        let [h_cold, h_warm] = [cold, warm].map(|t| fluid.enthalpy(t, pressure).unwrap());
        prop_assert!(h_warm > h_cold, "{} {} {}", fluid, cold, warm);
        prop_assert!(fluid.density(warm, pressure).unwrap() > 0.0);
        let middle = 0.5 * (cold + warm);
        let parts = [(middle, cold), (warm, middle)]
            .map(|(b, a)| fluid.mean_cp(a, b, pressure).unwrap() * (b - a));
        let whole = h_warm - h_cold;
        prop_assert!((parts[0] + parts[1] - whole).abs() < 1e-9 * whole.abs() + 1e-6);
        // The mean heat capacity lies near that of the middle: it is its integral.
        let local = fluid.heat_capacity(middle, pressure).unwrap();
        prop_assert!((whole / (warm - cold) / local - 1.0).abs() < 0.12);
    }
}
