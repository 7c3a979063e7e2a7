//! The park of the script: who is there, and what is told of them.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::heat::fluid::Fluid;
use crate::domain::meter::{
    Freshness, Losses, Meter, Nature, Park, Pipe, Point, Quantity, RegisterKind, Role,
};
use crate::domain::plausibility::settings::{Facts, Settings};
use crate::domain::units::{CountUnit, Power};

/// Latitude and longitude.
pub const PLACE: (f64, f64) = (36.0, 114.0);
/// Constant losses, W, and those in proportion to the load, percent.
pub const LOSSES: (f64, f64) = (5_000.0, 1.0);
/// Pressure of the hot water, Pa.
pub const PRESSURE: f64 = 1.6e6;

const ELECTRIC: &str = "power power_l1 power_l2 power_l3 voltage_l1 voltage_l2 voltage_l3 \
    current_l1 current_l2 current_l3";

/// Name, role, rated power in kW, quantities.
const METERS: &[(&str, &str, f64, &str)] = &[
    (
        "pcc",
        "grid",
        2_000.0,
        "reactive_power apparent_power frequency power_factor energy_import energy_export clock +",
    ),
    ("pv", "pv", 1_000.0, "power energy_export"),
    (
        "battery",
        "battery",
        500.0,
        "power soc energy_import energy_export",
    ),
    ("a", "tenant", 800.0, "energy_import +"),
    ("b", "tenant", 600.0, "power energy_import"),
    ("hall", "monitor", 1_400.0, "power"),
    ("weather", "weather", 0.0, "dni ghi dhi"),
    (
        "field",
        "solar_field",
        1_500.0,
        "heat_power heat_energy flow temp_supply temp_return",
    ),
    ("storage", "heat_storage", 1_500.0, "power"),
    (
        "customer",
        "heat_consumer",
        1_000.0,
        "heat_power heat_energy flow volume temp_supply temp_return clock_local",
    ),
    ("pump", "monitor", 0.0, "status"),
    ("hot", "monitor", 0.0, "level temp"),
    ("cold", "monitor", 0.0, "level temp"),
];

fn point(name: &str) -> Point {
    let quantity = Quantity::named(name).unwrap();
    let unit = CountUnit::new(100_000, 1).unwrap();
    let kind = RegisterKind {
        unit,
        modulus: None,
        told: false,
    };
    Point {
        quantity,
        register: (quantity.nature == Nature::Register).then_some(kind),
    }
}

/// The park, every power, flow and area `scale` times as large.
pub fn park(scale: f64) -> Arc<Park> {
    let meters = METERS.iter().map(|(id, role, kw, quantities)| {
        let all = quantities.replace('+', ELECTRIC);
        Meter {
            id: (*id).into(),
            role: Role::named(role).unwrap(),
            points: all.split_whitespace().map(point).collect(),
            freshness: Freshness::Within(Duration::from_secs(30)),
            period: Duration::from_secs(10),
            rated: (*kw > 0.0).then(|| Power::from_watts(kw * 1e3 * scale).unwrap()),
            heat_from_flow: None,
            rated_heat: None,
        }
    });
    Arc::new(Park {
        id: "p".into(),
        name: "p".into(),
        time_zone: TimeZone::get("Asia/Shanghai").unwrap(),
        settlement_minutes: 15,
        latitude: PLACE.0,
        longitude: PLACE.1,
        meters: meters.collect(),
        relations: crate::domain::relations::Relations::default(),
        every_load_metered: true,
        losses: Some(Losses {
            fixed: Power::from_watts(LOSSES.0 * scale).unwrap(),
            load_pct: LOSSES.1,
        }),
    })
}

/// What is told of the park's meters.
pub fn settings(scale: f64) -> Settings {
    let water = Facts {
        fluid: Some(Fluid::WATER),
        pressure_pa: Some(PRESSURE),
        flow_sensor: Some(Pipe::Return),
        ..Facts::default()
    };
    let rows = [
        (
            "pcc",
            Facts {
                export_limit_w: Some(600e3 * scale),
                ..Facts::default()
            },
        ),
        (
            "battery",
            Facts {
                capacity_wh: Some(2e6 * scale),
                ..Facts::default()
            },
        ),
        (
            "hall",
            Facts {
                submeters: vec!["a".into(), "b".into()],
                ..Facts::default()
            },
        ),
        (
            "field",
            Facts {
                aperture_m2: Some(2_000.0 * scale),
                ..water.clone()
            },
        ),
        (
            "customer",
            Facts {
                pump: Some("pump".into()),
                ..water
            },
        ),
        (
            "hot",
            Facts {
                other_tank: Some("cold".into()),
                fluid: Some(Fluid::named("solar-salt", None).unwrap()),
                ..Facts::default()
            },
        ),
    ];
    Settings {
        facts: rows
            .into_iter()
            .map(|(id, facts)| (id.to_owned(), facts))
            .collect(),
        ..Settings::default()
    }
}
