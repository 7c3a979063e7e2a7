//! Clocks: the only place that reads one, and the judge of whether it can be
//! trusted.
//!
//! Wall time is for storing, monotonic time for waiting and for stamping what is
//! read. Readings get their wall time from [`WallClock::at`] while the clock is
//! trusted; while it is not, they are held with their monotonic stamp and get it
//! later.
//!
//! The clock is untrusted before the build date, before the newest journaled time,
//! and after a step of more than [`STEP`] that time synchronisation does not
//! explain. It is trusted again when the reason is gone: the time passed the
//! bound, synchronisation vouches for the step, or the step was undone.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

/// A jump of the wall clock against the monotonic one that needs an explanation.
pub const STEP: Duration = Duration::from_secs(60);
/// Set by the system's time synchronisation when it has set the clock.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// Nothing was recorded by this program before it was written.
const BUILD_DATE: &str = "2026-11-01T00:00:00Z";

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

/// Whether the system says that its clock is synchronised.
#[must_use]
pub fn synchronised() -> bool {
    Path::new(SYNCHRONISED).exists()
}

/// The build date, before which no clock is right.
#[must_use]
pub fn build_date() -> Timestamp {
    BUILD_DATE.parse().unwrap_or(Timestamp::UNIX_EPOCH)
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
    /// Whether the system vouches for the wall time.
    pub synchronised: bool,
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
}

/// The wall clock under observation.
#[derive(Debug, Clone)]
pub struct WallClock {
    not_before: Timestamp,
    journal: Timestamp,
    /// The last moment, on which the next one is expected to build.
    anchor: Moment,
    stepped: Option<Duration>,
    /// Wall time expected without the step, to see it undone.
    expected_from: Moment,
}

impl WallClock {
    /// Begins to observe. `journal` is the newest time in the journal.
    #[must_use]
    pub fn new(first: Moment, journal: Option<Timestamp>) -> Self {
        Self {
            not_before: build_date(),
            journal: journal.unwrap_or(Timestamp::UNIX_EPOCH),
            anchor: first,
            stepped: None,
            expected_from: first,
        }
    }

    /// Observes the clock; to be called at every tick.
    pub fn observe(&mut self, now: Moment) -> Result<(), Distrust> {
        let jump = drift(&self.anchor, &now);
        if jump > STEP && !now.synchronised && self.stepped.is_none() {
            self.stepped = Some(jump);
            self.expected_from = self.anchor;
        }
        if self.stepped.is_some() && (now.synchronised || drift(&self.expected_from, &now) <= STEP)
        {
            self.stepped = None;
        }
        self.anchor = now;
        self.trust(now.wall)
    }

    /// Whether a wall time can be trusted, as far as was observed.
    ///
    /// # Errors
    ///
    /// Why it can not.
    pub fn trust(&self, wall: Timestamp) -> Result<(), Distrust> {
        if wall < self.not_before {
            Err(Distrust::BeforeBuild)
        } else if wall < self.journal {
            Err(Distrust::BeforeJournal)
        } else if self.stepped.is_some() {
            Err(Distrust::Stepped)
        } else {
            Ok(())
        }
    }

    /// The wall time of a monotonic moment, counted from the last observation.
    #[must_use]
    pub fn at(&self, mono: tokio::time::Instant) -> Timestamp {
        let signed =
            |duration: Duration| jiff::SignedDuration::try_from(duration).unwrap_or_default();
        let moved = if mono >= self.anchor.mono {
            self.anchor
                .wall
                .checked_add(signed(mono - self.anchor.mono))
        } else {
            self.anchor
                .wall
                .checked_sub(signed(self.anchor.mono - mono))
        };
        moved.unwrap_or(self.anchor.wall)
    }
}

/// How far the wall clock moved away from the monotonic one between two moments.
fn drift(from: &Moment, to: &Moment) -> Duration {
    let wall = to.wall.duration_since(from.wall);
    let mono = to.mono.saturating_duration_since(from.mono);
    let mono = jiff::SignedDuration::try_from(mono).unwrap_or_default();
    Duration::try_from((wall - mono).abs()).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(base: tokio::time::Instant, wall: &str, s: u64, synchronised: bool) -> Moment {
        Moment {
            wall: wall.parse().unwrap(),
            mono: base + Duration::from_secs(s),
            synchronised,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_of_1970_is_not_trusted_until_it_is_set() {
        let base = mono();
        let first = moment(base, "1970-01-01T00:00:10Z", 0, false);
        let mut clock = WallClock::new(first, None);
        assert_eq!(clock.observe(first), Err(Distrust::BeforeBuild));
        let later = moment(base, "2027-01-01T00:00:00Z", 5, true);
        assert_eq!(clock.observe(later), Ok(()));
        assert_eq!(
            clock.at(base),
            "2026-12-31T23:59:55Z".parse().unwrap(),
            "held readings get their time"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn time_before_the_journal_is_not_trusted_until_it_has_passed() {
        let base = mono();
        let first = moment(base, "2027-01-01T00:00:00Z", 0, false);
        let newest = "2027-01-01T00:00:30Z".parse().unwrap();
        let mut clock = WallClock::new(first, Some(newest));
        assert_eq!(clock.observe(first), Err(Distrust::BeforeJournal));
        assert_eq!(
            clock.observe(moment(base, "2027-01-01T00:00:31Z", 31, false)),
            Ok(())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_is_trusted_when_explained_or_undone() {
        let base = mono();
        let first = moment(base, "2027-01-01T00:00:00Z", 0, false);
        let mut clock = WallClock::new(first, None);
        assert_eq!(
            clock.observe(moment(base, "2027-01-01T00:00:59Z", 1, false)),
            Ok(()),
            "58 s"
        );
        assert_eq!(
            clock.observe(moment(base, "2027-01-01T01:00:00Z", 2, false)),
            Err(Distrust::Stepped)
        );
        assert_eq!(
            clock.observe(moment(base, "2027-01-01T01:00:01Z", 3, false)),
            Err(Distrust::Stepped)
        );
        assert_eq!(
            clock.observe(moment(base, "2027-01-01T00:01:00Z", 4, false)),
            Ok(()),
            "undone"
        );
        assert_eq!(
            clock.observe(moment(base, "2027-01-01T05:00:00Z", 5, true)),
            Ok(()),
            "explained"
        );
    }
}
