use proptest::prelude::*;

use super::*;
use crate::domain::flow::Known;
use crate::domain::quality::{Gaps, Quality, Reason};

fn mwh(value: i64) -> MilliwattHours {
    MilliwattHours(value)
}

/// Flows of an interval: generation, import, export, discharge, charge, self-consumption.
fn interval(amounts: [i64; 6]) -> Energies {
    let named = [
        Flow::Generation,
        Flow::Import,
        Flow::Export,
        Flow::BatteryDischarge,
        Flow::BatteryCharge,
        Flow::SelfConsumption,
    ];
    Flows::new(std::array::from_fn(|place| {
        let at = named.iter().position(|flow| flow.place() == place);
        let amount = at.and_then(|at| amounts.get(at)).copied().unwrap_or(0);
        Ok(Known::given(mwh(amount)))
    }))
}

#[test]
fn what_the_seconds_say_of_export_decides_over_the_amounts() {
    #[rustfmt::skip]
    let cases = [
        // situation                              gen  imp  exp  dis  ch  self | g>l g>b g>g b>l b>g n>l n>b
        ("all export was generated",             [100,  0,  40,   0,  0,   60], [ 60,  0, 40,  0,  0,  0,  0]),
        ("the battery fed all of it at night",   [100,  0,  40,  40,  0,  100], [100,  0,  0,  0, 40,  0,  0]),
        ("the battery fed a part of it",         [100,  0,  40,  50,  0,   90], [ 90,  0, 10, 20, 30,  0,  0]),
        ("charged from what was not exported",   [100,  0,  60,   0, 40,   40], [  0, 40, 60,  0,  0,  0,  0]),
        ("charged from the grid, sun exported",  [100, 30, 100,   0, 30,    0], [  0,  0,100,  0,  0,  0, 30]),
        ("import and load alone",                [  0, 70,   0,   0,  0,    0], [  0,  0,  0,  0,  0, 70,  0]),
    ];
    for (situation, amounts, expected) in cases {
        let found = of_energies(&interval(amounts)).unwrap();
        let values = found.value.named().map(|(_, energy)| energy.0);
        assert_eq!(values, expected, "{situation}");
        assert!(found.made.rests_on(Made::DERIVED), "{situation}");
    }
}

#[test]
fn what_one_meter_lacks_no_attribution_invents() {
    let pcc: std::sync::Arc<str> = "pcc".into();
    let flows = Flows::new(std::array::from_fn(|place| {
        let silent = [Flow::Export.place(), Flow::SelfConsumption.place()].contains(&place);
        if silent {
            Err(Gaps::one(&pcc, Reason::Timeout))
        } else {
            Ok(Known::given(mwh(5)))
        }
    }));
    assert_eq!(of_energies(&flows).unwrap_err().meters(), ["pcc"]);
}

#[test]
fn an_attribution_is_as_good_as_the_worst_of_what_it_rests_on() {
    for worst in [
        Flow::Generation,
        Flow::Import,
        Flow::BatteryCharge,
        Flow::SelfConsumption,
    ] {
        let flows = Flows::new(std::array::from_fn(|place| {
            let mut known = Known::given(5.0);
            if worst.place() == place {
                (known.quality, known.coverage_pct) = (Quality::Suspect, 40.0);
            }
            Ok(known)
        }));
        let found = of_powers(&flows).unwrap();
        assert_eq!(found.quality, Quality::Suspect, "{}", worst.name());
        assert_eq!(found.coverage_pct, 40.0, "{}", worst.name());
    }
}

proptest! {
    /// Where the flows are consistent every unit has one destination, to the
    /// milliwatt-hour, and self-consumption is what the attribution says.
    #[test]
    fn every_unit_has_one_destination(
        load in 0_i64..1_000,
        generated in (0_i64..1_000, 0_i64..1_000, 0_i64..1_000),
        discharged in (0_i64..1_000, 0_i64..1_000),
        to_battery in 0_i64..1_000,
    ) {
        // Built from its parts, so that it closes.
        let (g2l, g2b, g2g) = generated;
        let (b2l, b2g) = discharged;
        let amounts = [g2l + g2b + g2g, load + to_battery, g2g + b2g, b2l + b2g, g2b + to_battery, g2l + g2b];
        let found = of_energies(&interval(amounts)).unwrap().value;
        let sum = |parts: &[MilliwattHours]| parts.iter().map(|part| part.0).sum::<i64>();
        let a = found;
        prop_assert_eq!(a.generation_to_grid.0, g2g);
        prop_assert_eq!(a.battery_to_grid.0, b2g);
        prop_assert_eq!(sum(&[a.generation_to_load, a.generation_to_battery, a.generation_to_grid]), amounts[0]);
        prop_assert_eq!(sum(&[a.grid_to_load, a.grid_to_battery]), amounts[1]);
        prop_assert_eq!(sum(&[a.battery_to_load, a.battery_to_grid]), amounts[3]);
        prop_assert_eq!(sum(&[a.generation_to_battery, a.grid_to_battery]), amounts[4]);
        prop_assert!(found.named().iter().all(|(_, energy)| energy.0 >= 0));
    }

    /// Where the powers do not tell, the attribution of an interval is that of its amounts.
    #[test]
    fn by_the_amounts_it_is_the_rule_itself(all in prop::array::uniform5(0_i64..1_000)) {
        let [generation, import, export, discharge, charge] = all.map(mwh);
        let plain = attribute(generation, import, export, discharge, charge);
        let own = generation - plain.generation_to_grid;
        let flows = interval([all[0], all[1], all[2], all[3], all[4], own.0]);
        prop_assert_eq!(of_energies(&flows).unwrap().value, plain);
    }
}
