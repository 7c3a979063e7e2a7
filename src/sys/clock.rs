//! Clocks: the only place that reads one, and the judge of whether it can be
//! trusted.
//!
//! Wall time is for storing, monotonic time for waiting and for stamping what is
//! read. Readings get their wall time from [`WallClock::at`] while the clock is
//! trusted; while it is not, they are held with their monotonic stamp and get it
//! later.
//!
//! The clock is untrusted before the build date, before the newest journaled time,
//! and when it stands more than [`STEP`] away from where the last trusted moment
//! leads to, unless time synchronisation set it since. It is trusted again when the
//! reason is gone: it was set, the time passed the bound, synchronisation vouches
//! for it, or the step was undone. A clock that was never trusted has no such
//! moment, so whoever sets it right is believed.
//!
//! ```text
//!   wall         trusted ──▶ │ +3 h, untrusted ──▶ │ back, trusted ──▶
//!   steady       trusted ──────────────────────────────────────────▶
//! ```
//!
//! Meanwhile [`WallClock::steady`] goes on from the last trusted moment by
//! monotonic time, so that ages shown on the page do not jump with the clock.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A jump of the wall clock against the monotonic one that needs an explanation.
pub const STEP: Duration = Duration::from_secs(60);
/// Touched by systemd's time synchronisation each time that it has set the clock.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// Nothing was recorded by this program before it was built.
const BUILD_SECOND: &str = env!("SUNLEDGER_BUILD_SECOND");

/// Monotonic time.
#[must_use]
pub fn mono() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Wall time, trusted or not.
#[must_use]
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// When time synchronisation last set the clock, by the clock of then.
#[must_use]
pub fn synchronised() -> Option<Timestamp> {
    let touched = Path::new(SYNCHRONISED).metadata().ok()?.modified().ok()?;
    Timestamp::try_from(touched).ok()
}

/// The build date, before which no clock is right.
#[must_use]
pub fn build_date() -> Timestamp {
    let second = BUILD_SECOND.parse().ok();
    second
        .and_then(|second| Timestamp::from_second(second).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Why the clock is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// Before the program was built.
    BeforeBuild,
    /// Before the newest time in the journal.
    BeforeJournal,
    /// It jumped, and nothing explains it.
    Stepped,
}

impl Distrust {
    /// For people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::BeforeBuild => "the clock is before the build date; set it or let it synchronise",
            Self::BeforeJournal => {
                "the clock is before the newest stored time; set it or let it synchronise"
            }
            Self::Stepped => {
                "the clock jumped by more than a minute and is not synchronised; synchronise it, or restart to accept the new time"
            }
        }
    }
}

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Wall time.
    pub wall: Timestamp,
    /// Monotonic time.
    pub mono: tokio::time::Instant,
    /// When the system last set the wall time from a source that it believes.
    pub synchronised: Option<Timestamp>,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            wall: wall(),
            mono: mono(),
            synchronised: synchronised(),
        }
    }

    /// The wall time at a monotonic moment, as seen from this one.
    fn wall_at(&self, mono: tokio::time::Instant) -> Timestamp {
        let signed = |duration: Duration| SignedDuration::try_from(duration).unwrap_or_default();
        let moved = if mono >= self.mono {
            self.wall.checked_add(signed(mono - self.mono))
        } else {
            self.wall.checked_sub(signed(self.mono - mono))
        };
        moved.unwrap_or(self.wall)
    }
}

/// The wall clock under observation.
#[derive(Debug, Clone)]
pub struct WallClock {
    not_before: Timestamp,
    journal: Timestamp,
    /// The last moment observed.
    anchor: Moment,
    /// The last moment at which the clock was trusted.
    trusted: Option<Moment>,
    /// Where steady time counts from.
    steady: Moment,
    verdict: Result<(), Distrust>,
}

impl WallClock {
    /// Begins to observe. `journal` is the newest time in the journal.
    #[must_use]
    pub fn new(first: Moment, journal: Option<Timestamp>) -> Self {
        let mut clock = Self {
            not_before: build_date(),
            journal: journal.unwrap_or(Timestamp::UNIX_EPOCH),
            anchor: first,
            trusted: None,
            steady: first,
            verdict: Ok(()),
        };
        let _judged = clock.observe(first);
        clock
    }

    /// Observes the clock; to be called at every tick.
    ///
    /// # Errors
    ///
    /// Why it can not be trusted.
    pub fn observe(&mut self, now: Moment) -> Result<(), Distrust> {
        self.anchor = now;
        self.verdict = if now.wall < self.not_before {
            Err(Distrust::BeforeBuild)
        } else if now.wall < self.journal {
            Err(Distrust::BeforeJournal)
        } else if self.trusted.is_some_and(|trusted| stepped(&trusted, &now)) {
            Err(Distrust::Stepped)
        } else {
            Ok(())
        };
        if self.verdict.is_ok() {
            self.trusted = Some(now);
            self.steady = now;
        }
        self.verdict
    }

    /// Takes note of a time that goes to the journal: the clock may not be before it.
    pub fn journaled(&mut self, at: Timestamp) {
        self.journal = self.journal.max(at);
    }

    /// Whether the clock was trusted at the last observation.
    ///
    /// # Errors
    ///
    /// Why it was not.
    pub fn trust(&self) -> Result<(), Distrust> {
        self.verdict
    }

    /// The wall time of a monotonic moment, counted from the last observation.
    #[must_use]
    pub fn at(&self, mono: tokio::time::Instant) -> Timestamp {
        self.anchor.wall_at(mono)
    }

    /// The time of a monotonic moment, counted from the last one that was trusted,
    /// or from the first: right or not, it does not jump.
    #[must_use]
    pub fn steady(&self, mono: tokio::time::Instant) -> Timestamp {
        self.steady.wall_at(mono)
    }
}

/// Whether the clock moved away from a trusted moment and nothing explains it.
fn stepped(trusted: &Moment, now: &Moment) -> bool {
    let explained = now.synchronised.is_some() && now.synchronised != trusted.synchronised;
    let off = now.wall.duration_since(trusted.wall_at(now.mono)).abs();
    !explained && Duration::try_from(off).is_ok_and(|off| off > STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that moves as a test says, synchronised never.
    struct Test {
        base: tokio::time::Instant,
        clock: WallClock,
    }

    fn moment(
        base: tokio::time::Instant,
        wall: &str,
        s: u64,
        synchronised: Option<&str>,
    ) -> Moment {
        Moment {
            wall: wall.parse().unwrap(),
            mono: base + Duration::from_secs(s),
            synchronised: synchronised.map(|at| at.parse().unwrap()),
        }
    }

    impl Test {
        fn new(wall: &str, journal: Option<&str>) -> Self {
            let base = mono();
            let journal = journal.map(|at| at.parse().unwrap());
            let clock = WallClock::new(moment(base, wall, 0, None), journal);
            Self { base, clock }
        }

        fn at(&mut self, s: u64, wall: &str) -> Result<(), Distrust> {
            self.clock.observe(moment(self.base, wall, s, None))
        }

        fn set_at(&mut self, s: u64, wall: &str, synchronised: &str) -> Result<(), Distrust> {
            let now = moment(self.base, wall, s, Some(synchronised));
            self.clock.observe(now)
        }
    }

    #[test]
    fn the_program_was_built_in_the_past_and_not_in_1970() {
        assert!(build_date() <= wall());
        assert!(build_date() > "2020-01-01T00:00:00Z".parse().unwrap());
    }

    #[test]
    fn a_clock_of_1970_is_not_trusted_until_somebody_sets_it() {
        let mut test = Test::new("1970-01-01T00:00:10Z", None);
        assert_eq!(test.clock.trust(), Err(Distrust::BeforeBuild));
        assert_eq!(
            test.at(3, "1970-01-01T00:00:13Z"),
            Err(Distrust::BeforeBuild)
        );
        assert_eq!(test.at(5, "2099-01-01T00:00:00Z"), Ok(()));
        assert_eq!(
            test.clock.at(test.base),
            "2098-12-31T23:59:55Z".parse().unwrap(),
            "held readings get their time"
        );
    }

    #[test]
    fn time_before_the_journal_is_not_trusted_until_it_has_passed() {
        let mut test = Test::new("2099-01-01T00:00:00Z", Some("2099-01-01T00:00:30Z"));
        assert_eq!(test.clock.trust(), Err(Distrust::BeforeJournal));
        assert_eq!(test.at(31, "2099-01-01T00:00:31Z"), Ok(()));
        test.clock
            .journaled("2099-01-01T00:00:31Z".parse().unwrap());
        assert_eq!(
            test.at(33, "2099-01-01T00:00:30Z"),
            Err(Distrust::BeforeJournal),
            "three seconds back"
        );
        assert_eq!(test.at(34, "2099-01-01T00:00:31Z"), Ok(()));
    }

    #[test]
    fn a_step_of_more_than_a_minute_is_trusted_when_it_is_undone() {
        let mut test = Test::new("2099-01-01T00:00:00Z", None);
        assert_eq!(test.at(1, "2099-01-01T00:00:59Z"), Ok(()), "58 s");
        for second in 2..5 {
            let wall = format!("2099-01-01T01:00:0{second}Z");
            assert_eq!(test.at(second, &wall), Err(Distrust::Stepped));
        }
        assert_eq!(test.at(5, "2099-01-01T00:01:03Z"), Ok(()), "undone");
    }

    #[test]
    fn a_step_is_trusted_when_synchronisation_set_the_clock_after_it() {
        let mut test = Test::new("2099-01-01T00:00:00Z", None);
        let before = "2099-01-01T00:00:01Z";
        assert_eq!(test.set_at(1, "2099-01-01T00:00:01Z", before), Ok(()));
        assert_eq!(
            test.set_at(2, "2099-01-01T05:00:00Z", before),
            Err(Distrust::Stepped),
            "synchronised before, moved by hand"
        );
        let after = "2099-01-01T05:00:01Z";
        assert_eq!(test.set_at(3, "2099-01-01T05:00:01Z", after), Ok(()));
    }

    #[test]
    fn a_clock_that_went_through_1970_is_held_against_where_it_was() {
        let mut test = Test::new("2099-01-01T00:00:00Z", None);
        assert_eq!(
            test.at(1, "1970-01-01T00:00:00Z"),
            Err(Distrust::BeforeBuild)
        );
        assert_eq!(test.at(2, "2099-01-01T03:00:00Z"), Err(Distrust::Stepped));
        assert_eq!(test.at(3, "2099-01-01T00:00:03Z"), Ok(()));
    }

    #[test]
    fn steady_time_goes_on_while_the_clock_jumps() {
        let mut test = Test::new("2099-01-01T00:00:00Z", None);
        let _stepped = test.at(10, "2099-01-01T03:00:00Z");
        let later = test.base + Duration::from_secs(10);
        assert_eq!(
            test.clock.steady(later),
            "2099-01-01T00:00:10Z".parse().unwrap()
        );
        assert_eq!(
            test.clock.at(later),
            "2099-01-01T03:00:00Z".parse().unwrap()
        );
    }
}
