//! The sink against a server that behaves, and against one that does not.

mod commands;
mod dialects;
mod lanes;
mod peers;

use std::collections::BTreeSet;
use std::time::Duration;

use sunledger::sink::dialect::{Dialect, Login};
use sunledger::sys::secret::Secret;
use sunledger::wire::line_protocol::{FieldValue, parse};

use crate::support::influx::{BUCKET, Influx, Key, Next, ORG, TOKEN, Value};
use crate::support::shipping::{Rig, tick};

/// Every value of a text of rows, by its place.
fn values(text: &str) -> Vec<(Key, Value)> {
    let mut values = Vec::new();
    for line in text.lines() {
        let row = parse(line).unwrap();
        for (field, value) in row.fields {
            let key = Key {
                measurement: row.measurement.clone(),
                tags: row.tags.clone(),
                field,
                time_ns: row.time_ms * 1_000_000,
            };
            let value = match value {
                FieldValue::Float(value) => Value::Float(value),
                FieldValue::Integer(value) => Value::Integer(value),
                FieldValue::Text(value) => Value::Text(value),
                FieldValue::Bool(value) => Value::Bool(value),
            };
            values.push((key, value));
        }
    }
    values.sort_by(|a, b| a.0.cmp(&b.0));
    values
}

/// The server holds exactly the values of `text`, and no key ever had two.
fn holds_exactly(influx: &Influx, text: &str) {
    let mut state = influx.state();
    assert!(state.torn.is_empty(), "{:?}", state.torn);
    let shelf = state.shelf().clone();
    let stored: Vec<(Key, Value)> = shelf.into_iter().collect();
    assert_eq!(stored.len(), values(text).len());
    assert_eq!(stored, values(text));
}

fn statuses(influx: &Influx) -> Vec<u16> {
    influx
        .state()
        .writes
        .iter()
        .map(|write| write.status)
        .collect()
}

async fn rig() -> (Influx, Rig) {
    let influx = Influx::start().await;
    let rig = Rig::new(&influx.url());
    (influx, rig)
}

#[tokio::test]
async fn every_value_arrives_with_its_own_time_and_the_cursor_follows() {
    let (influx, mut rig) = rig().await;
    for n in 0..50 {
        rig.commit(&tick(n, 300));
    }
    rig.start();
    rig.settled(50).await;
    for n in 50..55 {
        let seq = rig.commit(&tick(n, 300));
        rig.settled(seq).await;
    }
    holds_exactly(&influx, &rig.journal.text());
    assert!(rig.cursors().is_sorted());
    let writes = influx.state().writes.clone();
    assert!(writes.iter().all(|write| write.lines <= 5_000));
    // The newest goes first, the rest in few requests and not in one per block.
    assert!(writes.len() <= 1 + 4 + 5, "{}", writes.len());
    let numbers = rig.stats.numbers();
    assert_eq!(numbers.backlog_points, 0);
    assert_eq!(numbers.delivered_points, rig.journal.points());
    assert_eq!((numbers.oldest, numbers.last_error), (None, None));
    assert!(numbers.last_ok.is_some());
    assert_eq!(numbers.requests.keys().copied().collect::<Vec<_>>(), [204]);
}

#[tokio::test]
async fn one_row_with_a_type_conflict_is_set_aside_and_the_others_are_stored() {
    let (influx, mut rig) = rig().await;
    rig.start();
    let first = rig.commit(&tick(0, 1));
    rig.settled(first).await;
    let good = tick(1, 5_000);
    let bad = good.lines().nth(3_217).unwrap().to_owned();
    let (field, _) = bad.split_once("energy_import_count=").unwrap();
    let conflict = format!("{field}energy_import_count=1.5 1780466401000");
    let before = influx.state().writes.len();
    let seq = rig.commit(&good.replace(&bad, &conflict));
    rig.settled(seq).await;
    let good = good.replace(&format!("{bad}\n"), "");
    holds_exactly(&influx, &format!("{}{good}", tick(0, 1)));
    let aside = rig.quarantine();
    assert!(aside.contains(&conflict), "{aside}");
    assert!(aside.contains("field type conflict"), "{aside}");
    assert_eq!(aside.lines().count(), 2);
    assert_eq!(rig.stats.numbers().quarantined, 1);
    // Two times log2(5000).
    let more = influx.state().writes.len() - before - 1;
    assert!(more <= 24, "{more} more requests");
    assert_eq!(rig.stats.numbers().backlog_points, 0);
}

#[tokio::test]
async fn three_malformed_rows_are_set_aside_and_4997_are_stored() {
    let (influx, mut rig) = rig().await;
    rig.start();
    let good = tick(1, 5_000);
    let mut rows: Vec<&str> = good.lines().collect();
    let lost = [rows[0], rows[2_500], rows[4_999]];
    let broken = [
        "electricity,meter=a 1",
        "no fields at all",
        "electricity power_w=NaN 1",
    ];
    (rows[0], rows[2_500], rows[4_999]) = (broken[0], broken[1], broken[2]);
    let seq = rig.commit(&(rows.join("\n") + "\n"));
    rig.settled(seq).await;
    let kept: String = good
        .lines()
        .filter(|line| !lost.contains(line))
        .map(|line| format!("{line}\n"))
        .collect();
    holds_exactly(&influx, &kept);
    let aside = rig.quarantine();
    let rows: Vec<&str> = aside
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(rows, broken);
    assert_eq!(rig.stats.numbers().quarantined, 3);
}

#[tokio::test]
async fn an_old_server_that_says_500_to_a_type_conflict_does_not_stop_the_sink() {
    let (influx, mut rig) = rig().await;
    let words = r#"{"code":"internal error","message":"unexpected error writing points to database: partial write: field type conflict: dropped=1"}"#;
    let conflict = Next::Answer(500, vec![], words.to_owned());
    // Rows: the batch, its first half, the first row. Then all is well.
    influx.script([conflict.clone(), conflict.clone(), conflict]);
    rig.start();
    let seq = rig.commit(&tick(0, 4));
    rig.settled(seq).await;
    assert_eq!(rig.stats.numbers().quarantined, 1);
    assert_eq!(influx.state().shelf().len(), 9);
}

#[tokio::test]
async fn a_revoked_token_holds_the_data_until_the_file_has_a_new_one() {
    let (influx, mut rig) = rig().await;
    let file = rig.dir.path().join("token");
    std::fs::write(&file, "an-old-token\n").unwrap();
    rig.settings.login = Login::token(Secret::new("an-old-token"));
    rig.settings.login.file = Some(file.clone());
    rig.start();
    let seq = rig.commit(&tick(0, 10));
    rig.until("it is refused twice", || statuses(&influx).len() >= 2)
        .await;
    assert_eq!((rig.cursor(), influx.state().shelf().len()), (0, 0));
    let numbers = rig.stats.numbers();
    assert_eq!(
        numbers.alarm.as_deref(),
        Some("status 401: unauthorized access")
    );
    assert_eq!(numbers.backlog_points, 30);
    assert!(numbers.oldest.is_some());
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    rig.settled(seq).await;
    holds_exactly(&influx, &rig.journal.text());
    assert_eq!(rig.stats.numbers().alarm, None);
    assert_eq!(rig.quarantine(), "");
}

#[tokio::test]
async fn a_missing_bucket_holds_the_data_until_it_is_there() {
    let (influx, mut rig) = rig().await;
    rig.settings.dialect = Dialect::Influx2 {
        org: ORG.to_owned(),
        bucket: "later".to_owned(),
    };
    rig.start();
    let seq = rig.commit(&tick(0, 10));
    rig.until("it is refused", || !statuses(&influx).is_empty())
        .await;
    rig.until("an alarm is raised", || rig.stats.numbers().alarm.is_some())
        .await;
    influx.state().add_bucket("later", 0);
    rig.settled(seq).await;
    assert_eq!(influx.state().bucket("later").unwrap().shelf.len(), 30);
    assert!(statuses(&influx).contains(&404));
}

#[tokio::test]
async fn no_request_comes_before_the_wait_a_server_asks_for_is_over() {
    let (influx, mut rig) = rig().await;
    let busy = |after: String| Next::Answer(503, vec![("retry-after", after)], String::new());
    influx.script([busy("2".to_owned())]);
    rig.start();
    let seq = rig.commit(&tick(0, 10));
    rig.settled(seq).await;
    let writes = influx.state().writes.clone();
    assert_eq!(statuses(&influx), [503, 204]);
    assert!(writes[1].at - writes[0].at >= Duration::from_secs(2));
    assert_eq!(writes[0].text, writes[1].text);

    // The same with a date, which counts whole seconds.
    let then = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(4);
    let date = then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    influx.script([Next::Answer(
        429,
        vec![("retry-after", date)],
        String::new(),
    )]);
    let seq = rig.commit(&tick(1, 10));
    rig.settled(seq).await;
    let before = (then - jiff::SignedDuration::from_secs(1)).as_second();
    assert!(jiff::Timestamp::now().as_second() >= before);
    assert_eq!(statuses(&influx), [503, 204, 429, 204]);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved_and_the_size_is_remembered() {
    let (influx, mut rig) = rig().await;
    influx.state().max_bytes = 60_000;
    rig.start();
    let seq = rig.commit(&tick(0, 2_000));
    rig.settled(seq).await;
    holds_exactly(&influx, &rig.journal.text());
    let refused = |influx: &Influx| statuses(influx).iter().filter(|code| **code == 413).count();
    let first = refused(&influx);
    assert!((1..=4).contains(&first), "{first}");
    let seq = rig.commit(&tick(1, 2_000));
    rig.settled(seq).await;
    holds_exactly(&influx, &rig.journal.text());
    assert_eq!(refused(&influx), first);
    assert_eq!(rig.quarantine(), "");
}

#[tokio::test]
async fn a_limit_below_a_single_row_holds_the_data() {
    let (influx, mut rig) = rig().await;
    influx.state().max_bytes = 20;
    rig.start();
    let seq = rig.commit(&tick(0, 3));
    rig.until("an alarm is raised", || rig.stats.numbers().alarm.is_some())
        .await;
    assert_eq!((rig.cursor(), rig.quarantine()), (0, String::new()));
    influx.state().max_bytes = usize::MAX;
    rig.settled(seq).await;
    holds_exactly(&influx, &rig.journal.text());
}

#[tokio::test]
async fn the_page_of_a_captive_portal_is_no_success() {
    let (influx, mut rig) = rig().await;
    let page = "<html><body>Please log in</body></html>".to_owned();
    let portal = |status| {
        Next::Answer(
            status,
            vec![("content-type", "text/html".into())],
            page.clone(),
        )
    };
    let moved = Next::Answer(
        302,
        vec![("location", "http://127.0.0.1:1/".into())],
        String::new(),
    );
    influx.script([portal(200), moved, portal(400)]);
    rig.start();
    let seq = rig.commit(&tick(0, 10));
    rig.until("two answers came", || statuses(&influx).len() >= 2)
        .await;
    assert_eq!(rig.cursor(), 0);
    let alarm = rig.stats.numbers().alarm.unwrap();
    assert!(
        alarm.starts_with("this is not InfluxDB 2's answer"),
        "{alarm}"
    );
    rig.settled(seq).await;
    holds_exactly(&influx, &rig.journal.text());
    assert_eq!(statuses(&influx), [200, 302, 400, 204]);
    assert_eq!(rig.quarantine(), "");
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_goes_out_again_byte_for_byte() {
    let (influx, mut rig) = rig().await;
    rig.start();
    for n in 0..10 {
        influx.script([Next::StoreAndDrop]);
        if n % 3 == 0 {
            influx.script([Next::Drop]);
        }
        let seq = rig.commit(&tick(n, 20));
        rig.settled(seq).await;
    }
    holds_exactly(&influx, &rig.journal.text());
    let writes = influx.state().writes.clone();
    let texts: BTreeSet<&str> = writes.iter().map(|write| write.text.as_str()).collect();
    assert_eq!((writes.len(), texts.len()), (10 + 10 + 4, 10));
    assert_eq!(rig.stats.numbers().requests[&0], 14);
}

#[tokio::test]
async fn a_sink_stops_at_once_and_goes_on_where_it_was() {
    let (influx, mut rig) = rig().await;
    rig.start();
    let first = rig.commit(&tick(0, 10));
    rig.settled(first).await;
    influx.script([Next::Slow(Duration::from_secs(600))]);
    rig.commit(&tick(1, 10));
    rig.until("it is under way", || influx.state().script.is_empty())
        .await;
    assert!(rig.stop().await < Duration::from_secs(10));
    assert_eq!(rig.cursor(), first);
    let last = rig.commit(&tick(2, 10));
    rig.start();
    rig.settled(last).await;
    holds_exactly(&influx, &rig.journal.text());
}

#[tokio::test]
async fn without_a_server_the_backlog_is_counted_and_nothing_is_printed_that_is_secret() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let mut rig = Rig::new(&format!("http://{address}"));
    rig.start();
    rig.commit(&tick(0, 10));
    rig.until("it failed", || {
        rig.stats.numbers().requests.contains_key(&0)
    })
    .await;
    rig.commit(&tick(1, 10));
    rig.until("both blocks count", || {
        rig.stats.numbers().backlog_points == 60
    })
    .await;
    let numbers = rig.stats.numbers();
    let words = numbers.last_error.clone().unwrap();
    assert!(words.starts_with("no answer: "), "{words}");
    assert!(!format!("{numbers:?} {:?}", rig.settings).contains(TOKEN));
    assert_eq!(numbers.last_ok, None);
    assert!(rig.stop().await < Duration::from_secs(10));
}

#[tokio::test]
async fn blocks_that_the_journal_lost_are_passed_over_and_not_counted_for_ever() {
    let (influx, mut rig) = rig().await;
    for n in 0..5 {
        rig.commit(&tick(n, 10));
    }
    rig.journal.forget(3);
    rig.start();
    rig.settled(5).await;
    holds_exactly(&influx, &rig.journal.text());
    assert_eq!(rig.stats.numbers().backlog_points, 0);
}

#[tokio::test]
async fn a_bucket_with_too_short_a_retention_does_not_stop_the_sink() {
    let (influx, mut rig) = rig().await;
    // Two hours; the rows are from elsewhere in time.
    influx.state().bucket(BUCKET).unwrap().retention_s = 7_200;
    let old = tick(0, 3_000).replace(" 1780466", " 1580466");
    rig.start();
    let seq = rig.commit(&old);
    rig.settled(seq).await;
    assert_eq!(rig.stats.numbers().quarantined, 3_000);
    assert!(rig.quarantine().contains("beyond retention policy"));
    assert!(statuses(&influx).len() < 2_000);
}
