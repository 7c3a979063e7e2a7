//! The table of checks for people is the table of checks.

use sunledger::domain::plausibility::CHECKS;

/// The rows of a table of a document, cell by cell, below the heading that begins so.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, table) = text.split_once(heading).unwrap();
    let lines = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    lines
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ");
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/checks.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_document_lists_every_check_as_it_is() {
    let expected: Vec<Vec<String>> = CHECKS
        .iter()
        .map(|row| {
            let name = format!("`{}`", row.name);
            let words = [row.about, row.default, row.remedy].map(str::to_owned);
            [vec![row.number.to_string(), name], words.to_vec()].concat()
        })
        .collect();
    assert_eq!(rows(&document(), "| # | check |"), expected);
}

#[test]
fn the_document_lists_every_threshold_with_its_default() {
    let expected: Vec<Vec<String>> = CHECKS
        .iter()
        .flat_map(|row| row.params.iter().map(move |param| (row, param)))
        .map(|(row, param)| {
            let numbers = [param.default, param.least, param.most].map(|number| number.to_string());
            let [default, least, most] = numbers;
            let (name, key) = (format!("`{}`", row.name), format!("`{}`", param.key));
            let (unit, about) = (param.unit.to_owned(), param.about.to_owned());
            vec![name, key, default, unit, least, most, about]
        })
        .collect();
    assert_eq!(rows(&document(), "| check | threshold |"), expected);
}
