//! What crossed the boundary, as a law.

use proptest::prelude::*;

use super::*;

proptest! {
    // An hour of two engines is long: few of them, and each with everything in it.
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Through restarts, gaps and changes of direction: what crossed the boundary is what
    /// the registers counted and the transformer took, to the milliwatt-hour; and a restart
    /// changes nothing.
    #[test]
    fn the_boundary_is_the_registers_and_the_losses_to_the_milliwatt_hour(
        restarts in prop::collection::btree_set(1_i64..3_800, 0..6),
        silent in prop::collection::vec((900_i64..3_500, 1_i64..60), 0..4),
        levels in prop::collection::vec(-1.5e6_f64..1.5e6, 8),
        volts in 380.0_f64..430.0,
        park_side in any::<bool>(),
    ) {
        let boundary = if park_side { Boundary::ParkSide } else { Boundary::GridSide };
        let park = park(&WHOLE, boundary);
        let mut plain = Engine::new(Arc::clone(&park), &[]);
        let mut tried = Engine::new(Arc::clone(&park), &[]);
        let mut man = Meterman::default();
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        for s in 0..4 * QUARTER + 200 {
            let level = levels[(s / 97 % 8) as usize];
            let reading = man.second(s, level, volts);
            if restarts.contains(&s) {
                tried = Engine::new(Arc::clone(&park), &tried.state_for_resume());
            }
            if !silent.iter().any(|(from, length)| (*from..from + length).contains(&s)) {
                plain.hear(&reading);
                tried.hear(&reading);
                for engine in [&mut plain, &mut tried] {
                    engine.hear(&hall(s, 1.0));
                }
            }
            expected.extend(plain.tick(at(s)).entries);
            found.extend(tried.tick(at(s)).entries);
        }
        let sign = if park_side { -1 } else { 1 };
        let mut total = 0;
        let mut opening = None;
        let mut closing = [0, 0];
        let mut lost_in_all = 0;
        for nth in 1..4 {
            let of = |entries: &[Entry], meter, positive| {
                entry(entries, meter, positive, span(nth)).energy
            };
            for (meter, positive) in [("pcc", true), ("pcc", false), ("pcc-loss", true), ("pcc-loss", false)] {
                prop_assert_eq!(of(&expected, meter, positive), of(&found, meter, positive));
            }
            let lost = [true, false].map(|positive| of(&found, "pcc-loss", positive));
            let flows = settled(&park, &found, span(nth));
            let [Ok(import), Ok(export)] = lost else {
                // Both are gaps, for the time that was not known.
                prop_assert!(flows.of(Flow::Import).is_err() && flows.of(Flow::Export).is_err());
                opening = None;
                (total, lost_in_all) = (0, 0);
                continue;
            };
            let ends = [true, false].map(|positive| {
                let register = entry(&found, "pcc", positive, span(nth));
                (register.opening.unwrap().0, register.closing.unwrap().0)
            });
            opening.get_or_insert([ends[0].0, ends[1].0]);
            closing = [ends[0].1, ends[1].1];
            total += mwh(&flows, Flow::Import) - mwh(&flows, Flow::Export);
            lost_in_all += import.0 + export.0;
            // The balance of the interval holds with them.
            prop_assert_eq!(
                mwh(&flows, Flow::Load),
                mwh(&flows, Flow::Import) - mwh(&flows, Flow::Export)
            );
            let iron = 425_000.0 * (volts / 400.0).powi(2);
            prop_assert!((import.0 + export.0) as f64 >= iron - 3.0, "no less than the iron takes");
        }
        if let Some(opening) = opening {
            let registers = (closing[0] - opening[0]) - (closing[1] - opening[1]);
            prop_assert_eq!(total, registers + sign * lost_in_all);
        }
    }
}
