//! The serial line: frames of RTU through a real terminal.

use super::*;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc;

use sunledger::simulate::rehearsal::frame::crc;
use sunledger::simulate::rehearsal::session::Pace;
use sunledger::sys::clock;

/// The question for registers, as a frame of RTU.
pub fn question(unit: u8, address: u16, count: u16) -> Vec<u8> {
    let mut frame = vec![unit, 3];
    frame.extend(address.to_be_bytes());
    frame.extend(count.to_be_bytes());
    frame.extend(crc(&frame).to_le_bytes());
    frame
}

/// What is in a whole frame.
pub fn pdu(frame: &[u8]) -> Vec<u8> {
    let (body, check) = frame.split_at(frame.len() - 2);
    assert_eq!(check, crc(body).to_le_bytes(), "{frame:02X?}");
    body[1..].to_vec()
}

/// A master at the terminal; what comes is read by a thread, as it comes.
struct Terminal {
    file: File,
    came: mpsc::Receiver<Vec<u8>>,
}

impl Terminal {
    fn open(link: &Path) -> Self {
        let file = File::options().read(true).write(true).open(link).unwrap();
        let (tx, came) = mpsc::channel();
        let mut reader = file.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                if tx.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { file, came }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).unwrap();
    }

    /// So many bytes, which come.
    async fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let began = Instant::now();
        while bytes.len() < length {
            assert!(began.elapsed() < LONG, "{bytes:02X?}");
            match self.came.try_recv() {
                Ok(more) => bytes.extend(more),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        bytes
    }

    /// What comes within a while.
    async fn rest(&mut self) -> Vec<u8> {
        tokio::time::sleep(QUIET).await;
        self.came.try_iter().flatten().collect()
    }

    async fn ask(&mut self, unit: u8, address: u16, count: u16) -> Vec<u16> {
        self.write(&question(unit, address, count));
        let frame = self.read(5 + 2 * usize::from(count)).await;
        assert_eq!(frame[0], unit);
        words(&pdu(&frame))
    }
}

async fn line(faults: &[&str]) -> (Rehearsal, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("rs485");
    (encoding(At::Rtu(link, None), faults).await, dir)
}

fn terminal(park: &Rehearsal) -> Terminal {
    match park.endpoint("main") {
        Some(Endpoint::Terminal(link)) => Terminal::open(link),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_honest_line_answers_and_proves_it() {
    let (park, dir) = line(&[]).await;
    let mut master = terminal(&park);
    // Bytes that a terminal would eat or turn: 0x0D, 0x0A, 0x11, 0x13, 0x03, 0x04.
    for (unit, address, count) in [(0x0D, 0x0A0D, 10), (0x11, 0x1311, 125), (0x03, 0x0304, 1)] {
        let since = clock::mono();
        let words = master.ask(unit, address, count).await;
        park.log()
            .proves(0, unit, 3, address, &words, since)
            .unwrap();
    }
    let path = dir.path().join("rs485");
    park.stop().await;
    assert!(!path.is_symlink(), "the line is gone");
}

#[tokio::test]
async fn a_line_echoes_whole_or_in_part() {
    let (park, _dir) = line(&["echo"]).await;
    let mut master = terminal(&park);
    let asked = question(1, 100, 2);
    master.write(&asked);
    let said = master.read(8 + 9).await;
    assert_eq!(said[..8], asked);
    pdu(&said[8..]);
    park.faults().off("echo").unwrap();
    park.faults().on("partial-echo:3").unwrap();
    master.write(&asked);
    let said = master.read(3 + 9).await;
    assert_eq!(said[..3], asked[5..]);
    pdu(&said[3..]);
}

#[tokio::test]
async fn a_line_is_noisy_and_flips_bits() {
    let (park, _dir) = line(&["noise"]).await;
    let mut master = terminal(&park);
    for _ in 0..5 {
        master.write(&question(1, 100, 2));
        let mut said = master.read(10).await;
        said.extend(master.rest().await);
        assert!((10..=12).contains(&said.len()), "{said:02X?}");
        pdu(&said[said.len() - 9..]);
    }
    park.faults().off("noise").unwrap();
    park.faults().on("bad-crc:2").unwrap();
    let mut wrong = Vec::new();
    for _ in 0..4 {
        master.write(&question(1, 100, 2));
        let said = master.read(9).await;
        wrong.push(said[7..] != crc(&said[..7]).to_le_bytes());
    }
    assert_eq!(wrong, [false, true, false, true]);
}

/// The line itself is not to be trusted: nobody answers for a unit that is not there,
/// and a question is found again behind garbage.
#[tokio::test]
async fn a_line_is_silent_where_a_gateway_would_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let park = rehearsal::start(metering(At::Rtu(dir.path().join("a"), None)))
        .await
        .unwrap();
    let mut master = terminal(&park);
    master.write(&question(8, 0, 2));
    assert_eq!(master.rest().await, [0; 0]);
    master.write(&[0xFF, 0x00, 0x10]);
    master.write(&question(7, 0, 2));
    pdu(&master.read(9).await);
    master.write(&question(7, 0, 2)[..5]);
    assert_eq!(master.rest().await, [0; 0]);
    assert_eq!(master.ask(7, 0, 2).await.len(), 2);
    assert_eq!(park.log().sockets(0).garbage, 3 + 5);
}

#[tokio::test]
async fn a_late_answer_comes_on_a_line_whoever_waits_for_it() {
    let (park, _dir) = line(&["late:2:50ms"]).await;
    let mut master = terminal(&park);
    let since = clock::mono();
    master.ask(1, 0, 2).await;
    master.write(&question(1, 100, 2));
    tokio::time::sleep(TIMEOUT).await;
    // The master has given up and asks for something of the same length.
    master.write(&question(1, 200, 2));
    let said = master.read(18).await;
    let (late, next) = (words(&pdu(&said[..9])), words(&pdu(&said[9..])));
    assert!(park.log().proves(0, 1, 3, 200, &late, since).is_err());
    assert_eq!(
        park.log()
            .proves(0, 1, 3, 100, &late, since)
            .unwrap()
            .sequence,
        1
    );
    assert_eq!(
        park.log()
            .proves(0, 1, 3, 200, &next, since)
            .unwrap()
            .sequence,
        2
    );
}

#[tokio::test]
async fn a_line_is_as_slow_as_its_characters() {
    let dir = tempfile::tempdir().unwrap();
    let pace = Pace {
        character: Duration::from_millis(2),
        turnaround: Duration::from_millis(30),
    };
    let park = encoding(At::Rtu(dir.path().join("slow"), Some(pace)), &[]).await;
    let mut master = terminal(&park);
    let began = Instant::now();
    master.ask(1, 0, 10).await;
    let took = began.elapsed();
    // 8 characters there, 25 back, and the turnaround.
    assert!(took >= Duration::from_millis(2 * 33 + 30), "{took:?}");
}

#[tokio::test]
async fn a_line_is_unplugged_and_plugged_in_again() {
    let (park, dir) = line(&[]).await;
    let link = dir.path().join("rs485");
    let mut master = terminal(&park);
    master.ask(1, 0, 1).await;
    park.faults().on("refuse").unwrap();
    until("the link goes", || !link.exists()).await;
    park.faults().off("refuse").unwrap();
    until("the link comes", || link.exists()).await;
    let mut master = terminal(&park);
    assert_eq!(master.ask(1, 0, 1).await.len(), 1);
}

#[tokio::test]
async fn a_file_that_is_no_link_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join("rs485");
    std::fs::write(&taken, "mine").unwrap();
    let settings = Settings::encoding(At::Rtu(taken.clone(), None), TIMEOUT);
    let refused = rehearsal::start(settings)
        .await
        .err()
        .expect("it is taken")
        .to_string();
    assert!(refused.starts_with("bus main: "), "{refused}");
    assert_eq!(std::fs::read_to_string(taken).unwrap(), "mine");
}
