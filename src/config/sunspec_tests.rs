//! Meters whose device is asked for its models: what they come to and what is told.

use super::super::check::parse;
use super::super::{Problem, Setup};
use super::*;

/// A park with these meters.
fn read(meters: &str) -> Result<Setup, Vec<Problem>> {
    parse(&format!(
        "[park]\nid = \"p\"\ntime_zone = \"UTC\"\n[bus.main.tcp]\nhost = \"10.0.0.10\"\n{meters}"
    ))
}

/// A meter of this role, with more lines.
fn meter(role: &str, more: &str) -> String {
    format!(
        "[[meter]]\nid = \"{role}-{}\"\nrole = \"{role}\"\nbus = \"main\"\ntemplate = \"sunspec\"\n{more}\n",
        more.len()
    )
}

/// The quantities of the only meter of a park.
fn quantities(role: &str, more: &str) -> Vec<&'static str> {
    let setup = read(&meter(role, more)).unwrap();
    let points = setup.park.meters[0].points.iter();
    points.map(|point| point.quantity.name).collect()
}

#[test]
fn the_role_says_what_a_meter_has() {
    #[rustfmt::skip]
    let cases: [(&str, &str, &[&str]); 7] = [
        ("battery", "",                                              &["power", "soc"]),
        ("weather", "",                                              &["ghi", "temp", "wind"]),
        ("weather", "read = \"all\"",                                &["ghi", "temp", "wind", "humidity", "pressure", "temp_module"]),
        ("weather", "omit = [\"ghi\"]",                              &["temp", "wind"]),
        ("pv",      "only = [\"energy_export\", \"dc_power\", \"power\"]", &["power", "energy_export", "dc_power"]),
        ("grid",    "only = [\"power\", \"frequency\"]\nomit = [\"frequency\"]", &["power"]),
        ("monitor", "",                                              &["power"]),
    ];
    for (role, more, expected) in cases {
        assert_eq!(quantities(role, more), expected, "{role} {more}");
    }
    let electric = quantities("electric_boiler", "");
    assert_eq!(electric, quantities("grid", ""));
    assert!(quantities("pv", "read = \"all\"").len() > quantities("pv", "").len());
}

#[test]
fn what_the_device_will_be_asked_is_known_before_it_answers() {
    let more = "unit = 126\nrated = \"30kW\"\ninvert = true\noptions = { positive = \"export\", instance = 2 }\n\
                transformer = { ct = \"400/5\", programmed = \"secondary\" }\n\
                only = [\"power\", \"energy_import\", \"energy_export\"]\n\
                [[meter.point]]\nquantity = \"energy_import\"\naddress = 7\ntype = \"u32\"";
    let setup = read(&meter("tenant", more)).unwrap();
    let poll = &setup.buses[0].polls[0];
    let asked = poll.sunspec.as_ref().unwrap();
    assert_eq!((poll.unit, asked.role.name), (126, "tenant"));
    let options = Options {
        positive: Some(Sense::Export),
        invert: true,
        ratios: Ratios {
            power: (400, 5),
            current: (400, 5),
            voltage: (1, 1),
        },
        most: Some(60_000.0),
        instance: 2,
    };
    assert_eq!(asked.options, options);
    // The point of its own is turned by `invert`, and stands in for the device's.
    let points = &setup.park.meters[0].points;
    let names: Vec<&str> = points.iter().map(|point| point.quantity.name).collect();
    assert_eq!(names, ["energy_export", "power", "energy_import"]);
    let places: Vec<usize> = asked.points.iter().map(|point| point.0).collect();
    assert_eq!((poll.points.len(), places), (1, vec![1, 2]));
    let register = points[2].register.unwrap();
    assert!(register.told && register.modulus.is_none());
    assert_eq!(register.unit, CountUnit::new(80_000, 1).unwrap());
}

#[test]
fn one_device_is_one_meter_and_several_may_share_a_unit() {
    let two = |first: String, second: String| read(&(first + &second));
    // An inverter and the meter that it lists behind itself.
    assert!(two(meter("pv", ""), meter("grid", "")).is_ok());
    let second = meter("tenant", "options = { instance = 2 }");
    assert!(two(meter("grid", ""), second).is_ok());
    assert!(two(meter("grid", ""), meter("tenant", "unit = 2")).is_ok());
    let problems = two(meter("grid", ""), meter("tenant", "")).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].fact.contains("`grid-0` already"),
        "{problems:?}"
    );
    assert!(problems[0].remedy.contains("instance = 2"), "{problems:?}");
}

#[test]
fn each_mistake_is_told_with_its_remedy() {
    #[rustfmt::skip]
    let cases = [
        ("boiler", "",                                       "meter[0].template",         "role `boiler`",                  "the template of the device"),
        ("grid",   "options = { positive = \"up\" }",        "meter[0].options.positive", "`up` is not a direction",        "`import` or `export`"),
        ("grid",   "options = { instance = 0 }",             "meter[0].options.instance", "0 is out of range",              "from 1 to 32"),
        ("grid",   "options = { phase = 1 }",                "meter[0].options.phase",    "is an unknown key",              "positive"),
        ("grid",   "only = [\"powr\"]",                      "meter[0].only",             "`powr` is nothing",              "did you mean `power`?"),
        ("battery", "omit = [\"ghi\"]",                      "meter[0].omit",             "`ghi` is nothing that `sunspec`", "`soc`"),
        ("grid",   "read = \"some\"",                        "meter[0].read",             "`some`",                         "`essential`"),
    ];
    for (role, more, path, fact, remedy) in cases {
        let problems = read(&meter(role, more)).unwrap_err();
        let told = problems.iter().find(|problem| problem.path == path);
        let told = told.unwrap_or_else(|| panic!("{role} {more}: {problems:?}"));
        assert!(told.fact.contains(fact), "{told:?}");
        assert!(told.remedy.contains(remedy), "{told:?}");
        assert_eq!(problems.len(), 1, "{role} {more}: {problems:?}");
    }
}
