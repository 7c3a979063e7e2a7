//! What `[sink.NAME.KIND]` comes to, and what is told of its mistakes.

use super::super::relations::tests::{read, told};
use super::*;

const METERS: &[(&str, &str, &str)] = &[("pcc", "grid", "")];

fn sinks(text: &str) -> Vec<InfluxSetup> {
    read(METERS, text)
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .sinks
}

#[test]
fn each_database_is_read_with_its_login_and_its_place() {
    let sinks = sinks(
        r#"
[sink.a.influx]
url = "http://127.0.0.1:8086"
org = "park"
bucket = "energy"
token = { credential = "influx" }
[sink.b.influx1]
url = "https://db/influx"
database = "energy"
retention_policy = "two-years"
user = "park"
password = { file = "/p" }
ca_file = "/ca.pem"
cert_file = "/c.pem"
key_file = "/k.pem"
backlog_values_per_s = 5_000
[sink.c.influx1]
url = "http://db"
database = "energy"
[sink.d.influx3]
url = "http://127.0.0.1:8181"
database = "energy"
token = { file = "/t" }
[sink.e.victoria_metrics]
url = "http://127.0.0.1:8428/insert/0/influx"
[sink.f.victoria_metrics]
url = "http://127.0.0.1:8428"
user = "park"
password = { credential = "vm" }
"#,
    );
    let names: Vec<&str> = sinks.iter().map(|sink| sink.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(
        sinks[1].dialect,
        Dialect::Influx1 {
            database: "energy".to_owned(),
            retention_policy: Some("two-years".to_owned()),
        }
    );
    assert_eq!(sinks[1].user.as_deref(), Some("park"));
    assert_eq!(sinks[1].secret, Some(SecretSource::File("/p".into())));
    let identity = Some(("/c.pem".into(), "/k.pem".into()));
    assert_eq!(sinks[1].trust.identity, identity);
    assert_eq!(
        (sinks[1].backlog_rate, sinks[0].backlog_rate),
        (5_000, BACKLOG_RATE)
    );
    assert_eq!((&sinks[2].user, &sinks[2].secret), (&None, &None));
    assert_eq!(sinks[3].secret, Some(SecretSource::File("/t".into())));
    assert_eq!(sinks[4].url, "http://127.0.0.1:8428/insert/0/influx");
    let vm = Some(SecretSource::Credential("vm".to_owned()));
    assert_eq!(
        (sinks[5].user.as_deref(), &sinks[5].secret),
        (Some("park"), &vm)
    );
}

#[test]
fn what_cannot_be_is_told_with_path_fact_and_remedy() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, &str)] = &[
        ("influx1",          "url = \"http://db\"",
            "sink.x.influx1.database: is missing; add `database = \"energy\"`"),
        ("influx1",          "url = \"http://db\"\ndatabase = \"e\"\ntoken = { file = \"/t\" }",
            "sink.x.influx1.token: is an unknown key; remove it"),
        ("influx1",          "url = \"http://db\"\ndatabase = \"e\"\nuser = \"park\"",
            "sink.x.influx1.password: is missing"),
        ("influx1",          "url = \"http://db\"\ndatabase = \"e\"\npassword = { file = \"/t\" }",
            "sink.x.influx1.password: has no user; add `user"),
        ("influx1",          "url = \"http://db\"\ndatabase = \"e\"\nuser = \"a:b\"\npassword = { file = \"/t\" }",
            "sink.x.influx1.user: has a colon in it"),
        ("influx1",          "url = \"http://db\"\ndatabase = \"e\"\nuser = \"a\"\npassword = \"canary\"",
            "sink.x.influx1.password: is written into the configuration"),
        ("influx3",          "url = \"http://db\"\ndatabase = \"_internal\"",
            "sink.x.influx3.database: `_internal` cannot be a name there; not empty, no `_`"),
        ("influx",           "url = \"http://db\"\norg = \"o\"\nbucket = \"b\"",
            "sink.x.influx.token: is missing"),
        ("influx3",          "url = \"http://db/api/v3/write_lp\"\ndatabase = \"e\"",
            "sink.x.influx3.url: ends in `/api/v3/write_lp`, which is added to it; `url = \"http://db\"`"),
        ("victoria_metrics", "url = \"http://db/write/\"",
            "sink.x.victoria_metrics.url: ends in `/write`, which is added to it; `url = \"http://db\"`"),
        ("victoria_metrics", "url = \"http://a:b@db\"",
            "sink.x.victoria_metrics.url: holds a user or password; use `token`, or `user` and `password`"),
        ("victoria_metrics", "url = \"http://db\"\ntoken = { file = \"/t\" }\nuser = \"a\"\npassword = { file = \"/p\" }",
            "sink.x.victoria_metrics.token: stands beside a user or a password"),
        ("victoria_metrics", "url = \"https://db\"\ncert_file = \"/c\"",
            "sink.x.victoria_metrics.cert_file: stands without `key_file`; add `key_file`"),
        ("victoria_metrics", "url = \"https://db\"\nkey_file = \"/c\"",
            "sink.x.victoria_metrics.key_file: stands without `cert_file`; add `cert_file`"),
        ("victoria_metrics", "url = \"http://db\"\nca_file = \"/c\"",
            "sink.x.victoria_metrics.ca_file: says nothing to an address without TLS; `url = \"https://…\"`"),
        ("victoria_metrics", "url = \"http://db\"\nbacklog_values_per_s = 0",
            "sink.x.victoria_metrics.backlog_values_per_s: 0 is out of range"),
    ];
    for (kind, keys, expected) in cases {
        let told = told(read(METERS, &format!("[sink.x.{kind}]\n{keys}\n")));
        let found = told
            .iter()
            .any(|line| line.starts_with(expected) || line.contains(expected));
        assert!(found, "{expected}\n{told:#?}");
        assert!(!told.iter().any(|line| line.contains("canary")), "{told:?}");
    }
}

#[test]
fn one_database_under_two_names_is_told() {
    let text = "[sink.a.victoria_metrics]\nurl = \"http://db\"\n\
                [sink.b.victoria_metrics]\nurl = \"http://db\"\n";
    let told = told(read(METERS, text));
    let expected = "sink.b.victoria_metrics: is the same database as sink `a`; \
                    leave one of them out: each would send every value";
    assert_eq!(told, [expected]);
}
