//! The table of devices: five Modbus endpoints, twenty meters, three sensors.

use super::super::physics::gauge::Gauge;
use super::super::physics::terminal::Direction::{Negative, Positive};
use super::super::physics::terminal::Terminal;
use super::Number::{Bit, F32, F64, I16, I32, U16, U32, U64};
use super::Source::{self, Energy, Power};
use super::{Bus, Device, Number, Point, Sensor, SensorValue};

/// Phase voltage behind a 10 kV connection, V.
const MEDIUM: f64 = 5_773.5;
/// Phase voltage of a 400 V connection, V.
const LOW: f64 = 230.0;

/// A point with the high word first.
#[rustfmt::skip]
const fn big(quantity: &'static str, fc: u8, address: u16, number: Number, scale: f64, unit: &'static str, source: Source) -> Point {
    Point { quantity, fc, address, number, little: false, scale, unit, source }
}

/// A point with the low word first.
#[rustfmt::skip]
const fn little(quantity: &'static str, fc: u8, address: u16, number: Number, scale: f64, unit: &'static str, source: Source) -> Point {
    Point { quantity, fc, address, number, little: true, scale, unit, source }
}

#[rustfmt::skip]
const fn device(id: &'static str, role: &'static str, unit: u8, rated: &'static str, terminal: Terminal, points: &'static [Point]) -> Device {
    Device { id, role, unit, rated, terminal, multiplier: 1, invert: false, water: false, points }
}

const fn gauge(gauge: Gauge) -> Source {
    Source::Gauge(gauge)
}

const fn voltage(phase: u8, nominal: f64) -> Source {
    Source::Gauge(Gauge::Voltage { phase, nominal })
}

const fn current(terminal: Terminal, phase: u8, nominal: f64) -> Source {
    Source::Gauge(Gauge::Current {
        terminal,
        phase,
        nominal,
    })
}

/// Every Modbus endpoint.
pub const BUSES: &[Bus] = &[
    Bus {
        name: "substation",
        devices: SUBSTATION,
    },
    Bus {
        name: "pv",
        devices: PV,
    },
    Bus {
        name: "power_block",
        devices: POWER_BLOCK,
    },
    Bus {
        name: "tenants",
        devices: TENANTS,
    },
    Bus {
        name: "heat",
        devices: HEAT,
    },
];

#[rustfmt::skip]
const SUBSTATION: &[Device] = &[
    device("pcc", "grid", 1, "5MW", Terminal::Grid, &[
        big("voltage_l1",    4, 0,   F32, 1.0, "V",  voltage(1, MEDIUM)),
        big("voltage_l2",    4, 2,   F32, 1.0, "V",  voltage(2, MEDIUM)),
        big("voltage_l3",    4, 4,   F32, 1.0, "V",  voltage(3, MEDIUM)),
        big("current_l1",    4, 6,   F32, 1.0, "A",  current(Terminal::Grid, 1, MEDIUM)),
        big("current_l2",    4, 8,   F32, 1.0, "A",  current(Terminal::Grid, 2, MEDIUM)),
        big("current_l3",    4, 10,  F32, 1.0, "A",  current(Terminal::Grid, 3, MEDIUM)),
        big("power",         4, 52,  F32, 1.0, "W",  Power(Terminal::Grid)),
        big("frequency",     4, 70,  F32, 1.0, "Hz", gauge(Gauge::Frequency)),
        big("energy_import", 4, 512, U64, 1.0, "Wh", Energy(Terminal::Grid, Positive)),
        big("energy_export", 4, 516, U64, 1.0, "Wh", Energy(Terminal::Grid, Negative)),
    ]),
    // Its converter counts from the cells' side: charging is export there.
    Device { invert: true, ..device("battery", "battery", 2, "500kW", Terminal::Battery, &[
        little("power",         3, 100, I32, 1.0,  "W",    Power(Terminal::Battery)),
        little("energy_import", 3, 102, U32, 10.0, "Wh",   Energy(Terminal::Battery, Negative)),
        little("energy_export", 3, 104, U32, 10.0, "Wh",   Energy(Terminal::Battery, Positive)),
        little("soc",           3, 106, U16, 0.1,  "%",    gauge(Gauge::BatteryCharge)),
        little("temp",          3, 107, I16, 0.1,  "degC", gauge(Gauge::BatteryTemperature)),
    ]) },
    device("aux-field", "auxiliary", 3, "400kW", Terminal::AuxField, &[
        little("power",  3, 0,  I32, 1.0,  "W",   Power(Terminal::AuxField)),
        little("energy", 3, 40, U32, 0.01, "kWh", Energy(Terminal::AuxField, Positive)),
    ]),
    device("aux-block", "auxiliary", 4, "400kW", Terminal::AuxBlock, &[
        big("power",            3, 3000, F32, 1.0, "kW", Power(Terminal::AuxBlock)),
        little("energy_import", 3, 3002, U64, 1.0, "Wh", Energy(Terminal::AuxBlock, Positive)),
    ]),
];

#[rustfmt::skip]
const PV: &[Device] = &[
    device("pv", "pv", 1, "2MW", Terminal::Pv, &[
        big("power",         3, 40_083, F32, 1.0,  "W",   Power(Terminal::Pv)),
        big("frequency",     3, 40_085, U16, 0.01, "Hz",  gauge(Gauge::Frequency)),
        big("voltage_l1",    3, 40_086, U16, 0.1,  "V",   voltage(1, LOW)),
        big("energy_export", 3, 40_093, U32, 0.01, "kWh", Energy(Terminal::Pv, Positive)),
        big("energy_import", 3, 40_095, U32, 1.0,  "Wh",  Energy(Terminal::Pv, Negative)),
        big("status",        2, 0,      Bit, 1.0,  "",    gauge(Gauge::Running(Terminal::Pv))),
    ]),
];

#[rustfmt::skip]
const POWER_BLOCK: &[Device] = &[
    device("turbine", "turbine", 1, "3MW", Terminal::Turbine, &[
        big("power",         4, 0, I32, 1.0,  "W",  Power(Terminal::Turbine)),
        big("energy_export", 4, 2, U64, 1.0,  "Wh", Energy(Terminal::Turbine, Positive)),
        big("energy_import", 4, 6, U32, 1.0,  "Wh", Energy(Terminal::Turbine, Negative)),
        big("frequency",     4, 8, U16, 0.01, "Hz", gauge(Gauge::Frequency)),
    ]),
    device("turbine-heat", "heat_to_power", 2, "12MW", Terminal::ToPower, &[
        big("heat_power",     3, 10, F32, 1.0, "kW",  Power(Terminal::ToPower)),
        little("heat_energy", 3, 12, U32, 0.1, "kWh", Energy(Terminal::ToPower, Positive)),
    ]),
    device("field", "solar_field", 3, "25MW", Terminal::Field, &[
        big("heat_power",       3, 0, F32, 1.0, "kW",   Power(Terminal::Field)),
        big("flow",             3, 2, U16, 0.1, "m3/h", gauge(Gauge::FieldFlow)),
        big("temp_supply",      3, 3, I16, 0.1, "degC", gauge(Gauge::FieldOutlet)),
        big("temp_return",      3, 4, I16, 0.1, "degC", gauge(Gauge::FieldInlet)),
        little("energy_export", 3, 5, U32, 0.1, "kWh",  Energy(Terminal::Field, Positive)),
        little("energy_import", 3, 7, U32, 0.1, "kWh",  Energy(Terminal::Field, Negative)),
    ]),
    device("storage", "heat_storage", 4, "13MW", Terminal::Storage, &[
        little("heat_power", 3, 200, I32, 1.0, "W",    Power(Terminal::Storage)),
        big("energy_export", 3, 202, U64, 1.0, "Wh",   Energy(Terminal::Storage, Positive)),
        big("energy_import", 3, 206, U64, 1.0, "Wh",   Energy(Terminal::Storage, Negative)),
        big("soc",           3, 210, F32, 1.0, "%",    gauge(Gauge::StorageCharge)),
        big("temp_1",        3, 212, I16, 0.1, "degC", gauge(Gauge::StorageHot)),
        big("temp_2",        3, 213, I16, 0.1, "degC", gauge(Gauge::StorageCold)),
    ]),
    device("electric-boiler", "electric_boiler", 5, "1MW", Terminal::ElectricBoiler, &[
        big("power",         3, 20, F32, 1.0,  "W",    Power(Terminal::ElectricBoiler)),
        big("energy_import", 3, 22, U32, 0.01, "kWh",  Energy(Terminal::ElectricBoiler, Positive)),
        big("heat_power",    3, 24, F32, 1.0,  "W",    Power(Terminal::ElectricHeat)),
        big("heat_energy",   3, 26, U32, 0.01, "kWh",  Energy(Terminal::ElectricHeat, Positive)),
        big("temp",          3, 28, F32, 1.0,  "degC", gauge(Gauge::ElectricBoilerWater)),
    ]),
    device("gas-boiler", "boiler", 6, "8MW", Terminal::GasBoiler, &[
        little("heat_power",  4, 0, I32, 1.0, "W",   Power(Terminal::GasBoiler)),
        little("heat_energy", 4, 2, U32, 0.1, "kWh", Energy(Terminal::GasBoiler, Positive)),
    ]),
];

#[rustfmt::skip]
const TENANTS: &[Device] = &[
    device("foundry", "tenant", 11, "600kW", Terminal::Foundry, &[
        big("voltage_l1", 4, 0,  F32, 1.0, "V",  voltage(1, LOW)),
        big("voltage_l2", 4, 2,  F32, 1.0, "V",  voltage(2, LOW)),
        big("voltage_l3", 4, 4,  F32, 1.0, "V",  voltage(3, LOW)),
        big("current_l1", 4, 6,  F32, 1.0, "A",  current(Terminal::Foundry, 1, LOW)),
        big("current_l2", 4, 8,  F32, 1.0, "A",  current(Terminal::Foundry, 2, LOW)),
        big("current_l3", 4, 10, F32, 1.0, "A",  current(Terminal::Foundry, 3, LOW)),
        big("power",      4, 12, F32, 1.0, "W",  Power(Terminal::Foundry)),
        big("energy",     4, 72, U32, 10.0, "Wh", Energy(Terminal::Foundry, Positive)),
    ]),
    device("ceramics", "tenant", 12, "500kW", Terminal::Ceramics, &[
        little("power",         3, 0, I32, 0.1,  "W",   Power(Terminal::Ceramics)),
        little("energy_import", 3, 2, U32, 0.01, "kWh", Energy(Terminal::Ceramics, Positive)),
    ]),
    device("brewery", "tenant", 13, "300kW", Terminal::Brewery, &[
        big("power",  3, 0, I16, 0.01,  "kW",  Power(Terminal::Brewery)),
        big("energy", 3, 1, U64, 0.001, "kWh", Energy(Terminal::Brewery, Positive)),
    ]),
    // Behind current transformers of 200 A to 5 A; its counts are secondary.
    Device { multiplier: 40, ..device("cold-store", "tenant", 14, "300kW", Terminal::ColdStore, &[
        big("power",         4, 30, F32, 1.0, "W",  Power(Terminal::ColdStore)),
        big("energy_import", 4, 32, U32, 0.1, "Wh", Energy(Terminal::ColdStore, Positive)),
    ]) },
    device("offices", "tenant", 15, "200kW", Terminal::Offices, &[
        big("power",  3, 0, F64, 1.0, "W",  Power(Terminal::Offices)),
        big("energy", 3, 4, U32, 1.0, "Wh", Energy(Terminal::Offices, Positive)),
    ]),
];

#[rustfmt::skip]
const HEAT: &[Device] = &[
    device("network", "heat_feed", 1, "8MW", Terminal::Feed, &[
        big("heat_power",  3, 0, F32, 1.0,  "W",    Power(Terminal::Feed)),
        big("heat_energy", 3, 2, F64, 1.0,  "kWh",  Energy(Terminal::Feed, Positive)),
        big("temp_supply", 3, 6, I16, 0.01, "degC", gauge(Gauge::FeedSupply)),
        big("temp_return", 3, 7, I16, 0.01, "degC", gauge(Gauge::FeedReturn)),
    ]),
    device("heat-brewery", "heat_consumer", 2, "2MW", Terminal::BreweryHeat, &[
        little("heat_power",  3, 0, I32, 1.0, "W",   Power(Terminal::BreweryHeat)),
        little("heat_energy", 3, 2, U32, 0.1, "kWh", Energy(Terminal::BreweryHeat, Positive)),
    ]),
    device("heat-ceramics", "heat_consumer", 3, "2MW", Terminal::CeramicsHeat, &[
        big("heat_power",  4, 0, F32, 1.0, "kW", Power(Terminal::CeramicsHeat)),
        big("heat_energy", 4, 2, U64, 0.1, "MJ", Energy(Terminal::CeramicsHeat, Positive)),
    ]),
    Device { water: true, ..device("heat-district", "heat_consumer", 4, "4MW", Terminal::DistrictHeat, &[
        big("flow",        3, 0, F32, 1.0,  "m3/h", gauge(Gauge::DistrictFlow)),
        big("temp_supply", 3, 2, I16, 0.01, "degC", gauge(Gauge::DistrictSupply)),
        big("temp_return", 3, 3, I16, 0.01, "degC", gauge(Gauge::DistrictReturn)),
    ]) },
];

/// Every sensor.
#[rustfmt::skip]
pub const SENSORS: &[Sensor] = &[
    Sensor { id: "weather", role: "weather", topic: "park/weather", every_s: 2, values: &[
        SensorValue { key: Some("dni"),  quantity: "dni",  unit: "W/m2", decimals: 1, gauge: Gauge::Dni },
        SensorValue { key: Some("ghi"),  quantity: "ghi",  unit: "W/m2", decimals: 1, gauge: Gauge::Ghi },
        SensorValue { key: Some("wind"), quantity: "wind", unit: "m/s",  decimals: 1, gauge: Gauge::Wind },
        SensorValue { key: Some("temp"), quantity: "temp", unit: "degC", decimals: 2, gauge: Gauge::Air },
    ] },
    Sensor { id: "tracker", role: "monitor", topic: "park/field/tracker", every_s: 5, values: &[
        SensorValue { key: None, quantity: "tracker_angle", unit: "deg", decimals: 2, gauge: Gauge::Tracker },
    ] },
    Sensor { id: "salt", role: "monitor", topic: "park/storage/salt", every_s: 5, values: &[
        SensorValue { key: Some("hot"),  quantity: "temp_1", unit: "degC", decimals: 2, gauge: Gauge::StorageHot },
        SensorValue { key: Some("cold"), quantity: "temp_2", unit: "degC", decimals: 2, gauge: Gauge::StorageCold },
    ] },
];

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests {
    use super::super::all_devices;
    use super::*;
    use crate::domain::meter::{QUANTITIES, ROLES};

    #[test]
    fn every_id_and_every_unit_is_there_once_and_roles_and_quantities_exist() {
        let mut ids: Vec<&str> = all_devices().map(|device| device.id).collect();
        ids.extend(SENSORS.iter().map(|sensor| sensor.id));
        let total = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), total);
        for bus in BUSES {
            let mut units: Vec<u8> = bus.devices.iter().map(|device| device.unit).collect();
            units.dedup();
            assert_eq!(units.len(), bus.devices.len(), "{}", bus.name);
        }
        for device in all_devices() {
            assert!(
                ROLES.iter().any(|role| role.name == device.role),
                "{}",
                device.id
            );
            for point in device.points {
                assert!(
                    QUANTITIES.iter().any(|q| q.name == point.quantity),
                    "{}",
                    point.quantity
                );
            }
        }
    }

    #[test]
    fn registers_of_a_device_do_not_overlap() {
        for device in all_devices() {
            let mut taken = Vec::new();
            for point in device.points {
                for word in 0..point.number.words() {
                    let place = (point.fc == 2, point.fc, point.address + word);
                    assert!(!taken.contains(&place), "{} {}", device.id, point.quantity);
                    taken.push(place);
                }
            }
        }
    }

    #[test]
    fn every_layout_both_orders_and_three_function_codes_are_there() {
        let points: Vec<&Point> = all_devices().flat_map(|device| device.points).collect();
        for number in [U16, I16, U32, I32, U64, F32, F64, Bit] {
            assert!(
                points.iter().any(|point| point.number == number),
                "{number:?}"
            );
        }
        for fc in [2, 3, 4] {
            assert!(points.iter().any(|point| point.fc == fc), "{fc}");
        }
        assert!(points.iter().any(|point| point.little));
    }

    /// A count is at most 10 Wh of electricity, 100 Wh of heat.
    #[test]
    fn registers_are_fine_enough_for_a_minute() {
        for device in all_devices() {
            for point in device.points {
                if let Energy(terminal, _) = point.source
                    && point.number != F64
                {
                    let wh = point.count_mj(device) as f64 / 3.6e6;
                    let heat = terminal as usize >= Terminal::Field as usize;
                    assert!(wh <= if heat { 100.0 } else { 10.0 }, "{}: {wh}", device.id);
                }
            }
        }
    }
}
