//! Meters that are computed from others: what a file comes to, and what is told.

use super::super::relations::tests::{read, told};

const METERS: &[(&str, &str, &str)] = &[
    ("feeder", "monitor", ""),
    ("hall-a", "tenant", "period = \"10s\""),
    ("shared", "auxiliary", ""),
    ("bakery", "heat_consumer", ""),
];

/// A meter that is computed and stands in no sum beside `hall-a`.
fn derived(id: &str, role: &str, expression: &str) -> String {
    let behind = if role == "tenant" {
        "behind = \"hall-a\"\n"
    } else {
        ""
    };
    plain(id, role, expression) + behind
}

fn plain(id: &str, role: &str, expression: &str) -> String {
    format!("[[derived]]\nid = \"{id}\"\nrole = \"{role}\"\nexpression = \"{expression}\"\n")
}

#[test]
fn a_derived_meter_is_a_meter_as_slow_as_its_slowest_input_in_whatever_order() {
    let rest = derived("rest", "tenant", "hall-b - shared")
        + &derived("hall-b", "tenant", "hall-a - 0.5 * shared");
    let park = read(METERS, &rest).unwrap().park;
    let order: Vec<&str> = park
        .relations
        .derived
        .iter()
        .map(|one| &*one.meter)
        .collect();
    assert_eq!(order, ["hall-b", "rest"]);
    let hall = &park.meters[park.meter("hall-b").unwrap()];
    assert_eq!((hall.role.name, hall.period.as_secs()), ("tenant", 10));
    assert_eq!(hall.points.len(), 1);
    assert_eq!(park.relations.topology.behind("hall-a").count(), 2);
}

#[test]
fn what_a_computed_meter_would_count_twice_is_refused() {
    let twice = |meter: usize, input: &str, times: &str, by: &str| {
        vec![format!(
            "derived[{meter}].expression: `{input}` is counted {times} times, by {by}; \
             `behind = \"{input}\"`, as what it counts is in `{input}` already"
        )]
    };
    let none = Vec::new;
    let hall_b = plain("hall-b", "tenant", "hall-a - shared");
    #[rustfmt::skip]
    let cases = [
        ("beside its input",       hall_b.clone(),                                      twice(0, "hall-a", "2", "`hall-a`, `hall-b`")),
        ("behind its input",       hall_b.clone() + "behind = \"hall-a\"\n",           none()),
        ("by way of another",      hall_b.clone() + "behind = \"hall-a\"\n" + &plain("c", "tenant", "0.5 * hall-b"),
                                                                                        twice(1, "hall-a", "1.5", "`hall-a`, `c`")),
        ("a negative alone",       plain("c", "auxiliary", "bakery-hall - shared"),     none()),
        ("in another term",        plain("c", "pv", "hall-a"),                          none()),
        ("split in two",           plain("c", "tenant", "0.6 * roof") + &plain("d", "tenant", "0.4 * roof"), none()),
        ("split in too much",      plain("c", "tenant", "0.6 * roof") + &plain("d", "tenant", "0.5 * roof"),
                                                                                        twice(1, "roof", "1.1", "`c`, `d`")),
        ("one that stands for two", plain("c", "tenant", "2 * roof"),                    none()),
    ];
    for (situation, text, expected) in cases {
        let meters = [METERS, &[("bakery-hall", "pv", ""), ("roof", "pv", "")]].concat();
        let read = read(&meters, &text);
        let found = if read.is_ok() { Vec::new() } else { told(read) };
        assert_eq!(found, expected, "{situation}");
    }
}

#[test]
fn an_expression_that_can_not_be_is_told_with_path_fact_and_remedy() {
    #[rustfmt::skip]
    let cases = [
        (derived("hall-a", "tenant", "shared"),
         "derived[0].id: `hall-a` is taken; each meter, sensor and derived meter has its own"),
        (derived("x", "tenant", "hall-a - sharde"),
         "derived[0].expression: column 10: `sharde` is no meter; did you mean `shared`?"),
        (derived("x", "tenant", "hall-a -shared"),
         ""),
        (derived("x", "tenant", "x - hall-a"),
         "derived[0].expression: `x` cannot be computed: one rests on the other, or on itself; an expression of meters that are measured"),
        (derived("x", "tenant", "hall-a - bakery"),
         "derived[0].expression: `bakery` does not stand in the balance of role `tenant`; meters of the same network"),
        (derived("x", "grid", "hall-a"),
         "derived[0].role: a meter of role `grid` cannot be computed: a sum does not know both ways apart, or both balances; \
          one of `pv`, `turbine`, `tenant`, `auxiliary`, `solar_field`, `boiler`, `heat_to_power`, `heat_feed`, `heat_consumer`"),
        (derived("x", "tenant", "hall-a") + "unit = 3\n",
         "derived[0].unit: is an unknown key; remove it; known here: `behind`, `check_meter`, `expression`, `id`, `name`, `register_mode`, `role`"),
    ];
    for (text, expected) in cases {
        if expected.is_empty() {
            assert!(read(METERS, &text).is_ok(), "{text}");
        } else {
            assert_eq!(told(read(METERS, &text)), [expected]);
        }
    }
    let circle = derived("x", "tenant", "y") + &derived("y", "tenant", "x");
    let told = told(read(METERS, &circle));
    assert_eq!(told.len(), 2);
    let fact = "derived[1].expression: `x`, `y` cannot be computed: one rests on the other";
    assert!(told[1].starts_with(fact), "{told:?}");
}
