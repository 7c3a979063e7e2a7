//! Where meters can sit, and the exact arithmetic between them.
//!
//! Powers are integers of milliwatt and constant within a step, energies integers
//! of millijoule: power times whole seconds is exact, so the balances of the model
//! close to the last digit, and so does every sum of them over days.
//!
//! Signs are those of the roles: grid import, production, discharge, consumption
//! and heat in the direction of the role are positive.

use crate::domain::units::{to_f64, to_i64};

/// Power in milliwatt.
pub type MilliW = i64;
/// Energy in millijoule: `i64` holds 2.5 TWh.
pub type MilliJ = i64;

/// Millijoules of a watt-hour.
pub const MJ_PER_WH: MilliJ = 3_600_000;

/// The nearest milliwatt.
#[must_use]
pub fn mw(watts: f64) -> MilliW {
    to_i64(watts * 1_000.0)
}

/// Milliwatts as watts, and millijoules as joules.
#[must_use]
pub fn watts(power: MilliW) -> f64 {
    to_f64(power) / 1_000.0
}

/// The energy of a constant power over whole seconds.
#[must_use]
pub fn mj(power: MilliW, seconds: i64) -> MilliJ {
    power * seconds
}

macro_rules! terminals {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A place where power is metered.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Terminal { $($(#[$doc])* $name,)* }

        /// Every terminal, in the order of the variants.
        pub const TERMINALS: &[Terminal] = &[$(Terminal::$name,)*];
        /// How many there are.
        pub const TERMINAL_COUNT: usize = TERMINALS.len();
    };
}

terminals! {
    /// The grid connection.
    Grid,
    /// The photovoltaic plant.
    Pv,
    /// The turbine's generator.
    Turbine,
    /// The battery.
    Battery,
    /// Pumps and drives of the field, salt pumps.
    AuxField,
    /// Pumps and fans of the turbine, network pumps, offices.
    AuxBlock,
    /// Electricity of the electric boiler.
    ElectricBoiler,
    /// First tenant.
    Foundry,
    /// Second tenant.
    Ceramics,
    /// Third tenant.
    Brewery,
    /// Fourth tenant.
    ColdStore,
    /// Fifth tenant.
    Offices,
    /// Heat from the field.
    Field,
    /// Heat of the gas boiler.
    GasBoiler,
    /// Heat of the electric boiler.
    ElectricHeat,
    /// Heat storage.
    Storage,
    /// Heat to the turbine.
    ToPower,
    /// Feed of the heat network.
    Feed,
    /// Heat to the brewery.
    BreweryHeat,
    /// Heat to the ceramics works.
    CeramicsHeat,
    /// Heat to the district.
    DistrictHeat,
}

/// The five tenants.
pub const TENANTS: [Terminal; 5] = [
    Terminal::Foundry,
    Terminal::Ceramics,
    Terminal::Brewery,
    Terminal::ColdStore,
    Terminal::Offices,
];

/// One of two registers of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Counts while the power is positive.
    Positive,
    /// Counts while it is negative.
    Negative,
}

impl Direction {
    /// The part of a power that this register counts.
    #[must_use]
    pub fn part(self, power: MilliW) -> MilliW {
        match self {
            Self::Positive => power.max(0),
            Self::Negative => (-power).max(0),
        }
    }
}

/// One number for every terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerTerminal([i64; TERMINAL_COUNT]);

impl Default for PerTerminal {
    fn default() -> Self {
        Self([0; TERMINAL_COUNT])
    }
}

// A terminal's place is below TERMINAL_COUNT, because both come from one list.
#[allow(clippy::indexing_slicing, clippy::as_conversions)]
impl PerTerminal {
    /// The number of a terminal.
    #[must_use]
    pub fn of(&self, terminal: Terminal) -> i64 {
        self.0[terminal as usize]
    }

    /// Sets the number of a terminal.
    pub fn set(&mut self, terminal: Terminal, value: i64) {
        self.0[terminal as usize] = value;
    }

    /// Adds to the number of a terminal.
    pub fn add(&mut self, terminal: Terminal, value: i64) {
        self.0[terminal as usize] += value;
    }

    /// The sum over some terminals.
    #[must_use]
    pub fn sum(&self, terminals: &[Terminal]) -> i64 {
        terminals.iter().map(|terminal| self.of(*terminal)).sum()
    }
}
