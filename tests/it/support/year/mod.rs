//! A simulated year, second by second, through the engine and the ledger, with a truth
//! that both do not know.
//!
//! ```text
//!   weather ──▶ devices ──readings──▶ daemon ──▶ ledger ──┐
//!      │           └──counts──▶ books as they must be ────┼──▶ judge
//!      └──────────truth, µW·ms────────────────────────────┘
//! ```
//!
//! The truth is in whole microwatt-milliseconds, the registers count it in steps, and
//! the books are kept a second time from what the registers showed (`book`). The judge
//! compares every interval of every channel.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss
)]

mod acts;
mod book;
mod daemon;
mod device;
mod judge;
mod park;
mod plan;
mod weather;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sunledger::domain::event::Break;
use sunledger::domain::interval::{Channel, Origin, channels};
use sunledger::domain::meter::{Park, PointIndex};
use sunledger::domain::quality::Reason;
use sunledger::domain::snapshot::Value;
use sunledger::source::Heard;

use book::{Book, Ground, INTERVAL_MS, Integral, Node, Told};
use daemon::{Clocks, Daemon, Said};
use device::Device;
use park::{METERS, REST, ROWS};
use plan::{Act, plan};
use weather::{Dice, World};

#[allow(unused_imports)]
pub use judge::{Verdict, quarters};

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Settings {
    pub from: Date,
    pub days: i64,
    pub seed: u64,
    /// Seconds from one block to the next: a disk that takes its time.
    pub commit_every_s: i64,
    pub dir: PathBuf,
}

/// Readings behind the last interval, so that it closes.
const TAIL_S: i64 = 180;
/// A channel with its truth and the books as they must be.
pub struct Account {
    pub meter: usize,
    pub channel: Channel,
    point: Option<PointIndex>,
    device: Device,
    flowed: i128,
    uw: i64,
    pub ground: Ground,
    pub kept: Kept,
}

pub enum Kept {
    Register(Box<Book>),
    Integral(Integral),
}

/// What happened to a register, until it is entered.
#[derive(Clone, Copy)]
struct Happened {
    told: Told,
    /// What the register shows at last, and at first.
    by: Break,
    ratio: bool,
}

struct Run {
    settings: Settings,
    park: Arc<Park>,
    world: World,
    dice: Dice,
    daemon: Daemon,
    clocks: Clocks,
    accounts: Vec<Account>,
    silent_until: [i64; METERS],
    backlog: BTreeMap<usize, Vec<Said>>,
    backlog_until: [i64; METERS],
    late: Vec<(usize, Node)>,
    spiked: [bool; METERS],
    acts: BTreeMap<i64, Vec<Act>>,
    happened: BTreeMap<usize, Happened>,
    tally: BTreeMap<&'static str, u64>,
    failures: Vec<String>,
}

/// Simulates, and judges.
pub fn run(settings: &Settings) -> Verdict {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let midnight = settings.from.to_zoned_datetime(zone).unwrap();
    let epoch = midnight.timestamp();
    let mut run = Run::new(settings.clone(), epoch);
    let seconds = judge::seconds(settings.from, settings.days);
    run.daemon.start(&run.clocks);
    let begin = epoch.as_second();
    let mut month = 0;
    for second in 0..seconds + TAIL_S {
        if second % 3_600 == 0 {
            let at = epoch + SignedDuration::from_secs(second);
            month = TimeZone::UTC.to_datetime(at).month();
        }
        run.clocks.ms = second * 1_000;
        for act in run.acts.remove(&second).unwrap_or_default() {
            run.act(second, act);
        }
        run.world.second(begin + second, (month - 1) as usize);
        run.flow(second);
        for (meter, row) in ROWS.iter().enumerate() {
            let period = row.period_s as i64;
            if meter != REST && (second + meter as i64 * 7) % period == 0 {
                run.poll(second, meter);
            }
        }
        run.clocks.ms = (second + 1) * 1_000;
        let known = run.daemon.beat(&run.clocks);
        run.note(known);
    }
    let known = run.daemon.stop(&run.clocks);
    run.note(known);
    judge::judge(run, seconds)
}

impl Run {
    fn new(settings: Settings, epoch: Timestamp) -> Self {
        let park = park::park();
        let intervals = (settings.days * 100 + 8) as usize;
        let mut dice = Dice(settings.seed);
        let mut accounts = Vec::new();
        for (meter, it) in park.meters.iter().enumerate() {
            if meter == REST {
                continue;
            }
            let row = &ROWS[meter];
            let period_ms = row.period_s as i64 * 1_000;
            for (channel, origin) in channels(it) {
                let (point, kept) = match origin {
                    Origin::Register(point) => {
                        let reach = (3 * period_ms).max(60_000);
                        let book = Book::new(row.quantum, row.modulus, reach, intervals);
                        (Some(point), Kept::Register(Box::new(book)))
                    }
                    _ => {
                        let reach = (3 * period_ms).max(10_000);
                        (None, Kept::Integral(Integral::new(reach, intervals)))
                    }
                };
                let begun = dice.between(0, (row.quantum / 1_000) as i64 - 1);
                accounts.push(Account {
                    meter,
                    channel,
                    point,
                    device: Device::new(row.quantum, row.modulus, row.shows, -i128::from(begun)),
                    flowed: 0,
                    uw: 0,
                    ground: Ground::default(),
                    kept,
                });
            }
        }
        let mut acts: BTreeMap<i64, Vec<Act>> = BTreeMap::new();
        // Days of the plan begin at 00:00 UTC, so that a kill lies in the hour in which
        // the clocks change.
        let until_utc = (-epoch.as_second()).rem_euclid(86_400);
        for (second, act) in plan(settings.days, settings.seed) {
            let second = second + until_utc;
            // Whoever is down at the end closes nothing.
            let ends = judge::seconds(settings.from, settings.days);
            if matches!(act, Act::Kill { down_s } if second + down_s + 900 > ends) {
                continue;
            }
            acts.entry(second).or_default().push(act);
        }
        Self {
            world: World::new(settings.seed),
            dice,
            daemon: Daemon::new(&park, &settings.dir, settings.commit_every_s),
            clocks: Clocks {
                epoch,
                base: tokio::time::Instant::now(),
                ms: 0,
                off_s: 0,
            },
            accounts,
            silent_until: [0; METERS],
            backlog: BTreeMap::new(),
            backlog_until: [0; METERS],
            late: Vec::new(),
            spiked: [false; METERS],
            acts,
            happened: BTreeMap::new(),
            tally: BTreeMap::new(),
            failures: Vec::new(),
            settings,
            park,
        }
    }

    /// What flows in a second is added to the truth, from its start on.
    fn flow(&mut self, second: i64) {
        for account in &mut self.accounts {
            let net = self.world.net[account.meter];
            account.flowed += i128::from(account.uw) * 1_000;
            account.uw = if account.channel.positive { net } else { -net }.max(0);
            if second * 1_000 % INTERVAL_MS == 0 {
                account.ground.flowed.push(account.flowed);
            }
            let uw = account.uw;
            if second % 60 == 0 {
                account.ground.minutes.push((uw, uw));
            } else if let Some((least, greatest)) = account.ground.minutes.last_mut() {
                (*least, *greatest) = ((*least).min(uw), (*greatest).max(uw));
            }
        }
    }

    fn poll(&mut self, second: i64, meter: usize) {
        let ms = second * 1_000 + 100 + self.dice.between(0, 400);
        let mut said = Said {
            heard: Heard {
                meter,
                at: self.clocks.mono(ms),
                values: Vec::new(),
                detail: None,
                receipt: None,
                late: false,
                of: None,
            },
            ms,
            notes: Vec::new(),
        };
        let points = &self.park.meters[meter].points;
        if second < self.silent_until[meter] {
            let refused = (0..points.len()).map(|point| (point, Err(Reason::Timeout)));
            said.heard.values = refused.collect();
            return self.daemon.hear(said);
        }
        let spiked = std::mem::take(&mut self.spiked[meter]);
        for (point, measured) in points.iter().enumerate() {
            let value = match measured.quantity.name {
                "flow" => self.world.flow_lph as f64 / 1_000.0,
                "temp_supply" => self.world.temperatures.0,
                "temp_return" => self.world.temperatures.1,
                _ if measured.register.is_some() => continue,
                _ => self.world.net[meter] as f64 / 1e6,
            };
            said.heard.values.push((point, Ok(Value::Analog(value))));
        }
        for (index, account) in self.accounts.iter().enumerate() {
            if account.meter != meter {
                continue;
            }
            let flowed = account.flowed + i128::from(account.uw) * i128::from(ms - second * 1_000);
            let total = account.device.total(flowed);
            if let Some(point) = account.point {
                let mut shows = account.device.shows(total);
                if spiked {
                    let far = account
                        .device
                        .modulus
                        .map_or(100_000_000, |modulus| modulus / 2);
                    shows = account.device.shows(shows + far);
                }
                said.heard.values.push((point, Ok(Value::Count(shows))));
                // All bits set is what a device says that has nothing to say.
                if spiked || account.device.is_all_ones(shows) {
                    continue;
                }
            }
            said.notes.push((index, Node { ms, total, flowed }));
        }
        if second < self.backlog_until[meter] {
            said.heard.late = true;
            self.backlog.entry(meter).or_default().push(said);
            return;
        }
        for one in self.backlog.remove(&meter).unwrap_or_default() {
            let notes = one.notes.clone();
            self.daemon.hear(Said {
                notes: Vec::new(),
                ..one
            });
            self.late.extend(notes);
        }
        self.daemon.hear(said);
    }

    /// Enters into the books what is on the daemon's disk.
    fn note(&mut self, known: Vec<(usize, Node)>) {
        for (index, node) in known {
            let account = &mut self.accounts[index];
            match &mut account.kept {
                Kept::Register(book) => book.push(&account.ground, node),
                Kept::Integral(integral) => integral.push(&account.ground, node.ms),
            }
        }
    }
}
