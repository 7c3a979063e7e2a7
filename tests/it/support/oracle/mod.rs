//! Conservation: a park that issues numbered values, the real daemon killed again and
//! again, receivers that fail in every way that is known, and a judge who knows what was
//! issued, what was journaled, and what arrived.

pub mod issuer;
pub mod judge;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sunledger::store::LedgerReader;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use self::issuer::Issuer;
use self::judge::{Journaled, Judge};
use super::http::try_get;
use super::influx::{BUCKET, Influx, Next, ORG, Shelf, State, TOKEN, Value};
use super::influxd::{DATABASE, Influxd, PASSWORD, USER};
use super::peer::free_port;
use super::victoria::Victoria;

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// What is left out of one value by a receiver that keeps twelve digits.
const TWELVE_DIGITS: f64 = 1e-12 + f64::EPSILON;

/// Of so many lives one is long.
const LONG_EVERY: u64 = 7;
/// Requests that are not taken then, more than a life has time for.
const UNTAKEN: usize = 100;
/// Blocks after which the books have been written for sure.
const BLOCKS_OF_A_LEDGER: u64 = 7;
/// The file of the ledger.
const LEDGER: &str = "ledger.sqlite";
/// Receivers.
const SINKS: usize = 4;
/// Bytes of a block: its header, and a row under compression.
const LEAST_BLOCK: u64 = 44 + 60;

/// What is done to the store between two lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    None,
    /// The newest segment ends somewhere in its last three blocks.
    Cut,
    /// One bit of one segment is another.
    Flip,
    /// The ledger ends somewhere, or some bytes of it are others.
    Ledger,
}

/// What is asked of a trial.
#[derive(Debug, Clone)]
pub struct Trial {
    pub kills: u64,
    pub seed: u64,
    /// What happens to the store, in turn.
    pub harms: Vec<Harm>,
    /// The daemon.
    pub program: PathBuf,
}

/// What a trial came to.
#[derive(Debug, Default)]
pub struct Verdict {
    pub issued: u64,
    pub journaled: usize,
    /// Requests of which the receiver's answer was lost, or no success.
    pub refused: usize,
    pub harmed: usize,
    pub slowest_start: Duration,
}

/// Numbers without a pattern, the same in every run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n.max(1)
    }
}

/// The park with its receivers and its daemon.
struct Rig {
    dir: tempfile::TempDir,
    program: PathBuf,
    port: u16,
    daemon: Option<Child>,
}

impl Rig {
    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Starts the daemon, and gives how long it took until it could poll and persist.
    async fn start(&mut self) -> Duration {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("log"))
            .unwrap();
        let child = Command::new(&self.program)
            .args(["run", "--log-format", "text", "--config"])
            .arg(self.dir.path().join("park.toml"))
            .stdout(std::process::Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        self.daemon = Some(child.unwrap());
        let begun = Instant::now();
        while self.ask("/readyz").await.is_none() {
            assert!(
                begun.elapsed() < PATIENCE,
                "it does not start\n{}",
                self.log()
            );
            let ended = self.daemon.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.log());
            sleep(Duration::from_millis(20)).await;
        }
        begun.elapsed()
    }

    /// An answer that is a good one.
    async fn ask(&self, path: &str) -> Option<serde_json::Value> {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], self.port));
        let answer = try_get(address, path).await?;
        (answer.code == 200).then(|| serde_json::from_str(&answer.text()).unwrap_or_default())
    }

    async fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.start_kill().unwrap();
        daemon.wait().await.unwrap();
    }

    /// What it says to be on disk.
    async fn promised(&self) -> Option<Timestamp> {
        let live = self.ask("/api/v1/live").await?;
        live["stored_until"].as_str()?.parse().ok()
    }

    /// Waits until the books say that every sink has a block.
    async fn until_delivered(&self, seq: u64) {
        let begun = Instant::now();
        while self.least_cursor() < seq {
            assert!(
                begun.elapsed() < PATIENCE,
                "it does not arrive\n{}",
                self.log()
            );
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// How far the slowest sink has come; the books follow within seconds.
    fn least_cursor(&self) -> u64 {
        let ledger = LedgerReader::open(&self.data()).unwrap();
        let cursors = ledger.cursors().unwrap();
        let seqs = cursors.iter().map(|(_, seq)| *seq);
        seqs.min().filter(|_| cursors.len() == SINKS).unwrap_or(0)
    }
}

/// Does something to a store that nobody has open; how many blocks it may cost.
fn harm(data: &Path, harm: Harm, dice: &mut Dice) -> usize {
    let segments = || {
        let mut all: Vec<_> = std::fs::read_dir(data.join("journal"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        all.sort();
        all
    };
    match harm {
        Harm::None => 0,
        Harm::Cut => {
            let newest = segments().pop().unwrap();
            let length = std::fs::metadata(&newest).unwrap().len();
            // Of the last three blocks, which are some hundred bytes each.
            let cut = dice.below(length.min(1_500));
            let file = File::options().write(true).open(&newest).unwrap();
            file.set_len(length - cut).unwrap();
            usize::try_from(cut.div_ceil(LEAST_BLOCK)).unwrap()
        }
        Harm::Flip => {
            let all = segments();
            let path = &all[usize::try_from(dice.below(all.len() as u64)).unwrap()];
            let at = dice.below(std::fs::metadata(path).unwrap().len());
            let file = File::options().read(true).write(true).open(path).unwrap();
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            byte[0] ^= 1 << dice.below(8);
            file.write_all_at(&byte, at).unwrap();
            1
        }
        Harm::Ledger => {
            let path = data.join(LEDGER);
            let length = std::fs::metadata(&path).unwrap().len();
            let file = File::options().write(true).open(&path).unwrap();
            if dice.below(2) == 0 {
                file.set_len(dice.below(length)).unwrap();
            } else {
                for _ in 0..64 {
                    let byte = [u8::try_from(dice.below(256)).unwrap()];
                    file.write_all_at(&byte, dice.below(length)).unwrap();
                }
            }
            0
        }
    }
}

/// Every misfortune of a receiver that is known.
fn misfortunes() -> Vec<Next> {
    let words = |status: u16, headers: Vec<(&'static str, String)>, body: &str| {
        Next::Answer(status, headers, body.to_owned())
    };
    vec![
        Next::StoreAndDrop,
        Next::Drop,
        words(503, vec![("Retry-After", "1".to_owned())], "busy"),
        words(
            500,
            vec![],
            r#"{"code":"internal error","message":"timeout"}"#,
        ),
        words(200, vec![], "<html>Please sign in to the network.</html>"),
        words(
            413,
            vec![],
            r#"{"code":"request too large","message":"too large"}"#,
        ),
        Next::Slow(Duration::from_millis(300)),
    ]
}

/// What a receiver meets in a life: some of them, or each of them once.
fn fate(dice: &mut Dice, is_long: bool) -> Vec<Next> {
    let mut all = misfortunes();
    let mut met = Vec::new();
    let most = if is_long {
        all.len() as u64
    } else {
        dice.below(4)
    };
    while (met.len() as u64) < most {
        met.push(all.swap_remove(usize::try_from(dice.below(all.len() as u64)).unwrap()));
    }
    met
}

fn exactly(held: &Value, sent: &Value) -> bool {
    held == sent
}

fn to_twelve_digits(held: &Value, sent: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Float(number) => *number,
        Value::Integer(number) => *number as f64,
        other => panic!("{other:?}"),
    };
    let (held, sent) = (number(held), number(sent));
    (held - sent).abs() <= TWELVE_DIGITS * sent.abs()
}

/// What InfluxDB 1 holds: all of it as floats, whose last digit its JSON rounds.
async fn held_by_old(influxd: &Influxd) -> Shelf {
    let stored = influxd.stored().await.into_iter();
    stored
        .map(|((measurement, tags, field, time_ms), value)| {
            let time_ns = time_ms * 1_000_000;
            let key = super::influx::Key {
                measurement,
                tags,
                field,
                time_ns,
            };
            (key, Value::Float(value))
        })
        .collect()
}

/// What VictoriaMetrics holds, under the keys of the rows. Measurement and field are one
/// name there, which is taken apart with the help of the keys that were sent.
async fn held_by(victoria: &Victoria, sent: &Shelf) -> Shelf {
    let mut names = std::collections::BTreeMap::new();
    for key in sent.keys() {
        let name = format!("{}_{}", key.measurement, key.field);
        names.insert(name, (key.measurement.clone(), key.field.clone()));
    }
    let samples = victoria.samples().await.into_iter();
    samples
        .map(|(name, tags, time_ms, value)| {
            let (measurement, field) = names
                .get(&name)
                .unwrap_or_else(|| panic!("nobody sent {name}"))
                .clone();
            let time_ns = time_ms * 1_000_000;
            let key = super::influx::Key {
                measurement,
                tags,
                field,
                time_ns,
            };
            (key, Value::Float(value))
        })
        .collect()
}

/// Runs a trial to its end.
///
/// # Panics
///
/// Where something was lost, invented or changed.
pub async fn run(trial: &Trial) -> Verdict {
    let issuer = Issuer::start().await;
    let influx = Influx::start().await;
    let newer = Influx::start().await;
    let older = Influxd::start().await;
    older.create_database().await;
    let victoria = Victoria::anywhere().await;
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, TOKEN).unwrap();
    restrict(&token);
    let port = free_port();
    let password = dir.path().join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    restrict(&password);
    let secret = |path: &Path| format!("{{ file = \"{}\" }}", path.display());
    let sinks = format!(
        "[sink.cruel.influx]\nurl = \"{}\"\norg = \"{ORG}\"\nbucket = \"{BUCKET}\"\ntoken = {}\n\
         [sink.newer.influx3]\nurl = \"{}\"\ndatabase = \"{BUCKET}\"\ntoken = {}\n\
         [sink.older.influx1]\nurl = \"{}\"\ndatabase = \"{DATABASE}\"\nuser = \"{USER}\"\npassword = {}\n\
         [sink.victoria.victoria_metrics]\nurl = \"{}\"\n",
        influx.url(),
        secret(&token),
        newer.url(),
        secret(&token),
        older.base(),
        secret(&password),
        victoria.base()
    );
    let config = format!(
        "[park]\nid = \"oracle\"\ntime_zone = \"Asia/Shanghai\"\nsettlement_interval = \"1min\"\n\
         latitude = 39.19\nlongitude = 113.26\n[store]\ndir = \"{}\"\n[web]\nlisten = \"127.0.0.1:{port}\"\n{sinks}{}",
        dir.path().join("data").display(),
        issuer.config()
    );
    std::fs::write(dir.path().join("park.toml"), config).unwrap();
    let mut rig = Rig {
        dir,
        program: trial.program.clone(),
        port,
        daemon: None,
    };
    let mut dice = Dice::new(trial.seed);
    let mut judge = Judge::new(&issuer);
    let mut verdict = Verdict::default();
    for life in 0..trial.kills {
        // Most lives are too short for the books to say how far the sinks have come.
        let is_long = life % LONG_EVERY == LONG_EVERY - 1;
        for receiver in [&influx, &newer] {
            receiver.state().script.clear();
            receiver.script(fate(&mut dice, is_long));
        }
        verdict.slowest_start = verdict.slowest_start.max(rig.start().await);
        // At least one commit, and then any part of a second or two.
        let before = rig.promised().await;
        let begun = Instant::now();
        while rig.promised().await == before {
            assert!(
                begun.elapsed() < PATIENCE,
                "nothing is stored\n{}",
                rig.log()
            );
            sleep(Duration::from_millis(20)).await;
        }
        sleep(Duration::from_millis(dice.below(1_700))).await;
        if is_long {
            let met = || influx.state().script.is_empty() && newer.state().script.is_empty();
            while !met() {
                assert!(
                    begun.elapsed() < PATIENCE,
                    "it does not send\n{}",
                    rig.log()
                );
                sleep(Duration::from_millis(50)).await;
            }
            rig.until_delivered(Journaled::last(&rig.data())).await;
            // It ends while nothing is taken, after the books have said how far the sinks are.
            for receiver in [&influx, &newer] {
                receiver.script(std::iter::repeat_n(Next::Drop, UNTAKEN));
            }
            let untaken = Journaled::last(&rig.data()) + BLOCKS_OF_A_LEDGER;
            while Journaled::last(&rig.data()) < untaken {
                assert!(
                    begun.elapsed() < PATIENCE,
                    "nothing is stored\n{}",
                    rig.log()
                );
                sleep(Duration::from_millis(100)).await;
            }
        }
        let promised = rig.promised().await.expect("something is stored");
        rig.kill().await;
        let journal = Journaled::read(&rig.data());
        judge.sees(&journal);
        judge.keeps_its_promise(promised);
        let harms = &trial.harms;
        let what = harms[usize::try_from(life % harms.len() as u64).unwrap()];
        let within = harm(&rig.data(), what, &mut dice);
        if what != Harm::None {
            verdict.harmed += 1;
            judge.damaged(&journal, &Journaled::read(&rig.data()), within);
        }
    }
    // Every misfortune is over; all that was journaled until now has to arrive.
    influx.state().script.clear();
    newer.state().script.clear();
    rig.start().await;
    rig.until_delivered(Journaled::last(&rig.data())).await;
    // Nothing new is said, so that what is journaled and what has arrived become the same.
    rig.kill().await;
    issuer.fall_silent();
    let journal = Journaled::read(&rig.data());
    judge.sees(&journal);
    rig.start().await;
    rig.until_delivered(*journal.0.keys().next_back().unwrap())
        .await;
    let arrived = judge.clone();
    rig.kill().await;
    // What the last life added on its own may have arrived or not.
    judge.sees(&Journaled::read(&rig.data()));
    for (name, receiver) in [("cruel", &influx), ("newer", &newer)] {
        let state: &mut State = &mut receiver.state();
        assert!(state.torn.is_empty(), "{name}: {:?}", state.torn);
        verdict.refused += state.writes.iter().filter(|it| it.status != 204).count();
        arrived.holds_all(name, state.shelf(), exactly);
        judge.invented_nothing(name, state.shelf());
    }
    let held = held_by_old(&older).await;
    arrived.holds_all("older", &held, to_twelve_digits);
    judge.invented_nothing("older", &held);
    let held = held_by(&victoria, judge.all()).await;
    arrived.holds_all("victoria", &held, to_twelve_digits);
    judge.invented_nothing("victoria", &held);
    verdict.issued = issuer.total();
    verdict.journaled = judge.all().len();
    verdict
}

fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
