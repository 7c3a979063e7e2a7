use super::super::wanted::wanted;
use super::*;
use crate::domain::meter::{QUANTITIES, ROLES};
use crate::wire::sunspec::MODELS;

/// A chain of these models: id, length, kinds of parts.
fn chain(models: &[(u16, u16, &[Option<u16>])]) -> Chain {
    let mut address = 40_002;
    let mut chain = Chain {
        base: 40_000,
        marked_end: true,
        ..Chain::default()
    };
    for &(id, length, parts) in models {
        chain.models.push(Found {
            id,
            address,
            length,
            parts: parts.to_vec(),
        });
        address += 2 + length;
    }
    chain
}

/// Model and point that answer for a quantity.
fn asked(
    chain: &Chain,
    role: &str,
    quantity: &str,
    most: u16,
) -> Result<(u16, &'static str), Missing> {
    let role = Role::named(role).unwrap();
    let quantity = Quantity::named(quantity).unwrap();
    let served = serve(chain, role, &[quantity], &Options::default(), most).remove(0);
    served.map(|served| (served.model, served.point))
}

const SUN: Option<u16> = Some(0);
const STORE: Option<u16> = Some(1);
const COMMON: (u16, u16, &[Option<u16>]) = (1, 66, &[]);

#[test]
fn the_best_model_for_the_role_answers() {
    use Missing::NoModel;
    let inverter = (103, 50, [].as_slice());
    let float = (113, 60, [].as_slice());
    let der = (701, 153, [].as_slice());
    let meter = (203, 105, [].as_slice());
    let battery = (802, 62, [].as_slice());
    let inputs = (160, 48, [None; 2].as_slice());
    let stores = (714, 68, [STORE; 2].as_slice());
    let mixed = (714, 68, [SUN, STORE].as_slice());
    let untold = (714, 68, [None; 2].as_slice());
    let storage = (713, 7, [].as_slice());
    let settings = (124, 24, [].as_slice());
    #[rustfmt::skip]
    let cases = [
        // situation                              models                       role       quantity         answers
        ("mandatory points before optional ones", vec![der, inverter],         "pv",      "power",         Ok((103, "W"))),
        ("what 103 has not is of 701",            vec![der, inverter],         "pv",      "power_l1",      Ok((701, "WL1"))),
        ("and its import",                        vec![der, inverter],         "pv",      "energy_import", Ok((701, "TotWhAbs"))),
        ("integers before floats",                vec![float, inverter],       "pv",      "energy_export", Ok((103, "WH"))),
        ("inputs before their inverter",          vec![inverter, inputs],      "pv",      "dc_power",      Ok((160, "DCW"))),
        ("not where a storage is among them",     vec![inverter, settings, inputs], "pv", "dc_power",      Ok((103, "DCW"))),
        ("direct current of ports",               vec![der, mixed],            "pv",      "dc_power",      Ok((714, "DCW"))),
        ("a meter beside an inverter is not it",  vec![inverter, meter],       "pv",      "energy_import", Err(NoModel)),
        ("and an inverter is not the meter",      vec![inverter],              "grid",    "power",         Err(NoModel)),
        ("the grid at an inverter",               vec![inverter, meter],       "grid",    "power",         Ok((203, "W"))),
        ("a meter for the sun",                   vec![meter],                 "pv",      "power",         Ok((203, "W"))),
        ("a rack",                                vec![battery],               "battery", "power",         Ok((802, "W"))),
        ("a rack at an inverter",                 vec![inverter, battery],     "battery", "power",         Ok((802, "W"))),
        ("all ports are storages: terminals",     vec![battery, der, stores],  "battery", "power",         Ok((701, "W"))),
        ("a hybrid: its storage port",            vec![der, storage, mixed],   "battery", "power",         Ok((714, "DCW"))),
        ("and its energy",                        vec![der, storage, mixed],   "battery", "energy_export", Ok((714, "DCWhInj"))),
        ("ports that do not say what they are",   vec![der, storage, untold],  "battery", "power",         Ok((701, "W"))),
        ("a hybrid that does not tell them apart", vec![inverter, settings, inputs], "battery", "power",   Err(NoModel)),
        ("a battery inverter of the 100 models",  vec![inverter, settings],    "battery", "power",         Ok((103, "W"))),
        ("its counter has no direction",          vec![inverter, settings],    "battery", "energy_export", Err(NoModel)),
        ("a battery behind a meter",              vec![meter],                 "battery", "power",         Ok((203, "W"))),
        ("charge of a rack",                      vec![storage, battery],      "battery", "soc",           Ok((802, "SoC"))),
        ("charge of a DER",                       vec![der, storage],          "battery", "soc",           Ok((713, "SoC"))),
        ("no heat",                               vec![meter],                 "boiler",  "power",         Err(NoModel)),
        ("recorded: a meter first",               vec![inverter, meter],       "monitor", "power",         Ok((203, "W"))),
        ("recorded: a storage port",              vec![mixed],                 "monitor", "power",         Ok((714, "DCW"))),
    ];
    for (situation, models, role, quantity, expected) in cases {
        let chain = chain(&[&[COMMON], models.as_slice()].concat());
        let said = asked(&chain, role, quantity, 125);
        assert_eq!(said, expected, "{situation}");
    }
}

#[test]
fn a_value_and_its_scale_factor_are_one_answer_or_none() {
    let der = chain(&[COMMON, (701, 153, &[])]);
    let both = chain(&[COMMON, (701, 153, &[]), (103, 50, &[])]);
    let seven = chain(&[COMMON, (160, 148, &[None; 7]), (103, 50, &[])]);
    let six = chain(&[COMMON, (160, 128, &[None; 6]), (103, 50, &[])]);
    let wide = |registers| {
        Err(Missing::TooWide {
            model: 701,
            registers,
        })
    };
    #[rustfmt::skip]
    let cases = [
        ("it just fits",                  &der,   "power",    107, Ok((701, "W"))),
        ("it does not",                   &der,   "power",    106, wide(107)),
        ("one that is nearer",            &der,   "power_l3", 106, Ok((701, "WL3"))),
        ("another model has it",          &both,  "power",    20,  Ok((103, "W"))),
        ("and has it not",                &both,  "power_l1", 20,  wide(76)),
        ("the sum of six inputs",         &six,   "dc_power", 125, Ok((160, "DCW"))),
        ("that of seven",                 &seven, "dc_power", 125, Ok((103, "DCW"))),
    ];
    for (situation, chain, quantity, most, expected) in cases {
        assert_eq!(asked(chain, "pv", quantity, most), expected, "{situation}");
    }
}

#[test]
fn the_nameplate_bounds_power_and_nothing_else() {
    let chain = chain(&[COMMON, (103, 50, &[])]);
    let bounds = |name: &str, most| {
        let quantity = Quantity::named(name).unwrap();
        let options = Options {
            most,
            ..Options::default()
        };
        let role = Role::named("pv").unwrap();
        let served = serve(&chain, role, &[quantity], &options, 125);
        let extra = served[0].as_ref().unwrap().layout.extra.clone();
        extra.map_or((None, None), |extra| (extra.within, extra.rate))
    };
    let most = Some(60_000.0);
    assert_eq!(bounds("power", most), (Some((-60_000.0, 60_000.0)), most));
    assert_eq!(bounds("power", None), (None, None));
    assert_eq!(bounds("frequency", most), (None, None));
}

#[test]
fn what_a_short_model_does_not_reach_is_missing() {
    for (length, point, expected) in [
        (50, "W", true),
        (14, "W", true),
        (13, "W", false),
        (12, "W", false),
        (25, "WH", true),
        (24, "WH", false),
    ] {
        let chain = chain(&[COMMON, (103, length, &[])]);
        let quantity = if point == "W" {
            "power"
        } else {
            "energy_export"
        };
        let said = asked(&chain, "pv", quantity, 125);
        assert_eq!(said.is_ok(), expected, "{point} in a model of {length}");
    }
}

#[test]
fn people_are_told_why_a_quantity_has_no_place() {
    let wide = Missing::TooWide {
        model: 701,
        registers: 107,
    };
    let text = wide.to_string();
    assert!(
        text.contains("model 701") && text.contains("107 registers"),
        "{text}"
    );
    let text = Missing::NoModel.to_string();
    assert_eq!(text, "the device has no SunSpec model that says it");
}

/// The tables speak of quantities and units that there are, and a group lies behind
/// the register that counts it.
#[test]
fn the_tables_fit_the_quantities() {
    for model in MODELS {
        let parts = model.group.iter().flat_map(|group| group.points);
        for point in model.points.iter().chain(parts) {
            let quantity = Quantity::named(point.quantity).unwrap();
            let known = matches!((point.unit, quantity.unit), ("hPa", "Pa") | ("%", ""));
            assert!(known || point.unit == quantity.unit, "{point:?}");
            let counts = matches!(point.unit, "Wh");
            assert_eq!(quantity.nature == Nature::Register, counts, "{point:?}");
        }
        if let Some(group) = &model.group {
            let ends = group.points.iter().map(|p| p.offset + p.kind.words());
            assert!(ends.max() <= Some(group.stride) && group.number_at < group.first);
        }
    }
}

/// What a role is asked for is in some model that may answer for the role, and every
/// electrical role is asked for what its balance needs.
#[test]
fn every_role_is_asked_for_what_some_model_has() {
    let parts = [STORE; 2];
    let ids = [103, 113, 203, 213, 307, 308, 701, 713, 802];
    let mut models: Vec<_> = ids.iter().map(|id| (*id, 153, [].as_slice())).collect();
    models.extend([(160, 48, parts.as_slice()), (714, 68, &parts)]);
    let chain = chain(&models);
    for role in ROLES {
        let wanted = wanted(role);
        for (place, wanted) in wanted.iter().enumerate() {
            assert!(QUANTITIES.iter().any(|q| q.name == wanted.quantity));
            let said = asked(&chain, role.name, wanted.quantity, 125);
            // Recorded is whatever a device is; this one is everything.
            assert!(
                said.is_ok() || role.name == "monitor",
                "{}: {wanted:?}",
                role.name
            );
            let twice = wanted_twice(role, place);
            assert!(!twice, "{}: {wanted:?} twice", role.name);
        }
        let power = wanted.iter().any(|w| w.essential && w.quantity == "power");
        assert_eq!(power, role.electricity.is_some() || role.name == "monitor");
        assert_eq!(wanted.is_empty(), role.measurement == "heat");
    }
}

fn wanted_twice(role: &Role, place: usize) -> bool {
    let wanted = wanted(role);
    wanted[..place]
        .iter()
        .any(|before| before.quantity == wanted[place].quantity)
}
