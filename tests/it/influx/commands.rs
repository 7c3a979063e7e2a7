//! `influx setup` and `influx audit`, by their library.

use std::time::Duration;

use jiff::Timestamp;
use sunledger::sink::audit::{Asked, AuditReport, audit};
use sunledger::sink::dialect::{Dialect, Login};
use sunledger::sink::knock::knock;
use sunledger::sink::relay::CommandError;
use sunledger::sink::setup::{BucketFound, setup};
use sunledger::sys::secret::Secret;

use crate::support::influx::{BUCKET, Influx, ORG, Value};
use crate::support::influxd::{DATABASE, Influxd, PASSWORD, USER};
use crate::support::peer::Certificates;
use crate::support::shipping::{Rig, START_MS, tick};
use crate::support::victoria::Victoria;

/// The whole time of a test's journal.
fn everything() -> Asked {
    let at = |ms| Timestamp::from_millisecond(ms).unwrap();
    Asked {
        from: at(0),
        to: at(START_MS + 1_000_000_000),
        after: 0,
        upto: u64::MAX,
        kept: Some((at(0), at(START_MS + 1_000_000_000))),
    }
}

fn bucket(name: &str) -> Dialect {
    Dialect::Influx2 {
        org: ORG.to_owned(),
        bucket: name.to_owned(),
    }
}

async fn audited(rig: &Rig) -> AuditReport {
    let audited = audit(&rig.settings, rig.journal.clone(), everything());
    audited.await.unwrap()
}

#[tokio::test]
async fn a_new_bucket_has_the_retention_and_the_token_is_tried() {
    let influx = Influx::start().await;
    let mut rig = Rig::new(&influx.url());
    rig.settings.dialect = bucket("fresh");
    let month = Duration::from_secs(30 * 86_400);
    let report = setup(&rig.settings, Some(month)).await.unwrap();
    assert_eq!(report.bucket, BucketFound::Created);
    assert_eq!(report.retention_s, Some(30 * 86_400));
    assert_eq!(report.server, "influxdb v2.7.0-stand-in");
    assert!(report.ready() && report.may_write.granted && report.may_read.granted);
    assert_eq!(
        influx.state().bucket("fresh").unwrap().retention_s,
        30 * 86_400
    );

    // Again: nothing to do, and another retention is told, not set.
    let report = setup(&rig.settings, Some(month * 2)).await.unwrap();
    assert_eq!(report.bucket, BucketFound::Present);
    assert_eq!(report.retention_s, Some(30 * 86_400));
    assert_eq!(report.retention_wanted_s, Some(60 * 86_400));
    assert_eq!(
        influx.state().bucket("fresh").unwrap().retention_s,
        30 * 86_400
    );
    assert!(influx.state().bucket("fresh").unwrap().shelf.is_empty());

    let minute = setup(&rig.settings, Some(Duration::from_secs(60))).await;
    assert!(matches!(minute, Err(CommandError::Retention(_))));
}

#[tokio::test]
async fn a_token_that_may_only_write_and_read_is_enough() {
    let influx = Influx::start().await;
    influx.state().narrow_token = true;
    let rig = Rig::new(&influx.url());
    let report = setup(&rig.settings, None).await.unwrap();
    assert_eq!(
        (report.bucket, report.retention_s),
        (BucketFound::Hidden, None)
    );
    assert!(report.ready());
}

#[tokio::test]
async fn a_wrong_token_and_a_wrong_address_are_told_apart() {
    let influx = Influx::start().await;
    let mut rig = Rig::new(&influx.url());
    rig.settings.login = Login::token(Secret::new("another-token"));
    let words = setup(&rig.settings, None).await.unwrap_err().to_string();
    assert_eq!(
        words,
        "organisation `park` or bucket `energy` is not there or not open to this token; \
         writing: the server answers 401: unauthorized access; \
         look at the names, or give this command a token that may make buckets"
    );

    rig.settings.url = format!("{}/elsewhere", influx.url());
    let words = setup(&rig.settings, None).await.unwrap_err().to_string();
    let expected = format!(
        "{} is another server: health: the server answers 404: path not found; look at `url`",
        rig.settings.url
    );
    assert!(words.starts_with(&expected), "{words}");

    rig.settings.url = "http://127.0.0.1:9".to_owned();
    let nobody = setup(&rig.settings, None).await.unwrap_err();
    assert!(matches!(nobody, CommandError::NoAnswer { .. }), "{nobody}");

    rig.settings.url = "influx".to_owned();
    let nowhere = setup(&rig.settings, None).await.unwrap_err();
    assert!(matches!(nowhere, CommandError::Way(_)), "{nowhere}");
}

#[tokio::test]
async fn behind_https_an_own_authority_and_a_path_everything_works() {
    let influx = Influx::start_below("/influx").await;
    let certificates = Certificates::new();
    let (_proxy, port) = certificates.terminate_before(influx.address);
    let mut rig = Rig::new(&format!("https://127.0.0.1:{port}/influx/"));
    rig.start();
    let seq = rig.commit(&tick(0, 10));
    // Without the authority nobody is trusted, and nothing is sent.
    rig.until("it does not trust", || {
        let error = rig.stats.numbers().last_error.unwrap_or_default();
        error.contains("UnknownIssuer") || error.contains("certificate")
    })
    .await;
    assert!(influx.state().writes.is_empty());
    rig.stop().await;

    rig.settings.trust.ca_file = Some(certificates.authority());
    rig.start();
    rig.settled(seq).await;
    super::holds_exactly(&influx, &rig.journal.text());
    let report = setup(&rig.settings, None).await.unwrap();
    assert_eq!(report.bucket, BucketFound::Present);
    let report = audited(&rig).await;
    assert_eq!((report.stored, report.clean()), (30, true));
}

#[tokio::test]
async fn the_audit_finds_what_is_missing_and_what_is_different() {
    let influx = Influx::start().await;
    let mut rig = Rig::new(&influx.url());
    rig.start();
    // More than one window, more than one measurement, names to escape, a late row.
    for n in 0..30 {
        rig.commit(&tick(n, 100));
    }
    rig.commit(&format!(
        "balance,carrier=heat,park=fanshi supplied_w=1e-7 {START_MS}\n"
    ));
    rig.commit("heat,meter=a\\,\\ \\\"b\\\"\\=c,park=fan\\ shi power_w=-0.0 1580466400123\n");
    let seq = rig.commit("sunledger,note=\"quoted\" dropped_points=3i 1780466400000\n");
    rig.settled(seq).await;
    let report = audited(&rig).await;
    assert!(report.clean(), "{report:?}");
    assert_eq!(report.stored, 30 * 100 * 3 + 3);

    // A server that lost two values, changed one, and one in its last digits.
    let keys: Vec<_> = influx.state().shelf().keys().cloned().collect();
    let of = |field: &str, n: usize| {
        let mut found = keys.iter().filter(|key| key.field == field);
        found.nth(n).cloned().unwrap()
    };
    {
        let mut state = influx.state();
        let shelf = state.shelf();
        shelf.remove(&of("power_w", 7)).unwrap();
        shelf.remove(&of("supplied_w", 0)).unwrap();
        shelf.insert(of("energy_import_count", 11), Value::Integer(-1));
        let key = of("power_w", 100);
        let Some(Value::Float(value)) = shelf.get(&key).cloned() else {
            panic!("a float");
        };
        shelf.insert(key, Value::Float(value * (1.0 + 1e-13)));
    }
    let report = audited(&rig).await;
    assert_eq!((report.missing, report.different), (2, 1));
    assert_eq!(report.stored, 30 * 100 * 3 + 3 - 3);
    assert_eq!(report.examples.len(), 3);
    let changed = report
        .examples
        .iter()
        .find(|e| e.database.is_some())
        .unwrap();
    assert_eq!(changed.field, "energy_import_count");
    assert_eq!(changed.database.as_deref(), Some("-1i"));
    let lost = report
        .examples
        .iter()
        .find(|e| e.field == "supplied_w")
        .unwrap();
    assert_eq!(lost.series, "balance,carrier=heat,park=fanshi");
    assert_eq!(
        (lost.journal.as_str(), lost.at.as_millisecond()),
        ("0.0000001", START_MS)
    );

    // Only the period that was asked for, and only what the sink has delivered.
    let from = Timestamp::from_millisecond(START_MS + 5_000).unwrap();
    let to = Timestamp::from_millisecond(START_MS + 7_000).unwrap();
    let part = Asked {
        from,
        to,
        ..everything()
    };
    let report = audit(&rig.settings, rig.journal.clone(), part)
        .await
        .unwrap();
    assert_eq!(report.stored + report.missing + report.different, 2 * 300);
    let part = Asked {
        upto: 2,
        ..everything()
    };
    let report = audit(&rig.settings, rig.journal.clone(), part)
        .await
        .unwrap();
    assert_eq!(report.stored + report.missing + report.different, 2 * 300);
}

#[tokio::test]
async fn an_empty_bucket_lacks_everything_and_the_report_stays_short() {
    let influx = Influx::start().await;
    let rig = Rig::new(&influx.url());
    rig.journal.append(&tick(0, 50));
    let report = audited(&rig).await;
    assert_eq!(
        (report.stored, report.missing, report.examples.len()),
        (0, 150, 20)
    );
}

#[tokio::test]
async fn an_answer_that_breaks_the_client_is_an_error_and_not_the_end() {
    let influx = Influx::start().await;
    let rig = Rig::new(&influx.url());
    rig.journal.append(&tick(0, 1));
    influx.state().next_query = Some(
        "#datatype,string,long,dateTime:RFC3339,double,string\r\n#group,false,false,false,false,true\r\n\
         #default,_result,,,,\r\n,result,table,_time,_value,_field\r\n,,0,2026-06-03T06:00:00Z,,power_w\r\n"
            .to_owned(),
    );
    let error = audit(&rig.settings, rig.journal.clone(), everything())
        .await
        .unwrap_err();
    assert!(matches!(error, CommandError::Strange { .. }), "{error}");
    // An error table comes with status 200.
    influx.state().next_query = Some(
        "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,it ran out of memory,897\r\n"
            .to_owned(),
    );
    let error = audit(&rig.settings, rig.journal.clone(), everything())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("it ran out of memory"),
        "{error}"
    );
}

/// Proxies come from the environment, so this test runs itself once more in one.
#[tokio::test]
async fn a_proxy_of_the_environment_leads_to_the_server() {
    const INSIDE: &str = "SUNLEDGER_TEST_BEHIND_PROXY";
    if std::env::var_os(INSIDE).is_some() {
        let mut rig = Rig::new("http://influx.park.invalid/influx");
        rig.start();
        let seq = rig.commit(&tick(0, 10));
        rig.settled(seq).await;
        assert!(setup(&rig.settings, None).await.unwrap().ready());
        assert!(audited(&rig).await.clean());
        return;
    }
    let influx = Influx::start_below("/influx").await;
    let this = std::env::current_exe().unwrap();
    let inside = tokio::process::Command::new(this)
        .args([
            "--exact",
            "influx::commands::a_proxy_of_the_environment_leads_to_the_server",
        ])
        .env(INSIDE, "1")
        .env("http_proxy", format!("http://{}", influx.address))
        .env("HTTP_PROXY", format!("http://{}", influx.address))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .await
        .unwrap();
    assert!(
        inside.status.success(),
        "{}",
        String::from_utf8_lossy(&inside.stdout)
    );
    assert_eq!(influx.state().bucket(BUCKET).unwrap().shelf.len(), 30);
}

#[tokio::test]
async fn an_audit_of_what_nobody_has_yet_says_what_waits_and_whether_anybody_is_there() {
    let influx = Influx::start().await;
    let rig = Rig::new(&influx.url());
    for n in 0..3 {
        rig.commit(&tick(n, 5));
    }
    let nothing_delivered = || Asked {
        upto: 0,
        ..everything()
    };
    let report = audit(&rig.settings, rig.journal.clone(), nothing_delivered()).await;
    let report = report.unwrap();
    assert_eq!((report.stored, report.missing), (0, 0));
    assert_eq!(report.waiting, rig.journal.points(), "three values a row");
    assert_eq!(influx.state().queries, 1, "it was asked all the same");

    let mut rig = rig;
    rig.settings.url = format!("http://127.0.0.1:{}", crate::support::peer::free_port());
    let error = audit(&rig.settings, rig.journal.clone(), nothing_delivered()).await;
    assert!(error.is_err(), "nobody answers there");
}

#[tokio::test]
async fn setup_names_what_keeps_a_sink_from_delivering() {
    let influx = Influx::start().await;
    let setup_of = async |change: &dyn Fn(&mut Rig)| {
        let mut rig = Rig::new(&influx.url());
        change(&mut rig);
        setup(&rig.settings, None)
            .await
            .map_err(|error| error.to_string())
    };
    let report = setup_of(&|_| ()).await.unwrap();
    assert!(report.ready() && report.clock_off_s.is_some_and(|off| off.abs() < 100));

    let two = setup_of(&|rig| rig.settings.login = Login::token(Secret::new("one\ntwo"))).await;
    let words = two.unwrap_err();
    assert!(
        words.contains("the token has a line break in it; put the token alone"),
        "{words}"
    );
    assert!(!words.contains("one\n"));

    influx.state().narrow_token = true;
    let missing = setup_of(&|rig| rig.settings.dialect = bucket("missing")).await;
    let words = missing.unwrap_err();
    assert!(
        words.contains("bucket `missing` is not there or not open to this token"),
        "{words}"
    );
    assert!(words.contains("look at the names"), "{words}");

    // A web server that is something else.
    let portal = crate::support::http::anything("<html>Please log in</html>").await;
    let other = setup_of(&|rig| rig.settings.url = format!("http://{portal}")).await;
    let words = other.unwrap_err();
    assert!(
        words.contains("is another server") && words.contains("look at `url`"),
        "{words}"
    );
}

#[tokio::test]
async fn the_other_databases_are_looked_at_and_a_wrong_kind_is_named() {
    let influxd = Influxd::start().await;
    let victoria = Victoria::anywhere().await;
    let influx = Influx::start().await;
    let of = |url: &str, dialect: Dialect, login: Login| {
        let mut rig = Rig::new(url);
        rig.settings.dialect = dialect;
        rig.settings.login = login;
        rig.settings
    };
    let influx1 = || Dialect::Influx1 {
        database: DATABASE.to_owned(),
        retention_policy: None,
    };
    let login = |password: &str| Login {
        user: Some(USER.to_owned()),
        secret: Some(Secret::new(password)),
        file: None,
    };
    let settings = of(influxd.base(), influx1(), login(PASSWORD));
    let knocked = knock(&settings).await.unwrap();
    assert!(knocked.server.starts_with("InfluxDB 1 1.6"), "{knocked:?}");
    assert!(knocked.clock_off_s.is_some_and(|off| off.abs() < 100));
    let words = knocked.may_write.words.unwrap();
    assert!(words.contains("database not found"), "{words}");
    influxd.create_database().await;
    let knocked = knock(&settings).await.unwrap();
    assert!(knocked.may_write.granted, "{knocked:?}");
    influxd.holds_exactly("").await;
    let knocked = knock(&of(influxd.base(), influx1(), login("wrong")))
        .await
        .unwrap();
    assert!(knocked.may_write.words.unwrap().contains("401"));

    let victoria = of(victoria.base(), Dialect::VictoriaMetrics, Login::default());
    let knocked = knock(&victoria).await.unwrap();
    assert_eq!(
        (&*knocked.server, knocked.may_write.granted),
        ("VictoriaMetrics", true)
    );

    for dialect in [influx1(), Dialect::VictoriaMetrics] {
        let error = knock(&of(&influx.url(), dialect, Login::default())).await;
        let words = error.unwrap_err().to_string();
        assert!(words.contains("is another server"), "{words}");
    }
}
