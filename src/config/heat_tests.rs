//! What `heat = { … }` comes to, and what is told of its mistakes.

use super::super::Problem;
use super::super::check::parse;
use super::*;

/// What a meter with these values has as `heat`.
fn read(role: &str, quantities: &[&str], heat: &str) -> Result<HeatFromFlow, Vec<Problem>> {
    let points = quantities.iter().enumerate().map(|(place, quantity)| {
        let address = 2 * place;
        format!("[[meter.point]]\nquantity = \"{quantity}\"\naddress = {address}\ntype = \"f32\"\n")
    });
    let points: String = points.collect();
    let setup = parse(&format!(
        "[park]\nid = \"p\"\ntime_zone = \"UTC\"\n[bus.main.tcp]\nhost = \"10.0.0.10\"\n\
         [[meter]]\nid = \"a\"\nrole = \"{role}\"\nbus = \"main\"\nheat = {{ {heat} }}\n{points}"
    ))?;
    Ok(setup.park.meters[0].heat_from_flow.unwrap())
}

const FLOW: &[&str] = &["flow", "temp_supply", "temp_return"];
const MASS: &[&str] = &["mass_flow", "temp_supply", "temp_return"];
const VOLUME: &[&str] = &["volume", "temp_supply", "temp_return"];

#[test]
fn every_fluid_of_the_table_can_be_named() {
    for row in FLUIDS {
        let mixed = matches!(row.name, "meg" | "mpg");
        let mass_pct = mixed.then_some(40.0);
        let fraction = if mixed { "mass_pct = 40, " } else { "" };
        let heat = format!(
            "fluid = \"{}\", {fraction}flow_sensor = \"supply\"",
            row.name
        );
        let found = read("solar_field", FLOW, &heat).unwrap();
        let place = HeatMeter {
            fluid: Fluid::named(row.name, mass_pct).unwrap(),
            sensor: Pipe::Supply,
            pressure_pa: 1.6e6,
        };
        assert_eq!(found.place, place, "{}", row.name);
    }
}

#[test]
fn settings_come_to_what_they_say_and_to_what_meters_do_usually() {
    let usual = read(
        "boiler",
        VOLUME,
        "fluid = \"water\", flow_sensor = \"return\"",
    )
    .unwrap();
    assert_eq!(usual.cut_offs, CutOffs::usual(0.0));
    assert_eq!(usual.permanent_flow_m3h, None);
    let declared = read(
        "boiler",
        FLOW,
        "fluid = \"water\", flow_sensor = \"return\", permanent_flow = \"40m3/h\"",
    );
    let declared = declared.unwrap();
    assert_eq!(declared.permanent_flow_m3h, Some(40.0));
    assert!((declared.cut_offs.flow_m3h - 0.08).abs() < 1e-12);
    let all = "fluid = \"mpg\", mass_pct = 33.5, pressure = \"3 bar\", permanent_flow = \"500 l/min\", \
               cut_off_flow = \"120 l/h\", cut_off_spread = \"0.1K\", least_spread = \"5 K\"";
    let all = read("heat_feed", MASS, all).unwrap();
    assert_eq!(all.place.pressure_pa, 3e5);
    assert_eq!(all.place.fluid, Fluid::named("mpg", Some(33.5)).unwrap());
    assert_eq!(all.permanent_flow_m3h, Some(30.0));
    let expected = CutOffs {
        flow_m3h: 0.12,
        spread_k: 0.1,
        least_spread_k: 5.0,
    };
    assert_eq!(all.cut_offs, expected);
}

/// Every mistake with its path, what is there, and what would be right.
#[test]
#[rustfmt::skip]
fn mistakes_are_told_with_path_fact_and_remedy() {
    let water = "fluid = \"water\", flow_sensor = \"return\"";
    let with = |more: &str| format!("{water}, {more}");
    let names = "one of `water`, `meg`, `mpg`, `therminol-vp-1`, `therminol-66`, `syltherm-800`, `solar-salt`";
    let cases = [
        // points, heat, path, fact, remedy
        (FLOW, "flow_sensor = \"return\"".into(), "fluid", "is missing", "add `fluid = \"water\"`"),
        (FLOW, "fluid = \"brine\", flow_sensor = \"return\"".into(), "fluid", "`brine` is not a fluid", names),
        (FLOW, "fluid = \"mpg\", flow_sensor = \"return\"".into(), "mass_pct", "is missing, and propylene glycol is a mixture", "add `mass_pct = 40`"),
        (FLOW, "fluid = \"meg\", mass_pct = 61, flow_sensor = \"return\"".into(), "mass_pct", "ethylene glycol of 61 % is not in the data", "from 0 to 60"),
        (FLOW, "fluid = \"meg\", mass_pct = -1, flow_sensor = \"return\"".into(), "mass_pct", "of -1 % is not", "percent of mass, not of volume"),
        (FLOW, "fluid = \"meg\", mass_pct = \"40\", flow_sensor = \"return\"".into(), "mass_pct", "a string stands where a number belongs", "mass_pct"),
        (FLOW, with("mass_pct = 40"), "mass_pct", "stands beside water, which is no mixture", "remove it"),
        (FLOW, "fluid = \"solar-salt\", mass_pct = 60, flow_sensor = \"return\"".into(), "mass_pct", "stands beside solar salt", "remove it"),
        (FLOW, with("pressure = \"6\""), "pressure", "`6` is not an absolute pressure", "gauge plus 1.01325 bar"),
        (FLOW, with("pressure = \"0bar\""), "pressure", "`0bar` is not an absolute pressure", "such as \"6bar\""),
        (FLOW, "fluid = \"water\", flow_sensor = \"hot\"".into(), "flow_sensor", "`hot` is not a pipe", "`supply` or `return`"),
        (FLOW, "fluid = \"water\"".into(), "flow_sensor", "is missing, and `flow` is as dense", "the pipe that the sensor sits in"),
        (VOLUME, "fluid = \"water\"".into(), "flow_sensor", "is missing, and `volume`", "the pipe that the sensor sits in"),
        (FLOW, with("permanent_flow = \"40kg/s\""), "permanent_flow", "`40kg/s` is not a flow", "such as \"40m3/h\""),
        (FLOW, with("permanent_flow = \"0m3/h\""), "permanent_flow", "is not a flow", "above zero"),
        (FLOW, with("permanent_flow = \"2m3/h\", cut_off_flow = \"2m3/h\""), "cut_off_flow", "2 m3/h is not below the permanent flow of 2 m3/h", "0.2 %"),
        (FLOW, with("cut_off_spread = \"0.2\""), "cut_off_spread", "`0.2` is not a difference", "such as \"0.2K\""),
        (FLOW, with("cut_off_spread = \"4K\""), "cut_off_spread", "4 K is above the least spread of 3 K", "at most `least_spread`"),
        (FLOW, with("least_spread = \"-1K\""), "least_spread", "`-1K` is not a difference", "from 0 to 100 kelvin"),
        (FLOW, with("least_spred = \"3K\""), "least_spred", "is an unknown key", "did you mean `least_spread`?"),
    ];
    for (points, heat, key, fact, remedy) in cases {
        let problems = read("heat_feed", points, &heat).unwrap_err();
        let path = format!("meter[0].heat.{key}");
        let found = problems.iter().find(|problem| {
            problem.path == path && problem.fact.contains(fact) && problem.remedy.contains(remedy)
        });
        assert!(found.is_some() && problems.len() == 1, "{heat}: {problems:#?}");
    }
}

#[test]
fn what_heat_is_computed_from_has_to_be_measured() {
    let heat = "fluid = \"water\", flow_sensor = \"return\"";
    for (role, points, fact) in [
        (
            "heat_feed",
            &["temp_supply", "temp_return"][..],
            "needs to know how much",
        ),
        ("heat_feed", &["flow", "temp_supply"], "needs `temp_return`"),
        (
            "heat_feed",
            &["volume", "temp_return"],
            "needs `temp_supply`",
        ),
        ("monitor", FLOW, "role `monitor` stands in no heat balance"),
    ] {
        let problems = read(role, points, heat).unwrap_err();
        let told =
            |problem: &Problem| problem.path == "meter[0].heat" && problem.fact.contains(fact);
        assert!(problems.iter().any(told), "{points:?}: {problems:#?}");
    }
}
