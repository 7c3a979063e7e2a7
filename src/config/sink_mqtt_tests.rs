//! What `[sink.NAME.mqtt]` comes to, and what is told of its mistakes.

use std::time::Duration;

use super::super::check::parse;
use super::super::read::Problem;

const PARK: &str = r#"
[park]
id = "p"
time_zone = "UTC"

[broker.park]
host = "10.0.0.5"
client_id = "box"

[broker.again]
host = "10.0.0.5"

[broker.quiet]
host = "10.0.0.6"
read_only = true

[[sensor]]
id = "dni"
role = "weather"
broker = "park"
topic = "TOPIC"
quantity = "dni"
unit = "W/m2"
expect_every = "5s"
"#;

fn with(topic: &str, sinks: &str) -> String {
    format!("{}{sinks}", PARK.replace("TOPIC", topic))
}

fn told(topic: &str, sinks: &str) -> Vec<Problem> {
    parse(&with(topic, sinks)).err().unwrap_or_default()
}

#[test]
fn a_sink_takes_its_broker_and_adds_what_it_publishes() {
    let text = with(
        "park/dni",
        "[sink.ha.mqtt]\nbroker = \"park\"\n[sink.fleet.mqtt]\nbroker = \"park\"\nprefix = \"fleet/cn\"\ndiscovery = \"homeassistant\"\nevery = \"1min\"\nclient_id = \"box-fleet\"\n",
    );
    let setup = parse(&text).unwrap();
    let sinks = &setup.mqtt_sinks;
    let by_name = |name: &str| sinks.iter().find(|sink| sink.name == name).unwrap();
    let (ha, fleet) = (by_name("ha"), by_name("fleet"));
    assert_eq!(ha.broker.settings.host, "10.0.0.5");
    assert_eq!(ha.broker.settings.client_id, "box-ha");
    assert_eq!(
        (&*ha.prefix, &ha.discovery, ha.every),
        ("sunledger", &None, Duration::from_secs(5))
    );
    assert_eq!(fleet.broker.settings.client_id, "box-fleet");
    assert_eq!(fleet.prefix, "fleet/cn");
    assert_eq!(fleet.discovery.as_deref(), Some("homeassistant"));
    assert_eq!(fleet.every, Duration::from_secs(60));
    // A broker of which nobody hears is none to hear from.
    assert_eq!(setup.brokers.len(), 1);
    assert_eq!(setup.brokers[0].settings.client_id, "box");
    assert_eq!(setup.sink_names().len(), 2);
}

#[test]
fn a_sink_that_cannot_be_says_why_and_what_to_do() {
    let mqtt = |keys: &str| format!("[sink.ha.mqtt]\nbroker = \"park\"\n{keys}\n");
    #[rustfmt::skip]
    let cases = [
        // topic of the sensor      sinks                                   path                    fact                       remedy
        ("park/dni", "[sink.ha.mqtt]\n".to_owned(),                         "sink.ha.mqtt.broker",  "is missing",              "park"),
        ("park/dni", "[sink.ha.mqtt]\nbroker = \"hall\"\n".to_owned(),      "sink.ha.mqtt.broker",  "there is no broker `hall`", "`park`"),
        ("park/dni", "[sink.ha.mqtt]\nbroker = \"quiet\"\n".to_owned(),     "sink.ha.mqtt.broker",  "`read_only`",             "a [broker.NAME] of its own"),
        ("park/dni", mqtt("prefix = \"sun/+\""),                            "sink.ha.mqtt.prefix",  "cannot begin a topic",    "without `+` and `#`"),
        ("park/dni", mqtt("prefix = \"/sun\""),                             "sink.ha.mqtt.prefix",  "cannot begin a topic",    "\"sunledger\""),
        ("park/dni", mqtt("prefix = \"$SYS\""),                             "sink.ha.mqtt.prefix",  "cannot begin a topic",    "\"sunledger\""),
        ("park/dni", mqtt("discovery = \"\""),                              "sink.ha.mqtt.discovery", "cannot begin a topic",  "\"sunledger\""),
        ("park/dni", mqtt("every = \"500ms\""),                             "sink.ha.mqtt.every",   "no pace",                 "\"1s\""),
        ("park/dni", mqtt("client_id = \"box\""),                           "sink.ha.mqtt.client_id", "our sensors' client",   "of its own"),
        ("park/dni", mqtt("qos = 1"),                                       "sink.ha.mqtt.qos",     "",                        "known here"),
        ("sunledger/p/meter/x", mqtt(""),                                   "sink.ha.mqtt.prefix",  "`sunledger/p/meter/x`",   "measure itself"),
        ("sunledger/#", mqtt(""),                                           "sink.ha.mqtt.prefix",  "`sunledger/#`",           "measure itself"),
        ("homeassistant/device/#", mqtt("discovery = \"homeassistant\""),   "sink.ha.mqtt.prefix",  "`homeassistant/device/#`", "measure itself"),
        // A prefix that is none is not judged as the default, which a sensor hears.
        ("sunledger/#", mqtt("prefix = \"sun/+\""),                         "sink.ha.mqtt.prefix",  "cannot begin a topic",    "without `+` and `#`"),
        // Two names of one broker are one broker.
        ("sunledger/#", "[sink.ha.mqtt]\nbroker = \"again\"\n".to_owned(),  "sink.ha.mqtt.prefix",  "`sunledger/#`",           "measure itself"),
        ("park/dni", format!("{}[sink.b.mqtt]\nbroker = \"again\"\n", mqtt("")), "sink.",           "publishes the same topics", "keep one"),
        ("park/dni", "[sink.ha]\n".to_owned(),                              "sink.ha",              "says no kind",            "[sink.ha.mqtt]"),
    ];
    for (topic, sinks, path, fact, remedy) in cases {
        let problems = told(topic, &sinks);
        assert_eq!(problems.len(), 1, "{sinks}: {problems:?}");
        let problem = &problems[0];
        assert!(problem.path.starts_with(path), "{sinks}: {problem:?}");
        assert!(problem.fact.contains(fact), "{sinks}: {problem:?}");
        assert!(problem.remedy.contains(remedy), "{sinks}: {problem:?}");
    }
}

#[test]
fn what_no_sensor_hears_is_nobodys_business() {
    for topic in ["park/#", "sunledger/q/#", "+/dni", "sunledger"] {
        let problems = told(
            topic,
            "[sink.ha.mqtt]\nbroker = \"park\"\ndiscovery = \"homeassistant\"\n",
        );
        assert!(problems.is_empty(), "{topic}: {problems:?}");
    }
}
