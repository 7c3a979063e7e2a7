//! Run by Cargo before the build: when the program was built, in seconds of Unix
//! time, for `sys::clock`. `SOURCE_DATE_EPOCH` overrules the clock, so that a build
//! can be repeated to the byte.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    let second = given.and_then(|second| second.parse::<u64>().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    let second = second.unwrap_or_else(|| now().map_or(0, |since| since.as_secs()));
    println!("cargo::rustc-env=SUNLEDGER_BUILD_SECOND={second}");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=Cargo.toml");
}
