//! Heat coefficients against the tables of the standard and of mixtures.

use proptest::prelude::*;

use super::super::fluid::FLUIDS;
use super::super::vectors::{Table, close, decimals};
use super::*;

fn meter(sensor: Pipe, pressure_pa: f64) -> HeatMeter {
    HeatMeter {
        fluid: Fluid::WATER,
        sensor,
        pressure_pa,
    }
}

const PIPES: [(Pipe, &str); 2] = [(Pipe::Supply, "flow"), (Pipe::Return, "return")];

#[test]
fn k_of_water_agrees_with_the_table_of_the_standard() {
    let table = Table::read(include_str!("../../../tests/fixtures/en1434_k.csv"));
    let mut printed_by_maker = 0;
    for row in table.rows() {
        let (supply, back) = (row.number("t_flow_C"), row.number("t_return_C"));
        for (pipe, name) in PIPES {
            let meter = meter(pipe, row.number("p_bar_abs") * 1e5);
            let mega = meter.k_kj(supply, back).unwrap() / 1e3;
            let column = format!("k_{name}_MJ_m3K");
            close(
                mega,
                row.number(&column),
                1e-6,
                &format!("{column} {supply}/{back}"),
            );
            row.printed(
                meter.k_kwh(supply, back).unwrap(),
                &format!("k_{name}_kWh_m3K"),
            );
            let heat = 0.1 * meter.heat_per_cubic_metre(supply, back).unwrap() / 3.6e3;
            let column = format!("E_{name}_Wh_0p1m3");
            close(
                heat,
                row.number(&column),
                0.01,
                &format!("{column} {supply}/{back}"),
            );
            let column = if pipe == Pipe::Supply {
                "inlet"
            } else {
                "outlet"
            };
            if let Ok(theirs) = row.text(&format!("kamstrup_{column}_Wh")).parse() {
                close(heat, theirs, 0.01, &format!("a maker's {supply}/{back}"));
                printed_by_maker += 1;
            }
        }
    }
    assert_eq!((table.rows().count(), printed_by_maker), (81, 16));
}

#[test]
fn k_of_glycols_agrees_with_their_table() {
    let table = Table::read(include_str!("../../../tests/fixtures/glycol_k.csv"));
    for row in table.rows() {
        let (supply, back) = (row.number("t_flow_C"), row.number("t_return_C"));
        let (sensor, _) = PIPES[usize::from(row.text("sensor") == "return")];
        let mixture = row.text("fluid").to_lowercase();
        let water = meter(sensor, REFERENCE_PRESSURE_PA);
        let meter = HeatMeter {
            fluid: Fluid::named(&mixture, Some(row.number("x_mass_pct"))).unwrap(),
            ..water
        };
        let k = meter.k_kwh(supply, back).unwrap();
        let k_water = water.k_kwh(supply, back).unwrap();
        row.printed_or(k, "k_kWh_m3K", 1e-6);
        row.printed_or(meter.k_kj(supply, back).unwrap() / 1e3, "k_MJ_m3K", 1e-6);
        row.printed_or(k_water, "k_water_kWh_m3K", 1e-6);
        row.printed((k_water / k - 1.0) * 100.0, "err_if_water_pct");
    }
    assert_eq!(table.rows().count(), 32);
}

#[test]
fn k_between_equal_temperatures_is_that_of_a_small_spread() {
    let meter = meter(Pipe::Return, 6e5);
    let (at, near) = (
        meter.k_kj(60.0, 60.0).unwrap(),
        meter.k_kj(60.001, 59.999).unwrap(),
    );
    close(at, near, 0.01, "k at 60 °C");
}

#[test]
fn a_mass_carries_the_same_heat_whichever_pipe_it_is_measured_in() {
    for (pipe, _) in PIPES {
        let meter = meter(pipe, REFERENCE_PRESSURE_PA);
        let kwh = meter.power_of_mass_w(50_000.0, 90.0, 50.0).unwrap() / J_PER_KWH;
        decimals(kwh, 2_325.654_542, 6, "50 t at 90/50 °C");
        let flow_m3h = 3_600.0 * 10.0 / meter.density(90.0, 50.0).unwrap();
        close(
            meter.power_w(flow_m3h, 90.0, 50.0).unwrap(),
            meter.power_of_mass_w(10.0, 90.0, 50.0).unwrap(),
            1e-3,
            "10 kg/s",
        );
    }
}

#[test]
fn boiling_water_has_no_k() {
    assert!(meter(Pipe::Return, 1e5).k_kwh(120.0, 60.0).is_err());
    assert!(meter(Pipe::Return, 1e5).k_kwh(60.0, 120.0).is_err());
}

#[test]
fn a_certified_register_is_checked_and_not_replaced() {
    #[rustfmt::skip]
    let cases = [
        // register  computed   relative       agrees
        (1_000.0,    1_030.0,   Some(0.03),    true),
        (1_000.0,    1_031.0,   Some(0.031),   false),
        // A part of the register, and not of the computed heat.
        (1_000.0,    1_030.5,   Some(0.0305),  false),
        (1_000.0,      960.0,   Some(-0.04),   false),
        (1_000.0,   -1_000.0,   Some(-2.0),    false),
        (-1_000.0,    -990.0,   Some(-0.01),   true),
        (0.0,            5.0,   None,          false),
        (5.0,            0.0,   Some(-1.0),    false),
    ];
    for (register, computed, relative, agrees) in cases {
        let told = agreement(register, computed, CERTIFIED_TOLERANCE).unwrap();
        assert_eq!(told.agrees, agrees, "{register} {computed}");
        assert_eq!(told.relative.is_some(), relative.is_some());
        if let (Some(ours), Some(theirs)) = (told.relative, relative) {
            close(ours, theirs, 1e-12, "relative");
        }
    }
    assert_eq!(agreement(0.0, 0.0, CERTIFIED_TOLERANCE), None);
}

/// The registers that a manual shows: 28 113 m³·°C over 297.39 m³.
#[test]
fn means_come_from_the_registers_of_the_meter() {
    let mean = flow_weighted_mean(28_113.0, 297.39).unwrap();
    decimals(mean, 94.53, 2, "mean supply");
    assert_eq!(flow_weighted_mean(0.0, 0.0), None);
}

#[test]
fn units_of_heat_convert_as_they_are_billed() {
    decimals(J_PER_GCAL / J_PER_KWH, 1_163.0, 6, "kWh of a Gcal");
    decimals(J_PER_TCE / J_PER_KWH, 8_141.0, 6, "kWh of a tce");
}

proptest! {
    /// k is positive, and the heat of a cubic metre has the sign of the spread.
    #[test]
    fn heat_has_the_sign_of_the_spread(
        row in 0..FLUIDS.len(),
        one in 0.0..=1.0_f64,
        other in 0.0..=1.0_f64,
        supply_sensor in any::<bool>(),
    ) {
        let row = &FLUIDS[row];
        let fluid = Fluid::named(row.name, None)
            .or_else(|_| Fluid::named(row.name, Some(33.0)))
            .unwrap();
        let sensor = if supply_sensor { Pipe::Supply } else { Pipe::Return };
        let meter = HeatMeter { fluid, sensor, pressure_pa: 25e6 };
        let (least, most) = fluid.range();
        let [supply, back] = [one, other].map(|part| least + part * (most - least));
        let heat = meter.heat_per_cubic_metre(supply, back).unwrap();
        let k = meter.k_kj(supply, back).unwrap();
        prop_assert!(k > 0.0);
        if (supply - back).abs() > 1e-6 {
            prop_assert_eq!(heat > 0.0, supply > back);
            prop_assert!((k * 1e3 * (supply - back) / heat - 1.0).abs() < 1e-9);
        }
    }
}
