//! Reading Rust source as far as the rules need it: code without comments,
//! strings and tests, and the paths that it names.
//!
//! Blanked text keeps its length and its line breaks, so a place in it is a
//! place in the file.

use std::ops::Range;

/// A source file, as a rule looks at it.
pub struct Source<'a> {
    /// From the root of the project.
    pub path: &'a str,
    /// Everything in it.
    pub text: &'a str,
    /// Without comments and the contents of strings, and without tests.
    pub code: String,
}

impl<'a> Source<'a> {
    /// A source file.
    pub fn new(path: &'a str, text: &'a str) -> Self {
        let code = without_tests(&blank(text));
        Self { path, text, code }
    }

    /// The module that the file is: `src/domain/heat/mod.rs` is `domain::heat`.
    pub fn module(&self) -> String {
        let path = self.path.strip_prefix("src/").unwrap_or(self.path);
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let path = path.strip_suffix("/mod").unwrap_or(path);
        path.replace('/', "::")
    }
}

/// The line of a place, counted from one.
pub fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The text with comments and the contents of strings turned into blanks.
pub fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let length = match bytes[at] {
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => block_comment(rest),
            b'"' => quoted(rest),
            b'r' if !joins_word(bytes, at) => raw_string(rest).unwrap_or(0),
            b'\'' => character(rest).unwrap_or(0),
            _ => 0,
        };
        for byte in &mut out[at..at + length] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += length.max(1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    // Multi-byte characters outside of strings and comments stay whole.
    String::from_utf8(out).unwrap()
}

/// Whether the byte continues a word: the `r` of `for"` opens no raw string.
fn joins_word(bytes: &[u8], at: usize) -> bool {
    at > 0
        && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
        && !matches!(&bytes[at.saturating_sub(2)..at], [before, b'b' | b'c'] if !before.is_ascii_alphanumeric())
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => (),
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let hashes = text[1..].bytes().take_while(|byte| *byte == b'#').count();
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(
        body.find(&end)
            .map_or(text.len(), |at| 1 + hashes + 1 + at + end.len()),
    )
}

/// The length of a character literal; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    let (_, first) = characters.next()?;
    if first == '\\' {
        let end = text[3..].find('\'')?;
        return Some(3 + end + 1);
    }
    let (at, quote) = characters.next()?;
    (quote == '\'').then_some(at + 1)
}

/// Blanked code without the items under `#[cfg(test)]`.
pub fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.to_owned();
    let mut from = 0;
    while let Some(found) = out[from..].find(MARK) {
        let start = from + found;
        let end = start + MARK.len() + item(&out[start + MARK.len()..]);
        let empty: String = out[start..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(start..end, &empty);
        from = start + empty.len();
    }
    out
}

/// The length of the item at the beginning: up to its `;` or closing brace.
fn item(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, character) in code.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => (),
        }
    }
    code.len()
}

/// The places of a word, or of words joined by `::`, that stand alone.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).filter_map(move |(at, _)| {
        let end = at + word.len();
        let before = code[..at].chars().next_back();
        let after = code[end..].chars().next();
        let inside = before.is_some_and(joins) && word.starts_with(joins)
            || after.is_some_and(joins) && word.ends_with(joins);
        (!inside).then_some(at..end)
    })
}

/// Every path of blanked code that starts with `root`, groups spelled out:
/// `crate::{a::{b, c}, d}` is `a::b`, `a::c` and `d`. The root is left out.
pub fn paths(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for range in words(code, root) {
        // `other::crate` is not a root, `$crate` is.
        if code[..range.start].ends_with("::") {
            continue;
        }
        if let Some(rest) = code[range.end..].strip_prefix("::") {
            tree(code, code.len() - rest.len(), "", &mut found);
        }
    }
    found
}

/// Adds the paths of the use tree at `at` and returns where it ends.
fn tree(code: &str, mut at: usize, prefix: &str, found: &mut Vec<(usize, String)>) -> usize {
    let mut path = prefix.to_owned();
    loop {
        at += code[at..].len() - code[at..].trim_start().len();
        let start = at;
        if code[at..].starts_with('{') {
            at += 1;
            loop {
                at += code[at..].len() - code[at..].trim_start().len();
                match code[at..].chars().next() {
                    Some('}') => return at + 1,
                    Some(',') => at += 1,
                    Some(_) => {
                        let end = tree(code, at, &path, found);
                        at = if end > at { end } else { at + 1 };
                    }
                    None => return at,
                }
            }
        }
        let name = code[at..]
            .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*')
            .map_or(code.len(), |length| at + length);
        if name == at {
            return at;
        }
        if !path.is_empty() {
            path.push_str("::");
        }
        path.push_str(&code[at..name]);
        at = name;
        let more = code[at..].starts_with("::") && !code[at..].starts_with("::<");
        if !more {
            found.push((start, path));
            // `as Name` belongs to the path before it.
            let rest = code[at..].trim_start();
            if let Some(alias) = rest.strip_prefix("as ") {
                let alias = alias.trim_start();
                let length = alias.find(|c: char| !c.is_alphanumeric() && c != '_');
                at = code.len() - alias.len() + length.unwrap_or(alias.len());
            }
            return at;
        }
        at += 2;
    }
}

/// Every path of this crate that a file names, as seen from the crate's root.
pub fn crate_paths(source: &Source<'_>) -> Vec<(usize, String)> {
    let mut found = paths(&source.code, "crate");
    let module = source.module();
    let names: Vec<&str> = module.split("::").collect();
    for (at, path) in paths(&source.code, "super") {
        let mut up = 1;
        let mut rest = path.as_str();
        while let Some(further) = rest.strip_prefix("super::") {
            up += 1;
            rest = further;
        }
        let parent = names[..names.len().saturating_sub(up)].join("::");
        found.push((at, join(&parent, rest)));
    }
    found
}

fn join(parent: &str, path: &str) -> String {
    if parent.is_empty() {
        path.to_owned()
    } else {
        format!("{parent}::{path}")
    }
}

#[test]
fn comments_strings_and_characters_are_blanks() {
    let text = "a /* b /* c */ */ \"d\\\"e\" r#\"f\"g\"# 'h' '\\'' // i\nlet x: &'k str = b\"l\";";
    let letters: String = blank(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(letters, "a let x: &'k str = b ;");
    assert_eq!(blank(text).len(), text.len());
}

#[test]
fn text_of_any_language_stays_in_place() {
    let text = "// 园区 ─▶\nlet a = '→'; let b = \"°C\"; // é\nb";
    assert_eq!(blank(text).len(), text.len());
    assert!(blank(text).ends_with("\nb"));
}

#[test]
fn items_under_test_are_no_code() {
    let code =
        "use a;\n#[cfg(test)]\nmod tests {\n fn f() { x }\n}\nuse b;\n#[cfg(test)]\nmod more;\n";
    let left = without_tests(code);
    assert_eq!(
        left.split_whitespace().collect::<Vec<_>>(),
        ["use", "a;", "use", "b;"]
    );
    assert_eq!(left.matches('\n').count(), code.matches('\n').count());
}

#[test]
fn groups_are_spelled_out() {
    let code = "use crate::{\n domain::{units::Power, flow as f},\n store::*,\n};\nlet x = crate::sys::clock::wall();\nVec::<crate::wire::A>::new()";
    let found: Vec<String> = paths(code, "crate")
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    assert_eq!(
        found,
        [
            "domain::units::Power",
            "domain::flow",
            "store::*",
            "sys::clock::wall",
            "wire::A"
        ]
    );
    assert_eq!(line(code, paths(code, "crate")[1].0), 2);
}

#[test]
fn super_is_followed_to_the_root() {
    let text = "use super::super::units::Power; use super::balance;";
    let source = Source::new("src/domain/heat/water.rs", text);
    let found: Vec<String> = crate_paths(&source)
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    assert_eq!(found, ["domain::units::Power", "domain::heat::balance"]);
}
