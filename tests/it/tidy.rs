//! The architecture as a test: who may use whom, and what no file may say.
//!
//! A failure reads `file:line: rule`. Each rule is a function of one file's text
//! and has a test of its own at the end, so it is known to be able to fail.

mod floors;
mod rules;
mod scan;

use std::fs;
use std::path::Path;

use floors::{FLOORS, floor_of, imports};
use scan::Source;

/// A file of the project: its path from the root, and its text.
struct Page {
    path: String,
    text: String,
}

/// Every text file of the project, without what is built or downloaded.
fn project() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if rules::FOREIGN.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root).unwrap();
                let path = path.to_str().unwrap().to_owned();
                pages.push(Page { path, text });
            }
        }
    }
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(pages.iter().any(|page| page.path == "src/lib.rs"));
    pages
}

fn broken(rule: impl Fn(&Source<'_>) -> Vec<String>, files: impl Fn(&str) -> bool) -> String {
    let mut failures = Vec::new();
    for page in project() {
        if files(&page.path) {
            failures.extend(rule(&Source::new(&page.path, &page.text)));
        }
    }
    failures.join("\n")
}

fn is_source(path: &str) -> bool {
    path.starts_with("src/") && path.ends_with(".rs")
}

/// Whether a file is part of the product; one that holds a module's tests is not,
/// nor one that Cargo runs before the build.
fn is_product(path: &str) -> bool {
    let tests = ["/tests.rs", "_tests.rs"];
    let others = ["src/lib.rs", "src/build.rs"];
    is_source(path) && !others.contains(&path) && !tests.iter().any(|end| path.ends_with(end))
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

#[test]
fn a_floor_stands_only_on_floors_below_it() {
    assert_eq!(floors::upside_down(FLOORS), Vec::<String>::new());
}

#[test]
fn every_module_has_a_floor() {
    let homeless: Vec<String> = project()
        .into_iter()
        .filter(|page| is_product(&page.path))
        .map(|page| Source::new(&page.path, &page.text).module())
        .filter(|module| floor_of(module).is_none())
        .collect();
    assert_eq!(homeless, Vec::<String>::new());
}

#[test]
fn modules_import_what_their_floor_allows() {
    assert_eq!(broken(imports, is_product), "");
}

#[test]
fn pure_modules_touch_no_machine() {
    assert_eq!(broken(floors::impure, is_product), "");
}

#[test]
fn a_library_with_one_home_stays_there() {
    assert_eq!(broken(floors::libraries, is_product), "");
}

#[test]
fn only_the_clock_module_reads_a_clock() {
    assert_eq!(broken(rules::clocks, is_product), "");
}

#[test]
fn no_source_names_a_modbus_write_call() {
    assert_eq!(broken(rules::writes, is_source), "");
}

#[test]
fn no_module_is_a_drawer_for_odds_and_ends() {
    assert_eq!(broken(rules::drawers, is_rust), "");
}

#[test]
fn nothing_is_left_to_do_and_no_test_is_skipped() {
    assert_eq!(broken(rules::leftovers, |_| true), "");
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    assert_eq!(broken(rules::workplace, |_| true), "");
}

#[test]
fn the_top_level_is_fixed() {
    let names = fs::read_dir(env!("CARGO_MANIFEST_DIR"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(rules::strangers(names), Vec::<String>::new());
}

#[test]
fn half_of_the_files_are_short_and_nine_of_ten_fit_a_reader() {
    let sizes: Vec<(usize, String)> = project()
        .into_iter()
        .filter(|page| is_rust(&page.path))
        .map(|page| (page.text.lines().count(), page.path))
        .collect();
    assert_eq!(rules::too_long(sizes), None);
}
