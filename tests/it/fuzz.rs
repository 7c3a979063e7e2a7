//! The corpora of the fuzz targets, replayed through the targets' own bodies.

#[path = "../../fuzz/bodies.rs"]
mod bodies;

use std::fs;
use std::path::Path;

type Body = fn(&[u8]);

/// Every target of `fuzz/Cargo.toml`.
const TARGETS: &[(&str, Body)] = &[
    ("modbus_tcp", bodies::modbus_tcp),
    ("modbus_rtu", bodies::modbus_rtu),
    ("sparkplug", bodies::sparkplug),
    ("json_payload", bodies::json_payload),
    ("sunspec", bodies::sunspec),
    ("template", bodies::template),
];

#[test]
fn every_corpus_is_replayed_and_no_target_lacks_one() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for (name, body) in TARGETS {
        let corpus = fs::read_dir(fuzz.join("corpus").join(name));
        let corpus = corpus.unwrap_or_else(|error| panic!("no corpus of {name}: {error}"));
        let mut files = 0;
        for file in corpus {
            body(&fs::read(file.unwrap().path()).unwrap());
            files += 1;
        }
        assert!((1..=40).contains(&files), "{name}: {files} files");
    }
}

#[test]
fn every_target_is_replayed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest: toml::Table = fs::read_to_string(fuzz.join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let mut declared: Vec<&str> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["name"].as_str().unwrap())
        .collect();
    let mut replayed: Vec<&str> = TARGETS.iter().map(|target| target.0).collect();
    declared.sort_unstable();
    replayed.sort_unstable();
    assert_eq!(declared, replayed);
}

#[test]
fn bytes_that_mean_nothing_are_no_failure() {
    for (_, body) in TARGETS {
        for length in 0..32 {
            body(&vec![0xFF; length]);
            body(&vec![0; length]);
        }
    }
}
