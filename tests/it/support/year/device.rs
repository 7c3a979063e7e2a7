//! A register as its device counts it.

/// A register.
#[derive(Debug, Clone)]
pub struct Device {
    /// What a count is worth, µW·ms.
    pub quantum: i128,
    pub modulus: Option<i64>,
    /// Count at the start, and what had really flowed then.
    first: i64,
    since: i128,
}

impl Device {
    /// A register that shows `first` when so much has flowed.
    pub fn new(quantum: i128, modulus: Option<i64>, first: i64, since: i128) -> Self {
        Self {
            quantum,
            modulus,
            first,
            since,
        }
    }

    /// Its count without rollovers.
    pub fn total(&self, flowed: i128) -> i64 {
        let counts = (flowed - self.since) / self.quantum;
        self.first + i64::try_from(counts).unwrap()
    }

    /// What it shows.
    pub fn shows(&self, total: i64) -> i64 {
        self.modulus.map_or(total, |modulus| total % modulus)
    }

    /// Whether every bit of it is set; a dial has no bits.
    pub fn is_all_ones(&self, shows: i64) -> bool {
        matches!(self.modulus, Some(0x1_0000 | 0x1_0000_0000)) && Some(shows + 1) == self.modulus
    }

    /// Another count from now on, at another worth.
    pub fn broken_off(&mut self, flowed: i128, first: i64, quantum: i128) {
        (self.first, self.since, self.quantum) = (first, flowed, quantum);
    }
}
