//! What a meter is asked for, by its role; known before the device is.
//!
//! A role says what a meter is for, and with that which quantities it has and which
//! models may answer for them. **A meter of the grid is never read out of an
//! inverter**, nor an inverter out of the meter beside it: many devices list both.

use crate::domain::meter::{Carrier, Role, Term};

/// A quantity of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub quantity: &'static str,
    /// Whether it is read where nothing else is said; the others with `read = "all"`.
    pub essential: bool,
}

/// What a meter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It meters a place: the grid connection, a load.
    Place,
    /// It makes power.
    Generator,
    /// It stores power.
    Battery,
    /// It tells the weather.
    Weather,
    /// It is recorded.
    Record,
}

impl Purpose {
    pub(super) fn of(role: &Role) -> Option<Self> {
        match role.term(Carrier::Electricity) {
            Some(Term::Generator) => return Some(Self::Generator),
            Some(Term::Battery) => return Some(Self::Battery),
            Some(_) => return Some(Self::Place),
            None => (),
        }
        match role.measurement {
            "weather" => Some(Self::Weather),
            "monitor" => Some(Self::Record),
            _ => None,
        }
    }
}

const fn essential(quantity: &'static str) -> Wanted {
    Wanted {
        quantity,
        essential: true,
    }
}

const fn more(quantity: &'static str) -> Wanted {
    Wanted {
        quantity,
        essential: false,
    }
}

#[rustfmt::skip]
const PLACE: &[Wanted] = &[
    essential("power"), essential("energy_import"), essential("energy_export"),
    essential("voltage_l1"), essential("voltage_l2"), essential("voltage_l3"),
    essential("current_l1"), essential("current_l2"), essential("current_l3"),
    essential("frequency"), essential("power_factor"),
    more("power_l1"), more("power_l2"), more("power_l3"),
    more("voltage_l12"), more("voltage_l23"), more("voltage_l31"),
    more("power_factor_l1"), more("power_factor_l2"), more("power_factor_l3"),
    more("reactive_power"),
    more("reactive_power_l1"), more("reactive_power_l2"), more("reactive_power_l3"),
    more("apparent_power"),
    more("apparent_power_l1"), more("apparent_power_l2"), more("apparent_power_l3"),
];

#[rustfmt::skip]
const GENERATOR: &[Wanted] = &[
    essential("power"), essential("energy_export"),
    essential("voltage_l1"), essential("voltage_l2"), essential("voltage_l3"),
    essential("current_l1"), essential("current_l2"), essential("current_l3"),
    essential("frequency"), essential("power_factor"),
    more("energy_import"),
    more("power_l1"), more("power_l2"), more("power_l3"),
    more("voltage_l12"), more("voltage_l23"), more("voltage_l31"),
    more("power_factor_l1"), more("power_factor_l2"), more("power_factor_l3"),
    more("reactive_power"),
    more("reactive_power_l1"), more("reactive_power_l2"), more("reactive_power_l3"),
    more("apparent_power"),
    more("apparent_power_l1"), more("apparent_power_l2"), more("apparent_power_l3"),
    more("dc_power"), more("dc_voltage"), more("dc_current"),
    more("temp_cabinet"), more("status"),
];

/// A battery has registers of energy in models 701 and 714 alone, so none is read by
/// default: a register that never speaks hides what the power would say.
#[rustfmt::skip]
const BATTERY: &[Wanted] = &[
    essential("power"), essential("soc"),
    more("energy_import"), more("energy_export"), more("soh"),
    more("voltage_l1"), more("voltage_l2"), more("voltage_l3"),
    more("current_l1"), more("current_l2"), more("current_l3"),
    more("frequency"), more("dc_voltage"), more("dc_current"),
    more("temp_cabinet"), more("status"),
];

#[rustfmt::skip]
const WEATHER: &[Wanted] = &[
    essential("ghi"), essential("temp"), essential("wind"),
    more("humidity"), more("pressure"), more("temp_module"),
];

#[rustfmt::skip]
const RECORD: &[Wanted] = &[
    essential("power"),
    more("energy_import"), more("energy_export"),
    more("power_l1"), more("power_l2"), more("power_l3"),
    more("voltage_l1"), more("voltage_l2"), more("voltage_l3"),
    more("voltage_l12"), more("voltage_l23"), more("voltage_l31"),
    more("current_l1"), more("current_l2"), more("current_l3"),
    more("frequency"), more("power_factor"),
    more("reactive_power"), more("apparent_power"),
    more("dc_power"), more("dc_voltage"), more("dc_current"),
    more("soc"), more("soh"), more("temp"), more("temp_cabinet"), more("temp_module"),
    more("status"),
    more("ghi"), more("wind"), more("humidity"), more("pressure"),
];

/// What a meter of this role can be asked for; nothing where no model says anything
/// of what it is.
#[must_use]
pub fn wanted(role: &Role) -> &'static [Wanted] {
    match Purpose::of(role) {
        Some(Purpose::Place) => PLACE,
        Some(Purpose::Generator) => GENERATOR,
        Some(Purpose::Battery) => BATTERY,
        Some(Purpose::Weather) => WEATHER,
        Some(Purpose::Record) => RECORD,
        None => &[],
    }
}
