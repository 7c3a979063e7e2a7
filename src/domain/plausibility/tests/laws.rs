//! What holds whatever happens.

use proptest::prelude::*;

use super::script::{Fault, HEALTHY, Script};
use crate::domain::plausibility::Change;

/// Opened and closed, without the numbers.
fn told(changes: &[Change]) -> Vec<(bool, u8, String, i64)> {
    let row = |change: &Change| {
        let finding = &change.finding;
        let since = finding.since.as_second();
        (
            change.opened,
            finding.check,
            finding.meters[0].to_string(),
            since,
        )
    };
    changes.iter().map(row).collect()
}

const FAULTS: [Fault; 3] = [
    HEALTHY,
    Fault {
        said: |all, _| {
            all.get_mut("b").unwrap().insert("power", Ok(400e3));
        },
        ..HEALTHY
    },
    Fault {
        world: |now| now.hidden = 420e3,
        ..HEALTHY
    },
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// A park of another size is judged the same.
    #[test]
    fn size_changes_no_finding(scale in 0.02..50.0_f64, fault in 0..3_usize) {
        let run = |scale, fault: usize| {
            let mut script = Script::new(scale);
            if fault == 1 {
                // The register counts what the meter says at any size.
                return told(&script.run(28_800..36_000, Fault {
                    said: |all, second| {
                        let now = all["b"]["power"].unwrap() * if second > 30_000 { 1.4 } else { 1.0 };
                        all.get_mut("b").unwrap().insert("power", Ok(now));
                    },
                    ..HEALTHY
                }));
            }
            told(&script.run(0..7_200, FAULTS[fault]))
        };
        prop_assert_eq!(run(scale, fault), run(1.0, fault));
    }

    /// Meters may be silent at any time: nothing opens.
    #[test]
    fn a_gap_opens_nothing(salt in 0..1_000_000_i64, part in 1..10_i64) {
        thread_local! {
            static SALT: std::cell::Cell<(i64, i64)> = const { std::cell::Cell::new((0, 0)) };
        }
        SALT.set((salt, part));
        let mut script = Script::new(1.0);
        script.silent = |meter, second| {
            let (salt, part) = SALT.get();
            let letter = i64::from(meter.as_bytes()[0]) + i64::try_from(meter.len()).unwrap();
            let block = second / (60 + salt % 1_700);
            (block * 7_919 + letter * 104_729 + salt).rem_euclid(10) < part
        };
        let from = 14_400 + salt % 40_000;
        let changes = script.run(from - from % 10..from - from % 10 + 10_800, HEALTHY);
        prop_assert!(changes.is_empty(), "{:?}", changes);
    }
}
