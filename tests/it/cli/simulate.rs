//! `simulate`: the park of a configuration, from its first word to its end.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::{files, sink, write};
use crate::support::daemon::{Daemon, END_WITHIN, ask, sunledger};

const LONG: Duration = Duration::from_secs(30);

/// A park of two meters behind a gateway somewhere, a sensor, and a database.
fn park(dir: &Path, bus: &str) -> String {
    let text = text(dir, bus, "");
    write(dir, "park.toml", &text)
}

fn meter(id: &str, role: &str, bus: &str, unit: u8) -> String {
    format!(
        "[[meter]]\nid = \"{id}\"\nrole = \"{role}\"\nbus = \"{bus}\"\nunit = {unit}\nrated = \"50kW\"\n\
             [[meter.point]]\nquantity = \"power\"\naddress = 0\ntype = \"i32\"\n\
             [[meter.point]]\nquantity = \"energy_import\"\naddress = 2\ntype = \"u32\"\n\
             scale = 0.1\nunit = \"Wh\"\n"
    )
}

fn text(dir: &Path, bus: &str, more: &str) -> String {
    format!(
        "[park]\nid = \"small\"\nname = \"A park\"\ntime_zone = \"Asia/Shanghai\"\n\
         settlement_interval = \"1min\"\n\
         [store]\ndir = \"{}/real\"\n[web]\nlisten = \"127.0.0.1:0\"\n{bus}\n{more}\n\
         [broker.park]\nhost = \"10.1.2.4\"\nversion = \"5\"\nuser = \"u\"\npassword = {{ file = \"/nowhere\" }}\n{}\n{}{}\
         [[sensor]]\nid = \"dni\"\nrole = \"weather\"\nbroker = \"park\"\ntopic = \"park/dni\"\n\
         pointer = \"/dni\"\nquantity = \"dni\"\nunit = \"W/m2\"\nexpect_every = \"1s\"\n",
        dir.display(),
        sink("http://10.1.2.5:8086", "/nowhere"),
        meter("pcc", "grid", "main", 1),
        meter("tenant-1", "tenant", "main", 7),
    )
}

const GATEWAY: &str = "[bus.main.tcp]\nhost = \"10.1.2.3\"\ntimeout = \"200ms\"";

/// A rehearsal that runs, as a script has it.
pub(super) struct Rehearsal {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
    hears: ChildStdin,
    table: Vec<String>,
}

impl Rehearsal {
    pub(super) async fn start(config: &str, arguments: &[&str]) -> Self {
        let mut all = vec!["simulate", "--config", config];
        all.extend(arguments);
        let mut command = sunledger(&all);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        let hears = child.stdin.take().unwrap();
        let mut rehearsal = Self {
            child,
            says,
            hears,
            table: Vec::new(),
        };
        loop {
            let line = rehearsal.line().await;
            if line.starts_with("The park answers.") {
                return rehearsal;
            }
            rehearsal.table.push(line);
        }
    }

    async fn line(&mut self) -> String {
        let line = timeout(LONG, self.says.next_line())
            .await
            .expect("it says something");
        line.unwrap().expect("it goes on")
    }

    async fn say(&mut self, words: &str) -> String {
        self.hears
            .write_all(format!("{words}\n").as_bytes())
            .await
            .unwrap();
        self.line().await
    }

    fn place(&self, what: &str) -> &str {
        let mut lines = self.table.iter();
        lines
            .find_map(|line| line.strip_prefix(what)?.split_once("now "))
            .unwrap()
            .1
    }

    pub(super) async fn end(mut self) -> Option<i32> {
        let kill = format!("kill -TERM {}", self.child.id().unwrap());
        std::process::Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap();
        timeout(END_WITHIN * 5, self.child.wait())
            .await
            .expect("it ends")
            .unwrap()
            .code()
    }
}

/// What a unit says to a question about two registers; none where it is silent.
async fn registers(address: &str, unit: u8, first: u8) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address.parse::<SocketAddr>().unwrap())
        .await
        .unwrap();
    stream
        .write_all(&[0, 1, 0, 0, 0, 6, unit, 3, 0, first, 0, 2])
        .await
        .unwrap();
    let mut bytes = [0; 64];
    let read = timeout(Duration::from_millis(400), stream.read(&mut bytes)).await;
    read.ok().map(|read| bytes[7..read.unwrap()].to_vec())
}

#[tokio::test]
async fn every_fault_is_listed_without_a_configuration() {
    let said = ask(&["simulate", "--fault", "list"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    for kind in [
        "late[:OFTEN[:EXTRA]]",
        "exceptions:ADDR-ADDR[:CODE]",
        "database-down[:STATUS]",
    ] {
        assert!(
            said.out.lines().any(|line| line.starts_with(kind)),
            "{kind}: {}",
            said.out
        );
    }
}

#[tokio::test]
async fn what_cannot_be_rehearsed_is_told_with_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let config = park(dir.path(), GATEWAY);
    let nowhere = dir.path().join("none/truth").display().to_string();
    #[rustfmt::skip]
    let cases: &[(&[&str], i32, &str)] = &[
        (&["--fault", "flood"],              64, "`flood` is no fault; known are dead, late"),
        (&["--fault", "dead:attic"],         64, "there are main, pcc, tenant-1, dni"),
        (&["--fault", "late:main:often"],    64, "is not late[:TARGET][:OFTEN[:EXTRA]]"),
        (&["--fault", "echo"],               64, "there are none"),
        (&["--fault", "database-down"],      64, "there are none"),
        (&["--write-config", &config],       64, "is the configuration itself"),
        (&["--truth", &nowhere],             74, "No such file or directory"),
    ];
    for (arguments, code, words) in cases {
        let mut all = vec!["simulate", "--config", &config, "--for", "5s"];
        all.extend(*arguments);
        let said = ask(&all).await;
        said.must_say(*code, &[words]);
        let listed = said
            .err
            .contains("the connection is closed instead of an answer");
        assert_eq!(
            listed,
            arguments[0] == "--fault",
            "{arguments:?}: {}",
            said.err
        );
    }
    let said = ask(&["simulate", "--config", &nowhere]).await;
    said.must_say(78, &["none/truth"]);
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let here = format!("[bus.main.tcp]\nhost = \"127.0.0.1\"\nport = {port}");
    let config = park(dir.path(), &here);
    let said = ask(&["simulate", "--config", &config]).await;
    said.must_say(74, &["bus main: Address already in use", "--free-ports"]);
    let said = ask(&[
        "simulate",
        "--config",
        &config,
        "--free-ports",
        "--for",
        "100ms",
    ])
    .await;
    assert_eq!(said.code, Some(0), "{said:?}");
    drop(held);
    let said = ask(&["simulate", "--config", &config, "--for", "100ms"]).await;
    assert!(
        said.out.contains(&format!(
            "bus main: was 127.0.0.1:{port}, now 127.0.0.1:{port}\n"
        )),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_park_goes_through_phases_at_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let config = park(dir.path(), GATEWAY);
    let mut park = Rehearsal::start(&config, &["--fault", "dead:tenant-1"]).await;
    assert!(
        park.table[0].starts_with("bus main: was 10.1.2.3:502, now 127.0.0.1:"),
        "{:?}",
        park.table
    );
    assert!(park.table[1].starts_with("broker park: was 10.1.2.4:1883, now 127.0.0.1:"));
    let bus = park.place("bus main").to_owned();
    assert_eq!(registers(&bus, 7, 2).await, None);
    assert!(registers(&bus, 1, 2).await.unwrap().starts_with(&[3, 4]));
    assert_eq!(park.say("off dead:tenant-1").await, "off dead:tenant-1");
    assert!(registers(&bus, 7, 2).await.unwrap().starts_with(&[3, 4]));
    assert_eq!(
        park.say("on exceptions:7:2-3:4").await,
        "on exceptions:7:2-3:4"
    );
    assert_eq!(registers(&bus, 7, 2).await.unwrap(), [0x83, 4]);
    assert!(registers(&bus, 7, 0).await.unwrap().starts_with(&[3, 4]));
    assert_eq!(park.say("off dead").await, "off dead: it was not on");
    assert!(
        park.say("on flood")
            .await
            .starts_with("`flood` is no fault")
    );
    assert_eq!(
        park.say("dance").await,
        "`dance` is none of on, off, asked, list"
    );
    assert!(
        park.say("asked")
            .await
            .starts_with("bus main: 5 questions; 5 connections, ")
    );
    assert_eq!(park.say("off *").await, "off *");
    assert_eq!(park.end().await, Some(0));
}

#[tokio::test]
async fn an_encoding_park_says_where_a_register_is() {
    let dir = tempfile::tempdir().unwrap();
    let config = park(dir.path(), GATEWAY);
    let park = Rehearsal::start(&config, &["--encode"]).await;
    let bus = park.place("bus main").to_owned();
    use sunledger::simulate::rehearsal::encode::sequence_of;
    for n in 0..3 {
        let said = registers(&bus, 7, 40).await.unwrap();
        let words = [0, 1].map(|n| u16::from_be_bytes([said[2 + 2 * n], said[3 + 2 * n]]));
        assert_eq!(sequence_of(7, 3, 40, &words), Some(n));
    }
    assert_eq!(park.end().await, Some(0));
}

#[tokio::test]
async fn a_rehearsal_ends_by_itself_and_leaves_its_truth() {
    let dir = tempfile::tempdir().unwrap();
    let config = park(dir.path(), GATEWAY);
    let truth = dir.path().join("truth.jsonl");
    let began = Instant::now();
    let said = ask(&[
        "simulate",
        "--config",
        &config,
        "--for",
        "1500ms",
        "--truth",
        truth.to_str().unwrap(),
    ])
    .await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(began.elapsed() >= Duration::from_millis(1_500));
    let text = std::fs::read_to_string(truth).unwrap();
    let lines: Vec<Json> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let wh = |line: &Json, n: usize| line["flowed"][n]["wh"].as_f64().unwrap();
    // A whole minute may fall between the beginning and the end.
    let [first, .., last] = &lines[..] else {
        panic!("{text}");
    };
    assert_eq!(first["at"], first["since"]);
    assert_eq!(last["flowed"][1]["meter"], "tenant-1");
    assert_eq!(last["flowed"][1]["quantity"], "energy_import");
    // A few kilowatts for a second and a half.
    let flowed = wh(last, 1) - wh(first, 1);
    assert!((0.5..30.0).contains(&flowed), "{flowed}");
}

/// Where nobody asked for a database, what is simulated goes to none.
#[tokio::test]
async fn a_configuration_that_is_written_leads_to_nothing_real() {
    let dir = tempfile::tempdir().unwrap();
    let models = "[[meter]]\nid = \"roof\"\nrole = \"pv\"\nbus = \"main\"\nunit = 9\n\
                  template = \"sunspec\"\n";
    let config = write(dir.path(), "park.toml", &text(dir.path(), GATEWAY, models));
    let out = dir.path().join("rehearsal.toml");
    let arguments = [
        "--for",
        "100ms",
        "--free-ports",
        "--write-config",
        out.to_str().unwrap(),
    ];
    let mut all = vec!["simulate", "--config", &config];
    all.extend(arguments);
    let said = ask(&all).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("\nnot simulated: roof (SunSpec)\n"),
        "{said:?}"
    );
    let written: toml::Table = toml::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert!(!written.contains_key("sink"), "{written}");
    let store = written["store"]["dir"].as_str().unwrap();
    assert_eq!(Path::new(store), dir.path().join("rehearsal.toml.data"));
    assert_eq!(written["web"]["listen"].as_str(), Some("127.0.0.1:0"));
    let broker = written["broker"]["park"].as_table().unwrap();
    let keys: Vec<&str> = broker.keys().map(String::as_str).collect();
    assert_eq!(keys, ["host", "port"]);
    assert!(
        !dir.path().join("rehearsal.toml.token").exists(),
        "nobody needs a token"
    );
    let checked = ask(&["check", "--config", out.to_str().unwrap()]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

/// The daemon reads a gateway and a serial line, keeps its own books of it and delivers it to
/// nobody else; a meter that dies is a gap, and its return is seen.
#[tokio::test]
async fn a_daemon_rehearses_with_the_configuration_that_is_written_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let line = "[bus.line.rtu]\ndevice = \"/dev/ttyUSB7\"\nbaud = 19200\nparity = \"even\"\n\
                rs485 = {}\n";
    let more = format!("{line}{}", meter("tenant-2", "tenant", "line", 5));
    let config = write(dir.path(), "park.toml", &text(dir.path(), GATEWAY, &more));
    let out = dir.path().join("rehearsal.toml");
    let arguments = ["--database", "--write-config", out.to_str().unwrap()];
    let mut park = Rehearsal::start(&config, &arguments).await;
    let text = std::fs::read_to_string(&out).unwrap();
    for gone in ["10.1.2", "/nowhere", "password", "/real", "ttyUSB7"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    let checked = ask(&["check", "--config", out.to_str().unwrap()]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");

    let daemon = Daemon::run(&out).await;
    let quality = |live: &Json, id: &str| {
        let meters = live["meters"].as_array().unwrap();
        let found = meters.iter().find(|one| one["id"] == id);
        found.map_or(Json::Null, |meter| meter["quality"].clone())
    };
    let all = ["pcc", "tenant-1", "tenant-2", "dni"];
    daemon
        .until("everyone", |live| {
            all.iter().all(|id| quality(live, id) == "good")
        })
        .await;
    park.say("on dead:tenant-1").await;
    daemon
        .until("a gap of one", |live| {
            quality(live, "tenant-1") != "good" && quality(live, "pcc") == "good"
        })
        .await;
    park.say("off dead:tenant-1").await;
    daemon
        .until("everyone again", |live| quality(live, "tenant-1") == "good")
        .await;
    // A noisy line is read all the same, and one that is unplugged is missed.
    let line = park.place("bus line").to_owned();
    assert!(
        line.ends_with("/line") && Path::new(&line).exists(),
        "{line}"
    );
    park.say("on noise:line:30%").await;
    park.say("on partial-echo:tenant-2").await;
    let age = |live: &Json, id: &str| {
        let meters = live["meters"].as_array().unwrap();
        let found = meters.iter().find(|one| one["id"] == id);
        found.and_then(|meter| meter["age_s"].as_f64()).unwrap()
    };
    for _ in 0..60 {
        let live = daemon.until("a moment", |_| true).await;
        assert!(
            age(&live, "tenant-2") < 4.0,
            "it is read each second: {live}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    park.say("on refuse:line").await;
    daemon
        .until("no line", |live| quality(live, "tenant-2") != "good")
        .await;
    assert!(!Path::new(&line).exists());
    park.say("off *").await;
    daemon
        .until("the line again", |live| quality(live, "tenant-2") == "good")
        .await;
    park.say("on broker-down").await;
    daemon
        .until("no sensor", |live| quality(live, "dni") != "good")
        .await;
    park.say("off broker-down").await;
    daemon
        .until("the sensor again", |live| quality(live, "dni") == "good")
        .await;
    assert_eq!(daemon.end("TERM").await.code, Some(0));
    assert!(!files(&dir.path().join("rehearsal.toml.data")).is_empty());
    assert!(
        !dir.path().join("real").exists(),
        "the real books are not touched"
    );
    assert_eq!(park.end().await, Some(0));
}
