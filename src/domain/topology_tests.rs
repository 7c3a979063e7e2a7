//! Trees of submeters, and what is none.

use super::*;

/// Meters, and what they stand behind.
type Rows<'a> = &'a [(&'a str, &'a str)];

fn placed(all: Rows<'_>) -> Vec<Placed> {
    all.iter()
        .map(|(meter, behind)| Placed {
            meter: (*meter).into(),
            behind: (!behind.is_empty()).then(|| (*behind).into()),
        })
        .collect()
}

fn hall() -> Topology {
    let all = [
        ("main", ""),
        ("hall_a", "main"),
        ("hall_b", "main"),
        ("oven", "hall_a"),
        ("light", "hall_a"),
        ("pv", ""),
    ];
    Topology::new(&placed(&all)).unwrap()
}

#[test]
fn a_tree_is_read_both_ways() {
    let hall = hall();
    let names = |all: Vec<&Arc<str>>| {
        all.into_iter()
            .map(|name| name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(hall.behind("hall_a").collect()), ["oven", "light"]);
    assert_eq!(names(hall.behind("oven").collect()), Vec::<String>::new());
    assert_eq!(names(hall.before("oven").collect()), ["hall_a", "main"]);
}

#[test]
fn what_is_no_tree_is_refused_by_name_all_at_once() {
    #[rustfmt::skip]
    let cases: [(Rows<'_>, &[&str]); 7] = [
        (&[("a", "b")],
            &["`a` stands behind `b`, which is no meter; name one of the configuration"]),
        (&[("a", "a")],
            &["`a` stands behind itself; one meter is nearest to the source"]),
        (&[("x", "a"), ("a", "b"), ("b", "c"), ("c", "a")],
            &["`a`, `b`, `c` stand behind each other in a circle; one meter is nearest to the source"]),
        (&[("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")],
            &["`a`, `b` stand behind each other in a circle; one meter is nearest to the source",
              "`c`, `d` stand behind each other in a circle; one meter is nearest to the source"]),
        (&[("a", ""), ("b", ""), ("c", "a"), ("c", "b")],
            &["`c` stands behind `a` and behind `b`; a meter has one place"]),
        (&[("a", ""), ("a", "b"), ("b", "")],
            &["`a` stands at the source and behind `b`; a meter has one place"]),
        (&[("a", "ghost"), ("b", "c"), ("c", "b")],
            &["`a` stands behind `ghost`, which is no meter; name one of the configuration",
              "`b`, `c` stand behind each other in a circle; one meter is nearest to the source"]),
    ];
    for (all, expected) in cases {
        let errors = Topology::new(&placed(all)).unwrap_err();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, expected, "{all:?}");
    }
}
