//! Templates: what is read, and every way to be wrong.

use super::super::point::Positive;
use super::*;
use crate::domain::snapshot::Value;
use crate::source::modbus::{Meaning, Wants};

const GOOD: &str = r#"
name = "maker-m1"
manufacturer = "Maker"
model = "M1"
kind = "electricity-meter"
values = "secondary"
notes = ["look at the display"]

[protocol]
function_code = 4
order = "little"
unit = 7
max_registers = 20
min_timeout = "2s"
baud = 9600
sourced = ["max_registers"]

[not_available]
i16 = [-1]
u32 = [0xFFFF_FFFF]

[[option]]
name = "block"
choices = ["low", "high"]
default = "low"
about = "compare with the display"

[[factor]]
name = "ct"
address = 100
type = "u16"

[[factor]]
name = "unit_code"
address = 101
type = "u16"
codes = { 0 = 1.0, 3 = 1000.0 }

[[identify]]
address = 200
type = "text"
length = 3
begins = ["M1"]
about = "model text"

[[point]]
quantity = "power"
address = 0
type = "i16"
scale = 0.1
unit = "kW"
positive = "export"
multiply_by = ["ct"]
sources = ["m"]

[[point]]
quantity = "energy_import"
address = 10
type = "u32"
scale = 0.01
unit = "kWh"
multiply_by = ["ct", "unit_code"]
when = { block = "low" }
sources = ["m"]

[[point]]
quantity = "energy_import"
address = 12
type = "u32"
unit = "kWh"
when = { block = "high" }
sources = ["m"]

[[point]]
quantity = "frequency"
fc = 3
address = 20
type = "u16"
order = "big"
scale = 0.01
min = 45
max = 65
detail = true
sources = ["m"]

[[source]]
id = "m"
document = "Manual V1"
kind = "maker document"
"#;

fn good() -> Template {
    parse("maker-m1", "maker-m1.toml", GOOD).unwrap()
}

/// The mistakes of the good template with a part of it replaced.
fn mistakes(from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from), "{from}");
    let text = GOOD.replacen(from, to, 1);
    let found = parse("maker-m1", "maker-m1.toml", &text).err();
    let told = |problem: super::super::read::Problem| {
        format!("{}: {}; {}", problem.path, problem.fact, problem.remedy)
    };
    found.unwrap_or_default().into_iter().map(told).collect()
}

#[test]
fn a_template_is_read_whole() {
    let template = good();
    assert_eq!(template.values, Some(Values::Secondary));
    assert_eq!(template.protocol.unit, 7);
    assert_eq!(template.protocol.limits.max_registers, 20);
    assert_eq!(template.customary(), ["min_timeout", "baud"]);
    assert_eq!(template.factors[0].meaning, Meaning::Scale(1.0));
    assert_eq!(template.factors[0].fc, 4);
    let codes = Meaning::Codes(vec![(0, 1.0), (3, 1_000.0)]);
    assert_eq!(template.factors[1].meaning, codes);
    assert_eq!(template.identify[0].wants, Wants::Begins(vec!["M1".into()]));
    assert_eq!(template.points[0].spec.positive, Some(Positive::Export));
    assert!(template.reads_ratios());
}

#[test]
fn every_mistake_of_a_template_is_told_with_its_remedy() {
    #[rustfmt::skip]
    let cases = [
        // replaced                     by                                  told
        ("name = \"maker-m1\"",         "name = \"maker-m2\"",              "name: is not the name of the file; `maker-m1`"),
        ("\"electricity-meter\"",       "\"toaster\"",                      "kind: `toaster` is not a kind of device; one of `electricity-meter`"),
        ("\"secondary\"",               "\"tertiary\"",                     "values: `tertiary` does not say what the registers hold"),
        ("max_registers = 20",          "max_registers = 126",              "protocol.max_registers: 126 is out of range; an integer from 1 to 125"),
        ("sourced = [\"max_registers\"]", "sourced = [\"colour\"]",         "protocol.sourced: `colour` is nothing that a document states"),
        ("i16 = [-1]",                  "i16 = [0x1FFFF]",                  "not_available.i16: 131071 is never in a register of type `i16`"),
        ("i16 = [-1]",                  "i17 = [1]",                        "not_available.i17: is an unknown key"),
        ("default = \"low\"",           "default = \"middle\"",             "option[0].default: `middle` is no choice; one of `low`, `high`"),
        ("choices = [\"low\", \"high\"]", "choices = [\"low\"]",            "option[0].choices: leaves nothing to choose; at least two"),
        ("block = \"high\"",            "block = \"top\"",                  "point[2].when.block: `top` is no choice; one of `low`, `high`"),
        ("block = \"high\"",            "blok = \"high\"",                  "point[2].when.blok: is not an option; did you mean `block`?"),
        ("when = { block = \"high\" }", "",                                 "point[2].quantity: `energy_import` is measured twice by this device"),
        ("multiply_by = [\"ct\"]",      "multiply_by = [\"vt\"]",           "point[0].multiply_by: `vt` is not a factor; one of `ct`, `unit_code`"),
        ("codes = { 0 = 1.0,",          "codes = { a = 1.0,",               "factor[1].codes.a: is not a code; a whole number"),
        ("codes = { 0 = 1.0,",          "scale = 2.0\ncodes = { 0 = 1.0,",  "factor[1]: says in two ways what its register means"),
        ("begins = [\"M1\"]",           "equals = [1]",                     "identify[0]: does not say what the register holds"),
        ("sources = [\"m\"]",           "sources = [\"n\"]",                "point[0].sources: there is no source `n`; add its [[source]]"),
        ("positive = \"export\"",       "positive = \"up\"",                "point[0].positive: `up` is not a direction; one of `import`"),
        ("address = 0\n",               "address = 70000\n",                "point[0].address: 70000 is out of range; an integer from 0 to 65535"),
        ("address = 0\n",               "address = 11\n",                   "point[1].address: registers 11 to 11 are read as another number by `power`"),
        ("type = \"i16\"",              "type = \"text\"\nlength = 2",      "point[0].type: `text` is never a value; a number"),
        ("type = \"i16\"",              "type = \"bit\"",                   "point[0].bit: is missing; add `bit = 0`"),
        ("type = \"i16\"",              "type = \"i16\"\nbit = 1",          "point[0].bit: does not go with this type; remove it"),
        ("scale = 0.1",                 "scale = 0",                        "point[0].scale: 0 makes every value the offset"),
        ("unit = \"kW\"",               "unit = \"kV\"",                    "point[0].unit: `kV` is not a unit of power; one of \"W\", \"kW\""),
        ("min = 45",                    "min = 70",                         "point[3].min: 70 is not below max = 65; a smaller one"),
        ("scale = 0.01\nunit = \"kWh\"", "scale = 0.01\nmin = 0\nunit = \"kWh\"", "point[1].min: a counting register has no plausible range"),
        ("scale = 0.1",                 "also = [{ address = 60, type = \"i16\" }]", "point[0].address: needs 61 registers of one answer from 0 on, and the device answers 20"),
        ("scale = 0.1",                 "also = [{ address = 2, type = \"i61\" }]",  "point[0].also[0].type: `i61` is not a type"),
        ("scale = 0.1",                 "also = [{ address = 2, type = \"i16\", scale = 0 }]", "point[0].also[0].scale: 0 adds nothing that counts"),
        ("scale = 0.1",                 "exponent = { address = 3, type = \"f32\" }", "point[0].exponent.type: holds no whole power of ten; `i16`"),
        ("scale = 0.1",                 "exponent = \"x\"",                 "point[0].exponent: a string stands where an integer belongs"),
        ("[[source]]",                  "[[sauce]]",                        "source: is missing: nobody says that this is so"),
        ("detail = true",               "detal = true",                     "point[3].detal: is an unknown key; did you mean `detail`?"),
        ("name = \"maker-m1\"",         "name = ",                          ": is not TOML: "),
    ];
    for (from, to, told) in cases {
        let found = mistakes(from, to);
        let first = found.iter().any(|mistake| mistake.starts_with(told));
        assert!(first, "{to}: {told}\nin {found:#?}");
    }
    // They are told at once.
    let text = GOOD
        .replace("unit = \"kW\"", "unit = \"kV\"")
        .replace("min = 45", "min = 70");
    let found = parse("maker-m1", "maker-m1.toml", &text).unwrap_err();
    assert_eq!(found.len(), 2);
}

#[test]
fn a_field_after_another_in_an_answer_may_share_its_exponent() {
    let text = GOOD.replace("scale = 0.1\n", "exponent = 2\n").replace(
        "fc = 3\naddress = 20\ntype = \"u16\"\norder = \"big\"\nscale = 0.01",
        "address = 20\ntype = \"u16\"\nexponent = { address = 2, negate = true }",
    );
    let template = parse("maker-m1", "maker-m1.toml", &text);
    assert!(template.is_ok(), "{template:?}");
}

/// What a meter of a role makes of the power and the energy of the good template.
fn ready(role: &str, invert: bool, ratios: &Ratios) -> Chosen {
    let template = good();
    let site = Site {
        role: Role::named(role),
        invert,
        ratios,
        rated: None,
    };
    template
        .ready(&site, &template.defaults(), |point| !point.detail)
        .unwrap()
}

fn ratios(ct: (i128, i128), vt: (i128, i128), stated: Stated) -> Ratios {
    Ratios {
        power: Ratio {
            exact: (ct.0 * vt.0, ct.1 * vt.1),
        },
        voltage: Ratio { exact: vt },
        current: Ratio { exact: ct },
        stated,
    }
}

#[test]
fn power_is_turned_to_the_role_and_once_more_where_the_meter_is() {
    #[rustfmt::skip]
    let cases = [
        // role       inverted  watts of a raw 10 that the device calls export
        ("grid",      false,    -1_000.0),
        ("tenant",    false,    -1_000.0),
        ("pv",        false,     1_000.0),
        ("battery",   false,     1_000.0),
        ("grid",      true,      1_000.0),
        ("pv",        true,     -1_000.0),
    ];
    for (role, invert, watts) in cases {
        let chosen = ready(role, invert, &Ratios::NONE);
        let said = chosen.points[0].layout.value(0, &[10], &[1.0]);
        assert_eq!(said, Ok(Value::Analog(watts)), "{role}, inverted: {invert}");
        let energy = chosen.points[1].quantity.name;
        assert_eq!(
            energy,
            if invert {
                "energy_export"
            } else {
                "energy_import"
            }
        );
    }
}

#[test]
fn a_stated_ratio_stands_in_for_that_of_the_device_and_is_applied_once() {
    // 400/5 is 80; the device says 60 in its register, and 1000 by its unit code.
    let secondary = ratios((80, 1), (100, 1), Stated::Secondary);
    #[rustfmt::skip]
    let cases = [
        // stated                     factors read       names                watts       Wh a count
        (Ratios::NONE,                vec![60.0, 1e3],   vec!["ct", "unit_code"], -60_000.0, 600_000.0),
        (secondary,                   vec![1e3],         vec!["unit_code"],       -80_000.0, 800_000.0),
    ];
    for (stated, factors, names, watts, wh) in cases {
        let chosen = ready("grid", false, &stated);
        let found: Vec<&str> = chosen.factors.iter().map(|factor| &*factor.name).collect();
        assert_eq!(found, names);
        let power = chosen.points[0].layout.value(0, &[10], &factors);
        assert_eq!(power, Ok(Value::Analog(watts)), "{names:?}");
        let energy = chosen.points[1].layout.value(10, &[1, 0], &factors);
        let Ok(Value::Scaled {
            count: 1,
            unit,
            bits: 32,
        }) = energy
        else {
            panic!("{energy:?}");
        };
        assert_eq!(unit.as_watt_hours(), wh, "{names:?}");
        assert!(chosen.points[1].register.unwrap().told);
    }
}

#[test]
fn a_directory_stands_in_for_what_is_embedded_and_its_mistakes_are_told_once() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("maker-m1.toml"), GOOD).unwrap();
    std::fs::write(dir.path().join("eastron-sdm630.toml"), "name = 1\n").unwrap();
    let library = Library::of_machine(Some(dir.path()));
    assert!(library.names().contains(&"maker-m1".to_owned()));
    let Found::Template(template) = library.find("maker-m1") else {
        panic!("it is there");
    };
    assert!(
        template.file.ends_with("/maker-m1.toml"),
        "{}",
        template.file
    );
    for told in [true, false] {
        let Found::Wrong { file, problems } = library.find("eastron-sdm630") else {
            panic!("the embedded one is hidden");
        };
        assert!(file.ends_with("eastron-sdm630.toml"));
        assert_eq!(!problems.is_empty(), told);
    }
    for (name, near) in [
        ("maker-m2", Some("maker-m1")),
        ("../maker-m1", None),
        ("quite-another", None),
    ] {
        let Found::Nothing(found) = library.find(name) else {
            panic!("{name}");
        };
        assert!(
            near.is_none() || found.as_deref() == near,
            "{name}: {found:?}"
        );
    }
}
