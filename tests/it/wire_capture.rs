//! What goes over the wire, in the words of a decoder that is not ours: tshark reads a
//! capture of the daemon's questions, and they are those of `sunledger plan`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value as Json;
use sunledger::config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::modbus::Source;
use crate::support::hostile::{Act, Ask, Hostile};

/// A device with all four tables: registers hold their addresses, bits are set.
fn any_table(ask: &Ask) -> Vec<Act> {
    if ask.fc > 2 {
        return ask.honest();
    }
    let bytes = usize::from(ask.count).div_ceil(8);
    let mut pdu = vec![ask.fc, u8::try_from(bytes).unwrap()];
    pdu.resize(2 + bytes, 0xFF);
    vec![Act::Send(crate::support::hostile::frame(
        ask.tid, ask.unit, &pdu,
    ))]
}

/// A wire that is listened in on: the questions on it, each as its bytes.
pub async fn tapped(port: u16) -> (u16, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tap = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let questions = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let questions = Arc::clone(&questions);
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let listen = async {
                    let mut bytes = [0; 1_024];
                    while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
                        questions.lock().unwrap().push(bytes[..count].to_vec());
                        to_server.write_all(&bytes[..count]).await.unwrap();
                    }
                    let _ = to_server.shutdown().await;
                };
                let answer = async {
                    let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
                    let _ = to_client.shutdown().await;
                };
                tokio::join!(listen, answer)
            });
        }
    });
    (tap, heard)
}

/// What tshark makes of questions: unit, function code, first register or bit, count.
pub fn tshark(questions: &[Vec<u8>], dir: &Path) -> Vec<(u8, u8, u16, u16)> {
    let mut dump = String::new();
    for question in questions {
        dump.push_str("000000");
        for byte in question {
            write!(dump, " {byte:02x}").unwrap();
        }
        dump.push_str("\n\n");
    }
    let (text, capture) = (dir.join("dump.txt"), dir.join("capture.pcap"));
    std::fs::write(&text, dump).unwrap();
    let remedy = "tshark is missing; try\n  apt-get install -y tshark";
    let run = Command::new("text2pcap")
        .args(["-q", "-T", "50000,502"])
        .arg(&text)
        .arg(&capture)
        .output()
        .expect(remedy);
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let fields = [
        "mbtcp.unit_id",
        "modbus.func_code",
        "modbus.reference_num",
        "modbus.word_cnt",
        "modbus.bit_cnt",
    ];
    let run = Command::new("tshark")
        .arg("-r")
        .arg(&capture)
        .args(["-T", "fields"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .expect(remedy);
    let said = String::from_utf8(run.stdout).unwrap();
    let number = |text: &str| text.parse::<u16>().unwrap_or_else(|_| panic!("{said}"));
    said.lines()
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let count = if columns[3].is_empty() {
                columns[4]
            } else {
                columns[3]
            };
            let small = |text| u8::try_from(number(text)).unwrap();
            (
                small(columns[0]),
                small(columns[1]),
                number(columns[2]),
                number(count),
            )
        })
        .collect()
}

/// What `sunledger plan` says will be asked.
fn planned(config: &Path) -> BTreeSet<(u8, u8, u16, u16)> {
    let run = Command::new(env!("CARGO_BIN_EXE_sunledger"))
        .args(["plan", "--json", "--config"])
        .arg(config)
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let plan: Json = serde_json::from_slice(&run.stdout).unwrap();
    let buses = plan["buses"].as_array().unwrap();
    let meters = buses
        .iter()
        .flat_map(|bus| bus["meters"].as_array().unwrap());
    meters
        .flat_map(|meter| {
            let number = |value: &Json| u16::try_from(value.as_u64().unwrap()).unwrap();
            let unit = u8::try_from(number(&meter["unit"])).unwrap();
            let requests = meter["requests"].as_array().unwrap();
            requests.iter().map(move |request| {
                let fc = u8::try_from(number(&request["fc"])).unwrap();
                (
                    unit,
                    fc,
                    number(&request["address"]),
                    number(&request["count"]),
                )
            })
        })
        .collect()
}

pub fn points(rows: &[(&str, u8, u16, &str)]) -> String {
    rows.iter()
        .map(|(quantity, fc, address, kind)| {
            format!("[[meter.point]]\nquantity = \"{quantity}\"\nfc = {fc}\naddress = {address}\n{kind}\n")
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tshark_reads_the_questions_of_the_plan_and_none_that_writes() {
    let server = Hostile::start(any_table).await;
    let (port, questions) = tapped(server.port).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("park.toml");
    let one = points(&[
        ("power", 3, 65_534, "type = \"f32\"\nunit = \"W\""),
        ("voltage_l1", 3, 12, "type = \"u16\"\nunit = \"V\""),
        ("voltage_l2", 3, 15, "type = \"u16\"\nunit = \"V\""),
        ("current_l1", 4, 7, "type = \"u32\"\nunit = \"A\""),
        ("status", 1, 40, ""),
    ]);
    let two = points(&[
        ("power", 4, 300, "type = \"i32\"\nunit = \"W\""),
        ("level", 2, 9, "unit = \"m\""),
    ]);
    let text = format!(
        "[park]\nid = \"p\"\ntime_zone = \"UTC\"\nlatitude = 1.0\nlongitude = 1.0\n\
         [store]\ndir = \"{}\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [bus.main.tcp]\nhost = \"127.0.0.1\"\nport = {port}\n\
         [[meter]]\nid = \"one\"\nrole = \"monitor\"\nbus = \"main\"\nunit = 7\nperiod = \"200ms\"\n{one}\
         [[meter]]\nid = \"two\"\nrole = \"monitor\"\nbus = \"main\"\nunit = 8\nperiod = \"300ms\"\n{two}",
        dir.path().display()
    );
    std::fs::write(&path, &text).unwrap();
    let setup = config::load(&path).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    let mut source = Source::start(setup.buses[0].clone());
    let mut heard = 0;
    while heard < 200 {
        heard += source.next().await.values.len();
    }
    source.stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), source.task)
        .await
        .unwrap()
        .unwrap();
    let questions = questions.lock().unwrap().clone();
    let decoded = tshark(&questions, dir.path());
    assert_eq!(
        decoded.len(),
        questions.len(),
        "tshark knows each as a question"
    );
    assert!(decoded.len() > 50, "{}", decoded.len());
    let functions: BTreeSet<u8> = decoded.iter().map(|row| row.1).collect();
    assert_eq!(functions, BTreeSet::from([1, 2, 3, 4]));
    assert_eq!(decoded.into_iter().collect::<BTreeSet<_>>(), planned(&path));
}
