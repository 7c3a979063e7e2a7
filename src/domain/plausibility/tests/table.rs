//! The table of checks is what people and machines are told.

use super::super::{CHECKS, Settings};

#[test]
fn checks_are_numbered_and_named_once() {
    for (place, row) in CHECKS.iter().enumerate() {
        assert_eq!(usize::from(row.number), place + 1, "{}", row.name);
        assert!(row.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        assert!(row.explained_by.iter().all(|by| *by != row.number));
        let same = CHECKS.iter().filter(|other| other.name == row.name);
        assert_eq!(same.count(), 1, "{}", row.name);
    }
    assert_eq!(CHECKS.len(), 21);
}

#[test]
fn a_default_lies_in_its_range() {
    for row in CHECKS {
        for param in row.params {
            let range = param.least..=param.most;
            assert!(range.contains(&param.default), "{} {}", row.name, param.key);
        }
    }
    let settings = Settings::default();
    assert_eq!(settings.of(1).unwrap().values, [15.0, 0.02]);
    assert_eq!(settings.of(99), None);
}
