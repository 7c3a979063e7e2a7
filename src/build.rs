//! Run by Cargo before the build, for two things:
//!
//! - when the program was built, in seconds of Unix time, for `sys::clock`;
//!   `SOURCE_DATE_EPOCH` overrules the clock, so that a build can be repeated to the
//!   byte;
//! - the device templates, embedded for `config::template`: a list of names and texts
//!   of `config/devices/*.toml`, sorted.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the templates are, from the root of the project.
const DEVICES: &str = "config/devices";

fn main() {
    build_second();
    if let Err(error) = devices() {
        println!("cargo::error=the templates in {DEVICES}: {error}");
    }
}

fn build_second() {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    let second = given.and_then(|second| second.parse::<u64>().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    let second = second.unwrap_or_else(|| now().map_or(0, |since| since.as_secs()));
    println!("cargo::rustc-env=SUNLEDGER_BUILD_SECOND={second}");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=Cargo.toml");
}

fn devices() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed={DEVICES}");
    let of_cargo = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .unwrap_or_default()
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(of_cargo("CARGO_MANIFEST_DIR").join(DEVICES))? {
        let file = entry?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(file);
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let name = file
            .file_stem()
            .map(|name| name.to_string_lossy())
            .unwrap_or_default();
        // Relative to the project: the list may outlive the place where it was made.
        let _ = writeln!(
            list,
            "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{DEVICES}/{name}.toml\"))),"
        );
    }
    list.push(']');
    std::fs::write(of_cargo("OUT_DIR").join("devices.rs"), list)
}
