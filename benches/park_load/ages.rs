//! How old values were: counts by the millisecond.

/// Older than this is counted as this.
const MOST_MS: usize = 60_000;

/// A distribution of ages.
#[derive(Clone)]
pub struct Ages {
    counts: Vec<u64>,
    total: u64,
}

impl Ages {
    pub fn new() -> Self {
        Self {
            counts: vec![0; MOST_MS + 1],
            total: 0,
        }
    }

    pub fn add(&mut self, age_ms: i64) {
        let place = usize::try_from(age_ms).unwrap_or(0).min(MOST_MS);
        self.counts[place] += 1;
        self.total += 1;
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// The age that this part of the values did not exceed.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let wanted = (self.total as f64 * part).ceil() as u64;
        let mut seen = 0;
        for (ms, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return Some(ms as f64 / 1_000.0);
            }
        }
        None
    }
}

/// The time of a row, where it is the reading of a meter.
pub fn reading_ms(line: &str) -> Option<i64> {
    let is_reading = line.starts_with("electricity,");
    is_reading.then(|| line.rsplit_once(' ')?.1.parse().ok())?
}
