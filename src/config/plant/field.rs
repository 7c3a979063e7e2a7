//! A solar field: aperture, axis, modifier, mounts, and what its collectors promise.

use super::super::read::{Listed, Table};
use super::super::units::measure;
use super::Around;
use crate::domain::heat::incidence::{Axis, Modifier, ModifierTable};
use crate::domain::heat::power_check::{Concentrating, FlatPlate, LowConcentration, Safety};
use crate::domain::meter::Carrier;
use crate::domain::plant::{Collector, Guarantee, Mount, SolarField};

/// Apertures, m².
const APERTURES: (f64, f64) = (0.1, 1e8);
/// Below this light a ratio is noise, W/m².
const LEAST_DNI: f64 = 100.0;
/// How far from the sun a trough still gathers, degrees.
const FOCUS_LIMIT_DEG: f64 = 1.0;
/// Equations of collectors.
const COLLECTORS: &[&str] = &["flat_plate", "low_concentration", "concentrating"];

/// Reads a solar field.
pub(super) fn field(around: &Around<'_>) -> Option<SolarField> {
    let table = around.table;
    let heat = around.counted_there("heat", "field", Carrier::Heat);
    let axis = axis(table);
    let modifier = modifier(table);
    let dni = around.sensor("dni", "dni");
    let least_dni = around.usual("least_dni", LEAST_DNI, (1.0, 1_000.0));
    let limit = around.usual("focus_limit_deg", FOCUS_LIMIT_DEG, (0.01, 20.0));
    let mounts = mounts(around, axis.is_some());
    let said = table.number_in("aperture_m2", APERTURES.0, APERTURES.1);
    let of_mounts: f64 = mounts.iter().map(|mount| mount.aperture_m2).sum();
    let aperture = match (table.has("aperture_m2"), table.has("mount")) {
        (false, false) => {
            table.problem(
                "aperture_m2",
                "is missing",
                "add `aperture_m2 = 37000`, net, or a [[mount]] for each drive",
            );
            None
        }
        (false, true) => Some(of_mounts),
        (true, true) => {
            if said.is_some_and(|said| (said - of_mounts).abs() > 0.01 * said) && !mounts.is_empty()
            {
                table.problem(
                    "aperture_m2",
                    format!("is not the {of_mounts} m2 of all mounts together"),
                    "remove it, or mend the apertures of the mounts",
                );
            }
            said
        }
        (true, false) => said,
    };
    let guarantee = if table.has("guarantee") {
        let inner = table.table("guarantee");
        inner.and_then(|inner| {
            let read = guarantee(&around.at(&inner), aperture);
            inner.finish();
            read
        })
    } else {
        None
    };
    if let (Some(promise), Some(id)) = (&guarantee, &heat) {
        needs(around, promise, id);
    }
    Some(SolarField {
        heat: heat?,
        aperture_m2: aperture?,
        axis,
        modifier,
        dni,
        least_dni: least_dni?,
        mounts,
        focus_limit_deg: limit?,
        guarantee,
    })
}

fn axis(table: &Table<'_>) -> Option<Axis> {
    table.parsed("axis", "north-south", |text| match text {
        "north-south" => Ok(Axis::NORTH_SOUTH),
        "east-west" => Ok(Axis::EAST_WEST),
        other => measure(other, "deg")
            .filter(|degrees| (0.0..360.0).contains(degrees))
            .map(Axis::towards)
            .ok_or_else(|| {
                (
                    format!("`{other}` is not an axis"),
                    "\"north-south\", \"east-west\", or where it points from north over east, \
                     such as \"12.5deg\""
                        .to_owned(),
                )
            }),
    })
}

/// A modifier by its name, by three numbers, or by a table.
fn modifier(table: &Table<'_>) -> Option<Modifier> {
    if !table.has("modifier") {
        return None;
    }
    if table.is_text("modifier") {
        return table.parsed("modifier", "eurotrough", |text| match text {
            "ls2" => Ok(Modifier::Ls2),
            "eurotrough" => Ok(Modifier::EuroTrough),
            other => Err((
                format!("`{other}` is no collector whose modifier is known"),
                "\"ls2\", \"eurotrough\", or a table with `sam`, or with `angles` and `iam`"
                    .to_owned(),
            )),
        });
    }
    let inner = table.table("modifier")?;
    let numbers = |key: &str| -> Vec<f64> {
        let listed = inner.numbers(key).into_iter();
        listed
            .map(|one| match one {
                Listed::Float(number) => number,
                Listed::Integer(whole) => i32::try_from(whole).map_or(f64::NAN, f64::from),
            })
            .collect()
    };
    let read = if inner.has("sam") {
        match numbers("sam")[..] {
            [c0, c1, c2] => Some(Modifier::Sam([c0, c1, c2])),
            _ => {
                inner.problem(
                    "sam",
                    "is not three numbers",
                    "such as [1.0, 0.0506, -0.1763]",
                );
                None
            }
        }
    } else {
        let (angles, iam) = (numbers("angles"), numbers("iam"));
        if angles.len() == iam.len() {
            let points = angles.into_iter().zip(iam).collect();
            match ModifierTable::new(points) {
                Ok(points) => Some(Modifier::Table(points)),
                Err(error) => {
                    let text = error.to_string();
                    let (fact, remedy) = text.split_once("; ").unwrap_or((&text, ""));
                    inner.problem("angles", fact, remedy);
                    None
                }
            }
        } else {
            inner.problem(
                "iam",
                format!("{} modifiers for {} angles", iam.len(), angles.len()),
                "one for each of `angles`, without the cosine",
            );
            None
        }
    };
    inner.finish();
    read
}

fn mounts(around: &Around<'_>, has_axis: bool) -> Vec<Mount> {
    if !around.table.has("mount") {
        return Vec::new();
    }
    let mut mounts = Vec::new();
    for inner in around.table.tables("mount") {
        let at = around.at(&inner);
        let aperture = at.number("aperture_m2", 817.5, APERTURES);
        let angle = at.sensor("angle", "tracker_angle");
        let deviation = at.sensor("deviation", "tracker_deviation");
        let stow = at.sensor("stow", "status");
        if !inner.has("angle") && !inner.has("deviation") {
            inner.problem(
                "angle",
                "is missing, and no `deviation` says whether it is in focus",
                "add `angle = \"loop_1\"`, a sensor with `tracker_angle`",
            );
        }
        if inner.has("angle") && !inner.has("deviation") && !has_axis {
            inner.problem(
                "angle",
                "says nothing without the `axis` of the field",
                "add `axis = \"north-south\"` to the field",
            );
        }
        inner.finish();
        mounts.extend(aperture.map(|aperture_m2| Mount {
            aperture_m2,
            angle,
            deviation,
            stow,
        }));
    }
    mounts
}

fn guarantee(around: &Around<'_>, aperture: Option<f64>) -> Option<Guarantee> {
    let table = around.table;
    let usual = Safety::default();
    let factor = |key: &str, usual: f64| around.usual(key, usual, (0.5, 1.0));
    let safety = (
        factor("pipes", usual.pipes),
        factor("uncertainty", usual.uncertainty),
        factor("others", usual.others),
    );
    let area = table.number_in("area_m2", APERTURES.0, APERTURES.1);
    let ambient = around.sensor_there("ambient", "temp");
    let wind = around.sensor_there("wind", "wind");
    let clear = around.usual("clear_from_deg", 0.0, (0.0, 60.0));
    let collector = match table.choice(COLLECTORS) {
        None => None,
        Some((kind, inner)) => {
            let read = collector(&around.at(&inner), kind);
            inner.finish();
            read
        }
    };
    Some(Guarantee {
        collector: collector?,
        area_m2: area.or(aperture)?,
        safety: Safety {
            pipes: safety.0?,
            uncertainty: safety.1?,
            others: safety.2?,
        },
        ambient: ambient?,
        wind: wind?,
        clear_from_deg: clear?,
    })
}

fn collector(around: &Around<'_>, kind: &str) -> Option<Collector> {
    let eta0 = around.number("eta0", 0.7, (0.01, 1.0));
    let a1 = around.number("a1", 0.1, (0.0, 50.0));
    let a5 = around.number("a5", 3_500.0, (0.0, 1e6));
    match kind {
        "concentrating" => {
            let a8 = around.usual("a8", 0.0, (0.0, 1e-3));
            Some(Collector::Concentrating(Concentrating {
                eta0: eta0?,
                a1: a1?,
                a5: a5?,
                a8: a8?,
            }))
        }
        "low_concentration" => {
            let a2 = around.usual("a2", 0.0, (0.0, 1.0));
            let k_diffuse = around.number("k_diffuse", 0.95, (0.0, 2.0));
            let diffuse = around.sensor_there("diffuse", "dhi");
            Some(Collector::LowConcentration {
                parameters: LowConcentration {
                    eta0: eta0?,
                    k_diffuse: k_diffuse?,
                    a1: a1?,
                    a2: a2?,
                    a5: a5?,
                },
                diffuse: diffuse?,
            })
        }
        _ => {
            let a2 = around.usual("a2", 0.0, (0.0, 1.0));
            let modifier = around.usual("k_hemispherical", 1.0, (0.0, 2.0));
            let irradiance = around.sensor_there("irradiance", "irradiance");
            Some(Collector::FlatPlate {
                parameters: FlatPlate {
                    eta0: eta0?,
                    a1: a1?,
                    a2: a2?,
                    a5: a5?,
                },
                modifier: modifier?,
                irradiance: irradiance?,
            })
        }
    }
}

/// Whether the field says what its promise is judged by.
fn needs(around: &Around<'_>, guarantee: &Guarantee, heat: &str) {
    let table = around.table;
    if let Some(meter) = around.meter(heat) {
        for quantity in ["temp_supply", "temp_return"] {
            if meter.point(quantity).is_none() {
                table.problem(
                    "guarantee",
                    format!("needs the temperatures of the loop, and `{heat}` has no `{quantity}`"),
                    format!("a point with quantity `{quantity}` at `{heat}`"),
                );
            }
        }
    }
    if matches!(guarantee.collector, Collector::FlatPlate { .. }) {
        return;
    }
    for (key, example) in [
        ("dni", "weather"),
        ("axis", "north-south"),
        ("modifier", "eurotrough"),
    ] {
        if !table.has(key) {
            table.problem(
                key,
                "is missing, and the guarantee is one of beam in the aperture",
                format!("add `{key} = \"{example}\"`"),
            );
        }
    }
}
