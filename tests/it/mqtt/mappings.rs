//! Every ready mapping with messages of its system: a folder of cases, each a sensor as
//! a technician writes it, what its devices send, and what it must come to.

use std::collections::BTreeMap;

use prost::Message as _;
use serde_json::Value as Json;
use sunledger::config::{Setup, check};
use sunledger::domain::quality::Reason;
use sunledger::domain::snapshot::Value;
use sunledger::source::mqtt::Subscription;
use sunledger::wire::mqtt::sparkplug::{Node, RawMetric, RawPayload, RawValue, Topic, Word};
use sunledger::wire::mqtt::{Payload, Speech};

/// The configuration of a park with one sensor, or everything that is wrong with it.
pub fn setup(sensor: &str) -> Result<Setup, String> {
    let text = format!(
        "[park]\nid = \"p\"\ntime_zone = \"Asia/Shanghai\"\nlatitude = 39.0\nlongitude = 113.0\n\
         [broker.park]\nhost = \"127.0.0.1\"\n\
         [[sensor]]\nid = \"one\"\nbroker = \"park\"\n{sensor}"
    );
    check::parse(&text).map_err(|problems| {
        let lines = problems
            .iter()
            .map(|one| format!("{}: {} ({})", one.path, one.fact, one.remedy));
        lines.collect::<Vec<_>>().join("\n")
    })
}

/// What a sensor came to, by quantity: the last value in the canonical unit, or why
/// there is none.
#[derive(Default)]
struct Heard {
    values: BTreeMap<usize, Result<Value, Reason>>,
    presence: Option<bool>,
    node: Node,
}

impl Heard {
    fn hear(&mut self, sensor: &Subscription, topic: &str, bytes: &[u8]) {
        let payload = Payload::new(bytes);
        let ways = sensor.ways.iter();
        for way in ways.filter(|way| way.filter.means(topic)) {
            match &way.speech {
                Speech::Values(reader) => {
                    let said = reader.read(&payload).unwrap_or_default();
                    self.values.extend(said.values);
                }
                Speech::Presence(words) => self.presence = words.is_there(&payload),
                Speech::Sparkplug(outlook) => {
                    let topic = Topic::parse(topic).unwrap();
                    let taken = self.node.take(topic, bytes).unwrap();
                    if outlook.is_of(&topic) {
                        let said = outlook.read(&taken).into_iter();
                        self.values.extend(said.flat_map(|said| said.values));
                        if taken.word == Word::Died {
                            self.presence = Some(false);
                        }
                    }
                }
            }
        }
    }
}

/// A Sparkplug payload from its decoded form.
fn protobuf(decoded: &Json) -> Vec<u8> {
    let metric = |metric: &Json| RawMetric {
        name: metric["name"].as_str().map(str::to_owned),
        alias: metric["alias"].as_u64(),
        timestamp: metric["timestamp"].as_u64(),
        datatype: metric["datatype"]
            .as_u64()
            .map(|number| u32::try_from(number).unwrap()),
        is_historical: metric["is_historical"].as_bool(),
        is_null: metric["is_null"].as_bool(),
        value: metric["long_value"]
            .as_u64()
            .map(RawValue::Long)
            .or(metric["float_value"]
                .as_f64()
                .map(|number| RawValue::Float(number as f32)))
            .or(metric["boolean_value"].as_bool().map(RawValue::Boolean)),
    };
    RawPayload {
        timestamp: decoded["timestamp"].as_u64(),
        metrics: decoded["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(metric)
            .collect(),
        seq: decoded["seq"].as_u64(),
    }
    .encode_to_vec()
}

fn bytes(topic: &str, payload: &Json) -> Vec<u8> {
    match payload {
        Json::String(text) => text.clone().into_bytes(),
        decoded if topic.starts_with("spBv1.0/") => protobuf(decoded),
        document => document.to_string().into_bytes(),
    }
}

fn play(name: &str, case: &Json) {
    let situation = format!("{name}: {}", case["situation"].as_str().unwrap());
    let setup = setup(case["sensor"].as_str().unwrap());
    let setup = setup.unwrap_or_else(|problems| panic!("{situation}: {problems}"));
    let (meter, sensor) = (
        &setup.park.meters[0],
        &setup.brokers[0].settings.subscriptions[0],
    );
    let mut heard = Heard::default();
    for message in case["messages"].as_array().unwrap() {
        let topic = message["topic"].as_str().unwrap();
        heard.hear(sensor, topic, &bytes(topic, &message["payload"]));
    }
    let (mut values, mut missing) = (BTreeMap::new(), BTreeMap::new());
    for (point, said) in &heard.values {
        let point = &meter.points[*point];
        let name = point.quantity.name.to_owned();
        match said {
            Ok(Value::Count(count)) => {
                let worth = point.register.unwrap().unit.as_watt_hours();
                values.insert(name, *count as f64 * worth);
            }
            Ok(value) => {
                let Value::Analog(value) = value else {
                    panic!("{situation}: {name} is {value:?}");
                };
                values.insert(name, *value);
            }
            Err(reason) => drop(missing.insert(name, reason.name().to_owned())),
        }
    }
    if let Some(there) = heard.presence {
        let word = if there { "there" } else { "gone" };
        missing.insert("presence".to_owned(), word.to_owned());
    }
    let expected: BTreeMap<String, f64> = serde_json::from_value(case["expected"].clone()).unwrap();
    let close = |(name, value): (&String, &f64)| {
        let found = values.get(name).copied().unwrap_or(f64::NAN);
        (found - value).abs() <= value.abs() * 1e-6
    };
    assert!(
        values.len() == expected.len() && expected.iter().all(close),
        "{situation}: {values:?}, expected {expected:?}"
    );
    let reasons: BTreeMap<String, String> =
        serde_json::from_value::<Vec<(String, String)>>(case["missing"].clone())
            .unwrap()
            .into_iter()
            .collect();
    assert_eq!(missing, reasons, "{situation}");
}

#[test]
fn every_mapping_reads_what_its_system_sends() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mqtt");
    let mut cases = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let fixture: Json = serde_json::from_str(&text).unwrap();
        assert!(fixture["source"].as_str().unwrap().contains("invented"));
        for case in fixture["cases"].as_array().unwrap() {
            play(&path.file_stem().unwrap().to_string_lossy(), case);
            cases += 1;
        }
    }
    assert!(cases > 35, "{cases}");
}

const SPEAKS: &str = "role = \"monitor\"\nexpect_every = \"5s\"\n";

#[test]
fn a_victron_is_asked_to_go_on_talking() {
    let sensor = "mapping = \"victron\"\nportal = \"c0619ab1234c\"\nservice = \"grid/30\"\n";
    let setup = setup(&format!("{SPEAKS}{sensor}")).unwrap();
    let sensor = &setup.brokers[0].settings.subscriptions[0];
    assert_eq!(
        sensor.keep_talking.as_deref(),
        Some("R/c0619ab1234c/keepalive")
    );
}

#[test]
fn one_table_with_captures_is_a_sensor_for_each() {
    let plugs = "role = \"tenant\"\nexpect_every = \"5s\"\ntopic = \"meters/+plug/+/power\"\n\
                 quantity = \"power\"\nunit = \"kW\"\n\
                 availability = { topic = \"meters/{plug}/online\" }\n\
                 captures = { plug = [\"pump1\", \"pump2\", \"fan\"] }\n";
    let setup = setup(plugs);
    assert!(setup.unwrap_err().contains("write `{plug}` into it"));
    let text = format!("id = \"plug-{{plug}}\"\n{plugs}");
    let setup = super::mappings::setup_as(&text).unwrap();
    let ids: Vec<&str> = setup.park.meters.iter().map(|meter| &*meter.id).collect();
    assert_eq!(ids, ["plug-pump1", "plug-pump2", "plug-fan"]);
    for (sensor, level) in setup.brokers[0]
        .settings
        .subscriptions
        .iter()
        .zip(["pump1", "pump2", "fan"])
    {
        let filter = &sensor.ways[0].filter;
        assert_eq!(filter.subscribed, "meters/+/+/power");
        assert!(filter.means(&format!("meters/{level}/x/power")));
        assert!(!filter.means("meters/other/x/power"));
        let online = format!("meters/{level}/online");
        assert_eq!(sensor.ways[1].filter.topic(), Some(&*online));
    }
}

/// The same, with the sensor's own id.
fn setup_as(sensor: &str) -> Result<Setup, String> {
    let text = format!(
        "[park]\nid = \"p\"\ntime_zone = \"Asia/Shanghai\"\nlatitude = 39.0\nlongitude = 113.0\n\
         [broker.park]\nhost = \"127.0.0.1\"\n[[sensor]]\nbroker = \"park\"\n{sensor}"
    );
    check::parse(&text).map_err(|problems| format!("{problems:?}"))
}

#[test]
fn what_is_wrong_with_a_sensor_is_said_with_a_remedy() {
    let number = "quantity = \"temp\"\nunit = \"degC\"\n";
    #[rustfmt::skip]
    let cases = [
        ("mapping = \"tasmotta\"\ndevice = \"a\"\n".to_owned(),               "sensor[0].mapping: `tasmotta` is no mapping (did you mean `tasmota`?)"),
        ("mapping = \"tasmota\"\n".to_owned(),                                "sensor[0].device: is missing"),
        ("mapping = \"tasmota\"\ndevice = \"a\"\nonly = [\"soc\"]\n".to_owned(), "sensor[0].only: `soc` is not in this mapping"),
        ("mapping = \"wmbusmeters\"\ndevice = \"1\"\ndriver = \"sharky\"\n".to_owned(), "sensor[0].driver: `sharky` is not known to this mapping"),
        ("mapping = \"esphome\"\ndevice = \"a\"\nquantity = \"temp\"\n".to_owned(), "sensor[0].field: is missing"),
        ("mapping = \"chirpstack\"\ndevice = \"a\"\n".to_owned(),             "sensor[0].point: is missing"),
        (format!("topic = \"a/+id\"\n{number}"),                              "sensor[0].topic: `a/+id` captures `id`, and nothing says which there are"),
        (format!("topic = \"a/#/b\"\n{number}"),                              "sensor[0].topic: `a/#/b`: level `#`"),
        (format!("topic = \"a\"\npointer = \"temp\"\n{number}"),              "sensor[0].pointer: `temp` is not a JSON pointer"),
        (format!("topic = \"a\"\ncaptures = {{ id = [] }}\n{number}"),        "sensor[0].captures.id: captures nothing"),
        (format!("topic = \"a\"\ntime = {{ pointer = \"/t\", format = \"local\" }}\n{number}"), "sensor[0].time.format: `local` is no way to write a time"),
        (format!("topic = \"a\"\nstatus = {{ pointer = \"/s\" }}\n{number}"), "sensor[0].status.ok: names nothing"),
        (format!("topic = \"a\"\nwhen = {{ group = \"x\" }}\n{number}"),      "sensor[0].when.group: `group` does not begin with a slash"),
        (format!("topic = \"a\"\nunitt = \"x\"\n{number}"),                   "sensor[0].unitt: is an unknown key (did you mean `unit`?)"),
    ];
    for (sensor, problem) in cases {
        let found = setup(&format!("{SPEAKS}{sensor}")).unwrap_err();
        assert!(
            found.lines().any(|line| line.starts_with(problem)),
            "{sensor}\n{found}"
        );
        assert_eq!(found.lines().count(), 1, "{sensor}\n{found}");
    }
}
