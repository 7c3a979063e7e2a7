//! Nothing lost, nothing twice, nothing invented: twenty kills in the middle of whatever
//! the daemon does, and its store harmed between two lives. Two hundred kills have a
//! command of their own, see `benches/conservation.rs`.

use crate::support::oracle::{Harm, Trial, run};

fn trial(kills: u64, seed: u64, harms: &[Harm]) -> Trial {
    Trial {
        kills,
        seed,
        harms: harms.to_vec(),
        program: env!("CARGO_BIN_EXE_sunledger").into(),
    }
}

#[tokio::test]
async fn killed_twenty_times_every_value_that_was_journaled_is_at_every_receiver() {
    let verdict = run(&trial(20, 1, &[Harm::None])).await;
    assert!(verdict.refused > 5, "{verdict:?}");
    assert!(verdict.journaled > 1_000, "{verdict:?}");
}

#[tokio::test]
async fn a_journal_cut_or_flipped_anywhere_starts_again_and_costs_what_was_hit_alone() {
    let verdict = run(&trial(12, 2, &[Harm::Cut, Harm::Flip, Harm::Cut])).await;
    assert_eq!(verdict.harmed, 12);
}

#[tokio::test]
async fn a_ledger_cut_or_overwritten_anywhere_never_changes_what_was_sent() {
    let verdict = run(&trial(8, 3, &[Harm::Ledger])).await;
    assert_eq!(verdict.harmed, 8);
}
