//! `quarantine` and `replay`: rows once more, by the program that people start.

use serde_json::Value as Json;
use sunledger::sink::quarantine::Quarantine;

use crate::support::daemon::{Ended, ask};
use crate::support::influx::{Influx, TOKEN};
use crate::support::store::{at, batch, open, settings, sunledger_now};

struct Park {
    influx: Influx,
    dir: tempfile::TempDir,
    config: String,
}

impl Park {
    async fn new() -> Self {
        let influx = Influx::start().await;
        let dir = tempfile::tempdir().unwrap();
        let token = super::secret(dir.path(), "token", TOKEN);
        let tables = super::sink(&influx.url(), &token);
        let text = super::park("t", &dir.path().join("store"), &tables);
        let config = super::write(dir.path(), "park.toml", &text);
        Self {
            influx,
            dir,
            config,
        }
    }

    fn quarantine(&self) -> Quarantine {
        Quarantine::new(&self.dir.path().join("store/quarantine"), "local")
    }

    async fn ask(&self, words: &str) -> Ended {
        let mut arguments: Vec<&str> = words.split(' ').collect();
        arguments.extend(["--config", &self.config]);
        let ended = ask(&arguments).await;
        ended.no_panic();
        ended
    }

    async fn listed(&self) -> Vec<Json> {
        let list = self.ask("quarantine list --json").await;
        assert_eq!(list.code, Some(0), "{list:?}");
        serde_json::from_str(&list.out).unwrap()
    }
}

fn now() -> jiff::Timestamp {
    "2026-06-03T06:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn what_was_set_aside_is_listed_sent_again_and_taken_out_where_it_is_stored() {
    let park = Park::new().await;
    let told = park.ask("quarantine list").await;
    assert_eq!((told.code, &*told.out), (Some(0), "No row is set aside.\n"));
    let rows = "m,a=b x=1 1780000000000\nm,a=c x=2 1780000000000\n";
    park.quarantine()
        .keep(rows, "status 400: a limit", now())
        .unwrap();
    park.quarantine()
        .keep("m,a=d 7\n", "status 400: no field", now())
        .unwrap();
    let list = park.listed().await;
    assert_eq!(list.len(), 3);
    assert_eq!(list[1]["row"], "m,a=c x=2 1780000000000");
    assert_eq!(list[1]["words"], "status 400: a limit");
    assert_eq!(
        (&list[1]["sink"], &list[1]["at"]),
        (&"local".into(), &"2026-06-03T06:00:00Z".into())
    );
    let told = park.ask("quarantine list").await;
    assert!(
        told.out
            .starts_with("sink local, 2026-06-03T06:00:00Z: status 400: a limit\n")
    );
    assert!(
        told.out
            .contains(&format!("  {}  m,a=d 7\n", list[2]["id"].as_str().unwrap()))
    );

    // One alone, by its number; then what is left: the bad one stays, with a code.
    let one = list[0]["id"].as_str().unwrap().to_owned();
    let told = park
        .ask(&format!("quarantine retry --row {one} --json"))
        .await;
    let done: Json = serde_json::from_str(&told.out).unwrap();
    assert_eq!(
        (told.code, &done["stored"], &done["left"]),
        (Some(0), &1.into(), &2.into())
    );
    assert_eq!(park.influx.state().shelf().len(), 1);
    let told = park.ask("quarantine retry").await;
    assert_eq!(told.code, Some(65), "{told:?}");
    assert!(
        told.out
            .starts_with("1 rows are stored, 1 are refused again, 1 are left\n"),
        "{told:?}"
    );
    assert!(
        told.out.contains("m,a=d 7: status 400: unable to parse"),
        "{told:?}"
    );
    assert_eq!(park.influx.state().shelf().len(), 2);
    assert_eq!(park.listed().await, list[2..]);
    let told = park.ask(&format!("quarantine retry --row {one}")).await;
    assert_eq!(told.code, Some(64), "{told:?}");
    assert!(told.err.contains("there is no row"), "{told:?}");
}

#[tokio::test]
async fn a_server_that_refuses_the_token_leaves_every_row_where_it_is() {
    let park = Park::new().await;
    park.influx.state().token = "another".to_owned();
    park.quarantine()
        .keep("m,a=b x=1 1780000000000\n", "no", now())
        .unwrap();
    let told = park.ask("quarantine retry").await;
    assert_eq!(told.code, Some(69), "{told:?}");
    assert!(
        told.err.contains("not all were tried: status 401"),
        "{told:?}"
    );
    assert_eq!(park.listed().await.len(), 1);
}

#[tokio::test]
async fn rows_are_dropped_by_number_or_all_of_them_with_a_yes() {
    let park = Park::new().await;
    park.quarantine()
        .keep("m a=1 1\nm a=2 2\nm a=3 3\n", "no", now())
        .unwrap();
    let told = park.ask("quarantine drop").await;
    assert_eq!(told.code, Some(64), "{told:?}");
    assert!(
        told.err.contains("3 rows of sink `local` would be lost"),
        "{told:?}"
    );
    let list = park.listed().await;
    assert_eq!(list.len(), 3);
    let middle = list[1]["id"].as_str().unwrap();
    let told = park.ask(&format!("quarantine drop --row {middle}")).await;
    assert_eq!(
        (told.code, &*told.out),
        (Some(0), "1 rows are dropped, 2 are left\n")
    );
    assert_eq!(park.listed().await, [list[0].clone(), list[2].clone()]);
    let told = park.ask("quarantine drop --yes").await;
    assert_eq!(
        (told.code, &*told.out),
        (Some(0), "2 rows are dropped, 0 are left\n")
    );
    assert!(park.listed().await.is_empty());
}

#[tokio::test]
async fn a_period_is_sent_again_byte_for_byte_and_no_cursor_moves() {
    let park = Park::new().await;
    let store = park.dir.path().join("store");
    {
        let (mut store, _) = open(settings(&store));
        for second in (0..30).chain(86_400..86_410) {
            store.commit(&batch(second), sunledger_now()).unwrap();
        }
        store.advance("local", 7);
        store.flush(sunledger_now()).unwrap();
    }
    let journal = crate::support::store::journal(&store, Some(30));
    for _ in 0..2 {
        let told = park
            .ask("replay --from 2026-05-29 --to 2026-05-29 --json")
            .await;
        assert_eq!(told.code, Some(0), "{told:?}");
        let report: Json = serde_json::from_str(&told.out).unwrap();
        assert_eq!(
            (&report["values"], &report["refused_rows"]),
            (&60.into(), &0.into())
        );
        assert_eq!(report["sink"], "local");
    }
    let writes = park.influx.state().writes.clone();
    let sent: Vec<&str> = writes.iter().map(|write| &*write.text).collect();
    assert_eq!(
        sent,
        [&journal, &journal],
        "the period alone, and the same twice"
    );
    assert!(park.influx.state().torn.is_empty());
    let (store, recovered) = open(settings(&store));
    assert_eq!(recovered.cursors, [("local".to_owned(), 7)]);
    drop(store);

    let told = park.ask("replay --from 2026-05-29 --to 2026-05-30").await;
    assert!(told.out.starts_with("80 values of 2026-05-29T"), "{told:?}");
    let first = at(0).as_millisecond();
    assert_eq!(park.influx.state().shelf().len(), 80, "{first}");
    let told = park.ask("replay --from 2025-01-01 --to 2025-01-02").await;
    assert_eq!(told.code, Some(64), "{told:?}");
    assert!(told.err.contains("the journal keeps"), "{told:?}");
    let told = park.ask("replay --from 2026-05-30 --to 2026-05-29").await;
    assert!(told.err.contains("--to is before --from"), "{told:?}");
}

#[tokio::test]
async fn rows_that_are_refused_in_a_replay_are_set_aside_and_told() {
    let park = Park::new().await;
    let store = park.dir.path().join("store");
    {
        let (mut store, _) = open(settings(&store));
        for second in 0..3 {
            let mut batch = batch(second);
            if second == 1 {
                batch.lines.push_str("m,a=b 7\n");
            }
            store.commit(&batch, sunledger_now()).unwrap();
        }
    }
    let told = park.ask("replay --from 2026-05-29 --to 2026-05-29").await;
    assert_eq!(told.code, Some(65), "{told:?}");
    assert!(
        told.out.contains("6 values") && told.out.contains("1 rows set aside"),
        "{told:?}"
    );
    assert_eq!(park.listed().await[0]["row"], "m,a=b 7");
    park.influx.state().token = "another".to_owned();
    let told = park.ask("replay --from 2026-05-29 --to 2026-05-29").await;
    assert_eq!(told.code, Some(69), "{told:?}");
}
