//! Whether anything is lost, invented or changed between the meters and the databases,
//! however often the daemon is killed and whatever happens to its store in between.
//!
//! ```sh
//! cargo bench --bench conservation -- --kills 200 --seed 1
//! ```
//!
//! Ends with a panic that names the value where something is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic
)]

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code)]
mod support;

use std::time::Instant;

use support::oracle::{Harm, Trial, run};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(default, |at| {
            let value = arguments.get(at + 1).and_then(|value| value.parse().ok());
            value.unwrap_or_else(|| panic!("{name} needs a number"))
        })
    };
    let (kills, seed) = (number("--kills", 200), number("--seed", 1));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    #[rustfmt::skip]
    let trials: [(&str, u64, &[Harm]); 3] = [
        ("killed",                         kills,     &[Harm::None]),
        ("journal cut or flipped",         kills / 4, &[Harm::Cut, Harm::Flip]),
        ("ledger cut or overwritten",      kills / 4, &[Harm::Ledger]),
    ];
    for (name, kills, harms) in trials {
        let began = Instant::now();
        let trial = Trial {
            kills,
            seed,
            harms: harms.to_vec(),
            program: env!("CARGO_BIN_EXE_sunledger").into(),
        };
        let verdict = runtime.block_on(run(&trial));
        println!(
            "{name}, {kills} times: {verdict:?} in {:.0?}",
            began.elapsed()
        );
    }
}
