//! Every check: one row each. Documentation, configuration and commands walk it.

use super::finding::Judged;
use super::hold::Needs;
use super::look::{Look, Memory, Site};
use super::node::Node;
use super::settings::Param;
use super::{balance, electrical, heat, messages, storage, sun};
use crate::domain::meter::{MeterIndex, Park};
use crate::domain::units::to_i64;

/// When a check is looked at, and what its first threshold means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Every few seconds; it must last for so many minutes.
    Lasting,
    /// Every few seconds; what it looks at has lasted already.
    State,
    /// Every few seconds; what happened once stands for so many minutes.
    Event,
    /// At the end of each settlement interval; so many times in a row.
    Interval,
    /// At the end of each day.
    Day,
}

impl Pace {
    /// What must happen before a finding opens.
    pub(super) fn needs(self, values: &[f64]) -> Needs {
        let first = values.first().copied().unwrap_or_default();
        let ms = to_i64(first * 60_000.0);
        match self {
            Self::Lasting => Needs::Lasting(ms),
            Self::State => Needs::Lasting(0),
            Self::Event => Needs::Once(ms),
            Self::Interval => Needs::InARow(u32::try_from(to_i64(first)).unwrap_or(1)),
            Self::Day => Needs::InARow(1),
        }
    }
}

/// What a check is asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The meters concerned, the first above all.
    pub meters: Vec<MeterIndex>,
    /// The node concerned.
    pub node: Option<usize>,
}

/// A check.
pub struct CheckRow {
    /// Its number.
    pub number: u8,
    /// Its name in configuration and metrics.
    pub name: &'static str,
    /// What it looks at, in a line.
    pub about: &'static str,
    /// When it speaks, where the configuration is silent.
    pub default: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// Checks whose finding at one of its meters explains what it would see.
    pub explained_by: &'static [u8],
    /// When it is looked at.
    pub pace: Pace,
    /// Its thresholds.
    pub params: &'static [Param],
    /// What it is asked about.
    pub subjects: fn(&Park, &Site, &[Node]) -> Vec<Subject>,
    /// What it comes to.
    pub judge: fn(&Look<'_>, &mut Memory) -> Judged,
}

impl CheckRow {
    /// The check of a number.
    #[must_use]
    pub fn numbered(number: u8) -> Option<&'static Self> {
        CHECKS.iter().find(|row| row.number == number)
    }
}

macro_rules! check {
    ($number:literal $name:literal $pace:ident $explained:expr, $module:path, $about:literal, $default:literal, $remedy:literal) => {{
        use $module as module;
        CheckRow {
            number: $number,
            name: $name,
            about: $about,
            default: $default,
            remedy: $remedy,
            explained_by: $explained,
            pace: Pace::$pace,
            params: module::Limits::PARAMS,
            subjects: module::subjects,
            judge: module::judge,
        }
    }};
}

/// Every check there is, in order of its number.
#[rustfmt::skip]
pub const CHECKS: &[CheckRow] = &[
    check!(1 "ct_reversed" Lasting &[], electrical::reversed,
        "a current transformer is the wrong way round",
        "one phase against the two others for 15 min, each above 2 % of the rated power",
        "turn the current transformer of the phase; until then the total is a third"),
    check!(2 "phase_swap" Lasting &[1], electrical::swapped,
        "voltages and currents of different phases meet",
        "power factors apart by 120° for 15 min, above 5 % of the rated power",
        "wire current transformers and voltages of each phase together"),
    check!(3 "ratio_wrong" Interval &[1, 2, 6, 20], electrical::ratio,
        "a meter is off by a usual transformer ratio",
        "the residual makes a meter 5, 10, 60, 80, 100 … times what it says, in 3 intervals",
        "correct ratios and multiplier of the meter in the configuration"),
    check!(4 "power_identity" Lasting &[], electrical::identity,
        "active, reactive and apparent power, and phases and total, belong together",
        "S off √(P²+Q²) by 2 %, or the total off its phases by 1 %, for 5 min",
        "check the registers of powers in the device's template"),
    check!(5 "electrical_range" Lasting &[], electrical::range,
        "voltage, frequency and power factor are those of a grid",
        "U off by 15 %, f off by 1 Hz, or a power factor above 1.02, for 5 min",
        "check fuses and wiring of the voltages, and scale and ratio in the configuration"),
    check!(6 "stuck_value" State &[], electrical::stuck,
        "a value repeats, or a register stands while power flows",
        "12 equal samples over a minute above 2 % of the rated power; a register still for 15 min above 1 %",
        "restart the device or its gateway, and look at its firmware"),
    check!(7 "night_power" Lasting &[], sun::night,
        "a photovoltaic plant makes nothing at night",
        "more than 0.2 % of the rated power, or less than −1 %, with the sun below −3° for 5 min",
        "check meter, role and clock; is another source behind the meter?"),
    check!(8 "sun_bound" Lasting &[20], sun::bound,
        "a plant gives no more than the sun and its size allow",
        "more than 1.15 times the rated power, or than DNI × aperture × 0.85, for 15 min; heat half an hour after the sun",
        "check rated power, aperture, ratio and unit of the meter"),
    check!(9 "irradiance" Lasting &[], sun::irradiance,
        "irradiances are possible and fit each other",
        "DNI outside 0 to 1100 W/m² or light at night; GHI off DHI + DNI·sin α by 8 % above 15°; for 15 min",
        "clean and level the sensors, check shading, scale and offset"),
    check!(10 "heat_direction" Lasting &[], heat::direction,
        "a heat customer cools its water",
        "supply 0.3 K below return with flow for 10 min",
        "exchange the temperature sensors, or turn the flow sensor"),
    check!(11 "pump_flow" Lasting &[], heat::pump,
        "flow and pump agree",
        "flow above 2 % of nominal with the pump off, or none with the pump on, for 5 min",
        "check the check valve and valves, bleed the circuit, check the flow sensor"),
    check!(12 "heat_identity" Lasting &[10], heat::identity,
        "heat power is flow times spread times heat content",
        "off by 3 % for 15 min, smoothed over 5 min",
        "check fluid, unit of flow and the pipe of the sensor"),
    check!(13 "fluid_range" Lasting &[], heat::range,
        "a fluid neither boils nor freezes, and stays in its range",
        "5 K from boiling or freezing, or outside of the fluid's range, for 2 min",
        "check pressure and temperature on site at once; then the sensor"),
    check!(14 "counter_drift" Day &[3, 6, 15, 20], electrical::drift,
        "a register counts what its power amounts to",
        "1 % apart over a day",
        "check scale and register of energy and power"),
    check!(15 "counter_decrease" Event &[], electrical::decrease,
        "a register never falls",
        "by more than one count; stands for 60 min",
        "confirm an exchange or a reset of the meter, or look for what garbles its answers"),
    check!(16 "balance" Interval &[1, 2, 3, 6, 7, 8, 10, 12, 15, 17, 20], balance::node,
        "a balance closes as well as its meters allow",
        "a residual above 3 times its standard uncertainty in 3 intervals",
        "look for a load without a meter, then check the meters of the balance"),
    check!(17 "export" Lasting &[1, 2, 20], balance::export,
        "export is allowed, and has a source",
        "above the contract's limit, or at night more than batteries and turbines give, for 1 min",
        "limit the plants, or check the direction of the meter at the grid connection"),
    check!(18 "storage" Event &[], storage,
        "the content of a storage is possible, and no fluid is lost",
        "outside 0 to 100 %, a step above 1.5 times the rated power, or 0.5 % of the fluid missing; stands for 60 min",
        "check the state of charge or the levels, then the storage for leaks"),
    check!(19 "clock" Lasting &[], messages::clock,
        "a device's time is that of the day, and moves",
        "its clock (`clock`, `clock_local`), or 12 messages in a row, off by 7 s (60 s is a fault), or 3 with the same time, for 5 min",
        "set up the time server of the device or gateway"),
    check!(20 "messages" Lasting &[], messages::content,
        "messages are of now, say a number, and keep their unit",
        "a message older than 3 periods, no number, or a step by 1000, for 5 min",
        "publish without the retain flag, check the sensor and the unit in its message"),
    check!(21 "submeters" Interval &[1, 2, 3, 6, 15, 20], balance::feeder,
        "the meters behind a meter add up to it",
        "outside 2 % and a count of the registers in 2 intervals",
        "look for a load without a meter, then check the meters of the feeder"),
];

/// The meters that a check is asked about, one by one.
pub(super) fn each(park: &Park, concerns: impl Fn(MeterIndex) -> bool) -> Vec<Subject> {
    let one = |meter| Subject {
        meters: vec![meter],
        node: None,
    };
    let all = 0..park.meters.len();
    all.filter(|meter| concerns(*meter)).map(one).collect()
}

/// The nodes that a check is asked about.
pub(super) fn nodes(nodes: &[Node], concerns: impl Fn(&Node) -> bool) -> Vec<Subject> {
    let all = nodes.iter().enumerate();
    all.filter(|(_, node)| concerns(node))
        .map(|(place, node)| Subject {
            meters: node.meters(),
            node: Some(place),
        })
        .collect()
}
