//! The databases beside InfluxDB 2, each by its own rules; and a server that fails.

use std::time::Duration;

use sunledger::sink::dialect::{Dialect, Login};
use sunledger::sys::secret::Secret;

use crate::support::influx::{Influx, Next, TOKEN};
use crate::support::influxd::{DATABASE, Influxd, PASSWORD, USER};
use crate::support::shipping::{Rig, tick, tick_since};
use crate::support::victoria::Victoria;

use super::{holds_exactly, rig, statuses};

const DATABASE_3: &str = "energy3";

async fn rig3() -> (Influx, Rig) {
    let (influx, mut rig) = rig().await;
    rig.settings.dialect = Dialect::Influx3 {
        database: DATABASE_3.to_owned(),
    };
    // The first bucket is the one that is looked at.
    influx.state().buckets.clear();
    (influx, rig)
}

/// `text` with these rows broken, and without them.
fn broken(text: &str, places: &[usize]) -> (String, String) {
    let mut with = String::new();
    let mut without = String::new();
    for (place, row) in text.lines().enumerate() {
        if places.contains(&place) {
            with.push_str(&format!("electricity,meter={place} no-field {place}\n"));
        } else {
            with.push_str(&format!("{row}\n"));
            without.push_str(&format!("{row}\n"));
        }
    }
    (with, without)
}

fn rows_aside(rig: &Rig) -> usize {
    let aside = rig.quarantine();
    aside.lines().filter(|line| !line.starts_with('#')).count()
}

#[tokio::test]
async fn influxdb_3_names_the_bad_lines_and_no_line_is_searched_for() {
    let (influx, mut rig) = rig3().await;
    rig.start();
    let (text, good) = broken(&tick(1, 5_000), &[0, 17, 4_999]);
    let seq = rig.commit(&text);
    rig.settled(seq).await;
    holds_exactly(&influx, &good);
    assert_eq!(statuses(&influx), [400], "one request for it all");
    let aside = rig.quarantine();
    assert_eq!((rows_aside(&rig), rig.stats.numbers().quarantined), (3, 3));
    let words = "status 400: partial write of line protocol occurred: unable to parse";
    assert_eq!(aside.matches(words).count(), 3, "{aside}");
    assert!(aside.contains("electricity,meter=17 no-field 17\n"));
    let seq = rig.commit(&tick(2, 10));
    rig.settled(seq).await;
    assert_eq!(statuses(&influx), [400, 204]);
}

#[tokio::test]
async fn more_bad_lines_than_influxdb_3_names_are_found_all_the_same() {
    let (influx, mut rig) = rig3().await;
    rig.start();
    let bad: Vec<usize> = (0..3_000).filter(|place| place % 20 == 3).collect();
    let (text, good) = broken(&tick(1, 3_000), &bad);
    let seq = rig.commit(&text);
    rig.settled(seq).await;
    holds_exactly(&influx, &good);
    assert_eq!(rows_aside(&rig), 150);
    assert!(statuses(&influx).len() <= 4, "{:?}", statuses(&influx));
}

#[tokio::test]
async fn influxdb_3_that_takes_no_line_at_all_empties_no_journal() {
    let (influx, mut rig) = rig3().await;
    rig.start();
    let (text, _) = broken(&tick(1, 80), &(0..80).collect::<Vec<_>>());
    rig.commit(&text);
    rig.until("an alarm is raised", || rig.stats.numbers().alarm.is_some())
        .await;
    let alarm = rig.stats.numbers().alarm.unwrap();
    assert!(alarm.starts_with("every row is refused"), "{alarm}");
    assert!(rows_aside(&rig) <= 64 && rig.cursor() == 0);
    assert!(influx.state().shelf().is_empty());
}

/// Scenario 10: for one series the server fails for ever, without a word why.
#[tokio::test]
async fn a_series_at_which_the_server_fails_stands_aside_and_the_rest_flows() {
    let (influx, mut rig) = rig().await;
    influx.state().fails_at = vec![r"meter=meter\ 5,".to_owned()];
    rig.start();
    let mut expected = String::new();
    let last = 6;
    for n in 0..last {
        let text = tick(n, 8);
        rig.commit(&text);
        let bad = text.lines().nth(5).unwrap();
        expected.push_str(&text.replace(&format!("{bad}\n"), ""));
    }
    rig.settled(6).await;
    holds_exactly(&influx, &expected);
    assert_eq!((rows_aside(&rig), rig.stats.numbers().quarantined), (6, 6));
    let aside = rig.quarantine();
    assert!(
        aside.contains("the server fails at this series and stores its neighbours: status 500")
    );
    // It stands aside: its rows are not sent any more, and nobody waits for them.
    let failed = statuses(&influx)
        .iter()
        .filter(|code| **code == 500)
        .count();
    let seq = rig.commit(&tick(last, 8));
    rig.settled(seq).await;
    let now = statuses(&influx)
        .iter()
        .filter(|code| **code == 500)
        .count();
    assert_eq!((rows_aside(&rig), now), (7, failed));
    assert_eq!(rig.stats.numbers().last_error, None);
}

#[tokio::test]
async fn bad_series_side_by_side_are_told_from_a_server_in_trouble_as_well() {
    let (influx, mut rig) = rig().await;
    let bad = |n| format!(r"meter=meter\ {n},");
    influx.state().fails_at = vec![bad(0), bad(1)];
    let text = tick(0, 6);
    let seq = rig.commit(&text);
    rig.start();
    rig.settled(seq).await;
    let good: String = text.lines().skip(2).map(|row| format!("{row}\n")).collect();
    holds_exactly(&influx, &good);
    assert_eq!(rows_aside(&rig), 2);
}

#[tokio::test]
async fn a_server_in_trouble_is_waited_for_and_nothing_is_set_aside() {
    let (influx, mut rig) = rig().await;
    let words = r#"{"code":"internal error","message":"engine: cache-max-memory-size exceeded"}"#;
    let full = |_| {
        let wait = vec![("retry-after", "1".to_owned())];
        Next::Answer(500, wait, words.to_owned())
    };
    // Through the halves of eight rows, down to one, and from the beginning again.
    influx.script((0..18).map(full));
    rig.start();
    let seq = rig.commit(&tick(0, 8));
    rig.settled(seq).await;
    holds_exactly(&influx, &rig.journal.text());
    assert_eq!(rig.quarantine(), "");
    assert!(influx.state().script.is_empty(), "all of it was asked");
}

#[tokio::test]
async fn a_real_influxdb_1_has_every_value_and_its_bad_rows_are_set_aside() {
    let influxd = Influxd::start().await;
    let mut rig = Rig::new(influxd.base());
    rig.settings.dialect = Dialect::Influx1 {
        database: DATABASE.to_owned(),
        retention_policy: None,
    };
    rig.settings.login = Login {
        user: Some(USER.to_owned()),
        secret: Some(Secret::new("not-this-one")),
        file: None,
    };
    let hour_ago = jiff::Timestamp::now().as_millisecond() - 3_600_000;
    let first = rig.commit(&tick_since(hour_ago, 0, 40));
    rig.start();
    let alarm = |rig: &Rig| rig.stats.numbers().alarm.unwrap_or_default();
    rig.until("the password is refused", || {
        alarm(&rig).starts_with("status 401")
    })
    .await;
    rig.stop().await;
    rig.settings.login.secret = Some(Secret::new(PASSWORD));
    rig.start();
    rig.until("the database is not there", || {
        alarm(&rig).starts_with("status 404")
    })
    .await;
    assert_eq!((rig.cursor(), rig.quarantine()), (0, String::new()));
    influxd.create_database().await;
    rig.settled(first).await;

    let mut expected = tick_since(hour_ago, 0, 40);
    for n in 1..20 {
        let text = tick_since(hour_ago, n, 40);
        let (text, good) = if n == 7 {
            broken(&text, &[3, 30])
        } else {
            (text.clone(), text)
        };
        expected.push_str(&good);
        rig.commit(&text);
    }
    // A field of another type: the others of the request are stored.
    let text = tick_since(hour_ago, 20, 40);
    let conflict = text.lines().nth(9).unwrap();
    let good = text.replace(&format!("{conflict}\n"), "");
    let (series, _) = conflict.split_once("power_w=").unwrap();
    let (_, time) = conflict.rsplit_once(' ').unwrap();
    let conflict = format!("{series}power_w=1i {time}\n");
    let seq = rig.commit(&format!("{good}{conflict}"));
    expected.push_str(&good);
    rig.settled(seq).await;
    influxd.holds_exactly(&expected).await;
    let aside = rig.quarantine();
    assert_eq!(rows_aside(&rig), 3, "{aside}");
    assert!(aside.contains("partial write") && aside.contains("field type conflict"));
    assert!(aside.contains(&conflict));
    assert!(!aside.contains(PASSWORD));
}

#[tokio::test]
async fn victoriametrics_below_its_own_path_has_every_value() {
    let victoria = Victoria::anywhere().await;
    let mut rig = Rig::new(victoria.base());
    rig.settings.dialect = Dialect::VictoriaMetrics;
    rig.settings.login = Login::default();
    rig.start();
    let hour_ago = jiff::Timestamp::now().as_millisecond() - 3_600_000;
    for n in 0..60 {
        rig.commit(&tick_since(hour_ago, n, 300));
    }
    rig.settled(60).await;
    victoria.holds_exactly(&rig.journal.text()).await;
    let seconds = Duration::from_secs(1);
    assert!(rig.stop().await < seconds * 10);
}

/// A client certificate opens a server that asks for one.
#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_ours() {
    let influx = Influx::start().await;
    let certificates = crate::support::peer::Certificates::new();
    let (_proxy, port) = certificates.terminate_for_known(influx.address);
    let mut rig = Rig::new(&format!("https://127.0.0.1:{port}"));
    rig.settings.trust.ca_file = Some(certificates.authority());
    rig.start();
    let seq = rig.commit(&tick(0, 10));
    rig.until("it is not let in", || {
        rig.stats.numbers().last_error.is_some()
    })
    .await;
    assert!(influx.state().writes.is_empty());
    rig.stop().await;
    let own = |name: &str| certificates.dir.path().join(name);
    rig.settings.trust.identity = Some((own("certificate.pem"), own("key.pem")));
    rig.start();
    rig.settled(seq).await;
    holds_exactly(&influx, &rig.journal.text());
    assert!(!format!("{:?}", rig.settings).contains(TOKEN));
}
