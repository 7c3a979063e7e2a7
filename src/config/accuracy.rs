//! How wrong a meter and its transformers may be: `class`, `ct_class`, `vt_class`.
//!
//! ```toml
//! [[meter]]
//! class = "0.5S"          # of the type plate; 1, 2 or 3 for a heat meter
//! ct_class = "0.5"        # of its current transformers
//! vt_class = "0.2"        # of its voltage transformers
//! ```
//!
//! **It is said once**: beside a class, `class_pct` of `[checks.facts]` is refused.

use super::read::{Table, list};
use crate::domain::closure::{Class, TRANSFORMER_CLASSES, Told, transformer_pct};
use crate::domain::heat::uncertainty::{ELECTRIC_CLASSES, ElectricClass, HeatClass};
use crate::domain::meter::Role;

/// What a meter's table tells of its accuracy.
pub(super) fn told(table: &Table<'_>, role: Option<&'static Role>) -> Told {
    let is_heat = role.is_some_and(|role| role.electricity.is_none() && role.heat.is_some());
    let class = table.parsed("class", "0.5S", |text| {
        let found = if is_heat {
            heat(text).map(Class::Heat)
        } else {
            ElectricClass::named(text).map(|class| Class::Electric(*class))
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = if is_heat {
                vec!["1", "2", "3"]
            } else {
                ELECTRIC_CLASSES.iter().map(|class| class.name).collect()
            };
            let kind = if is_heat { "heat" } else { "electricity" };
            no_class(text, &format!("a meter of {kind}"), &names)
        })
    });
    let transformer = |key: &str, what: &str| {
        let pct = table.parsed(key, "0.5", |text| {
            transformer_pct(text).ok_or_else(|| {
                let names: Vec<&str> = TRANSFORMER_CLASSES.iter().map(|row| row.0).collect();
                no_class(text, &format!("a {what} transformer"), &names)
            })
        });
        if is_heat && pct.is_some() {
            let fact = format!("a heat meter has no {what} transformer");
            table.problem(key, fact, "leave it out");
        }
        pct
    };
    Told {
        class,
        ct_pct: transformer("ct_class", "current"),
        vt_pct: transformer("vt_class", "voltage"),
    }
}

fn heat(text: &str) -> Option<HeatClass> {
    match text {
        "1" => Some(HeatClass::One),
        "2" => Some(HeatClass::Two),
        "3" => Some(HeatClass::Three),
        _ => None,
    }
}

fn no_class(text: &str, of: &str, names: &[&str]) -> (String, String) {
    let names = names.iter().map(|name| format!("`{name}`"));
    (
        format!("`{text}` is no class of {of}"),
        format!("one of {}", list(names)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check::parse;
    use crate::domain::plausibility::Facts;

    fn park(role: &str, told: &str, checks: &str) -> String {
        format!(
            "[park]\nid = \"p\"\ntime_zone = \"UTC\"\n[broker.b]\nhost = \"127.0.0.1\"\n\
             [[sensor]]\nid = \"m\"\nrole = \"{role}\"\nbroker = \"b\"\ntopic = \"m\"\n\
             quantity = \"power\"\nunit = \"W\"\nexpect_every = \"10s\"\n{told}\n{checks}"
        )
    }

    #[test]
    fn a_class_is_told_at_the_meter_or_as_one_number_among_the_facts() {
        let facts = |role: &str, told: &str, checks: &str| -> Facts {
            let setup = parse(&park(role, told, checks)).unwrap();
            setup.checks.facts.get("m").cloned().unwrap_or_default()
        };
        let told = "class = \"0.5S\"\nct_class = \"0.2S\"\nvt_class = \"0.5\"";
        let fine = facts("grid", told, "[checks.facts.m]\nexport_limit = \"5kW\"\n");
        let class = *ElectricClass::named("0.5S").unwrap();
        assert_eq!(
            fine.accuracy,
            Told {
                class: Some(Class::Electric(class)),
                ct_pct: Some(0.2),
                vt_pct: Some(0.5),
            }
        );
        assert_eq!(fine.export_limit_w, Some(5e3));
        let alone = facts("grid", told, "");
        assert_eq!(alone.accuracy, fine.accuracy);
        let heat = facts("heat_feed", "class = \"2\"", "");
        assert_eq!(heat.accuracy.class, Some(Class::Heat(HeatClass::Two)));
        let pct = facts("grid", "", "[checks.facts.m]\nclass_pct = 0.7\n");
        assert_eq!(pct.accuracy.class, Some(Class::Percent(0.7)));
        assert!(facts("grid", "", "").accuracy.is_nothing());
    }

    #[test]
    fn what_is_no_class_is_refused_and_nothing_is_said_twice() {
        let electric = "one of `0.2S`, `0.5S`, `1`, `2`, `A`, `B`, `C`";
        let transformer = "one of `0.1`, `0.2`, `0.2S`, `0.5`, `0.5S`, `1`, `3`";
        let pct = "[checks.facts.m]\nclass_pct = 0.7\n";
        #[rustfmt::skip]
        let cases = [
            ("grid",      "class = \"0.1\"",    "",  "sensor[0].class",    "`0.1` is no class of a meter of electricity", electric),
            ("heat_feed", "class = \"0.5S\"",   "",  "sensor[0].class",    "`0.5S` is no class of a meter of heat", "one of `1`, `2`, `3`"),
            ("grid",      "ct_class = \"2\"",   "",  "sensor[0].ct_class", "`2` is no class of a current transformer", transformer),
            ("grid",      "vt_class = \"x\"",   "",  "sensor[0].vt_class", "`x` is no class of a voltage transformer", transformer),
            ("heat_feed", "ct_class = \"0.5\"", "",  "sensor[0].ct_class", "a heat meter has no current transformer", "leave it out"),
            ("grid",      "class = \"1\"",      pct, "checks.facts.m.class_pct", "the meter says its class itself", "leave one of the two out"),
            ("grid",      "ct_class = \"1\"",   pct, "checks.facts.m.class_pct", "the meter says its class itself", "leave one of the two out"),
        ];
        for (role, told, checks, path, fact, remedy) in cases {
            let found = parse(&park(role, told, checks)).err().unwrap_or_default();
            let found: Vec<_> = found
                .into_iter()
                .map(|problem| (problem.path, problem.fact, problem.remedy))
                .collect();
            let expected = (path.to_owned(), fact.to_owned(), remedy.to_owned());
            assert_eq!(found, [expected], "{told} {checks}");
        }
    }
}
