//! A million hostile questions, and whether any value was taken for another.
//!
//! ```sh
//! cargo bench --bench hostile -- --requests 1000000
//! ```
//!
//! Exits with 1 where one was, or where an endpoint does not heal.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic
)]

#[path = "../tests/it/support/hostile.rs"]
#[allow(dead_code)]
mod hostile;
#[path = "../tests/it/support/misattribution.rs"]
mod misattribution;

use std::time::Instant;

use misattribution::{HEALED, Size, run};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(default, |at| {
            let value = arguments.get(at + 1).and_then(|value| value.parse().ok());
            value.unwrap_or_else(|| panic!("{name} needs a number"))
        })
    };
    let size = Size {
        requests: number("--requests", 1_000_000),
        endpoints: number("--endpoints", 40),
        timeout_ms: number("--timeout-ms", 20),
        seed: number("--seed", 1),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let began = Instant::now();
    let tallies = runtime.block_on(run(size));
    println!(
        "{:12} {:>9} {:>9} {:>8} {:>8} {:>7} {:>13}",
        "link", "asked", "delivered", "refused", "gaps", "healed", "misattributed"
    );
    let mut is_well = true;
    for (kind, tally) in &tallies {
        println!(
            "{:12} {:>9} {:>9} {:>8} {:>8} {:>7} {:>13}",
            format!("{kind:?}"),
            tally.asked,
            tally.delivered,
            tally.refused,
            tally.gaps,
            tally.healed,
            tally.misattributed.len()
        );
        for case in tally.misattributed.iter().take(5) {
            println!("  {case}");
        }
        is_well &= tally.misattributed.is_empty() && tally.healed == HEALED * size.endpoints;
    }
    println!("seed {}, {:.0} s", size.seed, began.elapsed().as_secs_f64());
    std::process::exit(i32::from(!is_well));
}
