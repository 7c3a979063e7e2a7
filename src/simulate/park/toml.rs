//! The configuration that reads the simulated park.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use super::devices::{BUSES, SENSORS};
use super::{Device, Point, Sensor, Source};

/// Where the simulated park listens, and how it is told apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// IANA name of its time zone.
    pub zone: String,
    /// Endpoint of every bus, in the order of [`BUSES`].
    pub buses: Vec<SocketAddr>,
    /// Endpoint of the broker.
    pub broker: SocketAddr,
}

/// A complete configuration for the daemon.
#[must_use]
pub fn config(site: &Site, data_dir: &Path, listen: &str, settlement_interval: &str) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = head(&mut text, site, data_dir, listen, settlement_interval);
    for (bus, address) in BUSES.iter().zip(&site.buses) {
        let _ = writeln!(
            text,
            "\n[bus.{}.tcp]\nhost = \"{}\"\nport = {}\ntimeout = \"1s\"",
            bus.name,
            address.ip(),
            address.port()
        );
    }
    let _ = writeln!(
        text,
        "\n[broker.park]\nhost = \"{}\"\nport = {}",
        site.broker.ip(),
        site.broker.port()
    );
    for bus in BUSES {
        for device in bus.devices {
            let _ = meter(&mut text, bus.name, device);
        }
    }
    for device in SENSORS {
        let _ = sensor(&mut text, device);
    }
    text
}

fn head(
    text: &mut String,
    site: &Site,
    data_dir: &Path,
    listen: &str,
    settlement_interval: &str,
) -> std::fmt::Result {
    writeln!(text, "# The simulated park: written by `sunledger demo`.\n")?;
    writeln!(
        text,
        "[park]\nid = \"demo\"\nname = \"Simulated solar-thermal park\""
    )?;
    writeln!(text, "time_zone = {}", quoted(&site.zone))?;
    writeln!(
        text,
        "settlement_interval = {}",
        quoted(settlement_interval)
    )?;
    writeln!(
        text,
        "latitude = {:?}\nlongitude = {:?}",
        site.latitude, site.longitude
    )?;
    writeln!(
        text,
        "\n[store]\ndir = {}",
        quoted(&data_dir.to_string_lossy())
    )?;
    writeln!(text, "\n[web]\nlisten = {}", quoted(listen))?;
    writeln!(
        text,
        "\n[balance]\nevery_load_metered = true\nlosses = {{ fixed = \"3kW\" }}"
    )?;
    text.write_str(CHECKS)?;
    text.write_str(CONTRACTS)
}

/// A simulated load may stand to the last digit, as no real one does.
const CHECKS: &str = "
[checks.stuck_value]
except = [\"foundry\", \"cold-store\", \"offices\", \"field\"]
";

/// Who gets what, and what it means in carbon dioxide. The turbine runs on heat of the header,
/// which boilers feed, too.
const CONTRACTS: &str = "
[allocation.rule.dynamic]
[allocation.loss.pro_rata]
[allocation.heat.rule.dynamic]

[carbon]
renewable = [\"pv\"]
renewable_heat = [\"turbine\"]
[carbon.grid.published]
geography = \"Shanxi\"
year = 2023
[carbon.fuel]
name = \"natural gas\"
kg_per_kwh = 0.202
year = 2006
source = \"an example: 56.1 kg/GJ of the lower heating value\"
efficiency = 0.92
";

fn meter(text: &mut String, bus: &str, device: &Device) -> std::fmt::Result {
    writeln!(
        text,
        "\n[[meter]]\nid = \"{}\"\nrole = \"{}\"",
        device.id, device.role
    )?;
    writeln!(
        text,
        "bus = \"{bus}\"\nunit = {}\nperiod = \"1s\"\nstale_after = \"5s\"",
        device.unit
    )?;
    writeln!(text, "rated = \"{}\"", device.rated)?;
    if device.invert {
        writeln!(text, "invert = true")?;
    }
    if device.multiplier != 1 {
        writeln!(text, "multiplier = {}", device.multiplier)?;
    }
    if device.water {
        writeln!(
            text,
            "heat = {{ fluid = \"water\", pressure = \"6bar\", flow_sensor = \"return\" }}"
        )?;
    }
    device
        .points
        .iter()
        .try_for_each(|entry| point(text, device, entry))
}

fn point(text: &mut String, device: &Device, point: &Point) -> std::fmt::Result {
    writeln!(
        text,
        "[[meter.point]]\nquantity = \"{}\"",
        quantity(device, point)
    )?;
    writeln!(
        text,
        "fc = {}\naddress = {}\ntype = \"{}\"",
        point.fc,
        point.address,
        point.number.name()
    )?;
    if point.number.words() > 1 {
        let order = if point.little { "little" } else { "big" };
        writeln!(text, "order = \"{order}\"")?;
    }
    if point.scale != 1.0 {
        writeln!(text, "scale = {:?}", point.scale)?;
    }
    if !point.unit.is_empty() {
        writeln!(text, "unit = \"{}\"", point.unit)?;
    }
    Ok(())
}

/// The quantity as the device itself calls it: `invert` swaps import and export.
fn quantity(device: &Device, point: &Point) -> &'static str {
    match (device.invert, point.source, point.quantity) {
        (true, Source::Energy(..), "energy_import") => "energy_export",
        (true, Source::Energy(..), "energy_export") => "energy_import",
        (_, _, quantity) => quantity,
    }
}

fn sensor(text: &mut String, sensor: &Sensor) -> std::fmt::Result {
    writeln!(
        text,
        "\n[[sensor]]\nid = \"{}\"\nrole = \"{}\"",
        sensor.id, sensor.role
    )?;
    writeln!(text, "broker = \"park\"\ntopic = \"{}\"", sensor.topic)?;
    writeln!(text, "expect_every = \"{}s\"", sensor.every_s)?;
    for value in sensor.values {
        if sensor.values.len() > 1 {
            writeln!(text, "[[sensor.point]]")?;
        }
        if let Some(key) = value.key {
            writeln!(text, "pointer = \"/{key}\"")?;
        }
        writeln!(
            text,
            "quantity = \"{}\"\nunit = \"{}\"",
            value.quantity, value.unit
        )?;
    }
    Ok(())
}

/// A TOML string.
fn quoted(text: &str) -> String {
    ::toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed() -> ::toml::Table {
        let site = Site {
            latitude: 39.19,
            longitude: 113.26,
            zone: "Asia/Shanghai".to_owned(),
            buses: (0..5)
                .map(|n| SocketAddr::from(([127, 0, 0, 1], 1_000 + n)))
                .collect(),
            broker: SocketAddr::from(([127, 0, 0, 1], 2_000)),
        };
        let dir = Path::new("/tmp/with \"quotes\"");
        config(&site, dir, "127.0.0.1:0", "1min").parse().unwrap()
    }

    #[test]
    fn it_is_toml_with_every_device_and_its_endpoint() {
        let table = parsed();
        assert_eq!(table["park"]["settlement_interval"].as_str(), Some("1min"));
        assert_eq!(table["store"]["dir"].as_str(), Some("/tmp/with \"quotes\""));
        assert_eq!(
            table["bus"]["tenants"]["tcp"]["port"].as_integer(),
            Some(1_003)
        );
        assert_eq!(table["broker"]["park"]["port"].as_integer(), Some(2_000));
        assert_eq!(table["balance"]["losses"]["fixed"].as_str(), Some("3kW"));
        assert_eq!(
            table["meter"].as_array().unwrap().len(),
            super::super::all_devices().count()
        );
        assert_eq!(table["sensor"].as_array().unwrap().len(), SENSORS.len());
    }

    #[test]
    fn the_battery_is_told_from_its_own_side_and_multipliers_where_they_are() {
        let table = parsed();
        let meter = |id: &str| {
            let meters = table["meter"].as_array().unwrap();
            meters
                .iter()
                .find(|meter| meter["id"].as_str() == Some(id))
                .unwrap()
                .clone()
        };
        let battery = meter("battery");
        assert_eq!(battery["invert"].as_bool(), Some(true));
        let points = battery["point"].as_array().unwrap();
        assert_eq!(
            points[1]["quantity"].as_str(),
            Some("energy_export"),
            "charge, swapped"
        );
        assert_eq!(meter("cold-store")["multiplier"].as_integer(), Some(40));
        assert_eq!(
            meter("heat-district")["heat"]["pressure"].as_str(),
            Some("6bar")
        );
        assert!(meter("pcc").get("multiplier").is_none());
    }
}
