//! `check`: every mistake of a file in one run.

use crate::support::daemon::ask;

/// A file in which almost everything is wrong. Where a word is wrong, what depends on
/// it is read all the same.
const WRONG: &str = r#"[park]
id = "fan shi/1"
name = 7
time_zone = "Asia/Shangai"
settlement_interval = "7min"
latitude = 139.0
longitud = 113.26

[balance]
every_load_metered = "yes"

[store]
dir = "/var/lib/sunledger"
keep_days = "35"
max_bytes = "2 gigs"
when_full = "stop"

[web]
listen = "0.0.0.0:8080"

[sink.local.influx]
url = "127.0.0.1:8086"
org = "park"
bucket = "energy"
token = "canary-in-the-file"

[bus.main.tcp]
host = "10.0.0.10"
port = 70000
timeout = "1"

[bus.line.rtu]
device = "ttyUSB0"
baud = 9601
parity = "mark"
stop_bits = 3
data_bits = 7
turnaround = "1min"
rs485 = { rts = true }

[bus.odd.rtu]
device = "/dev/ttyS1"
parity = "odd"
stop_bits = 2

[bus.twin.rtu]
device = "/dev/ttyS1"

[bus.far.rtu_over_tcp]
host = "10.0.0.11"
ignore_transaction = true

[bus.near.tcp]
host = "10.0.0.11"

[broker.park]
host = "10.0.0.5"
user = "sunledger"

[[meter]]
id = "pcc"
role = "grit"
bus = "mian"
period = "10s"
stale_after = "5s"
multiplier = -1
[[meter.point]]
quantity = "powr"
address = 0
type = "f32"
scale = 1.0
unit = "W"
digits = 8

[[meter]]
id = "pcc"
role = "grid"
bus = "main"
unit = 256
[[meter.point]]
quantity = "power"
address = 65535
type = "f32"
[[meter.point]]
quantity = "power"
address = 65536
type = "f33"
scale = 2.0
[[meter.point]]
quantity = "energy_import"
fc = 16
address = 3
type = "u32"
unit = "kW"
digits = 8

[[meter]]
id = "network"
role = "heat_feed"
bus = "main"
heat = { fluid = "glycol", flow_sensor = "return" }
[[meter.point]]
quantity = "flow"
address = 3
type = "f32"

[[meter]]
id = "bakery"
role = "tenant"
bus = "line"
template = "eastron-sdm63"

[[sensor]]
id = "dni"
role = "wheather"
broker = "prak"
topic = "park/#/dni"
pointer = "dni"
quantity = "dnii"
unit = "W/m2"
"#;

/// Path, part of the fact, part of the remedy.
#[rustfmt::skip]
const FOUND: &[(&str, &str, &str)] = &[
    ("park.id",                         "`fan shi/1` cannot be a name",               "letters, digits"),
    ("park.name",                       "an integer stands where a string belongs",   "name = \"Smart industrial park\""),
    ("park.time_zone",                  "`Asia/Shangai` is not a time zone",          "\"Asia/Shanghai\""),
    ("park.settlement_interval",        "`7min` is not a settlement interval",        "\"15min\""),
    ("park.latitude",                   "139 is out of range",                        "from -90 to 90"),
    ("park.longitud",                   "is an unknown key",                          "did you mean `longitude`?"),
    ("balance.every_load_metered",      "a string stands where true or false belongs", "every_load_metered = false"),
    ("store.keep_days",                 "a string stands where an integer belongs",   "keep_days = 1"),
    ("store.max_bytes",                 "`2 gigs` is not a size",                     "\"2GiB\""),
    ("store.when_full",                 "`stop` is not what can be done about a full journal", "\"stop_recording\""),
    ("web.listen",                      "can be reached from the network",            "allow_insecure_lan"),
    ("sink.local.influx.url",           "`127.0.0.1:8086` is not a URL of a server",  "\"http://127.0.0.1:8086\""),
    ("sink.local.influx.token",         "is written into the configuration",          "token = { file = "),
    ("bus.main.tcp.port",               "70000 is out of range",                      "from 1 to 65535"),
    ("bus.main.tcp.timeout",            "`1` is not a duration",                      "such as \"1s\""),
    ("bus.line.rtu.device",             "`ttyUSB0` is not the path of a device",      "ls /dev/serial/by-id"),
    ("bus.line.rtu.baud",               "9601 is no speed that meters have",          "9600"),
    ("bus.line.rtu.parity",             "`mark` is not a parity",                     "\"even\""),
    ("bus.line.rtu.stop_bits",          "3 is out of range",                          "from 1 to 2"),
    ("bus.line.rtu.data_bits",          "are not eight",                              "leave the key out"),
    ("bus.line.rtu.turnaround",         "is longer than 10 s",                        "such as \"30ms\""),
    ("bus.line.rtu.rs485.rts",          "is an unknown key",                          "rts_on_send"),
    ("bus.odd.rtu.stop_bits",           "are two beside a parity bit",                "1 with parity"),
    ("bus.twin.rtu.device",             "/dev/ttyS1 is bus `odd` already",            "one bus for each endpoint"),
    ("bus.far.rtu_over_tcp.ignore_transaction", "is an unknown key",                  "known here"),
    ("bus.near.tcp.host",               "10.0.0.11:502 is bus `far` already",         "swaps answers"),
    ("broker.park.password",            "is missing beside `user`",                   "name the file or credential"),
    ("meter[0].role",                   "`grit` is not a role",                       "did you mean `grid`?"),
    ("meter[0].bus",                    "there is no bus `mian`",                     "`main`"),
    ("meter[0].stale_after",            "5s is shorter than the period of 10s",       "at least the period"),
    ("meter[0].multiplier",             "-1 is not above zero",                       "`invert = true`"),
    ("meter[0].point[0].quantity",      "`powr` is not a quantity",                   "did you mean `power`?"),
    ("meter[1].id",                     "`pcc` is taken",                             "each meter and sensor has its own"),
    ("meter[1].unit",                   "256 is out of range",                        "from 0 to 255"),
    ("meter[1].point[0].address",       "the registers of this type end behind 65535", "zero-based"),
    ("meter[1].point[1].quantity",      "`power` is measured twice by this meter",    "one point for each quantity"),
    ("meter[1].point[1].address",       "65536 is out of range",                      "from 0 to 65535"),
    ("meter[1].point[1].type",          "`f33` is not a type",                        "`f32`"),
    ("meter[1].point[2].unit",          "`kW` is not a unit of energy_import",        "\"kWh\""),
    ("meter[2].heat.fluid",             "`glycol` is not a fluid",                    "one of `water`, `meg`, `mpg`"),
    ("meter[2].heat",                   "needs `temp_supply`",                        "quantity `temp_supply`"),
    ("meter[2].heat",                   "needs `temp_return`",                        "quantity `temp_return`"),
    ("meter[1].point[2].fc",            "16 is out of range",                         "from 1 to 4"),
    ("meter[3].template",               "there is no template `eastron-sdm63`",       "did you mean `eastron-sdm630`?"),
    ("sensor[0].expect_every",          "is missing",                                 "on_change = true"),
    ("sensor[0].role",                  "`wheather` is not a role",                   "did you mean `weather`?"),
    ("sensor[0].broker",                "there is no broker `prak`",                  "one of `park`"),
    ("sensor[0].topic",                 "`park/#/dni`: level `#`",                     "`#` for the rest"),
    ("sensor[0].pointer",               "`dni` is not a JSON pointer",                "\"/dni\""),
    ("sensor[0].quantity",              "`dnii` is not a quantity",                   "did you mean `dni`?"),
];

#[tokio::test]
async fn every_mistake_is_told_at_once_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = super::write(dir.path(), "wrong.toml", WRONG);
    let said = ask(&["check", "--config", &file, "--json"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(78), ""), "{said:?}");
    let document = said.json();
    assert_eq!(document["ok"], false);
    let mut left: Vec<_> = document["problems"].as_array().unwrap().iter().collect();
    for (path, fact, remedy) in FOUND {
        let at = left.iter().position(|problem| {
            problem["path"] == *path && problem["fact"].as_str().unwrap().contains(fact)
        });
        let at = at.unwrap_or_else(|| panic!("{path}: {fact} is not in {}", said.out));
        let problem = left.remove(at);
        let found = problem["remedy"].as_str().unwrap();
        assert!(found.contains(remedy), "{path}: {remedy:?} in {found:?}");
    }
    assert!(left.is_empty(), "told beside the mistakes: {left:#?}");
    assert!(!said.out.contains("canary-in-the-file"), "{}", said.out);
}

#[tokio::test]
async fn people_read_the_same_with_the_line_of_each() {
    let dir = tempfile::tempdir().unwrap();
    let file = super::write(dir.path(), "wrong.toml", WRONG);
    // `run` refuses a file with the same words.
    for command in ["check", "run"] {
        let said = ask(&[command, "--config", &file]).await;
        let count = format!("{} problems in {file}", FOUND.len());
        said.must_say(78, &[&count]);
        assert_eq!(said.out, "", "{command}");
        for (path, fact, remedy) in FOUND {
            let lines: Vec<&str> = said.err.lines().collect();
            let told = lines.windows(2).any(|pair| {
                pair[0].contains(&format!(": {path}: "))
                    && pair[0].contains(fact)
                    && pair[1].trim_start().starts_with("remedy: ")
                    && pair[1].contains(remedy)
            });
            assert!(told, "{command}: {path}: {fact} in {}", said.err);
        }
        assert!(
            said.err.contains("\n  line 7: park.longitud: "),
            "{command}"
        );
    }
}

#[tokio::test]
async fn a_good_file_is_good_in_every_tone() {
    let root = env!("CARGO_MANIFEST_DIR");
    for name in [
        "sunledger.toml",
        "parks/solar-thermal.toml",
        "parks/workshop-roof.toml",
    ] {
        let file = format!("{root}/config/{name}");
        let said = ask(&["check", "--config", &file]).await;
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{name}");
        assert!(
            said.out.starts_with(&format!("{file}: ok. Park ")),
            "{}",
            said.out
        );
        let said = ask(&["check", "--config", &file, "--quiet"]).await;
        assert_eq!(
            (said.code, said.out + &said.err),
            (Some(0), String::new()),
            "{name}"
        );
        let said = ask(&["check", "--config", &file, "--json"]).await;
        assert_eq!(said.code, Some(0), "{name}");
        assert_eq!(said.json(), serde_json::json!({"ok": true, "problems": []}));
    }
}

#[tokio::test]
async fn a_file_that_is_no_configuration_is_told_as_one_problem() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bytes.toml"), [0xff, 0xfe, 0]).unwrap();
    std::fs::write(dir.path().join("letter.toml"), "Dear operator,\n").unwrap();
    std::fs::write(dir.path().join("half.toml"), "[park]\nid = \"a\"\n[store\n").unwrap();
    std::fs::write(dir.path().join("twice.toml"), "[park]\n[park]\n").unwrap();
    #[rustfmt::skip]
    let cases = [
        // file          fact                        remedy
        ("letter.toml",  "is not TOML: ",            "mend this line"),
        ("half.toml",    "is not TOML: ",            "mend this line"),
        ("twice.toml",   "is not TOML: duplicate",   "mend this line"),
        ("bytes.toml",   "valid UTF-8",              "name a file that can be read with --config"),
        ("absent.toml",  "No such file or directory", "name a file that can be read with --config"),
        ("",             "Is a directory",           "name a file that can be read with --config"),
    ];
    for (name, fact, remedy) in cases {
        let file = dir.path().join(name);
        let file = file.to_str().unwrap();
        ask(&["check", "--config", file])
            .await
            .must_say(78, &[file, fact, remedy]);
        let said = ask(&["check", "--config", file, "--json"]).await;
        assert_eq!((said.code, said.err.as_str()), (Some(78), ""), "{said:?}");
        let document = said.json();
        let problems = document["problems"].as_array().unwrap();
        assert_eq!(
            (problems.len(), &document["ok"]),
            (1, &false.into()),
            "{name}"
        );
        let has = |key: &str, words: &str| problems[0][key].as_str().unwrap().contains(words);
        assert!(
            has("fact", fact) && has("remedy", remedy),
            "{name}: {}",
            said.out
        );
        assert_eq!(problems[0]["path"], "", "{name}");
    }
}

#[tokio::test]
async fn an_empty_file_lacks_a_park_and_meters() {
    let dir = tempfile::tempdir().unwrap();
    let file = super::write(dir.path(), "empty.toml", "");
    let said = ask(&["check", "--config", &file]).await;
    said.must_say(78, &["2 problems", "park: is missing", "meter: is missing"]);
}
