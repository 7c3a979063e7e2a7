//! What instruments show besides power and energy.

use super::Physics;
use super::noise::{Channel, smooth};
use super::oil::water_heat_per_cubic_metre;
use super::terminal::{Terminal, watts};
use crate::domain::units::to_f64;

const MAINS: Channel = Channel(80);

/// An instrument of the park.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gauge {
    /// Frequency of the mains, Hz.
    Frequency,
    /// Voltage of a phase against neutral at a nominal one, V.
    Voltage {
        /// 1 to 3.
        phase: u8,
        /// What it should be, V.
        nominal: f64,
    },
    /// Current of a phase at a terminal, A.
    Current {
        /// Whose.
        terminal: Terminal,
        /// 1 to 3.
        phase: u8,
        /// Voltage against neutral, V.
        nominal: f64,
    },
    /// 1 while power flows in the direction of the role, else 0.
    Running(Terminal),
    /// State of charge of the battery, %.
    BatteryCharge,
    /// Cells of the battery, °C.
    BatteryTemperature,
    /// Oil through the field, m³/h.
    FieldFlow,
    /// Oil into the field, °C.
    FieldInlet,
    /// Oil out of the field, °C.
    FieldOutlet,
    /// State of charge of the heat storage, %.
    StorageCharge,
    /// Hot tank, °C.
    StorageHot,
    /// Cold tank, °C.
    StorageCold,
    /// Water in the electric boiler, °C.
    ElectricBoilerWater,
    /// Supply at the feed of the network, °C.
    FeedSupply,
    /// Return at the feed, °C.
    FeedReturn,
    /// Supply at the district's station, in the hundredths of its display, °C.
    DistrictSupply,
    /// Return at the district's station, likewise, °C.
    DistrictReturn,
    /// Water through the district's station, in the return pipe, m³/h.
    DistrictFlow,
    /// Beam, W/m².
    Dni,
    /// All light on level ground, W/m².
    Ghi,
    /// Wind, m/s.
    Wind,
    /// Air, °C.
    Air,
    /// Angle of the mounts, degrees.
    Tracker,
}

impl Physics {
    /// What an instrument shows.
    #[must_use]
    pub fn gauge(&self, gauge: Gauge) -> f64 {
        match gauge {
            Gauge::Frequency => 50.0 + 0.02 * smooth(self.seed, MAINS, self.second, 20),
            Gauge::Voltage { phase, nominal } => nominal * self.mains(phase),
            Gauge::Current {
                terminal,
                phase,
                nominal,
            } => watts(self.powers.of(terminal)).abs() / (3.0 * nominal * self.mains(phase) * 0.97),
            Gauge::Running(terminal) => {
                if self.powers.of(terminal) > 0 {
                    1.0
                } else {
                    0.0
                }
            }
            Gauge::BatteryCharge => 100.0 * self.battery.charge(),
            Gauge::BatteryTemperature => 24.0 + 8.0 * watts(self.battery.power).abs() / 400e3,
            Gauge::FieldFlow => self.field.flow_m3h(),
            Gauge::FieldInlet => self.field.inlet_degc,
            Gauge::FieldOutlet => self.field.outlet_degc,
            Gauge::StorageCharge => 100.0 * self.storage.charge(),
            Gauge::StorageHot => self.storage.hot_degc,
            Gauge::StorageCold => self.storage.cold_degc,
            Gauge::ElectricBoilerWater => 108.0 + 14.0 * self.electric.heating_w / 800e3,
            Gauge::FeedSupply => self.network.feed_degc.0,
            Gauge::FeedReturn => self.network.feed_degc.1,
            Gauge::DistrictSupply => hundredths(self.network.district_degc.0),
            Gauge::DistrictReturn => hundredths(self.network.district_degc.1),
            Gauge::DistrictFlow => {
                let heat = water_heat_per_cubic_metre(
                    self.gauge(Gauge::DistrictSupply),
                    self.gauge(Gauge::DistrictReturn),
                );
                watts(self.powers.of(Terminal::DistrictHeat)) / heat * 3_600.0
            }
            Gauge::Dni => self.sky.dni,
            Gauge::Ghi => self.sky.ghi,
            Gauge::Wind => self.sky.wind,
            Gauge::Air => self.sky.air_degc,
            Gauge::Tracker => self.field.angle_deg,
        }
    }

    /// Voltage of a phase relative to what it should be.
    fn mains(&self, phase: u8) -> f64 {
        let wander = smooth(self.seed, MAINS.number(u64::from(phase)), self.second, 90);
        1.004 + 0.006 * wander - 0.001 * to_f64(i64::from(phase))
    }
}

/// Rounded to hundredths.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
