//! What is done to the park and said to the ledger while the year goes by.

use jiff::{SignedDuration, Timestamp};
use sunledger::app::recompute::recompute;
use sunledger::domain::event::{Break, MeterEvent, What, admit};
use sunledger::domain::interval::{Entry, Span};
use sunledger::domain::quality::Quality;
use sunledger::domain::time::{day, local_date, slot};
use sunledger::store::{LedgerReader, events};

use super::book::{INTERVAL_MS, Node, Told, interval};
use super::park::{HALL_C, ROWS, UWMS_PER_MWH, unit};
use super::plan::{Act, Entered};
use super::{Happened, Kept, Run};

/// How long a meter that is exchanged says nothing.
const EXCHANGED_S: i64 = 1_200;

impl Run {
    pub(super) fn act(&mut self, second: i64, act: Act) {
        let then = |run: &mut Self, after: i64, act: Act| {
            run.acts.entry(second + after).or_default().push(act);
        };
        match act {
            Act::Silence { meter, for_s } => {
                self.count("outages");
                self.silent_until[meter] = self.silent_until[meter].max(second + for_s);
            }
            Act::Backlog { meter, for_s } => {
                self.count("backlogs");
                self.backlog_until[meter] = second + for_s;
                for account in self.accounts.iter_mut().filter(|it| it.meter == meter) {
                    if let Kept::Register(book) = &mut account.kept {
                        book.save();
                    }
                }
            }
            Act::Spike { meter } if second >= self.silent_until[meter] => {
                self.count("spikes");
                self.spiked[meter] = true;
            }
            Act::Kill { down_s } => {
                self.count("kills");
                self.daemon.kill();
                then(self, down_s, Act::Start);
            }
            Act::Start => self.daemon.start(&self.clocks),
            Act::Clock { off_s, for_s } => {
                self.count("clock steps");
                self.clocks.off_s = off_s;
                then(self, for_s, Act::ClockRight);
            }
            Act::ClockRight => self.clocks.off_s = 0,
            Act::Exchange { meter, entered } if second >= self.silent_until[meter] => {
                self.silent_until[meter] = second + EXCHANGED_S;
                then(
                    self,
                    EXCHANGED_S / 2,
                    Act::Swap {
                        meter,
                        entered,
                        ratio: false,
                    },
                );
            }
            Act::Ratio { meter, entered } if second >= self.silent_until[meter] => {
                self.silent_until[meter] = second + EXCHANGED_S;
                then(
                    self,
                    EXCHANGED_S / 2,
                    Act::Swap {
                        meter,
                        entered,
                        ratio: true,
                    },
                );
            }
            Act::Spike { .. } | Act::Exchange { .. } | Act::Ratio { .. } => {}
            Act::Swap {
                meter,
                entered,
                ratio,
            } => {
                self.count(match (ratio, entered) {
                    (true, Entered::After(_)) => "ratio changes, entered late",
                    (true, _) => "ratio changes, entered at once",
                    (false, Entered::AtOnce) => "exchanges, entered at once",
                    (false, Entered::After(_)) => "exchanges, entered late",
                    (false, Entered::Never) => "resets, never entered",
                });
                self.swap(second, meter, entered, ratio);
                match entered {
                    Entered::AtOnce => then(
                        self,
                        60,
                        Act::Enter {
                            meter,
                            at_once: true,
                        },
                    ),
                    Entered::After(s) => then(
                        self,
                        s,
                        Act::Enter {
                            meter,
                            at_once: false,
                        },
                    ),
                    Entered::Never => {}
                }
            }
            Act::Enter { meter, at_once } => self.enter(second, meter, at_once),
            Act::Recompute { day } => self.recompute(day),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// The device at a meter begins to count from another place.
    fn swap(&mut self, second: i64, meter: usize, entered: Entered, ratio: bool) {
        let doubles = ratio
            && self
                .accounts
                .iter()
                .any(|it| it.meter == meter && it.device.quantum == ROWS[meter].quantum);
        let shows = self.dice.between(0, 9);
        for account in self.accounts.iter_mut().filter(|it| it.meter == meter) {
            let Kept::Register(book) = &mut account.kept else {
                continue;
            };
            let flowed = account.flowed + i128::from(account.uw) * 1_000;
            let total = account.device.total(flowed);
            let shown = account.device.shows(total);
            let modulus = account.device.modulus;
            let (first, quantum) = match modulus {
                _ if ratio => (shown, ROWS[meter].quantum * if doubles { 2 } else { 1 }),
                _ if entered == Entered::AtOnce => (shows, ROWS[meter].quantum),
                // What no rollover and no load explains.
                Some(modulus) => ((shown + modulus / 3 * 2) % modulus, account.device.quantum),
                None if shown > 1_000_000 => (shows, account.device.quantum),
                None => (shown + 500_000_000, account.device.quantum),
            };
            account.device.broken_off(flowed, first, quantum);
            let ms = second * 1_000;
            let at = Node { ms, total, flowed };
            let told = Told { at, first, quantum };
            let worth = ratio.then(|| unit(quantum));
            let by = Break {
                last: Some(shown),
                first,
                worth,
            };
            match entered {
                Entered::AtOnce => book.tell(told),
                Entered::After(_) => {
                    book.save();
                    if !ratio {
                        book.doubt();
                    }
                }
                Entered::Never => {
                    book.doubt();
                    continue;
                }
            }
            self.happened.insert(meter, Happened { told, by, ratio });
        }
    }

    fn at(&self, ms: i64) -> Timestamp {
        self.clocks.epoch + SignedDuration::from_millis(ms)
    }

    fn enter(&mut self, second: i64, meter: usize, at_once: bool) {
        let Some(Happened { told, by, ratio }) = self.happened.remove(&meter) else {
            return;
        };
        let index = self
            .accounts
            .iter()
            .position(|it| it.meter == meter && it.point.is_some());
        let index = index.unwrap();
        let channel = self.accounts[index].channel;
        let (at, entered) = (self.at(told.at.ms), self.at(second * 1_000));
        let event = MeterEvent {
            number: 0,
            meter: ROWS[meter].id.into(),
            channel,
            at,
            what: if ratio {
                What::Ratio(by)
            } else {
                What::Exchange(by)
            },
            who: "the simulator".into(),
            why: "the plan".into(),
            entered,
        };
        let before = self.entry(index, told.at.ms);
        let park = &self.park;
        let is_boundary = |at: Timestamp| slot(at, &park.time_zone, 15).start == at;
        let admit = |event: &MeterEvent, there: &[MeterEvent]| admit(event, there, &is_boundary);
        events::enter(&self.daemon.dir, event, admit)
            .unwrap()
            .unwrap();
        self.count("events");
        self.recompute_days(at, if ratio { entered } else { at });
        if at_once {
            return;
        }
        let account = &mut self.accounts[index];
        let Kept::Register(book) = &mut account.kept else {
            return;
        };
        book.again(&account.ground, Some(told), &[]);
        self.check_revision(index, told.at.ms, before, ratio);
    }

    /// The command computes the local days again that an event touches.
    fn recompute_days(&mut self, from: Timestamp, until: Timestamp) {
        let zone = &self.park.time_zone;
        let of = |at: Timestamp| day(local_date(at, zone), zone).unwrap();
        let hour = SignedDuration::from_hours(1);
        let span = Span {
            start: of(from - hour).start,
            end: of(until + hour).end,
        };
        let done = recompute(&self.park, &self.daemon.dir, span, true).unwrap();
        *self.tally.entry("revisions by recomputing").or_default() += done.revisions.len() as u64;
        self.count("recomputed");
    }

    fn recompute(&mut self, day: i64) {
        // Noon of that day.
        let at = self.at((day * 86_400 + 43_200) * 1_000);
        self.recompute_days(at, at);
        let late = std::mem::take(&mut self.late);
        for (index, account) in self.accounts.iter_mut().enumerate() {
            if account.meter != HALL_C {
                continue;
            }
            let nodes: Vec<Node> = late
                .iter()
                .filter(|(of, _)| *of == index)
                .map(|it| it.1)
                .collect();
            if let Kept::Register(book) = &mut account.kept {
                book.again(&account.ground, None, &nodes);
            }
        }
    }

    fn entry(&self, index: usize, ms: i64) -> Option<Entry> {
        let account = &self.accounts[index];
        let start = self.at(ms / INTERVAL_MS * INTERVAL_MS);
        let reader = LedgerReader::open(&self.daemon.dir).unwrap();
        let end = start + SignedDuration::from_millis(INTERVAL_MS);
        let entries = reader.entries(start, end).unwrap().into_iter();
        let mut entries = entries.filter(|it| *it.meter == *ROWS[account.meter].id);
        entries.find(|it| it.channel == account.channel)
    }

    /// What the step was excluded from says it now, and what it said before is kept.
    fn check_revision(&mut self, index: usize, ms: i64, before: Option<Entry>, ratio: bool) {
        let now = self.entry(index, ms);
        let id = ROWS[self.accounts[index].meter].id;
        let (Some(before), Some(now)) = (before, now) else {
            return self.fail(format!("{id}: no entry at {}", self.at(ms)));
        };
        let energy = |entry: &Entry| entry.energy.map_or(0, |energy| energy.0);
        // Under another ratio it was too much or too little; what is held back is too little.
        let is_mended = match ratio {
            true => energy(&now) != energy(&before),
            false => energy(&now) >= energy(&before),
        };
        if now.quality != Quality::Manual || !is_mended {
            self.fail(format!("{id}: {before:?} became {now:?}"));
        }
        let flowed = |at: usize| self.accounts[index].ground.flowed[at];
        let whole = (flowed(interval(ms) + 1) - flowed(interval(ms))) / UWMS_PER_MWH;
        // Nobody can see that a ratio is another one.
        let is_suspect = before.quality == Quality::Suspect;
        if !ratio && (!is_suspect || i128::from(energy(&before)) > whole) {
            self.fail(format!(
                "{id}: {before:?} was not held back, of {whole} mWh"
            ));
        }
        let reader = LedgerReader::open(&self.daemon.dir).unwrap();
        let kept = reader
            .entries_before(before.span.start, before.span.end)
            .unwrap();
        let mut kept = kept.iter().filter(|(_, it)| it.meter == before.meter);
        if !kept.any(|(_, it)| it.energy == before.energy && it.quality == before.quality) {
            self.fail(format!(
                "{id}: what was said of {} before is gone",
                before.span.start
            ));
        }
        let revisions = reader.revisions(before.span.start).unwrap();
        let numbers: Vec<i64> = revisions.iter().map(|it| it.revision).collect();
        let in_order = (1..).zip(&numbers).all(|(number, it)| number == *it);
        // A meter behind another one stands in no flow: where it alone says something else,
        // the flows do not.
        let least = if ratio { 1 } else { 2 };
        if revisions.len() < least || !in_order {
            self.fail(format!("{}: revisions {numbers:?}", before.span.start));
        }
    }

    pub(super) fn fail(&mut self, sentence: String) {
        self.failures.push(sentence);
    }
}
