//! The examples of docs/calc.md: every command gives what stands below it.

use super::by_input;
use crate::support::daemon::ask;

/// Fenced blocks of a page, with the word behind the fence.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(word) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((word.to_owned(), body.join("\n") + "\n"));
        }
    }
    blocks
}

#[tokio::test]
async fn the_examples_of_the_page_say_what_the_page_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/calc.md");
    let blocks = blocks(&std::fs::read_to_string(page).unwrap());
    let mut file = String::new();
    let mut tried = 0;
    let mut following = blocks.iter().peekable();
    while let Some((word, body)) = following.next() {
        match word.as_str() {
            "json" => file = body.clone(),
            "sh" => {
                let words = body.replace("\\\n", " ");
                let words: Vec<&str> = words.split_whitespace().collect();
                assert_eq!(words[..2], ["sunledger", "calc"], "{body}");
                let said = match words.iter().position(|word| *word == "--file") {
                    None => ask(&words[1..]).await,
                    Some(place) => {
                        let rest = [&words[3..place], &words[place + 2..]].concat();
                        by_input(words[2], &file, &rest).await
                    }
                };
                assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{body}");
                // A long list is cut in the page.
                let (_, shown) = following.next_if(|next| next.0 == "text").unwrap();
                let (head, tail) = shown.split_once("  …\n").unwrap_or((shown, ""));
                assert!(
                    said.out.starts_with(head),
                    "{body}\n{}\nis not\n{shown}",
                    said.out
                );
                assert!(
                    said.out.ends_with(tail),
                    "{body}\n{}\nis not\n{shown}",
                    said.out
                );
                assert!(
                    tail.len() + head.len() < shown.len() || said.out == *shown,
                    "{body}"
                );
                tried += 1;
            }
            _ => {}
        }
    }
    assert!(tried >= 6, "{tried}");
}
