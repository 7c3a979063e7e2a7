//! Meters from templates and points of their own: what they come to and what is told.

use super::super::check::parse;
use super::super::{Problem, Setup};
use crate::domain::quality::Reason;
use crate::domain::snapshot::Value;
use crate::domain::units::CountUnit;
use crate::source::modbus::Poll;

/// A park with these meters, and the directory of its templates.
fn read(meters: &str) -> Result<Setup, Vec<Problem>> {
    let dir = tempfile::tempdir().unwrap();
    let devices = [
        ("primary-meter", "primary", "", ""),
        ("secondary-meter", "secondary", "", ""),
        (
            "ratio-meter",
            "secondary",
            FACTORS,
            "multiply_by = [\"ct\", \"vt\"]",
        ),
        ("slow-meter", "set-in-device", "", ""),
    ];
    for (name, values, factors, multiply_by) in devices {
        let slow = if name == "slow-meter" {
            "min_timeout = \"5s\"\nmin_period = \"60s\"\nrequest_pause = \"60ms\"\nunit = 3"
        } else {
            ""
        };
        let text = DEVICE
            .replace("NAME", name)
            .replace("VALUES", values)
            .replace("FACTORS", factors)
            .replace("MULTIPLY", multiply_by)
            .replace("SLOW", slow);
        std::fs::write(dir.path().join(format!("{name}.toml")), text).unwrap();
    }
    let path = dir.path().display();
    parse(&format!(
        "[park]\nid = \"p\"\ntime_zone = \"UTC\"\n[devices]\ndir = \"{path}\"\n\
         [bus.main.tcp]\nhost = \"10.0.0.10\"\n[bus.slow.tcp]\nhost = \"10.0.0.11\"\ntimeout = \"6s\"\n{meters}"
    ))
}

const FACTORS: &str = "[[factor]]\nname = \"ct\"\naddress = 100\ntype = \"u16\"\n\
                       [[factor]]\nname = \"vt\"\naddress = 101\ntype = \"u16\"";

const DEVICE: &str = r#"
name = "NAME"
manufacturer = "Maker"
model = "M"
kind = "electricity-meter"
values = "VALUES"
[protocol]
max_registers = 4
SLOW
FACTORS
[[option]]
name = "block"
choices = ["low", "high"]
default = "low"
about = "compare with the display"
[[point]]
quantity = "power"
address = 0
type = "f32"
positive = "import"
MULTIPLY
sources = ["m"]
[[point]]
quantity = "energy_import"
address = 10
type = "u32"
unit = "kWh"
when = { block = "low" }
MULTIPLY
sources = ["m"]
[[point]]
quantity = "energy_import"
address = 12
type = "u32"
unit = "kWh"
when = { block = "high" }
sources = ["m"]
[[point]]
quantity = "voltage_l1"
address = 20
type = "f32"
sources = ["m"]
[[point]]
quantity = "current_l1"
address = 22
type = "f32"
detail = true
sources = ["m"]
[[source]]
id = "m"
document = "Manual"
kind = "maker document"
"#;

/// A meter of a template with further keys.
fn meter(template: &str, keys: &str) -> String {
    format!(
        "[[meter]]\nid = \"a\"\nrole = \"tenant\"\nbus = \"main\"\ntemplate = \"{template}\"\n{keys}\n"
    )
}

/// Quantities of the only meter, with its poll.
fn comes_to(meters: &str) -> (Vec<&'static str>, Poll) {
    let setup = read(meters).unwrap_or_else(|problems| panic!("{meters}: {problems:#?}"));
    let names = setup.park.meters[0]
        .points
        .iter()
        .map(|point| point.quantity.name);
    (names.collect(), setup.buses[0].polls[0].clone())
}

/// What is told of these meters: path, fact and remedy.
fn told(meters: &str) -> Vec<String> {
    let problems = read(meters).err().unwrap_or_default();
    let line = |problem: Problem| format!("{}: {}; {}", problem.path, problem.fact, problem.remedy);
    problems.into_iter().map(line).collect()
}

#[test]
fn a_meter_takes_what_it_wants_of_its_template() {
    #[rustfmt::skip]
    let cases = [
        ("",                                      vec!["power", "energy_import", "voltage_l1"]),
        ("read = \"all\"",                        vec!["power", "energy_import", "voltage_l1", "current_l1"]),
        ("only = [\"power\", \"current_l1\"]",    vec!["power", "current_l1"]),
        ("omit = [\"voltage_l1\"]",               vec!["power", "energy_import"]),
        ("invert = true",                         vec!["power", "energy_export", "voltage_l1"]),
        ("options = { block = \"high\" }",        vec!["power", "energy_import", "voltage_l1"]),
        // A point of its own is added, or stands in for that of the template.
        ("[[meter.point]]\nquantity = \"frequency\"\naddress = 40\ntype = \"f32\"",
                                                  vec!["power", "energy_import", "voltage_l1", "frequency"]),
        ("[[meter.point]]\nquantity = \"voltage_l1\"\naddress = 40\ntype = \"f32\"",
                                                  vec!["power", "energy_import", "voltage_l1"]),
    ];
    for (keys, names) in cases {
        assert_eq!(comes_to(&meter("secondary-meter", keys)).0, names, "{keys}");
    }
    let (_, poll) = comes_to(&meter("secondary-meter", "options = { block = \"high\" }"));
    assert_eq!(poll.points[1].1.field.address, 12);
    let own = "[[meter.point]]\nquantity = \"voltage_l1\"\naddress = 40\ntype = \"f32\"";
    let (_, poll) = comes_to(&meter("secondary-meter", own));
    assert_eq!(poll.points[2].1.field.address, 40);
    assert_eq!(poll.limits.max_registers, 4);
}

#[test]
fn what_the_device_asks_for_is_what_the_poll_says() {
    let slow = meter("slow-meter", "").replace("\"main\"", "\"slow\"");
    let (_, poll) = comes_to(&slow);
    assert_eq!((poll.unit, poll.period.as_secs()), (3, 60));
    assert_eq!(poll.limits.request_pause.unwrap().as_millis(), 60);
    let (_, poll) = comes_to(&meter("ratio-meter", ""));
    let names: Vec<&str> = poll.factors.iter().map(|factor| &*factor.name).collect();
    assert_eq!(names, ["ct", "vt"]);
    // Nothing of it needs a ratio, so none is read.
    let (_, poll) = comes_to(
        &meter("ratio-meter", "role_is = 0\n")
            .replace("role_is = 0\n", "only = [\"voltage_l1\"]")
            .replace("tenant", "monitor"),
    );
    assert!(poll.factors.is_empty());
}

#[test]
fn transformers_multiply_what_they_transform() {
    let transformer = "transformer = { ct = \"400/5\", vt = \"10000/100\", programmed = \"secondary\" }\nread = \"all\"";
    let setup = read(&meter("secondary-meter", transformer)).unwrap();
    let poll = &setup.buses[0].polls[0];
    // 2.0 as a float, and 3 counts.
    let answer = [
        0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0x4000, 0, 0x4000, 0,
    ];
    let said: Vec<_> = poll
        .points
        .iter()
        .map(|(_, layout)| layout.value(0, &answer, &[]))
        .collect();
    let analog = |value| Ok(Value::Analog(value));
    assert_eq!(
        said,
        [
            analog(16_000.0),
            Ok(Value::Count(3)),
            analog(200.0),
            analog(160.0)
        ]
    );
    let unit = setup.park.meters[0].points[1].register.unwrap().unit;
    assert_eq!(unit, CountUnit::new(8_000_000_000, 1).unwrap());
    // A ratio that ends in no decimal is exact all the same.
    let odd = "transformer = { vt = \"20000/110\", programmed = \"secondary\" }";
    let setup = read(&meter("secondary-meter", odd)).unwrap();
    let unit = setup.park.meters[0].points[1].register.unwrap().unit;
    assert_eq!(unit, CountUnit::new(2_000_000_000, 11).unwrap());
}

/// What the only point of a meter says of an answer from register 40 on.
fn point_says(keys: &str, point: &str, answer: &[u16]) -> Result<Value, Reason> {
    let point = format!("{keys}\nonly = []\n[[meter.point]]\naddress = 40\n{point}");
    let meters = meter("secondary-meter", &point).replace("tenant", "monitor");
    let (_, poll) = comes_to(&meters);
    poll.points[0].1.value(40, answer, &[])
}

#[test]
fn a_ratio_touches_nothing_that_no_transformer_transforms() {
    let transformer =
        "transformer = { ct = \"400/5\", vt = \"10000/100\", programmed = \"secondary\" }";
    for (quantity, unit) in [("frequency", "Hz"), ("power_factor", "1"), ("temp", "degC")] {
        for keys in [transformer, "multiplier = 80"] {
            let point = format!("quantity = \"{quantity}\"\nunit = \"{unit}\"\ntype = \"u16\"");
            let said = point_says(keys, &point, &[50]);
            assert_eq!(said, Ok(Value::Analog(50.0)), "{quantity} with {keys}");
        }
    }
}

#[test]
fn an_energy_that_is_told_as_a_float_is_multiplied_like_a_count() {
    let transformer =
        "transformer = { ct = \"400/5\", vt = \"10000/100\", programmed = \"secondary\" }";
    let float = "quantity = \"energy_import\"\nunit = \"kWh\"\ntype = \"f32\"";
    for (keys, times) in [("", 1), ("multiplier = 80", 80), (transformer, 8_000)] {
        // 2.0 kWh on the secondary side.
        let said = point_says(keys, float, &[0x4000, 0]);
        assert_eq!(said, Ok(Value::Count(times * 2_000_000)), "{keys}");
    }
}

#[test]
fn what_is_not_plausible_is_told_by_the_point_or_by_the_nameplate() {
    let out = Err(Reason::OutOfRange);
    let analog = |value| Ok(Value::Analog(value));
    let range = "quantity = \"power\"\ntype = \"i16\"\nunit = \"kW\"\nmin = -1\nmax = 3";
    let power = "quantity = \"power\"\ntype = \"i16\"\nunit = \"kW\"";
    let minus = u16::MAX;
    #[rustfmt::skip]
    let cases = [
        // meter              point    raw        said
        ("",                  range,   3,         analog(3_000.0)),
        ("",                  range,   4,         out),
        ("",                  range,   minus,     analog(-1_000.0)),
        ("",                  range,   minus - 1, out),
        ("invert = true",     range,   3,         analog(-3_000.0)),
        ("invert = true",     range,   minus - 1, out),
        ("rated = \"2kW\"",   power,   4,         analog(4_000.0)),
        ("rated = \"2kW\"",   power,   5,         out),
        ("rated = \"2kW\"",   power,   minus - 4, out),
        // What the point says itself counts more than the nameplate.
        ("rated = \"1kW\"",   range,   3,         analog(3_000.0)),
        ("",                  power,   500,       analog(500_000.0)),
    ];
    for (keys, point, raw, expected) in cases {
        assert_eq!(point_says(keys, point, &[raw]), expected, "{keys} {raw}");
    }
}

#[test]
fn a_power_moves_no_further_in_a_second_than_the_nameplate_bears() {
    let power =
        "[[meter.point]]\nquantity = \"power\"\naddress = 40\ntype = \"i16\"\nunit = \"kW\"";
    let leaps = |keys: &str, rest: &str, from: f64, to: f64, seconds: f64| {
        let own = format!("{keys}\nonly = []\n{power}\n{rest}");
        let (_, poll) = comes_to(&meter("secondary-meter", &own).replace("tenant", "monitor"));
        let (from, to) = (Value::Analog(from), Value::Analog(to));
        poll.points[0].1.is_leap(from, to, seconds)
    };
    let rated = "rated = \"2kW\"";
    #[rustfmt::skip]
    let cases = [
        // meter, point             from       to         seconds  leaps
        (rated, "",                 -2_000.0,  2_000.0,   1.0,     false),
        (rated, "",                 -2_000.0,  2_100.0,   1.0,     true),
        (rated, "",                 -2_000.0,  2_100.0,   1.1,     false),
        // A breaker opens in less than a period, however short that is.
        (rated, "",                 2_000.0,   0.0,       0.05,    false),
        (rated, "max_rate = 1",     0.0,       1_500.0,   1.0,     true),
        ("",    "",                 0.0,       9e9,       1.0,     false),
    ];
    for (keys, rest, from, to, seconds, expected) in cases {
        let said = leaps(keys, rest, from, to, seconds);
        assert_eq!(
            said, expected,
            "{keys} {rest} {from} to {to} in {seconds} s"
        );
    }
}

#[test]
fn what_a_meter_cannot_be_is_told_with_its_remedy() {
    let with = |keys: &str| meter("secondary-meter", keys);
    let on_slow =
        |template: &str, keys: &str| meter(template, keys).replace("\"main\"", "\"slow\"");
    let secondary = "transformer = { ct = \"400/5\", programmed = \"secondary\" }";
    let primary = "transformer = { ct = \"400/5\", programmed = \"primary\" }";
    let twice = meter("secondary-meter", "")
        .replace("\"a\"", "\"b\"")
        .replace("tenant", "grid");
    let point = |text: &str| {
        with(&format!(
            "[[meter.point]]\nquantity = \"frequency\"\n{text}"
        ))
    };
    #[rustfmt::skip]
    let cases = [
        (meter("secondary-metre", ""),          "meter[0].template: there is no template `secondary-metre`; did you mean `secondary-meter`?"),
        (meter("primary-meter", "multiplier = 80"), "meter[0].multiplier: the registers of `primary-meter` hold what flows"),
        (meter("primary-meter", secondary),     "meter[0].transformer: the registers of `primary-meter` hold what flows"),
        (meter("ratio-meter", "multiplier = 80"), "meter[0].multiplier: `ratio-meter` reads its ratios from the meter"),
        (with(primary),                         "meter[0].transformer: the registers of `secondary-meter` hold what reaches the meter"),
        (with("multiplier = 0"),                "meter[0].multiplier: 0 is not above zero"),
        (with(&format!("multiplier = 80\n{secondary}")), "meter[0].multiplier: stands beside `transformer`"),
        (with("transformer = { ct = \"400\", programmed = \"secondary\" }"), "meter[0].transformer.ct: `400` is not a ratio of a transformer"),
        (with("transformer = { ct = \"400/5\" }"), "meter[0].transformer.programmed: is missing"),
        (with("options = { blok = \"low\" }"),  "meter[0].options.blok: is an unknown key; did you mean `block`?"),
        (with("options = { block = \"top\" }"), "meter[0].options.block: `top` is no choice of `secondary-meter`; one of `low`, `high`"),
        (with("only = [\"powr\"]"),             "meter[0].only: `powr` is nothing that `secondary-meter` measures; did you mean `power`?"),
        (with("read = \"some\""),               "meter[0].read: `some` does not say what is read; `essential`"),
        (meter("slow-meter", ""),               "meter[0].bus: `main` waits 1s, and `slow-meter` may take 5s to answer; `timeout = \"5s\"`"),
        (on_slow("slow-meter", "period = \"10s\""), "meter[0].period: 10s is shorter than the 60s in which the device refreshes; at least \"60s\""),
        (format!("{}{twice}", with("")),        "meter[1].unit: unit 1 of bus `main` is meter `a` already, and `power` is the same register"),
        (point("address = 1\ntype = \"f32\""),  "meter[0].point[0].address: registers 1 to 1 are read as another number by `power`"),
        (point("address = 0\ntype = \"f32\"\norder = \"little\""), "meter[0].point[0].address: registers 0 to 1 are read as another number by `power`"),
        (point("address = 40\ntype = \"f32\"\nalso = [{ address = 60, type = \"f32\" }]"), "meter[0].point[0].address: needs 22 registers of one answer from 40 on, and the device answers 4"),
        (point("address = 40\ntype = \"f32\"\nmultiply_by = [\"ct\"]"), "meter[0].point[0].multiply_by: `ct` is not a factor; a template names"),
        (point("address = 40\ntype = \"f32\"\nwhen = { block = \"low\" }"), "meter[0].point[0].when: is an unknown key"),
        (point("address = 65535\ntype = \"f32\""), "meter[0].point[0].address: 65535 and the registers of this type end behind 65535"),
        (point("fc = 1\naddress = 1\ntype = \"u16\""), "meter[0].point[0].type: `u16` does not go with single bits"),
        (point("address = 1\ntype = \"u16\"\nbyte_order = \"up\""), "meter[0].point[0].byte_order: `up` is not a byte order"),
        (point("address = 40\ntype = \"u16\"\nnot_available = [65536]"), "meter[0].point[0].not_available: 65536 is never in a register of type `u16`"),
    ];
    for (meters, expected) in cases {
        let found = told(&meters);
        assert!(
            found.iter().any(|told| told.starts_with(expected)),
            "{expected}\nin {found:#?}"
        );
        assert_eq!(found.len(), 1, "{found:#?}");
    }
}

#[test]
fn other_points_of_one_device_are_another_meter() {
    let voltage = meter("secondary-meter", "only = [\"voltage_l1\", \"current_l1\"]");
    let voltage = voltage
        .replace("\"a\"", "\"b\"")
        .replace("tenant", "monitor");
    assert_eq!(
        told(&format!("{}{voltage}", meter("secondary-meter", ""))),
        [""; 0]
    );
}

#[test]
fn a_template_with_mistakes_is_told_with_its_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let text = DEVICE
        .replace("VALUES", "primary")
        .replace("NAME", "m")
        .replace("SLOW", "")
        .replace("FACTORS", "")
        .replace("MULTIPLY", "min = \"x\"");
    std::fs::write(dir.path().join("m.toml"), text).unwrap();
    let path = dir.path().display();
    let meters = [
        meter("m", "options = { block = \"low\" }"),
        meter("m", "").replace("\"a\"", "\"b\""),
    ]
    .concat();
    let found = parse(&format!(
        "[park]\nid = \"p\"\ntime_zone = \"UTC\"\n[devices]\ndir = \"{path}\"\n[bus.main.tcp]\nhost = \"h\"\n{meters}"
    ));
    let paths: Vec<String> = found
        .unwrap_err()
        .into_iter()
        .map(|problem| problem.path)
        .collect();
    let of_file = |place: usize| paths[place].strip_prefix(&format!("{path}/m.toml:"));
    assert_eq!(paths[0], "meter[1].template");
    assert!(
        of_file(1).is_some_and(|rest| rest.ends_with(": point[0].min")),
        "{paths:?}"
    );
    assert!(
        of_file(2).is_some_and(|rest| rest.ends_with(": point[1].min")),
        "{paths:?}"
    );
    assert_eq!(paths.len(), 3);
}
