//! How often a fault strikes, and the times that it takes.

use std::time::Duration;

use super::super::super::physics::noise::{Channel, uniform};
use crate::domain::units::to_f64;

/// A time drawn from a range, both ends included.
pub type Span = (Duration, Duration);

/// How often a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Often {
    /// Every so-manieth question; the last of so many.
    Nth(u64),
    /// A share of all, at random.
    Share(f64),
}

/// What is drawn for one question: the same again for the same seed.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// Of the rehearsal.
    pub seed: u64,
    /// Of the fault.
    pub channel: u64,
    /// Which question it is to this fault, from zero.
    pub n: u64,
}

impl Draw {
    /// A number in `[0, 1)`.
    #[must_use]
    pub fn number(self, what: u64) -> f64 {
        let channel = Channel(0xfa).number(self.channel).number(what << 8);
        uniform(self.seed, channel, self.n.cast_signed())
    }

    /// A time in a range.
    #[must_use]
    pub fn time(self, span: Span) -> Duration {
        let width = span.1.saturating_sub(span.0);
        span.0 + width.mul_f64(self.number(1))
    }
}

impl Often {
    /// Each time.
    pub const EVERY: Self = Self::Nth(1);

    /// `5` or `20%`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(percent) => {
                let share = percent.parse::<f64>().ok()? / 100.0;
                (share > 0.0 && share <= 1.0).then_some(Self::Share(share))
            }
            None => text.parse().ok().filter(|n| *n > 0).map(Self::Nth),
        }
    }

    /// Whether it strikes this time.
    #[must_use]
    pub fn strikes(self, draw: Draw) -> bool {
        match self {
            Self::Nth(nth) => draw.n % nth == nth - 1,
            Self::Share(share) => draw.number(0) < share,
        }
    }
}

/// `200ms`, `4s`, `1.5s`, `2min`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match text.get(digits.len()..)? {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let number: f64 = digits.parse().ok()?;
    let seconds = number * to_f64(unit_ms) / 1_000.0;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A time, or two with a dash between.
#[must_use]
pub fn span(text: &str) -> Option<Span> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let span = (duration(from)?, duration(to)?);
    (span.0 <= span.1).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(n: u64) -> Draw {
        Draw {
            seed: 1,
            channel: 2,
            n,
        }
    }

    #[test]
    fn every_fifth_is_one_in_five() {
        let struck: Vec<u64> = (0..12)
            .filter(|n| Often::Nth(5).strikes(draw(*n)))
            .collect();
        assert_eq!(struck, [4, 9]);
        assert!((0..9).all(|n| Often::EVERY.strikes(draw(n))));
    }

    #[test]
    fn a_share_is_met_in_the_long_run_and_is_the_same_again() {
        let often = Often::read("20%").unwrap();
        let struck = |()| {
            (0..10_000)
                .filter(|n| often.strikes(draw(*n)))
                .collect::<Vec<_>>()
        };
        assert!((1_800..2_200).contains(&struck(()).len()));
        assert_eq!(struck(()), struck(()));
    }

    #[test]
    fn times_have_a_unit() {
        let ms = Duration::from_millis;
        assert_eq!(duration("200ms"), Some(ms(200)));
        assert_eq!(duration("1.5s"), Some(ms(1_500)));
        assert_eq!(span("0ms-2s"), Some((ms(0), ms(2_000))));
        for wrong in ["", "5", "s", "-1s", "1 s", "1d", "2s-1s"] {
            assert_eq!(
                duration(wrong).or(span(wrong).map(|span| span.0)),
                None,
                "{wrong}"
            );
        }
        for n in 0..1_000 {
            let drawn = draw(n).time((ms(10), ms(20)));
            assert!((ms(10)..=ms(20)).contains(&drawn), "{drawn:?}");
        }
    }
}
