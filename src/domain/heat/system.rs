//! A park of heat in a few numbers: yields, fractions, losses, efficiencies.
//!
//! ```text
//!   field ───▶┐                ┌──▶ consumers
//!   boilers ─▶├──▶ header ──▶──┤
//!   storage ◀▶┘  (mixed)       └──▶ distribution loss
//! ```
//!
//! **Every ratio is a ratio of summed energies**, never a mean of ratios: pass the sums
//! of one period, both in one unit. 0/0 is unknown, neither 0 nor 1, and so is anything
//! over nothing. Nothing is clamped: a fraction above one is a meter to look at.

/// A part over a whole; none where the whole is nothing.
pub(super) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole != 0.0).then(|| part / whole)
}

/// Heat of a field per area, kWh/m² for kWh.
#[must_use]
pub fn specific_yield(heat: f64, aperture_m2: f64) -> Option<f64> {
    ratio(heat, aperture_m2)
}

/// The solar part of the heat of a system. Whether it is before or after the storage's
/// losses is the caller's to state.
#[must_use]
pub fn solar_fraction(solar: f64, auxiliary: f64) -> Option<f64> {
    ratio(solar, solar + auxiliary)
}

/// What the network lost between its feed and its consumers.
#[must_use]
pub fn distribution_loss(feed: f64, consumers: f64) -> f64 {
    feed - consumers
}

/// The same as a part of the feed.
#[must_use]
pub fn distribution_loss_ratio(feed: f64, consumers: f64) -> Option<f64> {
    ratio(distribution_loss(feed, consumers), feed)
}

/// Heat per work of a heat pump: its COP over a moment, its SPF over a season. The
/// boundary is that of the two meters; state which pumps are inside.
#[must_use]
pub fn coefficient_of_performance(heat: f64, work: f64) -> Option<f64> {
    ratio(heat, work)
}

/// Heat per work of an electric boiler.
#[must_use]
pub fn boiler_efficiency(heat: f64, work: f64) -> Option<f64> {
    ratio(heat, work)
}

/// Work of the pumps and drives per heat of the field.
#[must_use]
pub fn parasitic_ratio(work: f64, field_heat: f64) -> Option<f64> {
    ratio(work, field_heat)
}

/// Heat of a source at the header, and the part of it that is solar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// Heat into the header; never negative.
    pub heat: f64,
    /// 1 for a field, 0 for a boiler, what its [`Pool`](super::pool::Pool) says for a storage.
    pub solar: f64,
}

/// Why there are no shares at a header.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ShareError {
    /// A source that takes heat.
    #[error("source number {} gave {heat}: what takes heat from the header is a load there", .place + 1)]
    Negative {
        /// Its place.
        place: usize,
        /// What it gave.
        heat: f64,
    },
    /// Nothing flowed.
    #[error("no source gave heat, so none has a share")]
    Nothing,
}

/// Each source's share of the heat at a header where all of it mixes.
///
/// # Errors
///
/// [`ShareError`] where a source gave less than nothing, or all of them nothing.
pub fn shares(sources: &[Source]) -> Result<Vec<f64>, ShareError> {
    for (place, source) in sources.iter().enumerate() {
        let heat = source.heat;
        if !(heat >= 0.0 && heat.is_finite()) {
            return Err(ShareError::Negative { place, heat });
        }
    }
    let sum: f64 = sources.iter().map(|source| source.heat).sum();
    if sum == 0.0 {
        return Err(ShareError::Nothing);
    }
    Ok(sources.iter().map(|source| source.heat / sum).collect())
}

/// The solar part of what leaves a header.
///
/// # Errors
///
/// Those of [`shares`].
pub fn solar_at_header(sources: &[Source]) -> Result<f64, ShareError> {
    let shares = shares(sources)?;
    Ok(shares
        .iter()
        .zip(sources)
        .map(|(share, source)| share * source.solar)
        .sum())
}

#[cfg(test)]
#[path = "system_tests.rs"]
mod tests;
