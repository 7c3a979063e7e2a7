//! What a park consists of: meters with roles, and what each of them measures.
//!
//! ```text
//!   meter ── role ──▶ terms of the balance (one for electricity, one for heat)
//!     └── points ──▶ quantity, canonical unit, analog or counting register
//! ```
//!
//! Positive is: grid import, generator production, storage discharge, load
//! consumption, heat delivered in the direction of the role. [`Sense`] says which
//! register carries that direction. A meter installed the other way round is
//! turned when its values are decoded, so nothing behind the driver knows of it.
//!
//! Adding a role is one row in [`ROLES`]; the balance matches on terms, never on
//! roles.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::heat::integration::CutOffs;
use super::heat::meter::HeatMeter;
pub use super::heat::meter::Pipe;
use super::relations::Relations;
use super::units::{CountUnit, Power};

/// Place of a meter in [`Park::meters`].
pub type MeterIndex = usize;
/// Place of a point in [`Meter::points`].
pub type PointIndex = usize;

/// One of the two balances.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// Electricity.
    Electricity,
    /// Heat.
    Heat,
}

/// Where a meter stands in the balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// The grid connection.
    Grid,
    /// A generator: photovoltaics, turbine.
    Generator,
    /// An electrical storage.
    Battery,
    /// An electrical load with a meter of its own.
    Load,
    /// What a transformer between a meter and the boundary takes.
    TransformerLoss,
    /// The solar field; negative at night and under freeze protection.
    SolarField,
    /// A boiler.
    Boiler,
    /// The heat side of an electric boiler.
    ElectricBoilerHeat,
    /// The heat side of a heat pump.
    HeatPumpHeat,
    /// A thermal storage.
    HeatStorage,
    /// Heat that becomes power in the turbine.
    HeatToPower,
    /// What enters the heat network.
    HeatFeed,
    /// A heat customer.
    HeatConsumer,
}

/// Which register of a meter counts the positive direction of its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// The import register: grid connection, loads, heat customers.
    Import,
    /// The export register: generators, storages (discharge).
    Export,
}

/// What a meter stands for, as a technician would say it.
#[derive(Debug, PartialEq, Eq)]
pub struct Role {
    /// The name in the configuration.
    pub name: &'static str,
    /// Place in the electrical balance.
    pub electricity: Option<Term>,
    /// Place in the heat balance.
    pub heat: Option<Term>,
    /// The register of the positive direction.
    pub sense: Sense,
    /// The measurement in InfluxDB.
    pub measurement: &'static str,
    /// Whether it makes nothing without the sun.
    pub needs_sun: bool,
    /// For `--help` and error messages.
    pub about: &'static str,
}

/// Every role that a configuration can name.
#[rustfmt::skip]
pub const ROLES: &[Role] = &[
    Role { name: "grid",            electricity: Some(Term::Grid),      heat: None,                           sense: Sense::Import, measurement: "electricity", needs_sun: false, about: "the meter at the grid connection; positive is import" },
    Role { name: "pv",              electricity: Some(Term::Generator), heat: None,                           sense: Sense::Export, measurement: "electricity", needs_sun: true,  about: "a photovoltaic plant; positive is production" },
    Role { name: "turbine",         electricity: Some(Term::Generator), heat: None,                           sense: Sense::Export, measurement: "electricity", needs_sun: false, about: "a steam turbine, gross; positive is production" },
    Role { name: "battery",         electricity: Some(Term::Battery),   heat: None,                           sense: Sense::Export, measurement: "electricity", needs_sun: false, about: "an electrical storage; positive is discharge" },
    Role { name: "tenant",          electricity: Some(Term::Load),      heat: None,                           sense: Sense::Import, measurement: "electricity", needs_sun: false, about: "an enterprise in the park; positive is consumption" },
    Role { name: "auxiliary",       electricity: Some(Term::Load),      heat: None,                           sense: Sense::Import, measurement: "electricity", needs_sun: false, about: "the plant's own use; positive is consumption" },
    Role { name: "electric_boiler", electricity: Some(Term::Load),      heat: Some(Term::ElectricBoilerHeat), sense: Sense::Import, measurement: "conversion",  needs_sun: false, about: "an electric boiler: power is consumption, heat_power is heat made" },
    Role { name: "heat_pump",       electricity: Some(Term::Load),      heat: Some(Term::HeatPumpHeat),       sense: Sense::Import, measurement: "conversion",  needs_sun: false, about: "a heat pump: power is consumption, heat_power is heat made" },
    Role { name: "solar_field",     electricity: None,                  heat: Some(Term::SolarField),         sense: Sense::Export, measurement: "heat",        needs_sun: true,  about: "the collector field; positive is heat collected" },
    Role { name: "boiler",          electricity: None,                  heat: Some(Term::Boiler),             sense: Sense::Export, measurement: "heat",        needs_sun: false, about: "a fired boiler; positive is heat made" },
    Role { name: "heat_storage",    electricity: None,                  heat: Some(Term::HeatStorage),        sense: Sense::Export, measurement: "heat",        needs_sun: false, about: "a thermal storage; positive is discharge" },
    Role { name: "heat_to_power",   electricity: None,                  heat: Some(Term::HeatToPower),        sense: Sense::Import, measurement: "heat",        needs_sun: false, about: "heat to the turbine; positive is heat taken" },
    Role { name: "heat_feed",       electricity: None,                  heat: Some(Term::HeatFeed),           sense: Sense::Import, measurement: "heat",        needs_sun: false, about: "the feed of the heat network; positive is heat into the network" },
    Role { name: "heat_consumer",   electricity: None,                  heat: Some(Term::HeatConsumer),       sense: Sense::Import, measurement: "heat",        needs_sun: false, about: "a heat customer; positive is heat taken" },
    Role { name: "weather",         electricity: None,                  heat: None,                           sense: Sense::Import, measurement: "weather",     needs_sun: false, about: "a weather station" },
    Role { name: "monitor",         electricity: None,                  heat: None,                           sense: Sense::Import, measurement: "monitor",     needs_sun: false, about: "recorded, in no balance" },
];

/// What stands for the losses of a transformer, which no meter has: no row of [`ROLES`],
/// because no configuration names it.
pub static TRANSFORMER_LOSS: Role = Role {
    name: "transformer_loss",
    electricity: Some(Term::TransformerLoss),
    heat: None,
    sense: Sense::Import,
    measurement: "electricity",
    needs_sun: false,
    about: "the losses of a transformer between a meter and the boundary; computed",
};

impl Role {
    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ROLES.iter().find(|role| role.name == name)
    }

    /// Place in the balance of a carrier.
    #[must_use]
    pub fn term(&self, carrier: Carrier) -> Option<Term> {
        match carrier {
            Carrier::Electricity => self.electricity,
            Carrier::Heat => self.heat,
        }
    }
}

/// What kind of number a quantity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// A momentary value, kept as a float.
    Analog,
    /// A register that counts energy, kept as the raw integer.
    Register,
}

/// What a point measures.
#[derive(Debug, PartialEq, Eq)]
pub struct Quantity {
    /// The name in the configuration.
    pub name: &'static str,
    /// The field in InfluxDB; a register has two more, see the schema.
    pub field: &'static str,
    /// The canonical unit, in which everything behind the driver calculates.
    pub unit: &'static str,
    /// Analog or counting.
    pub nature: Nature,
    /// Whether CT and VT ratios apply to it (power and energy).
    pub scales_with_ratio: bool,
}

macro_rules! quantities {
    ($($name:literal $field:literal $unit:literal $nature:ident $ratio:literal)*) => {
        &[$(Quantity { name: $name, field: $field, unit: $unit, nature: Nature::$nature, scales_with_ratio: $ratio }),*]
    };
}

/// Every quantity there is.
#[rustfmt::skip]
pub const QUANTITIES: &[Quantity] = quantities! {
    "power"             "power_w"                "W"    Analog   true
    "power_l1"          "power_l1_w"             "W"    Analog   true
    "power_l2"          "power_l2_w"             "W"    Analog   true
    "power_l3"          "power_l3_w"             "W"    Analog   true
    "energy_import"     "energy_import_count"    "Wh"   Register true
    "energy_export"     "energy_export_count"    "Wh"   Register true
    "energy"            "energy_count"           "Wh"   Register true
    "voltage_l1"        "voltage_l1_v"           "V"    Analog   false
    "voltage_l2"        "voltage_l2_v"           "V"    Analog   false
    "voltage_l3"        "voltage_l3_v"           "V"    Analog   false
    "voltage_l12"       "voltage_l12_v"          "V"    Analog   false
    "voltage_l23"       "voltage_l23_v"          "V"    Analog   false
    "voltage_l31"       "voltage_l31_v"          "V"    Analog   false
    "current_l1"        "current_l1_a"           "A"    Analog   false
    "current_l2"        "current_l2_a"           "A"    Analog   false
    "current_l3"        "current_l3_a"           "A"    Analog   false
    "current_n"         "current_n_a"            "A"    Analog   false
    "frequency"         "frequency_hz"           "Hz"   Analog   false
    "power_factor"      "power_factor"           ""     Analog   false
    "power_factor_l1"   "power_factor_l1"        ""     Analog   false
    "power_factor_l2"   "power_factor_l2"        ""     Analog   false
    "power_factor_l3"   "power_factor_l3"        ""     Analog   false
    "reactive_power"    "reactive_power_var"     "var"  Analog   true
    "reactive_power_l1" "reactive_power_l1_var"  "var"  Analog   true
    "reactive_power_l2" "reactive_power_l2_var"  "var"  Analog   true
    "reactive_power_l3" "reactive_power_l3_var"  "var"  Analog   true
    "apparent_power"    "apparent_power_va"      "VA"   Analog   true
    "apparent_power_l1" "apparent_power_l1_va"   "VA"   Analog   true
    "apparent_power_l2" "apparent_power_l2_va"   "VA"   Analog   true
    "apparent_power_l3" "apparent_power_l3_va"   "VA"   Analog   true
    "thd_voltage_l1"    "thd_voltage_l1_pct"     "%"    Analog   false
    "thd_voltage_l2"    "thd_voltage_l2_pct"     "%"    Analog   false
    "thd_voltage_l3"    "thd_voltage_l3_pct"     "%"    Analog   false
    "thd_current_l1"    "thd_current_l1_pct"     "%"    Analog   false
    "thd_current_l2"    "thd_current_l2_pct"     "%"    Analog   false
    "thd_current_l3"    "thd_current_l3_pct"     "%"    Analog   false
    "demand"            "demand_w"               "W"    Analog   true
    "demand_max"        "demand_max_w"           "W"    Analog   true
    "soc"               "soc_pct"                "%"    Analog   false
    "heat_power"        "heat_power_w"           "W"    Analog   false
    "heat_energy"       "heat_energy_count"      "Wh"   Register false
    "flow"              "flow_m3h"               "m3/h" Analog   false
    "mass_flow"         "mass_flow_kgs"          "kg/s" Analog   false
    "volume"            "volume_m3"              "m3"   Analog   false
    "temp_supply"       "temp_supply_degc"       "degC" Analog   false
    "temp_return"       "temp_return_degc"       "degC" Analog   false
    "temp"              "temp_degc"              "degC" Analog   false
    "temp_1"            "temp_1_degc"            "degC" Analog   false
    "temp_2"            "temp_2_degc"            "degC" Analog   false
    "temp_3"            "temp_3_degc"            "degC" Analog   false
    "temp_4"            "temp_4_degc"            "degC" Analog   false
    "pressure"          "pressure_pa"            "Pa"   Analog   false
    "dni"               "dni_wm2"                "W/m2" Analog   false
    "ghi"               "ghi_wm2"                "W/m2" Analog   false
    "dhi"               "dhi_wm2"                "W/m2" Analog   false
    "irradiance"        "irradiance_wm2"         "W/m2" Analog   false
    "wind"              "wind_ms"                "m/s"  Analog   false
    "humidity"          "humidity_pct"           "%"    Analog   false
    "tracker_angle"     "tracker_angle_deg"      "deg"  Analog   false
    "tracker_deviation" "tracker_deviation_deg"  "deg"  Analog   false
    "power_available"   "power_available_w"      "W"    Analog   true
    "level"             "level_m"                "m"    Analog   false
    "status"            "status"                 ""     Analog   false
    "energy_import_l1"        "energy_import_l1_count"       "Wh"   Register true
    "energy_import_l2"        "energy_import_l2_count"       "Wh"   Register true
    "energy_import_l3"        "energy_import_l3_count"       "Wh"   Register true
    "energy_export_l1"        "energy_export_l1_count"       "Wh"   Register true
    "energy_export_l2"        "energy_export_l2_count"       "Wh"   Register true
    "energy_export_l3"        "energy_export_l3_count"       "Wh"   Register true
    "reactive_energy_import"  "reactive_energy_import_varh"  "varh" Analog   true
    "reactive_energy_export"  "reactive_energy_export_varh"  "varh" Analog   true
    "dc_power"                "dc_power_w"                   "W"    Analog   false
    "dc_voltage"              "dc_voltage_v"                 "V"    Analog   false
    "dc_current"              "dc_current_a"                 "A"    Analog   false
    "dc_power_1"              "dc_power_1_w"                 "W"    Analog   false
    "dc_voltage_1"            "dc_voltage_1_v"               "V"    Analog   false
    "dc_current_1"            "dc_current_1_a"               "A"    Analog   false
    "dc_power_2"              "dc_power_2_w"                 "W"    Analog   false
    "dc_voltage_2"            "dc_voltage_2_v"               "V"    Analog   false
    "dc_current_2"            "dc_current_2_a"               "A"    Analog   false
    "soh"                     "soh_pct"                      "%"    Analog   false
    "temp_cabinet"            "temp_cabinet_degc"            "degC" Analog   false
    "temp_module"             "temp_module_degc"             "degC" Analog   false
    "temp_body"               "temp_body_degc"               "degC" Analog   false
    "temp_battery"            "temp_battery_degc"            "degC" Analog   false
    "flow_velocity"           "flow_velocity_ms"             "m/s"  Analog   false
    "signal_quality"          "signal_quality"               ""     Analog   false
    "clock"                   "clock_s"                      "s"    Analog   false
    "clock_local"             "clock_local_s"                "s"    Analog   false
};

impl Quantity {
    /// The quantity of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        QUANTITIES.iter().find(|quantity| quantity.name == name)
    }

    /// Whether it is the active power of all phases or of one.
    #[must_use]
    pub fn is_active_power(&self) -> bool {
        self.name == "power" || self.name.starts_with("power_l")
    }
}

/// One thing a meter measures.
#[derive(Debug, Clone)]
pub struct Point {
    /// What it measures; `energy_import` and `energy_export` are already swapped
    /// for a meter installed the other way round.
    pub quantity: &'static Quantity,
    /// For a register, how it counts.
    pub register: Option<RegisterKind>,
}

/// How an energy register counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterKind {
    /// What one count is worth, multipliers included.
    pub unit: CountUnit,
    /// Counts after which it starts again at zero: 2^16, 2^32, or 10^digits; none
    /// where a rollover cannot be told from a reset (64 bits, floats).
    pub modulus: Option<i128>,
    /// Whether the device tells what a count is worth, by a ratio or an exponent in
    /// registers of its own. `unit` is then the worth at a factor of one.
    pub told: bool,
}

/// Until when a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// For this long after it was read.
    Within(Duration),
    /// Until the next one comes: the device speaks only when something changes.
    UntilChanged,
}

/// Heat computed from what flows and the two temperatures of the same meter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeatFromFlow {
    /// The fluid, the pipe of the flow sensor, and the pressure.
    pub place: HeatMeter,
    /// Below what nothing is counted, and below what it is counted badly.
    pub cut_offs: CutOffs,
    /// The flow that the sensor is made for, m³/h, where it is declared.
    pub permanent_flow_m3h: Option<f64>,
}

/// A meter or sensor.
#[derive(Debug, Clone)]
pub struct Meter {
    /// Its name, a tag on every row.
    pub id: Arc<str>,
    /// What it stands for.
    pub role: &'static Role,
    /// What it measures, in the order of the configuration.
    pub points: Vec<Point>,
    /// How long its values stand.
    pub freshness: Freshness,
    /// How often it is read, or is expected to speak: the least gap in its curve
    /// that says something was lost.
    pub period: Duration,
    /// Nameplate power; bounds what a register can plausibly advance. Of a meter that
    /// stands in both balances, that of its electricity.
    pub rated: Option<Power>,
    /// Nameplate of the heat of a meter that stands in both balances.
    pub rated_heat: Option<Power>,
    /// Whether heat power comes from flow and temperatures.
    pub heat_from_flow: Option<HeatFromFlow>,
}

impl Meter {
    /// The nameplate power in a balance: a heat pump gives more heat than it takes
    /// electricity.
    #[must_use]
    pub fn rated_of(&self, carrier: Carrier) -> Option<Power> {
        if carrier == Carrier::Heat && self.role.electricity.is_some() {
            self.rated_heat
        } else {
            self.rated
        }
    }

    /// The place of the point of a quantity.
    #[must_use]
    pub fn point(&self, quantity: &str) -> Option<PointIndex> {
        self.points
            .iter()
            .position(|point| point.quantity.name == quantity)
    }

    /// The register that counts one direction of a carrier, relative to the role.
    ///
    /// The positive direction of a role with [`Sense::Export`] is in
    /// `energy_export`; a single register (`energy`, `heat_energy`) counts the
    /// positive direction whatever the sense. Where a meter serves both carriers
    /// (`electric_boiler`, `heat_pump`), heat is in `heat_energy` alone.
    #[must_use]
    pub fn register(&self, carrier: Carrier, positive: bool) -> Option<PointIndex> {
        let directed = match (self.role.sense, positive) {
            (Sense::Import, true) | (Sense::Export, false) => "energy_import",
            (Sense::Import, false) | (Sense::Export, true) => "energy_export",
        };
        let serves_both = self.role.electricity.is_some() && self.role.heat.is_some();
        let heat = carrier == Carrier::Heat;
        if heat
            && positive
            && let Some(point) = self.point("heat_energy")
        {
            return Some(point);
        }
        if heat && serves_both {
            return None;
        }
        self.point(directed)
            .or_else(|| if positive { self.point("energy") } else { None })
    }

    /// The point that says the power of a carrier, if a point says it.
    #[must_use]
    pub fn power_point(&self, carrier: Carrier) -> Option<PointIndex> {
        let serves_both = self.role.electricity.is_some() && self.role.heat.is_some();
        match carrier {
            Carrier::Electricity => self.point("power"),
            Carrier::Heat if serves_both => self.point("heat_power"),
            Carrier::Heat => self.point("heat_power").or_else(|| self.point("power")),
        }
    }
}

/// Electrical losses that no meter sees, as the configuration states them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Losses {
    /// Independent of load: transformers under voltage.
    pub fixed: Power,
    /// In proportion to the load, percent.
    pub load_pct: f64,
}

/// A park: what the configuration means.
#[derive(Debug, Clone)]
pub struct Park {
    /// Tag on every row; never changes.
    pub id: Arc<str>,
    /// For people.
    pub name: String,
    /// Civil time of its days and settlement intervals.
    pub time_zone: TimeZone,
    /// Length of a settlement interval in minutes.
    pub settlement_minutes: i64,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Every meter and sensor.
    pub meters: Vec<Meter>,
    /// Whether every electrical load has a meter, so that a residual means something.
    pub every_load_metered: bool,
    /// Losses that no meter sees; none where the configuration is silent.
    pub losses: Option<Losses>,
    /// How the meters stand to each other.
    pub relations: Relations,
}

impl Park {
    /// The place of a meter.
    #[must_use]
    pub fn meter(&self, id: &str) -> Option<MeterIndex> {
        self.meters.iter().position(|meter| &*meter.id == id)
    }
}
