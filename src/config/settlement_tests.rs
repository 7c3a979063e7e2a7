//! What `[allocation]` comes to, and what is told of its mistakes.

use super::super::relations::tests::{read, told};
use super::*;

/// Meters of a file: id, role, further keys.
type Meters<'a> = &'a [(&'a str, &'a str, &'a str)];
/// Meters, a contract, and what is told of it.
type Case<'a> = (Meters<'a>, &'a str, &'a [&'a str]);

const METERS: Meters<'_> = &[
    ("pcc", "grid", ""),
    ("roof", "pv", ""),
    ("hall-a", "tenant", ""),
    ("hall-b", "tenant", ""),
    ("oven", "tenant", "behind = \"hall-a\""),
    ("pump", "auxiliary", ""),
    ("mill", "heat_consumer", ""),
];

fn settled(rest: &str) -> std::sync::Arc<Settlement> {
    read(METERS, rest)
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .settlement
}

#[test]
fn every_rule_is_read_with_those_who_take_part() {
    let share = |part: f64| Share::new(part).unwrap();
    let cases = [
        ("rule.dynamic]", Key::Dynamic),
        (
            "rule.static]\nshares = { hall-a = 0.6, hall-b = 0.4 }",
            Key::Static(vec![share(0.6), share(0.4)]),
        ),
        // By name, not by place; what is left of the whole is exported.
        (
            "rule.static_redistributed]\nshares = { hall-b = 0.25, hall-a = 0.5 }",
            Key::StaticRedistributed(vec![share(0.5), share(0.25)]),
        ),
        (
            "rule.cascade]\norder = [\"hall-b\", \"hall-a\"]",
            Key::Cascade(vec![1, 0]),
        ),
    ];
    for (text, key) in cases {
        let settlement = settled(&format!("[allocation.{text}\n"));
        let rule = settlement.electricity.as_ref().unwrap();
        assert_eq!(rule.key, key, "{text}");
        // The oven is in the count of the hall.
        assert_eq!(rule.participants, [2, 3], "{text}");
        assert_eq!(rule.loss, LossRule::Operator);
        assert!(settlement.heat.is_none() && settlement.carbon.is_none());
        assert_eq!(settlement.battery.renewable, [1]);
    }
}

#[test]
fn a_contract_names_participants_losses_battery_and_heat() {
    let settlement = settled(
        "[allocation]\nparticipants = [\"pump\", \"hall-a\"]\n[allocation.rule.dynamic]\n\
         [allocation.loss.pro_rata]\n\
         [allocation.battery]\nown_pool = true\ncharging = 0.96\ndischarging = 0.97\n\
         content = \"100kWh\"\nrenewable = 0.5\n\
         [allocation.heat.rule.dynamic]\n[allocation.heat.storage]\ncontent = \"2MWh\"\nsolar = 0.9\n",
    );
    let rule = settlement.electricity.as_ref().unwrap();
    assert_eq!(
        (rule.participants.as_slice(), rule.loss),
        (&[5, 2][..], LossRule::ProRata)
    );
    let pool = settlement.battery.pool;
    assert!(settlement.battery.own_pool);
    let numbers = [
        pool.energy_wh,
        pool.renewable,
        pool.charging,
        pool.discharging,
    ];
    assert_eq!(numbers, [100e3, 0.5, 0.96, 0.97]);
    let heat = settlement.heat.as_ref().unwrap();
    assert_eq!(
        (heat.participants.as_slice(), heat.loss),
        (&[6][..], LossRule::Operator)
    );
    let storage = settlement.storage.pool;
    assert_eq!((storage.content(), storage.solar()), (2e6, 0.9));
    // Heat alone can be shared.
    let alone = settled("[allocation.heat.rule.dynamic]\n");
    assert!(alone.electricity.is_none() && alone.heat.is_some());
}

#[test]
fn a_contract_that_is_none_is_refused_with_what_would_be_one() {
    let only_grid: Meters<'_> = &[("pcc", "grid", "")];
    #[rustfmt::skip]
    let cases: [Case<'_>; 16] = [
        (METERS, "[allocation]\n", &["allocation.rule: is missing; one of [allocation.rule.static], [allocation.rule.static_redistributed], [allocation.rule.dynamic], [allocation.rule.cascade]"]),
        (METERS, "[allocation.rule.dynamic]\n[allocation.rule.cascade]\norder = []\n", &["allocation.rule: is dynamic and cascade at once; keep one of them"]),
        (METERS, "[allocation.rule.fair]\n", &["allocation.rule: says no kind", "allocation.rule.fair: is an unknown key"]),
        (METERS, "[allocation]\nparticipants = [\"hall-c\"]\n[allocation.rule.dynamic]\n", &["allocation.participants: `hall-c` is no meter; did you mean `hall-"]),
        (METERS, "[allocation]\nparticipants = [\"hall-a\", \"hall-a\"]\n[allocation.rule.dynamic]\n", &["allocation.participants: `hall-a` is there twice; name each meter once"]),
        (METERS, "[allocation]\nparticipants = [\"hall-a\", \"oven\"]\n[allocation.rule.dynamic]\n", &["allocation.participants: `oven` stands behind `hall-a`, which counts its energy too; name one of them"]),
        (METERS, "[allocation]\nparticipants = [\"roof\"]\n[allocation.rule.dynamic]\n", &["allocation.participants: `roof` (pv) is not an electrical load"]),
        (METERS, "[allocation]\nparticipants = []\n[allocation.rule.dynamic]\n", &["allocation.participants: names nobody"]),
        (only_grid, "[allocation.rule.dynamic]\n", &["allocation: shares among nobody: no meter is a tenant"]),
        (METERS, "[allocation.rule.static]\nshares = { hall-a = 0.7, hall-b = 0.4 }\n", &["allocation.rule.static.shares: add up to 110.0000 %, more than the whole; at most 1 together"]),
        (METERS, "[allocation.rule.static]\nshares = { hall-a = 0.7 }\n", &["allocation.rule.static.shares: has none for hall-b"]),
        (METERS, "[allocation.rule.static]\nshares = { hall-a = 0.7, hall-b = 0.2, oven = 0.1 }\n", &["allocation.rule.static.shares.oven: does not take part"]),
        (METERS, "[allocation.rule.static]\nshares = { hall-a = 60, hall-b = 0.2 }\n", &["allocation.rule.static.shares.hall-a: 60 is out of range; from 0 to 1"]),
        (METERS, "[allocation.rule.cascade]\norder = [\"hall-b\", \"hall-b\"]\n", &["allocation.rule.cascade.order: `hall-b` is there twice"]),
        (METERS, "[allocation.rule.cascade]\norder = [\"hall-b\"]\n", &["allocation.rule.cascade.order: lacks hall-a; everyone who takes part"]),
        (METERS, "[allocation.rule.dynamic]\n[allocation.battery]\ncharging = 95\ncontent = \"5\"\n", &["allocation.battery.charging: 95 is out of range", "allocation.battery.content: `5` is not an energy"]),
    ];
    for (meters, text, expected) in cases {
        let told = told(read(meters, text));
        assert_eq!(told.len(), expected.len(), "{text}: {told:?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{text}: {told}");
        }
    }
}
