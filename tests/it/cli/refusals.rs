//! What the daemon refuses to start on: one sentence, a code, nothing damaged.

use std::path::Path;

use crate::support::daemon::{Daemon, ask};
use crate::support::http::get;

/// Runs the daemon on a configuration that it must refuse.
async fn refused(config: &str, code: i32, words: &[&str]) {
    let said = ask(&["run", "--config", config]).await;
    said.must_say(code, words);
    assert_eq!(said.out, "");
}

#[tokio::test]
async fn a_port_in_use_is_74_and_the_store_is_not_touched() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let text = super::park("a", &store, "").replace("127.0.0.1:0", &address);
    let config = super::write(dir.path(), "a.toml", &text);
    let words = [
        &*format!("cannot listen on {address}"),
        "in use",
        "change [web] listen",
    ];
    refused(&config, 74, &words).await;
    let data = store.to_str().unwrap();
    let demo = ask(&["demo", "--listen", &address, "--data", data]).await;
    demo.must_say(74, &words[..2]);
    assert!(!store.exists());
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_74_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = super::write(dir.path(), "file", "not a directory");
    for store in [
        file.clone(),
        format!("{file}/below"),
        "/proc/sunledger".to_owned(),
    ] {
        let text = super::park("a", Path::new(&store), "");
        let config = super::write(dir.path(), "a.toml", &text);
        let words = [
            store.as_str(),
            "the store cannot be written",
            "choose another store.dir",
        ];
        refused(&config, 74, &words).await;
        let demo = ask(&["demo", "--listen", "127.0.0.1:0", "--data", &store]).await;
        demo.must_say(74, &words);
        assert_eq!(demo.out, "", "no address before there is a store");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"not a directory");
}

#[tokio::test]
async fn a_second_daemon_on_a_store_is_74_and_the_first_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let data = store.to_str().unwrap();
    let first = Daemon::demo(&["--data", data]).await;
    first
        .until("a tick", |live| live["seq"].as_i64() > Some(0))
        .await;
    let holder = format!("another sunledger (process {}) uses this store", first.id());
    let config = super::write(dir.path(), "demo.toml", &super::park("demo", &store, ""));
    for _ in 0..2 {
        refused(&config, 74, &[data, &holder, "stop it"]).await;
        let demo = ask(&["demo", "--listen", "127.0.0.1:0", "--data", data]).await;
        demo.must_say(74, &[&holder]);
    }
    let live = get(first.address, "/api/v1/live").await.json();
    let (seq, stored) = (live["seq"].as_i64(), live["stored_until"].clone());
    first
        .until("another second on disk", |live| {
            live["seq"].as_i64() > seq && live["stored_until"].as_str() > stored.as_str()
        })
        .await;
    assert_eq!(get(first.address, "/readyz").await.code, 200);
    let ended = first.end("TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.err.contains("damaged"), "{ended:?}");
}

/// The ledger's own format number: SQLite keeps it at byte 60 of the file.
fn newer_ledger(store: &Path) {
    let path = store.join("ledger.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(path, bytes).unwrap();
}

fn newer_directory(store: &Path) {
    std::fs::write(store.join("version"), "2\n").unwrap();
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_78_and_no_byte_of_it_changes() {
    let date = super::report::yesterday().await;
    let books = super::books().await;
    let dir = tempfile::tempdir().unwrap();
    for (name, grow_newer) in [
        ("ledger", newer_ledger as fn(&Path)),
        ("directory", newer_directory),
    ] {
        let store = dir.path().join(name);
        for (path, content) in super::files(books.path()) {
            let path = store.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        grow_newer(&store);
        let before = super::files(&store);
        let data = store.to_str().unwrap();
        let words = [
            data,
            "a newer sunledger wrote this store",
            "nothing was changed",
        ];
        let config = super::write(dir.path(), "demo.toml", &super::park("demo", &store, ""));
        refused(&config, 78, &words).await;
        let demo = ["demo", "--listen", "127.0.0.1:0", "--data", data];
        ask(&demo).await.must_say(78, &words);
        let report = [
            "report",
            "grid-export",
            "--data",
            data,
            "--from",
            &date,
            "--to",
            &date,
        ];
        ask(&report).await.must_say(78, &words);
        let mut after = super::files(&store);
        if name == "ledger" {
            // Whoever takes the lock leaves a number there, and nothing depends on it.
            after.insert("lock".into(), before[Path::new("lock")].clone());
        }
        assert_eq!(
            before.keys().collect::<Vec<_>>(),
            after.keys().collect::<Vec<_>>(),
            "{name}"
        );
        assert!(before == after, "{name}");
    }
}

#[tokio::test]
async fn a_store_of_another_park_is_78_and_keeps_its_books() {
    let date = super::report::yesterday().await;
    let books = super::books().await;
    let data = books.path().to_str().unwrap();
    let report = [
        "report",
        "grid-export",
        "--data",
        data,
        "--from",
        &date,
        "--to",
        &date,
        "--json",
    ];
    let before = ask(&report).await;
    let dir = tempfile::tempdir().unwrap();
    let config = super::write(
        dir.path(),
        "other.toml",
        &super::park("other", books.path(), ""),
    );
    let words = [
        data,
        "holds the books of park `demo`, not of `other`",
        "choose another [store] dir",
    ];
    refused(&config, 78, &words).await;
    let after = ask(&report).await;
    assert_eq!((before.code, &before.out), (Some(0), &after.out));
    assert_eq!(before.json()["park"], "demo");
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_78_and_never_said() {
    const CANARY: &str = "canary-7f3a";
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let open = super::secret(dir.path(), "open", CANARY);
    super::mode(&open, 0o604);
    super::secret(dir.path(), "empty", "\n");
    let file = |name: &str| format!("token = {{ file = \"{}\" }}", at(name));
    let readable = format!("run chmod o-rwx {open}");
    #[rustfmt::skip]
    let cases = [
        // where the token is                          what is said
        (file("absent"),                               vec![at("absent"), "No such file".to_owned()]),
        (file("open"),                                 vec![open.clone(), "can be read by everyone".to_owned(), readable]),
        (file("empty"),                                vec![at("empty"), "is empty".to_owned()]),
        (file("."),                                    vec!["Is a directory".to_owned()]),
        ("token = { credential = \"db\" }".to_owned(), vec!["credential `db`".to_owned(), "LoadCredential=db:PATH".to_owned()]),
    ];
    for (token, words) in cases {
        let sink =
            super::sink("http://127.0.0.1:9", "x").replace("token = { file = \"x\" }", &token);
        let config = super::write(dir.path(), "a.toml", &super::park("a", &store, &sink));
        // The file itself is right: where secrets are is another machine's matter.
        assert_eq!(
            ask(&["check", "--config", &config]).await.code,
            Some(0),
            "{token}"
        );
        for command in [
            vec!["run"],
            vec!["influx", "setup"],
            vec!["influx", "audit"],
        ] {
            let said = ask(&[&command[..], &["--config", &config]].concat()).await;
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            said.must_say(78, &[&["sink.local: "], &words[..]].concat());
            assert!(!format!("{said:?}").contains(CANARY), "{said:?}");
        }
    }
    assert!(
        !store.exists(),
        "nothing is begun before every secret is there"
    );
}

#[tokio::test]
async fn a_command_that_finds_no_store_says_where_it_looked() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("nothing");
    let data = data.to_str().unwrap();
    let said = ask(&[
        "report",
        "grid-export",
        "--data",
        data,
        "--from",
        "2026-06-01",
        "--to",
        "2026-06-01",
    ])
    .await;
    said.must_say(74, &[data, "no store here", "has the daemon run?"]);
    assert!(!Path::new(data).exists());
}
