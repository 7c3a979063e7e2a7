//! What indicators need of the books, and that it is enough.

use super::*;
use crate::domain::balance::settle;
use crate::domain::flow::{FLOW_COUNT, FLOWS, Flow, Flows};
use crate::domain::interval::{ExportShape, channels};
use crate::domain::photovoltaic;

const METERS: &[(&str, &str)] = &[
    ("pcc", "grid"),
    ("roof", "pv"),
    ("steam", "turbine"),
    ("cell", "battery"),
    ("hall", "tenant"),
    ("loop", "solar_field"),
    ("gas", "boiler"),
    ("store", "heat_storage"),
    ("kettle", "electric_boiler"),
    ("hp", "heat_pump"),
    ("feed", "heat_feed"),
    ("mill", "heat_consumer"),
];

fn whole_park() -> Park {
    let says = ["power", "heat_power"];
    park(
        METERS
            .iter()
            .map(|(id, role)| meter(id, role, &says))
            .collect(),
    )
}

/// A unit of every kind.
fn whole_plant(park: &Park) -> Plant {
    let unit = |name: &str, kind| Unit {
        name: name.into(),
        kind,
    };
    let field = SolarField {
        heat: "loop".into(),
        aperture_m2: 1_000.0,
        axis: None,
        modifier: None,
        dni: Some(input("sky", "dni")),
        least_dni: 100.0,
        mounts: Vec::new(),
        focus_limit_deg: 1.0,
        guarantee: None,
    };
    let roof = Photovoltaic {
        meter: "roof".into(),
        plate: photovoltaic::Plant {
            rated_kw: 100.0,
            gamma_per_k: 0.0,
            corrected_to: 25.0,
        },
        irradiance: None,
        module: None,
        available: Some(input("roof", "power_available")),
        curtailed: None,
    };
    let (tank, _) = super::units::tank();
    let mut plant = Plant {
        units: vec![
            unit("mirrors", Kind::SolarField(Box::new(field))),
            unit("buffer", Kind::Tank(tank)),
            unit("south", Kind::Photovoltaic(Box::new(roof))),
        ],
        never_curtailed: vec!["steam".into()],
        ..Plant::default()
    };
    plant.complete(park);
    plant
}

/// Two days in which every channel of every meter moved something of its own.
fn books(park: &Park) -> Vec<Slot> {
    let (mut intervals, mut all, mut observed) = (Vec::new(), Vec::new(), Vec::new());
    for nth in 0..48 {
        let mut mine = Vec::new();
        for (place, meter) in park.meters.iter().enumerate() {
            for (channel, _) in channels(meter) {
                let kwh = f64::from(u32::try_from(place * 10).unwrap())
                    + if channel.positive { 50.0 } else { 1.0 };
                let Channel { carrier, positive } = channel;
                mine.push(entry(&meter.id, carrier, positive, nth, kwh));
            }
        }
        intervals.push(Interval {
            span: hour(nth),
            closed: true,
            revision: 1,
            flows: settle(park, &mine, ExportShape::default(), hour(nth)),
        });
        all.extend(mine);
        observed.push(seen("sky", "dni", nth, 500.0, 500.0));
        observed.push(seen("roof", "power_available", nth, 90e3, 90e3));
    }
    slots((0..48).map(hour), intervals, all, observed)
}

#[test]
fn with_what_is_needed_alone_every_indicator_says_the_same() {
    let park = whole_park();
    let plant = whole_plant(&park);
    let all = books(&park);
    let (flows, single) = (plant.flows(Some(&park)), plant.channels(&park));
    let mut needed = all.clone();
    for slot in &mut needed {
        slot.entries
            .retain(|one| single.contains(&(one.meter.clone(), one.channel)));
        let interval = slot.interval.as_mut().unwrap();
        let kept: [_; FLOW_COUNT] = std::array::from_fn(|place| {
            let flow = FLOWS[place].flow;
            let unread = || Err(Gaps::config());
            if flows.contains(&flow) {
                interval.flows.of(flow).clone()
            } else {
                unread()
            }
        });
        interval.flows = Flows::new(kept);
    }
    let told = |slots: &[Slot]| {
        let (earlier, period) = slots.split_at(24);
        plant.indicators(Some(&park), earlier, period, "2026-06-01".parse().unwrap())
    };
    let (whole, few) = (told(&all), told(&needed));
    assert_eq!(few, whole);
    let known = whole.iter().filter(|one| one.value.is_some()).count();
    assert!(known > 25, "{known} of {}", whole.len());
    // And no more than that: a tenant and the grid are in the flows alone.
    let meters: Vec<&str> = single.iter().map(|(id, _)| &**id).collect();
    assert!(
        !meters.contains(&"hall") && !meters.contains(&"pcc"),
        "{meters:?}"
    );
}

#[test]
fn a_park_without_heat_needs_no_flow_of_heat() {
    let plant = Plant::default();
    let heated = park(vec![meter("mill", "heat_consumer", &["heat_power"])]);
    let cold = park(vec![meter("pcc", "grid", &["power"])]);
    assert!(plant.flows(Some(&heated)).contains(&Flow::Supplied));
    assert!(!plant.flows(Some(&cold)).contains(&Flow::Supplied));
    // What nobody knows the meters of may have all of them.
    assert_eq!(plant.flows(None).len(), 14);
}
