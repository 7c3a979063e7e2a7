//! What a request costs on an endpoint: so much for itself, and so much for each register.
//!
//! A line of best fit through what was measured. Old measurements fade, so that it
//! follows a network that has become slower. **The slope leans on the prior**, so that an
//! endpoint that is asked for one length alone does not seem to give registers away.

/// How much of its weight a measurement keeps when the next one comes: the last fifty
/// or so count.
const FADES: f64 = 0.98;
/// What the prior's cost of a request weighs, in measurements: the first one counts more.
const REQUEST_LEANS: f64 = 0.5;
/// What the prior's cost of a register weighs, in measurements times registers squared:
/// ten measurements that lie ten registers apart count as much.
const REGISTER_LEANS: f64 = 1_000.0;

/// Milliseconds of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// For the request itself.
    pub per_request_ms: f64,
    /// For each register in its answer.
    pub per_register_ms: f64,
}

impl Timing {
    /// On a network nobody has measured yet: a gateway before a quick line.
    pub const NETWORK: Self = Self {
        per_request_ms: 20.0,
        per_register_ms: 0.02,
    };

    /// What a request for so many registers costs.
    #[must_use]
    pub fn cost_ms(&self, registers: u16) -> f64 {
        self.per_request_ms + self.per_register_ms * f64::from(registers)
    }
}

/// The line of best fit.
#[derive(Debug, Clone)]
pub struct Fit {
    prior: Timing,
    now: Timing,
    /// Sums over the measurements, each with its weight: one, registers, their square,
    /// milliseconds, and registers times milliseconds.
    sums: [f64; 5],
}

impl Fit {
    /// A fit that knows nothing but this.
    #[must_use]
    pub fn new(prior: Timing) -> Self {
        Self {
            prior,
            now: prior,
            sums: [0.0; 5],
        }
    }

    /// Takes in that a request for so many registers took so long.
    pub fn observe(&mut self, registers: u16, took_ms: f64) {
        if !took_ms.is_finite() {
            return;
        }
        let n = f64::from(registers);
        let news = [1.0, n, n * n, took_ms, n * took_ms];
        for (sum, new) in self.sums.iter_mut().zip(news) {
            *sum = *sum * FADES + new;
        }
        let [one, n, nn, ms, n_ms] = self.sums;
        let (one, ms) = (
            one + REQUEST_LEANS,
            ms + REQUEST_LEANS * self.prior.per_request_ms,
        );
        let (nn, n_ms) = (
            nn + REGISTER_LEANS,
            n_ms + REGISTER_LEANS * self.prior.per_register_ms,
        );
        // Never zero: both diagonals lean on the prior.
        let determinant = one * nn - n * n;
        let slope = (one * n_ms - n * ms) / determinant;
        self.now = if slope > 0.0 {
            Timing {
                per_request_ms: ((ms - slope * n) / one).max(0.0),
                per_register_ms: slope,
            }
        } else {
            // More registers in less time: that is noise, and they cost nothing.
            Timing {
                per_request_ms: ms / one,
                per_register_ms: 0.0,
            }
        };
    }

    /// The line as it is.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(timing: Timing, request: f64, register: f64) -> bool {
        let (a, b) = (timing.per_request_ms, timing.per_register_ms);
        (a - request).abs() <= 0.1 * request + 0.1 && (b - register).abs() <= 0.1 * register + 0.03
    }

    #[test]
    fn what_was_measured_is_found_again_and_a_change_is_followed() {
        let mut fit = Fit::new(Timing::NETWORK);
        assert_eq!(fit.timing(), Timing::NETWORK);
        for (request, register) in [(47.0, 2.3), (12.0, 0.1), (150.0, 0.0)] {
            for n in [2, 60, 125, 10].repeat(100) {
                fit.observe(n, request + register * f64::from(n));
            }
            let timing = fit.timing();
            assert!(
                near(timing, request, register),
                "{timing:?} for {request} + {register} n"
            );
        }
    }

    #[test]
    fn one_length_alone_moves_the_request_and_not_the_register() {
        let prior = Timing {
            per_request_ms: 53.0,
            per_register_ms: 2.3,
        };
        let mut fit = Fit::new(prior);
        for _ in 0..200 {
            fit.observe(10, 101.0);
        }
        let timing = fit.timing();
        assert!((timing.per_register_ms - 2.3).abs() < 0.5, "{timing:?}");
        assert!((timing.cost_ms(10) - 101.0).abs() < 1.0, "{timing:?}");
    }

    proptest! {
        /// Costs are finite and not negative, whatever was measured.
        #[test]
        fn costs_are_costs(measured in prop::collection::vec((1_u16..=125, 0.0_f64..20_000.0), 1..200)) {
            let mut fit = Fit::new(Timing::NETWORK);
            for (registers, ms) in measured {
                fit.observe(registers, ms);
                let timing = fit.timing();
                prop_assert!(timing.per_request_ms >= 0.0 && timing.per_request_ms.is_finite());
                prop_assert!(timing.per_register_ms >= 0.0 && timing.per_register_ms.is_finite());
            }
        }
    }
}
