//! The ledger against the books as they must be, and against the truth.
//!
//! | of every interval of a channel | must be |
//! |---|---|
//! | register, boundaries read within two hours | closing minus opening register, to the milliwatt-hour |
//! | register, over a longer gap | its intervals together the same, to the milliwatt-hour |
//! | any register against the truth | within a step of the register, and for each boundary the spread of power between the readings around it times a·b/(a+b), a and b being their distances |
//! | integrated | within the spread of power between two samples times their distance; what no sample covers by the spread of the interval |
//! | coverage, and whether it is good | as the outages say |
//! | residual of both balances | within the sum of the bounds of all channels |

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use sunledger::domain::flow::Flow;
use sunledger::domain::interval::{Entry, Interval};
use sunledger::domain::meter::{Carrier, Term};
use sunledger::domain::quality::Quality;
use sunledger::store::LedgerReader;

use super::book::INTERVAL_MS;
use super::park::{FIELD, HALL_B, HALL_C, METERS, REST, ROWS, UWMS_PER_MWH};
use super::{Account, Kept, Run};

/// Readings up to this far apart make a boundary good.
const READ_WITHIN_MS: i64 = 60_000;
/// Beyond, what lies between is an estimate, and only its sum is known.
const KNOWN_WITHIN_MS: i64 = 7_200_000;
/// Coverage from which an integral is complete, and from which it is scaled.
const COMPLETE_MS: i64 = INTERVAL_MS * 999 / 1_000;
const SCALED_MS: i64 = INTERVAL_MS * 95 / 100;
/// The coefficients of heat are printed with seven digits behind the point.
const PRINTED: i128 = 2_000_000;

/// What came out.
pub struct Verdict {
    pub rows: Vec<(String, String)>,
    pub failures: Vec<String>,
}

impl Verdict {
    /// A count of the table.
    #[allow(dead_code)]
    pub fn number(&self, name: &str) -> u64 {
        let row = self.rows.iter().find(|(row, _)| row == name);
        row.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.rows {
            writeln!(f, "{name:<44} {value:>22}")?;
        }
        for failure in self.failures.iter().take(20) {
            writeln!(f, "  {failure}")?;
        }
        writeln!(f, "{:<44} {:>22}", "failures", self.failures.len())
    }
}

/// The last Sunday of a month with 31 days, on which the clocks change.
fn changes_on(year: i16, month: i8) -> i8 {
    // Zeller, for the 31st; 0 is Saturday.
    let year = i32::from(year);
    let (k, j) = (year % 100, year / 100);
    let weekday = (31 + 13 * (i32::from(month) + 1) / 5 + k + k / 4 + j / 4 + 5 * j) % 7;
    31 - ((weekday + 6) % 7) as i8
}

/// Quarters of an hour of a local day: this is the rule of the union, not of a library.
pub fn quarters(date: Date) -> i64 {
    match date.month() {
        3 if date.day() == changes_on(date.year(), 3) => 92,
        10 if date.day() == changes_on(date.year(), 10) => 100,
        _ => 96,
    }
}

/// Seconds of so many local days.
pub fn seconds(from: Date, days: i64) -> i64 {
    let mut date = from;
    let mut quarters_in_all = 0;
    for _ in 0..days {
        quarters_in_all += quarters(date);
        date = date.tomorrow().unwrap();
    }
    quarters_in_all * 900
}

#[derive(Default)]
struct Tally {
    entries: u64,
    exact: u64,
    sums: u64,
    revised: u64,
    most_revisions: i64,
    balanced: u64,
    balanced_not: u64,
    by_quality: BTreeMap<&'static str, (u64, i128)>,
    /// Greatest deviation, mWh, with its bound, by kind.
    greatest: BTreeMap<&'static str, (i128, i128)>,
    /// Deviation in percent of the bound.
    nearest: i128,
}

/// What a channel should have said, µW·ms.
struct Expected {
    flowed: i128,
    bound: i128,
}

pub fn judge(mut run: Run, seconds: i64) -> Verdict {
    let reader = LedgerReader::open(&run.daemon.dir).unwrap();
    let intervals = (seconds / 900) as usize;
    let epoch = run.clocks.epoch;
    let at = |interval: usize| epoch + SignedDuration::from_millis(interval as i64 * INTERVAL_MS);
    let mut tally = Tally::default();
    let mut failures = std::mem::take(&mut run.failures);
    let mut open: Vec<Option<(usize, i64)>> = vec![None; run.accounts.len()];
    let mut date = run.settings.from;
    let mut first = 0;
    while first < intervals {
        let count = quarters(date) as usize;
        let (from, to) = (at(first), at(first + count));
        let closed = reader.intervals(from, to).unwrap();
        let mut starts = closed.iter().map(|it| it.span.start);
        if closed.len() != count || !(first..first + count).all(|it| starts.next() == Some(at(it)))
        {
            failures.push(format!("{date}: {} intervals, not {count}", closed.len()));
        }
        let mut entries: BTreeMap<(Timestamp, String, Carrier, bool), Entry> = BTreeMap::new();
        for entry in reader.entries(from, to).unwrap() {
            let channel = entry.channel;
            let key = (
                entry.span.start,
                entry.meter.to_string(),
                channel.carrier,
                channel.positive,
            );
            if entry.span.ms() != INTERVAL_MS || entries.insert(key, entry).is_some() {
                failures.push(format!("{date}: an interval twice, or of another length"));
            }
        }
        if entries.len() != count * (run.accounts.len() + 2) {
            failures.push(format!("{date}: {} entries", entries.len()));
        }
        let of = |start: Timestamp, account: &Account| {
            let id = ROWS[account.meter].id.to_owned();
            entries.get(&(start, id, account.channel.carrier, account.channel.positive))
        };
        for (at_interval, settled) in (first..first + count).zip(&closed) {
            let start = at(at_interval);
            let mut expected = Vec::new();
            for (index, account) in run.accounts.iter().enumerate() {
                let Some(entry) = of(start, account) else {
                    failures.push(format!("{}: no entry at {start}", ROWS[account.meter].id));
                    expected.push(None);
                    continue;
                };
                tally.entries += 1;
                let judged = match &account.kept {
                    Kept::Register(_) => {
                        register(account, at_interval, entry, &mut open[index], &mut tally)
                    }
                    Kept::Integral(_) => integral(account, at_interval, entry, &mut tally),
                };
                match judged {
                    Ok(known) => expected.push(known),
                    Err(fault) => {
                        expected.push(None);
                        let id = ROWS[account.meter].id;
                        failures.push(format!("{id} {:?} at {start}: {fault}", account.channel));
                    }
                }
            }
            if let Err(fault) = balance(&run.accounts, settled, &expected, &mut tally) {
                failures.push(format!("{start}: {fault}"));
            }
            if let Err(fault) = derived(&entries, start) {
                failures.push(format!("{start}: {fault}"));
            }
            if settled.revision > 1 {
                tally.revised += 1;
                tally.most_revisions = tally.most_revisions.max(settled.revision);
                let numbers = reader.revisions(start).unwrap();
                if !(1..)
                    .zip(&numbers)
                    .all(|(number, it)| number == it.revision)
                {
                    failures.push(format!("{start}: a revision is missing"));
                }
            }
        }
        first += count;
        date = date.tomorrow().unwrap();
    }
    let rows = rows(&run, seconds, intervals, &tally);
    Verdict { rows, failures }
}

fn sees(tally: &mut Tally, kind: &'static str, off: i128, bound: i128) -> Result<(), String> {
    let (off, bound) = (off.abs(), bound + 2 * UWMS_PER_MWH);
    let greatest = tally.greatest.entry(kind).or_default();
    *greatest = (*greatest).max((off / UWMS_PER_MWH, bound / UWMS_PER_MWH));
    tally.nearest = tally.nearest.max(off * 100 / bound);
    let mwh = |uwms: i128| uwms / UWMS_PER_MWH;
    if off > bound {
        return Err(format!(
            "{kind}: {} mWh from the truth, bound {} mWh",
            mwh(off),
            mwh(bound)
        ));
    }
    Ok(())
}

fn register(
    account: &Account,
    at: usize,
    entry: &Entry,
    open: &mut Option<(usize, i64)>,
    tally: &mut Tally,
) -> Result<Option<Expected>, String> {
    let Kept::Register(book) = &account.kept else {
        return Ok(None);
    };
    let (Some(a), Some(b)) = (book.bounds[at], book.bounds[at + 1]) else {
        // Before the first reading, or silent to the end.
        return match entry.energy {
            Err(_) => Ok(None),
            Ok(energy) => Err(format!("{} mWh that no register shows", energy.0)),
        };
    };
    let energy = entry
        .energy
        .map_err(|reason| format!("missing: {reason:?}"))?
        .0;
    if energy < 0 {
        return Err(format!("{energy} mWh is negative"));
    }
    let (begins, ends) = (a.gap_ms <= KNOWN_WITHIN_MS, b.gap_ms <= KNOWN_WITHIN_MS);
    let (_, sum) = open.get_or_insert((at, 0));
    *sum += energy;
    if begins && ends {
        tally.exact += 1;
        *open = None;
        if energy != b.position - a.position {
            let must = b.position - a.position;
            return Err(format!("{energy} mWh, the register moved by {must} mWh"));
        }
    } else if ends && let Some((from, sum)) = open.take() {
        tally.sums += 1;
        let from = book.bounds[from].map_or(0, |bound| bound.position);
        if sum != b.position - from {
            let must = b.position - from;
            return Err(format!(
                "{sum} mWh over a gap, the register moved by {must} mWh"
            ));
        }
    }
    let coverage = book.covered_ms[at] as f64 / INTERVAL_MS as f64 * 100.0;
    if (coverage.min(100.0) - entry.coverage_pct).abs() > 1e-6 {
        return Err(format!(
            "coverage {} %, not {coverage} %",
            entry.coverage_pct
        ));
    }
    let good = a.gap_ms.max(b.gap_ms) <= READ_WITHIN_MS && !book.marked[at];
    if good != (entry.quality == Quality::Good) {
        return Err(format!(
            "{:?}, gaps {} and {} ms",
            entry.quality, a.gap_ms, b.gap_ms
        ));
    }
    let flowed = b.flowed - a.flowed;
    let off = i128::from(energy) * UWMS_PER_MWH - flowed;
    let steps = book.step * (1 + 2 * i128::from(book.breaks[at]));
    let bound = a.curve + b.curve + steps;
    let by = tally.by_quality.entry(entry.quality.name()).or_default();
    *by = (by.0 + 1, by.1.max(off.abs() / UWMS_PER_MWH));
    if begins && ends {
        let kind = if good {
            "registers, good"
        } else {
            "registers, others"
        };
        sees(tally, kind, off, bound)?;
        return Ok(Some(Expected { flowed, bound }));
    }
    // How an estimate divides a gap is bound by nothing but its sum.
    let bound = bound + flowed + i128::from(energy) * UWMS_PER_MWH;
    Ok(Some(Expected { flowed, bound }))
}

fn integral(
    account: &Account,
    at: usize,
    entry: &Entry,
    tally: &mut Tally,
) -> Result<Option<Expected>, String> {
    let Kept::Integral(integral) = &account.kept else {
        return Ok(None);
    };
    let covered = integral.covered_ms[at];
    let by = tally.by_quality.entry(entry.quality.name()).or_default();
    by.0 += 1;
    let Ok(energy) = entry.energy else {
        let covers = covered >= SCALED_MS;
        let fault = || format!("{:?} with {covered} ms covered", entry.energy);
        return if covers { Err(fault()) } else { Ok(None) };
    };
    // What is filled in where little is covered says that it is an estimate.
    if covered < SCALED_MS {
        let flowed = account.ground.flowed[at + 1] - account.ground.flowed[at];
        let bound = flowed + i128::from(energy.0) * UWMS_PER_MWH;
        return if entry.quality == Quality::Estimated {
            Ok(Some(Expected { flowed, bound }))
        } else {
            Err(format!("{:?} with {covered} ms covered", entry.quality))
        };
    }
    if energy.0 < 0 {
        return Err(format!("{} mWh is negative", energy.0));
    }
    let coverage = covered as f64 / INTERVAL_MS as f64 * 100.0;
    if (coverage - entry.coverage_pct).abs() > 1e-6 {
        return Err(format!(
            "coverage {} %, not {coverage} %",
            entry.coverage_pct
        ));
    }
    if (covered < COMPLETE_MS) != (entry.quality == Quality::Estimated)
        && entry.quality != Quality::Suspect
    {
        return Err(format!("{:?} with {covered} ms covered", entry.quality));
    }
    let flowed = account.ground.flowed[at + 1] - account.ground.flowed[at];
    let begin = at as i64 * INTERVAL_MS;
    let (least, greatest) = account.ground.range(begin, begin + INTERVAL_MS - 1);
    let uncovered = i128::from(INTERVAL_MS - covered);
    let bound = if covered >= COMPLETE_MS {
        integral.slack[at] + uncovered * i128::from(greatest)
    } else {
        let scaled = integral.slack[at] * i128::from(INTERVAL_MS) / i128::from(covered);
        scaled + uncovered * i128::from(greatest - least)
    };
    let bound = bound
        + if account.meter == FIELD {
            flowed / PRINTED
        } else {
            0
        };
    let off = i128::from(energy.0) * UWMS_PER_MWH - flowed;
    sees(tally, "integrated", off, bound)?;
    Ok(Some(Expected { flowed, bound }))
}

/// What no meter explains of an interval follows from what each may be off by.
fn balance(
    accounts: &[Account],
    settled: &Interval,
    expected: &[Option<Expected>],
    tally: &mut Tally,
) -> Result<(), String> {
    for (carrier, flow) in [
        (Carrier::Electricity, Flow::Residual),
        (Carrier::Heat, Flow::HeatResidual),
    ] {
        let of = |account: &Account| account.channel.carrier == carrier && account.meter != HALL_C;
        let mut all = accounts
            .iter()
            .zip(expected)
            .filter(|(account, _)| of(account));
        let Ok(known) = settled.flows.of(flow) else {
            tally.balanced_not += 1;
            if all.all(|(_, known)| known.is_some()) {
                return Err(format!("{flow:?} is not known, and every meter is"));
            }
            continue;
        };
        let (mut flowed, mut bound) = (0, 0);
        for (account, known) in all {
            let Some(known) = known else {
                return Err(format!(
                    "{flow:?} is known without `{}`",
                    ROWS[account.meter].id
                ));
            };
            let role = super::park::park_role(account.meter);
            let used = matches!(role, Some(Term::Load | Term::HeatConsumer));
            let sign = if used == account.channel.positive {
                -1
            } else {
                1
            };
            flowed += sign * known.flowed;
            bound += known.bound + UWMS_PER_MWH;
        }
        tally.balanced += 1;
        let off = i128::from(known.value.0) * UWMS_PER_MWH - flowed;
        // A curve over a long gap is an estimate, whose sum alone is held to the truth.
        let kind = match (known.quality, flow) {
            (Quality::Estimated | Quality::Suspect | Quality::Stale | Quality::Manual, _) => {
                continue;
            }
            (_, Flow::Residual) => "residual of electricity",
            _ => "residual of heat",
        };
        sees(tally, kind, off, bound)?;
    }
    Ok(())
}

/// What is computed from others is theirs, to the milliwatt-hour.
fn derived(
    entries: &BTreeMap<(Timestamp, String, Carrier, bool), Entry>,
    start: Timestamp,
) -> Result<(), String> {
    let energy = |meter: usize, positive: bool| {
        let key = (
            start,
            ROWS[meter].id.to_owned(),
            Carrier::Electricity,
            positive,
        );
        entries
            .get(&key)
            .and_then(|entry| entry.energy.ok())
            .map(|energy| energy.0)
    };
    let inputs = energy(HALL_B, true).zip(energy(HALL_C, true));
    let rest = energy(REST, true).zip(energy(REST, false));
    match (inputs, rest) {
        (None, None) => Ok(()),
        (Some((b, c)), Some((more, less))) if b - c == more - less => Ok(()),
        other => Err(format!("hall-b and hall-c, and what is left: {other:?}")),
    }
}

fn rows(run: &Run, seconds: i64, intervals: usize, tally: &Tally) -> Vec<(String, String)> {
    let counts = &run.daemon.counts;
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    row("from", run.settings.from.to_string());
    row("days", run.settings.days.to_string());
    row("seed", run.settings.seed.to_string());
    row("seconds simulated", seconds.to_string());
    row(
        "meters, channels",
        format!("{METERS}, {}", run.accounts.len()),
    );
    row("readings", counts.readings.to_string());
    row(
        "  held while the clock was not trusted",
        counts.held.to_string(),
    );
    row("  lost by kills", counts.lost.to_string());
    row("ticks", counts.ticks.to_string());
    row("blocks", counts.commits.to_string());
    row("starts", counts.starts.to_string());
    row("  blocks replayed", counts.replayed.to_string());
    for (name, count) in &run.tally {
        row(name, count.to_string());
    }
    let mut segments = 0;
    let mut rollovers = 0;
    for account in &run.accounts {
        if let Kept::Register(book) = &account.kept {
            let counts = book.counts();
            (segments, rollovers) = (segments + counts.0, rollovers + counts.1);
        }
    }
    row("segments of registers", segments.to_string());
    row("rollovers", rollovers.to_string());
    row("intervals", intervals.to_string());
    row("  with later revisions", tally.revised.to_string());
    row("  most revisions of one", tally.most_revisions.to_string());
    row("entries", tally.entries.to_string());
    row("  registers, exact to the mWh", tally.exact.to_string());
    row("  gaps beyond 2 h, exact in sum", tally.sums.to_string());
    for (quality, (count, most)) in &tally.by_quality {
        row(
            &format!("  {quality}, most mWh off"),
            format!("{count}, {most}"),
        );
    }
    row("balances known", tally.balanced.to_string());
    row("balances with a gap", tally.balanced_not.to_string());
    for (kind, (off, bound)) in &tally.greatest {
        row(
            &format!("greatest deviation, mWh of: {kind}"),
            format!("{off} of {bound}"),
        );
    }
    row("nearest to its bound", format!("{} %", tally.nearest));
    rows
}
