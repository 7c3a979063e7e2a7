//! What meters say of each other, and what is told where it cannot be.

use super::super::Setup;
use super::super::check::parse;
use super::super::read::Problem;

/// Meters of a file, and what is told of it.
type Case<'a> = (&'a [(&'a str, &'a str, &'a str)], &'a [&'a str]);

/// A park with these meters: id, role, further keys.
pub(in crate::config) fn read(
    meters: &[(&str, &str, &str)],
    rest: &str,
) -> Result<Setup, Vec<Problem>> {
    let mut text = String::from(
        "[park]\nid = \"p\"\ntime_zone = \"UTC\"\n[bus.main.tcp]\nhost = \"10.0.0.1\"\n",
    );
    for (unit, (id, role, keys)) in (1..).zip(meters) {
        let quantity = if role.starts_with("heat_") {
            "heat_power"
        } else {
            "power"
        };
        text += &format!(
            "[[meter]]\nid = \"{id}\"\nrole = \"{role}\"\nbus = \"main\"\nunit = {unit}\n{keys}\n\
             [[meter.point]]\nquantity = \"{quantity}\"\naddress = 0\ntype = \"f32\"\nunit = \"W\"\n"
        );
    }
    parse(&(text + rest))
}

/// Path, fact and remedy of every problem.
pub(in crate::config) fn told(read: Result<Setup, Vec<Problem>>) -> Vec<String> {
    let problems = read.map(drop).unwrap_err();
    problems
        .iter()
        .map(|one| format!("{}: {}; {}", one.path, one.fact, one.remedy))
        .collect()
}

#[test]
fn a_meter_stands_behind_another_wherever_both_are_in_the_file() {
    let setup = read(
        &[
            ("oven", "tenant", "behind = \"hall\""),
            ("hall", "tenant", ""),
            ("roof", "pv", "behind = \"hall\""),
        ],
        "",
    )
    .unwrap();
    let topology = &setup.park.relations.topology;
    let behind: Vec<&str> = topology.behind("hall").map(|id| &**id).collect();
    assert_eq!(behind, ["oven", "roof"]);
    assert!(
        read(&[("hall", "tenant", "")], "")
            .unwrap()
            .park
            .relations
            .topology
            .is_flat()
    );
}

#[test]
fn places_that_can_not_be_are_told_with_path_fact_and_remedy() {
    #[rustfmt::skip]
    let cases: [Case<'_>; 6] = [
        (
            &[("hall", "tenant", ""), ("oven", "tenant", "behind = \"hal\"")],
            &["meter[1].behind: `oven` stands behind `hal`, which is no meter; did you mean `hall`?"],
        ),
        (
            &[("hall", "tenant", "behind = \"oven\""), ("oven", "tenant", "behind = \"hall\"")],
            &["meter[0].behind: `hall`, `oven` stand behind each other in a circle; one meter is nearest to the source"],
        ),
        (
            &[("oven", "tenant", "behind = \"oven\"")],
            &["meter[0].behind: `oven` stands behind itself; one meter is nearest to the source"],
        ),
        (
            &[("a", "tenant", ""), ("b", "tenant", ""), ("c", "tenant", "behind = [\"a\", \"b\"]")],
            &["meter[2].behind: `c` stands behind `a` and behind `b`; a meter has one place"],
        ),
        (
            &[("hall", "tenant", ""), ("warm", "heat_consumer", "behind = \"hall\"")],
            &["meter[1].behind: `warm` (heat_consumer) and `hall` (tenant) stand in different balances; a meter of the same network, or leave it out"],
        ),
        (
            &[("hall", "tenant", ""), ("hall", "tenant", "behind = \"hall\""), ("oven", "tenant", "behind = 7")],
            &["meter[1].id: `hall` is taken; each meter and sensor has its own",
              "meter[2].behind: an integer stands where a list of strings belongs; for example `behind = [\"one\"]`"],
        ),
    ];
    for (meters, expected) in cases {
        assert_eq!(told(read(meters, "")), expected);
    }
}

#[test]
fn a_meter_beside_another_is_known_and_one_that_can_not_be_is_told() {
    let setup = read(
        &[
            ("hall", "tenant", "check_meter = \"hall-2\""),
            ("hall-2", "monitor", ""),
        ],
        "",
    );
    assert_eq!(
        told(setup),
        [
            "meter[0].check_meter: `hall` and `hall-2` stand in different balances; a meter that measures the same, or leave it out"
        ]
    );
    let setup = read(
        &[
            ("hall", "tenant", "check_meter = \"hall-2\""),
            ("hall-2", "tenant", "behind = \"hall\""),
        ],
        "",
    )
    .unwrap();
    let beside = &setup.park.relations.check_meters;
    assert_eq!(beside.get("hall").map(|id| &**id), Some("hall-2"));
    assert_eq!(beside.len(), 1);
    #[rustfmt::skip]
    let cases = [
        ("hal",  "meter[0].check_meter: there is no meter `hal`; did you mean `hall`?"),
        ("hall", "meter[0].check_meter: `hall` is beside itself; the id of another meter that measures the same"),
        ("warm", "meter[0].check_meter: `hall` and `warm` stand in different balances; a meter that measures the same, or leave it out"),
    ];
    for (beside, expected) in cases {
        let key = format!("check_meter = \"{beside}\"");
        let meters = [("hall", "tenant", &*key), ("warm", "heat_consumer", "")];
        assert_eq!(told(read(&meters, "")), [expected], "{beside}");
    }
}

#[test]
fn what_becomes_of_gaps_is_one_of_the_words_that_there_are() {
    use crate::domain::relations::{GapPolicy, Integrals, Registers};
    let meters = [("hall", "tenant", "")];
    let policy = |rest: &str| read(&meters, rest).map(|setup| setup.park.relations.gaps);
    assert_eq!(policy("").unwrap(), GapPolicy::default());
    let other = GapPolicy {
        registers: Registers::Even,
        integrals: Integrals::Estimated,
    };
    let text = "[gaps]\nregisters = \"even\"\nintegrals = \"estimated\"\n";
    assert_eq!(policy(text).unwrap(), other);
    assert_eq!(
        told(read(
            &meters,
            "[gaps]\nregisters = \"zero\"\nmissing = true\n"
        )),
        [
            "gaps.registers: `zero` is no way to treat gaps; \"shaped\", \"even\"",
            "gaps.missing: is an unknown key; remove it; known here: `integrals`, `registers`",
        ]
    );
}

#[test]
fn what_registers_count_of_three_phases_is_said_where_there_are_registers() {
    use crate::domain::relations::RegisterMode;
    let register = "register_mode = \"per_phase\"\n[[meter.point]]\nquantity = \"energy_import\"\n\
                    address = 8\ntype = \"u32\"\nunit = \"Wh\"\n";
    let setup = read(&[("hall", "tenant", register)], "").unwrap();
    let modes = &setup.park.relations.register_modes;
    assert_eq!(modes.get("hall"), Some(&RegisterMode::PerPhase));
    #[rustfmt::skip]
    let cases = [
        ("tenant",        "vectorial", "meter[0].register_mode: `m` has no register of electricity; leave it out: power is the sum of the phases"),
        ("heat_consumer", "vectorial", "meter[0].register_mode: `m` has no register of electricity; leave it out: power is the sum of the phases"),
        ("tenant",        "saldo",     "meter[0].register_mode: `saldo` is no way to count three phases; \"vectorial\", \"per_phase\", \"unknown\""),
    ];
    for (role, mode, expected) in cases {
        let key = format!("register_mode = \"{mode}\"");
        assert_eq!(
            told(read(&[("m", role, &*key)], "")),
            [expected],
            "{role} {mode}"
        );
    }
}
