use crate::config::check::parse;

const PARK: &str = r#"
[park]
id = "p"
time_zone = "UTC"

[broker.park]
host = "127.0.0.1"

[[sensor]]
id = "pcc"
role = "grid"
broker = "park"
topic = "pcc/power"
quantity = "power"
unit = "W"
expect_every = "10s"
"#;

fn problems(checks: &str) -> Vec<(String, String, String)> {
    let list = parse(&format!("{PARK}{checks}")).err().unwrap_or_default();
    list.into_iter()
        .map(|problem| (problem.path, problem.fact, problem.remedy))
        .collect()
}

#[test]
fn the_park_itself_has_no_problem() {
    assert_eq!(problems(""), []);
}

#[test]
fn a_check_is_switched_off_or_has_its_thresholds() {
    let text = "[checks.ct_reversed]\nenabled = false\n[checks.night_power]\nminutes = 7\n\
        except = [\"pcc\"]\n[checks.facts.pcc]\nexport_limit = \"500kW\"\ncapacity = \"2MWh\"\n\
        fluid = \"meg\"\nmass_pct = 30\n";
    let setup = parse(&format!("{PARK}{text}")).unwrap();
    let checks = setup.checks;
    assert_eq!(checks.of(1), None);
    let night = checks.of(7).unwrap();
    assert_eq!(night.values, [7.0, 0.002, 0.01, -3.0]);
    assert_eq!(night.except, ["pcc"]);
    let facts = &checks.facts["pcc"];
    assert_eq!(facts.export_limit_w, Some(500e3));
    assert_eq!(facts.capacity_wh, Some(2e6));
    assert_eq!(facts.fluid.unwrap().to_string(), "ethylene glycol 30 %");
}

#[test]
fn mistakes_have_path_fact_and_remedy() {
    #[rustfmt::skip]
    let cases = [
        ("[checks.ct_reversd]\n", "checks.ct_reversd", "is an unknown key", "did you mean `ct_reversed`?"),
        ("[checks.ct_reversed]\nminute = 3\n", "checks.ct_reversed.minute", "is an unknown key", "did you mean `minutes`?"),
        ("[checks.ct_reversed]\nminutes = -3\n", "checks.ct_reversed.minutes", "-3 is out of range", "from 1 to 1440"),
        ("[checks.balance]\nexcept = [\"pc\"]\n", "checks.balance.except", "`pc` is no meter", "did you mean `pcc`?"),
        ("[checks.facts.pc]\n", "checks.facts.pc", "`pc` is no meter", "did you mean `pcc`?"),
        ("[checks.facts.pcc]\nexport_limit = \"5m\"\n", "checks.facts.pcc.export_limit", "`5m` is not in a unit of W", "a number with a unit, such as \"500kW\""),
        ("[checks.facts.pcc]\nsubmeters = [\"x\"]\n", "checks.facts.pcc.submeters", "`x` is no meter", "the id of a [[meter]] or [[sensor]]"),
    ];
    for (text, path, fact, remedy) in cases {
        let found = problems(text);
        let expected = (path.to_owned(), fact.to_owned(), remedy.to_owned());
        assert_eq!(found, [expected], "{text}");
    }
}
