//! `sunledger devices`: every template is listed, and one of them with all it says.

use crate::support::daemon::ask;

#[tokio::test]
async fn every_template_is_a_row_and_a_document() {
    let said = ask(&["devices"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("NAME "), "{}", lines[0]);
    // Columns begin where their head does.
    let kind = lines[0].find("KIND").unwrap();
    let documents = ask(&["devices", "--json"]).await.json();
    let documents = documents.as_array().unwrap();
    assert_eq!(lines.len() - 1, documents.len());
    for (line, document) in lines[1..].iter().zip(documents) {
        let name = document["name"].as_str().unwrap();
        assert!(line.starts_with(name), "{line}");
        let at = line.char_indices().nth(kind).unwrap().0;
        assert!(
            line[at..].starts_with(document["kind"].as_str().unwrap()),
            "{line}"
        );
        assert!(document["points"].as_u64().unwrap() > 0, "{name}");
    }
}

#[tokio::test]
async fn one_template_is_shown_with_its_points_and_who_says_so() {
    let said = ask(&["devices", "acrel-dtsd1352"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    #[rustfmt::skip]
    let parts = [
        "acrel-dtsd1352: Acrel DTSD1352, electricity-meter",
        "registers   hold what reaches the meter (secondary values)",
        "factor      ct: fc 3, 142 (0x008E), u16: raw × 1",
        "energy_import ", "356 (0x0164)", "× vt × ct", "import", "essential", "dtsd_v",
        "Sources:",
    ];
    for part in parts {
        assert!(said.out.contains(part), "{part:?} in {}", said.out);
    }
    let document = ask(&["devices", "acrel-dtsd1352", "--json"]).await.json();
    assert_eq!(document["values"], "secondary");
    let points = document["points"].as_array().unwrap();
    let power = points
        .iter()
        .find(|point| point["quantity"] == "power")
        .unwrap();
    assert_eq!(power["fc"], 3);
    assert!(!power["sources"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_name_that_there_is_not_is_64_and_a_file_with_mistakes_78() {
    let said = ask(&["devices", "sunspec"]).await;
    said.must_say(64, &["is no file", "probe ENDPOINT --template sunspec"]);
    let said = ask(&["devices", "eastron-sdm63"]).await;
    said.must_say(
        64,
        &[
            "there is no template `eastron-sdm63`",
            "did you mean `eastron-sdm630`?",
        ],
    );
    assert_eq!(said.out, "");
    let said = ask(&["devices", "quite-another"]).await;
    said.must_say(
        64,
        &[
            "there is no template `quite-another`",
            "sunledger devices lists all",
        ],
    );
    let dir = tempfile::tempdir().unwrap();
    super::write(
        dir.path(),
        "eastron-sdm630.toml",
        "name = \"eastron-sdm630\"\nmodel = 5\n",
    );
    let dir = dir.path().to_str().unwrap();
    for name in [vec![], vec!["eastron-sdm630"]] {
        let arguments = [vec!["devices", "--dir", dir], name].concat();
        let said = ask(&arguments).await;
        said.must_say(
            78,
            &[
                "eastron-sdm630.toml",
                "model: an integer stands where a string belongs",
            ],
        );
        assert_eq!(
            said.out.is_empty(),
            arguments.len() == 4,
            "the others are listed"
        );
    }
}

#[tokio::test]
async fn a_check_says_what_no_document_states() {
    let dir = tempfile::tempdir().unwrap();
    let meter = "[[meter]]\nid = \"w\"\nrole = \"tenant\"\nbus = \"main\"\nunit = 9\ntemplate = \"acrel-dtsd1352\"";
    let text = super::park("a", dir.path(), meter);
    let file = super::write(dir.path(), "a.toml", &text);
    let said = ask(&["check", "--config", &file]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("note: acrel-dtsd1352: max_registers"),
        "{}",
        said.out
    );
    assert!(said.out.contains("compare with the device"), "{}", said.out);
    let said = ask(&["check", "--config", &file, "--json"]).await;
    assert_eq!(said.json(), serde_json::json!({"ok": true, "problems": []}));
}
