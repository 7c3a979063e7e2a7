use super::super::check::parse;
use super::super::read::Problem;
use super::*;
use crate::domain::heat::incidence::{Axis, Modifier};

/// Meters and sensors of a park that has everything.
const PARK: &str = r#"
[park]
id = "p"
time_zone = "Asia/Shanghai"
[bus.main.tcp]
host = "10.0.0.1"
"#;

fn meter(address: usize, id: &str, role: &str, points: &[(&str, &str)]) -> String {
    let mut text = format!(
        "[[meter]]\nid = \"{id}\"\nrole = \"{role}\"\nbus = \"main\"\nunit = {address}\nperiod = \"1s\"\n"
    );
    for (place, (quantity, unit)) in points.iter().enumerate() {
        text.push_str(&format!(
            "[[meter.point]]\nquantity = \"{quantity}\"\naddress = {}\ntype = \"f32\"\nunit = \"{unit}\"\n",
            place * 2
        ));
    }
    text
}

fn park() -> String {
    let mut text = PARK.to_owned();
    let meters = [
        (
            "field",
            "solar_field",
            &[
                ("heat_power", "W"),
                ("temp_supply", "degC"),
                ("temp_return", "degC"),
            ][..],
        ),
        (
            "store",
            "heat_storage",
            &[("heat_power", "W"), ("temp_1", "degC"), ("temp_2", "degC")],
        ),
        (
            "roof",
            "pv",
            &[
                ("power", "W"),
                ("power_available", "W"),
                ("temp_module", "degC"),
            ],
        ),
        ("hp", "heat_pump", &[("power", "W"), ("heat_power", "W")]),
        (
            "sky",
            "weather",
            &[
                ("dni", "W/m2"),
                ("dhi", "W/m2"),
                ("temp", "degC"),
                ("wind", "m/s"),
                ("irradiance", "W/m2"),
            ],
        ),
        (
            "loop_1",
            "monitor",
            &[
                ("tracker_angle", "deg"),
                ("tracker_deviation", "deg"),
                ("status", ""),
            ],
        ),
        ("hot", "monitor", &[("temp", "degC"), ("level", "m")]),
        ("cold", "monitor", &[("temp", "degC"), ("level", "m")]),
    ];
    for (place, (id, role, points)) in meters.into_iter().enumerate() {
        text.push_str(&meter(place + 1, id, role, points));
    }
    text
}

const PLANT: &str = r#"
[plant.mirrors.solar_field]
heat = "field"
dni = "sky"
axis = "12.5deg"
modifier = { angles = [0, 30, 60], iam = [1.0, 0.98, 0.8] }
[[plant.mirrors.solar_field.mount]]
aperture_m2 = 800.0
angle = "loop_1"
deviation = "loop_1"
stow = "loop_1"
[plant.mirrors.solar_field.guarantee]
ambient = "sky"
wind = "sky"
[plant.mirrors.solar_field.guarantee.concentrating]
eta0 = 0.7
a1 = 0.1
a5 = 3500
a8 = 1.2e-9
[plant.buffer.tank]
meter = "store"
height_m = 12
diameter_m = 6
fluid = "water"
pressure = "6bar"
empty = "40degC"
full = "95degC"
[[plant.buffer.tank.layer]]
height_m = 1.0
temp = "store:temp_1"
[[plant.buffer.tank.layer]]
height_m = 11.0
temp = "store:temp_2"
[plant.salt.two_tanks]
height_m = 14
diameter_m = 20
fluid = "solar-salt"
reference = "290degC"
nominal_hot = "565degC"
hot_level = "hot"
hot_temp = "hot"
cold_level = "cold"
cold_temp = "cold"
inventory_t = 6300
[plant.south.pv]
meter = "roof"
rated = "500kW"
gamma_pct_per_k = -0.35
irradiance = "sky"
module = "roof"
available = "roof"
[plant.pump.heat_pump]
electricity = "hp"
heat = "hp"
[kpi]
[[kpi.direct_supply]]
from = "2026-01-01"
r_self = 0.7
r_green = 0.4
r_sell = 0.1
"#;

fn problems(text: &str) -> Vec<Problem> {
    parse(text).err().unwrap_or_default()
}

#[test]
fn a_plant_is_read_as_it_is_written() {
    let text = park() + PLANT;
    let setup = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let units = &setup.plant.units;
    let kinds: Vec<_> = units
        .iter()
        .map(|unit| (&*unit.name, unit.kind.name()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("buffer", "tank"),
            ("mirrors", "solar_field"),
            ("pump", "heat_pump"),
            ("salt", "two_tanks"),
            ("south", "pv")
        ]
    );
    let of = |name: &str| &units.iter().find(|unit| &*unit.name == name).unwrap().kind;
    let Kind::SolarField(field) = of("mirrors") else {
        panic!()
    };
    assert_eq!((field.aperture_m2, field.mounts.len()), (800.0, 1));
    assert_eq!(field.axis, Some(Axis::towards(12.5)));
    assert!(matches!(field.modifier, Some(Modifier::Table(_))));
    assert_eq!(field.guarantee.as_ref().unwrap().area_m2, 800.0);
    let quantities: Vec<_> = of("mirrors")
        .inputs()
        .iter()
        .map(|input| format!("{}:{}", input.meter, input.quantity))
        .collect();
    assert_eq!(
        quantities,
        [
            "sky:dni",
            "loop_1:tracker_angle",
            "loop_1:tracker_deviation",
            "loop_1:status",
            "field:temp_supply",
            "field:temp_return",
            "sky:temp",
            "sky:wind"
        ]
    );
    let Kind::Photovoltaic(roof) = of("south") else {
        panic!()
    };
    assert_eq!(roof.plate.rated_kw, 500.0);
    assert!((roof.plate.gamma_per_k + 0.0035).abs() < 1e-15);
    let Kind::TwoTanks(salt) = of("salt") else {
        panic!()
    };
    assert_eq!(salt.inventory_kg, Some(6.3e6));
    let Kind::Tank(buffer) = of("buffer") else {
        panic!()
    };
    assert_eq!(
        (buffer.body.pressure_pa, buffer.layers[1].height_m),
        (6e5, 11.0)
    );
    assert_eq!(
        (setup.plant.limits.len(), setup.plant.limits[0].r_green),
        (1, 0.4)
    );

    // Without a word there are the usual limits, and what a meter says on its own.
    let setup = parse(&park()).unwrap();
    let units: Vec<_> = setup
        .plant
        .units
        .iter()
        .map(|unit| (&*unit.name, unit.kind.name()))
        .collect();
    assert_eq!(units, [("hp", "heat_pump")]);
    assert_eq!(setup.plant.limits.len(), 2);
}

#[test]
fn light_is_computed_where_no_sensor_lies_in_the_plane() {
    let text = park()
        + "[plant.south.pv]\nmeter = \"roof\"\nrated = \"500kW\"\ndni = \"sky\"\ndhi = \"sky\"\ntilt_deg = 30\nazimuth_deg = 180\n";
    let setup = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let Kind::Photovoltaic(roof) = &setup.plant.units[0].kind else {
        panic!()
    };
    assert!(matches!(
        roof.irradiance,
        Some(Irradiance::Computed { tilt_deg: 30.0, .. })
    ));
}

#[test]
fn all_generators_are_never_curtailed_or_those_that_are_named() {
    for (text, expected) in [
        ("", &[][..]),
        ("[kpi]\nnever_curtailed = false\n", &[]),
        ("[kpi]\nnever_curtailed = []\n", &[]),
        ("[kpi]\nnever_curtailed = true\n", &["roof"]),
        ("[kpi]\nnever_curtailed = [\"roof\"]\n", &["roof"]),
    ] {
        let setup = parse(&(park() + text)).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let never: Vec<&str> = setup.plant.never_curtailed.iter().map(|id| &**id).collect();
        assert_eq!(never, expected, "{text}");
    }
}

#[test]
fn a_mistake_is_named_with_its_remedy() {
    #[rustfmt::skip]
    let cases = [
        // in place of                          this                                 at                                            fact                         remedy
        ("heat = \"field\"",                    "heat = \"feild\"",                  "plant.mirrors.solar_field.heat",             "`feild` is no meter",       "did you mean `field`?"),
        ("heat = \"field\"",                    "heat = \"roof\"",                   "plant.mirrors.solar_field.heat",             "counts no heat",            "such as solar_field"),
        ("axis = \"12.5deg\"",                  "axis = \"up\"",                     "plant.mirrors.solar_field.axis",             "`up` is not an axis",       "north-south"),
        ("axis = \"12.5deg\"\n",                "",                                  "plant.mirrors.solar_field.axis",             "is missing",                "add `axis"),
        ("iam = [1.0, 0.98, 0.8]",              "iam = [1.0]",                       "plant.mirrors.solar_field.modifier.iam",     "1 modifiers for 3 angles",  "one for each"),
        ("angles = [0, 30, 60]",                "angles = [0, 60, 30]",              "plant.mirrors.solar_field.modifier.angles",  "30",                        "rising"),
        ("dni = \"sky\"",                       "dni = \"hot\"",                     "plant.mirrors.solar_field.dni",              "does not say `dni`",        "it has \"hot:temp\""),
        ("angle = \"loop_1\"\ndeviation = \"loop_1\"\n", "",                         "plant.mirrors.solar_field.mount[0].angle",   "is missing",                "tracker_angle"),
        ("ambient = \"sky\"\n",                 "",                                  "plant.mirrors.solar_field.guarantee.ambient","is missing",                "add `ambient"),
        ("eta0 = 0.7",                          "eta0 = 70",                         "plant.mirrors.solar_field.guarantee.concentrating.eta0", "out of range",  "from 0.01 to 1"),
        ("fluid = \"water\"",                   "fluid = \"meg\"",                   "plant.buffer.tank.fluid",                    "",                          "mass_pct"),
        ("full = \"95degC\"",                   "full = \"30degC\"",                 "plant.buffer.tank.full",                     "is not above",              "full storage"),
        ("full = \"95degC\"",                   "full = \"200degC\"",                "plant.buffer.tank.full",                     "",                          "`pressure`"),
        ("height_m = 11.0",                     "height_m = 0.5",                    "plant.buffer.tank.layer",                    "0.5 m is out of place",     "rise from the bottom"),
        ("temp = \"store:temp_2\"",             "temp = \"store:temp_3\"",           "plant.buffer.tank.layer[1].temp",            "does not say `temp_3`",     "\"store:temp_1\""),
        ("reference = \"290degC\"",             "reference = \"20degC\"",            "plant.salt.two_tanks.reference",             "",                          "liquid"),
        ("hot_level = \"hot\"\n",               "",                                  "plant.salt.two_tanks.hot_level",             "is missing",                "add `hot_level"),
        ("rated = \"500kW\"",                   "rated = \"500\"",                   "plant.south.pv.rated",                       "`500` is not from",         "\"500kW\""),
        ("gamma_pct_per_k = -0.35\n",           "",                                  "plant.south.pv.gamma_pct_per_k",             "is missing",                "-0.35"),
        ("gamma_pct_per_k = -0.35",             "gamma_pct_per_k = 0.35",            "plant.south.pv.gamma_pct_per_k",             "out of range",              "from -2 to 0"),
        ("irradiance = \"sky\"",                "dni = \"sky\"",                     "plant.south.pv.tilt_deg",                    "is missing",                "add `tilt_deg = 30`"),
        ("available = \"roof\"",                "available = \"roof:temp_module\"",  "plant.south.pv.available",                   "is no power",               "in W"),
        ("electricity = \"hp\"",                "electricity = \"field\"",           "plant.pump.heat_pump.electricity",           "counts no electricity",     "heat_pump"),
        ("[plant.pump.heat_pump]",              "[plant.pump.heatpump]",             "plant.pump",                                 "says no kind",              "plant.pump.heat_pump"),
        ("r_sell = 0.1",                        "r_sell = 10",                       "kpi.direct_supply[0].r_sell",                "out of range",              "from 0 to 1"),
        ("from = \"2026-01-01\"",               "from = \"January\"",                "kpi.direct_supply[0].from",                  "is not a day",              "2025-01-01"),
        ("[kpi]\n",                             "[kpi]\nnever_curtaild = true\n",    "kpi.never_curtaild",                         "unknown key",               "never_curtailed"),
        ("[kpi]\n",                             "[kpi]\nnever_curtailed = [\"rof\"]\n", "kpi.never_curtailed",                       "`rof` is no generator",     "did you mean `roof`?"),
        ("[kpi]\n",                             "[kpi]\nnever_curtailed = [\"field\"]\n", "kpi.never_curtailed",                     "`field` is no generator",   "a [[meter]] that generates"),
        ("[kpi]\n",                             "[kpi]\nnever_curtailed = [\"roof\", \"roof\"]\n", "kpi.never_curtailed",             "`roof` is there twice",     "name it once"),
    ];
    for (place, this, path, fact, remedy) in cases {
        assert_eq!(PLANT.matches(place).count(), 1, "{place}");
        let found = problems(&(park() + &PLANT.replace(place, this)));
        let told = found.iter().find(|problem| problem.path == path);
        let told = told.unwrap_or_else(|| panic!("{this}: {found:#?}"));
        let elsewhere = |problem: &Problem| !problem.path.starts_with(['p', 'k']);
        assert!(!found.iter().any(elsewhere), "{this}: {found:#?}");
        assert!(told.fact.contains(fact), "{this}: {told:?}");
        assert!(told.remedy.contains(remedy), "{this}: {told:?}");
    }
}
