//! What no file may say, whatever its floor.
//!
//! Words that a rule forbids are written here in two halves, since the rules
//! also read this file.

use super::scan::{Source, line, words};

/// What others wrote or a build made, and the repository itself, which is a file
/// in a linked worktree.
pub const FOREIGN: &[&str] = &[
    "target",
    ".git",
    "node_modules",
    "__pycache__",
    "corpus",
    "artifacts",
];

/// What stands at the top level, beside it hidden files, the build folder, and
/// what a failing property leaves behind.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "config",
    "deploy",
    "tests",
    "README.md",
    "CHANGELOG.md",
    "docs",
    "benches",
    "fuzz",
    "target",
    "proptest-regressions",
];

/// Ways to read a clock.
const CLOCKS: &[&str] = &[
    "Instant::now",
    "Timestamp::now",
    "ZonedDateTime::now",
    "SystemTime",
    ".elapsed()",
];

/// Calls of the Modbus client that would change a device.
const WRITES: &[&str] = &[
    "write_single_register",
    "write_multiple_registers",
    "write_single_coil",
    "write_multiple_coils",
    "masked_write_register",
    "read_write_multiple_registers",
];

/// Names of modules that say nothing.
const DRAWERS: &[&str] = &[
    "core", "utils", "util", "helpers", "helper", "common", "misc",
];

/// Half of the files are shorter than this, in lines.
const SHORT: usize = 200;
/// Nine of ten are shorter than this.
const LONG: usize = 500;

fn fault(source: &Source<'_>, at: usize, rule: &str) -> String {
    format!("{}:{}: {rule}", source.path, line(source.text, at))
}

/// Clocks that are read outside of `sys::clock`.
pub fn clocks(source: &Source<'_>) -> Vec<String> {
    if source.module() == "sys::clock" {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for clock in CLOCKS {
        for range in words(&source.code, clock) {
            let rule = format!("only `sys::clock` reads a clock, and `{clock}` is one");
            faults.push(fault(source, range.start, &rule));
        }
    }
    faults
}

/// Modbus write calls, in tests and comments too.
pub fn writes(source: &Source<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    for call in WRITES {
        for range in words(source.text, call) {
            let rule = format!("the bus is read-only, and `{call}` writes");
            faults.push(fault(source, range.start, &rule));
        }
    }
    faults
}

/// Modules whose names say nothing, as a file or as a declaration.
pub fn drawers(source: &Source<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let stem = source.path.strip_suffix(".rs").unwrap_or(source.path);
    for name in DRAWERS {
        if stem.split('/').any(|part| part == *name) {
            faults.push(format!(
                "{}:1: `{name}` is no name of a module",
                source.path
            ));
        }
        let declaration = format!("mod {name}");
        for range in words(&source.code, &declaration) {
            let rule = format!("`{name}` is no name of a module");
            faults.push(fault(source, range.start, &rule));
        }
    }
    faults
}

/// Notes to oneself, and tests that do not run.
pub fn leftovers(source: &Source<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    for note in [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
    ] {
        for range in words(source.text, note) {
            faults.push(fault(
                source,
                range.start,
                "do it, or say under `Not yet` that it is missing",
            ));
        }
    }
    if source.path.ends_with(".rs") {
        for (at, _) in source.text.match_indices(concat!("#[ig", "nore")) {
            faults.push(fault(source, at, "no test is skipped"));
        }
    }
    faults
}

/// Traces of the machine that a file was written on. Packages come from the
/// public registries, which a lock file shows.
pub fn workplace(source: &Source<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    for trace in [
        concat!("/wo", "rk/"),
        concat!("../sh", "ared"),
        concat!("sub", "agent"),
        concat!("/ro", "ot/"),
        concat!("index", "-url"),
        concat!("replace", "-with"),
    ] {
        for (at, _) in source.text.match_indices(trace) {
            let rule = format!("`{trace}` means nothing on another machine");
            faults.push(fault(source, at, &rule));
        }
    }
    let registry = match source.path.rsplit('/').next() {
        Some("Cargo.lock") => (
            "source = \"",
            "registry+https://github.com/rust-lang/crates.io-index\"",
        ),
        Some("package-lock.json") => ("\"resolved\": \"", "https://registry.npmjs.org/"),
        _ => return faults,
    };
    for (at, key) in source.text.match_indices(registry.0) {
        if !source.text[at + key.len()..].starts_with(registry.1) {
            faults.push(fault(source, at, "packages come from the public registry"));
        }
    }
    faults
}

/// Names at the top level that do not belong there.
pub fn strangers(names: impl IntoIterator<Item = String>) -> Vec<String> {
    names
        .into_iter()
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()))
        .map(|name| format!("{name}:1: the top level is fixed; `docs/architecture.md` shows it"))
        .collect()
}

/// The files to divide, if the budget of size is spent.
pub fn too_long(mut sizes: Vec<(usize, String)>) -> Option<String> {
    let all = sizes.len();
    let short = sizes.iter().filter(|(lines, _)| *lines < SHORT).count();
    let fitting = sizes.iter().filter(|(lines, _)| *lines < LONG).count();
    if short * 2 >= all && fitting * 10 >= all * 9 {
        return None;
    }
    sizes.sort_by(|a, b| b.cmp(a));
    let list: Vec<String> = sizes
        .iter()
        .filter(|(lines, _)| *lines >= SHORT)
        .map(|(lines, path)| format!("{path}:{lines}: lines"))
        .collect();
    Some(format!(
        "{short} of {all} files are under {SHORT} lines (half should be), \
         {fitting} under {LONG} (nine of ten should be)\n{}",
        list.join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&Source<'_>) -> Vec<String>, path: &str, text: &str) -> usize {
        let faults = rule(&Source::new(path, text));
        assert!(
            faults
                .iter()
                .all(|fault| fault.starts_with(&format!("{path}:1: "))),
            "{faults:?}"
        );
        faults.len()
    }

    #[test]
    fn a_clock_is_read_in_one_place() {
        for code in [
            "let a = Timestamp::now();",
            "let a = tokio::time::Instant::now();",
            "let a = start.elapsed();",
            "use std::time::SystemTime;",
            "list.map(Instant::now)",
        ] {
            assert_eq!(check(clocks, "src/source/modbus.rs", code), 1, "{code}");
            assert_eq!(check(clocks, "src/sys/clock.rs", code), 0, "{code}");
        }
        for code in [
            "// Timestamp::now()",
            "let now = clock::mono();",
            "let now = Moment::now();",
            "tokio::time::sleep(a).await",
        ] {
            assert_eq!(check(clocks, "src/source/modbus.rs", code), 0, "{code}");
        }
    }

    #[test]
    fn a_write_call_is_found_in_comments_and_tests_too() {
        for call in WRITES {
            let text = format!("#[cfg(test)] mod tests {{ fn f() {{ c.{call}(1); }} }}");
            assert_eq!(check(writes, "src/source/modbus.rs", &text), 1, "{call}");
            assert_eq!(
                check(writes, "src/wire/plan.rs", &format!("// {call}")),
                1,
                "{call}"
            );
        }
        assert_eq!(
            check(
                writes,
                "src/source/modbus.rs",
                "c.read_holding_registers(1, 2)"
            ),
            0
        );
    }

    #[test]
    fn a_drawer_is_a_file_a_folder_or_a_declaration() {
        assert_eq!(check(drawers, "src/utils.rs", ""), 1);
        assert_eq!(check(drawers, "tests/it/common/mod.rs", ""), 1);
        assert_eq!(check(drawers, "src/lib.rs", "mod core { }"), 1);
        assert_eq!(
            check(drawers, "src/lib.rs", "mod core_temperature; // mod core"),
            0
        );
    }

    #[test]
    fn a_note_to_oneself_is_found() {
        let note = concat!("// TO", "DO: later");
        assert_eq!(check(leftovers, "deploy/a.conf", note), 1);
        assert_eq!(
            check(leftovers, "src/a.rs", concat!("#[ig", "nore = \"slow\"]")),
            1
        );
        assert_eq!(check(leftovers, "src/a.rs", "let to_do = \"mastodon\";"), 0);
    }

    #[test]
    fn a_trace_of_the_workplace_is_found() {
        for trace in [
            concat!("see /wo", "rk/a"),
            concat!("../sh", "ared/b"),
            concat!("a sub", "agent"),
        ] {
            assert_eq!(check(workplace, "docs/a.md", trace), 1, "{trace}");
        }
        let lock = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        assert_eq!(check(workplace, "Cargo.lock", lock), 0);
        assert_eq!(
            check(
                workplace,
                "Cargo.lock",
                "source = \"registry+http://mirror/index\""
            ),
            1
        );
        let page = "\"resolved\": \"https://elsewhere/a.tgz\"";
        assert_eq!(check(workplace, "tests/browser/package-lock.json", page), 1);
        assert_eq!(check(workplace, "docs/a.md", "the workshop, the work"), 0);
    }

    #[test]
    fn a_stranger_at_the_top_is_named() {
        let names = ["src", ".ci", "target", "scratch.txt"].map(str::to_owned);
        assert_eq!(strangers(names).len(), 1);
    }

    #[test]
    fn the_budget_of_size_counts_files() {
        let files = |sizes: &[usize]| -> Vec<(usize, String)> {
            sizes
                .iter()
                .map(|lines| (*lines, format!("src/{lines}.rs")))
                .collect()
        };
        assert_eq!(too_long(files(&[199, 200])), None);
        assert!(
            too_long(files(&[199, 200, 200]))
                .unwrap()
                .contains("src/200.rs:200: lines")
        );
        assert_eq!(too_long(files(&[1, 1, 1, 1, 1, 1, 1, 1, 499, 500])), None);
        assert!(too_long(files(&[1, 1, 1, 1, 1, 1, 1, 1, 500, 500])).is_some());
    }
}
