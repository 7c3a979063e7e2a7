//! Half a minute of the daemon's questions, in the words of a decoder that is not ours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use sunledger::simulate::rehearsal::{self, At, Endpoint, Settings};

use super::{LOOK, PATIENCE, anywhere, head};
use crate::support::daemon::Daemon;
use crate::wire_capture::{points, tapped, tshark};

const LISTENED: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_millis(200);
/// What goes wrong meanwhile; each must have struck.
const FAULTS: [&str; 9] = [
    "late:17",
    "short:13",
    "hang-up:29",
    "busy:40:2",
    "wrong-transaction:31",
    "truncated:37",
    "exceptions:7:12-12:2",
    "max-quantity:8:3",
    "dead:9",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_questions_is_sent_in_half_a_minute_whatever_goes_wrong() {
    let park = rehearsal::start(Settings::encoding(At::Tcp(anywhere()), TIMEOUT)).await;
    let park = park.unwrap();
    let Some(Endpoint::Socket(socket)) = park.endpoint("main") else {
        panic!("it has a socket")
    };
    let (port, heard) = tapped(socket.port()).await;
    for fault in FAULTS {
        park.faults().on(fault).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let read = points(&[
        ("power", 3, 10, "type = \"i32\"\nunit = \"W\""),
        ("voltage_l1", 3, 12, "type = \"u16\"\nunit = \"V\""),
        ("voltage_l2", 3, 13, "type = \"u16\"\nunit = \"V\""),
        ("current_l1", 4, 7, "type = \"u32\"\nunit = \"A\""),
        ("status", 1, 40, ""),
        ("level", 2, 9, "unit = \"m\""),
    ]);
    let mut text = head(dir.path());
    text.push_str(&format!(
        "[bus.main.tcp]\nhost = \"127.0.0.1\"\nport = {port}\ntimeout = \"200ms\"\n"
    ));
    for unit in 5..=9 {
        text.push_str(&format!(
            "[[meter]]\nid = \"m{unit}\"\nrole = \"monitor\"\nbus = \"main\"\nunit = {unit}\n\
             period = \"200ms\"\n{read}"
        ));
    }
    let config = dir.path().join("park.toml");
    std::fs::write(&config, text).unwrap();
    let daemon = Daemon::run(&config).await;
    let began = Instant::now();
    let mut missing = FAULTS.to_vec();
    while began.elapsed() < LISTENED || !missing.is_empty() {
        assert!(began.elapsed() < PATIENCE, "{missing:?}: {}", daemon.err());
        tokio::time::sleep(LOOK).await;
        let asked = park.log().asked();
        let strikes = |fault: &str| {
            let name = fault.split(':').next().unwrap();
            asked.iter().any(|one| one.struck.contains(&name))
        };
        missing.retain(|fault| !strikes(fault));
    }
    assert_eq!(daemon.end("TERM").await.code, Some(0));

    // What was said on the wire has come to the park, question by question.
    let questions = heard.lock().unwrap().clone();
    let decoded = tshark(&questions, dir.path());
    let listened = began.elapsed();
    while park.log().questions() < questions.len() as u64 {
        assert!(began.elapsed() < PATIENCE, "a question got lost");
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(
        decoded.len(),
        questions.len(),
        "each is a question to tshark"
    );
    let asked = park.log().asked();
    let known: Vec<_> = asked
        .iter()
        .map(|one| one.question)
        .map(|q| (q.unit, q.fc, q.address, q.count))
        .collect();
    let sorted = |mut all: Vec<(u8, u8, u16, u16)>| {
        all.sort_unstable();
        all
    };
    assert_eq!(
        sorted(decoded.clone()),
        sorted(known),
        "and the same to both"
    );
    assert_eq!(park.log().sockets(0).garbage, 0);
    let mut functions: BTreeMap<u8, usize> = BTreeMap::new();
    for (_, function, ..) in &decoded {
        *functions.entry(*function).or_default() += 1;
    }
    println!("{} questions in {listened:?}: {functions:?}", decoded.len());
    let codes: BTreeSet<u8> = functions.keys().copied().collect();
    assert_eq!(codes, BTreeSet::from([1, 2, 3, 4]), "and none that writes");
    assert!(
        functions.values().all(|times| *times >= 30),
        "{functions:?}"
    );
}
