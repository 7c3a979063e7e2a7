//! How long import and export are added up against each other before they count.
//!
//! The same power makes other registers: a window of an hour nets away what a window of
//! a second counts, and a meter that adds up its phases nets away what one that counts
//! each of them does not. Net energy is the same for all; a report has to say which.

pub use crate::domain::relations::RegisterMode;
use crate::domain::units::to_f64;

/// An energy in watt-seconds: samples of whole watts and seconds add up exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct WattSeconds(pub i64);

impl WattSeconds {
    /// Kilowatt-hours.
    #[must_use]
    pub fn as_kilowatt_hours(self) -> f64 {
        to_f64(self.0) / 3.6e6
    }
}

/// What went each way; neither is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Directed<N> {
    /// From the grid.
    pub import: N,
    /// To the grid.
    pub export: N,
}

/// A netting window that samples do not fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a netting window of {window_s} s is no multiple of samples of {sample_s} s")]
pub struct BadWindow {
    /// The window.
    pub window_s: u32,
    /// The samples.
    pub sample_s: u32,
}

/// Import and export of a signal of powers (W, positive is import), netted within each
/// window from the first sample on; a last window may be short.
///
/// # Errors
///
/// [`BadWindow`] unless the window is a multiple of the samples, neither of them zero.
pub fn netted(
    watts: &[i64],
    sample_s: u32,
    window_s: u32,
) -> Result<Directed<WattSeconds>, BadWindow> {
    let bad = BadWindow { window_s, sample_s };
    let samples = window_s
        .checked_div(sample_s)
        .filter(|samples| *samples > 0);
    let samples = samples
        .filter(|_| window_s.is_multiple_of(sample_s))
        .ok_or(bad)?;
    let samples = usize::try_from(samples).map_err(|_| bad)?;
    let mut sum = Directed::<WattSeconds>::default();
    for window in watts.chunks(samples) {
        let net = window
            .iter()
            .fold(0_i64, |net, watts| net.saturating_add(*watts));
        let net = net.saturating_mul(sample_s.into());
        let side = if net < 0 {
            &mut sum.export
        } else {
            &mut sum.import
        };
        side.0 = side.0.saturating_add(net.saturating_abs());
    }
    Ok(sum)
}

/// What the registers of a meter count while its phases have these powers, W, positive
/// is import; unknown for a meter whose mode is.
///
/// Export of a meter that adds up its phases is never built from its phases one by one.
#[must_use]
pub fn directed(phases: [f64; 3], mode: RegisterMode) -> Option<Directed<f64>> {
    let of = |power: f64| Directed {
        import: power.max(0.0),
        export: (-power).max(0.0),
    };
    match mode {
        RegisterMode::Vectorial => Some(of(phases.iter().sum())),
        RegisterMode::PerPhase => Some(phases.map(of).iter().fold(
            Directed::default(),
            |sum: Directed<f64>, one| Directed {
                import: sum.import + one.import,
                export: sum.export + one.export,
            },
        )),
        RegisterMode::Unknown => None,
    }
}
