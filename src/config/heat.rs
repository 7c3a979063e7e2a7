//! Heat that is computed: what flows, where the flow sensor sits, and from when on a
//! meter counts.

use super::read::{Table, list, number_and_unit};
use super::units;
use crate::domain::heat::fluid::{ChoiceError, FLUIDS, Fluid};
use crate::domain::heat::integration::CutOffs;
use crate::domain::heat::meter::{HeatMeter, REFERENCE_PRESSURE_PA};
use crate::domain::meter::{HeatFromFlow, Meter, Pipe};

/// What says how much passes: one of them is needed.
const PASSING: [&str; 3] = ["volume", "mass_flow", "flow"];
/// Differences of temperatures that a setting may have, K.
const MOST_SPREAD_K: f64 = 100.0;
/// Flows that a setting may have, m³/h.
const MOST_FLOW_M3H: f64 = 1e5;

/// Reads `heat = { … }`; none where anything in it is wrong.
pub(super) fn heat_from_flow(table: &Table<'_>) -> Option<HeatFromFlow> {
    let fluid = fluid(table);
    let pressure_pa = pressure(table);
    let sensor = sensor(table);
    let permanent = flow(table, "permanent_flow", "40m3/h");
    let least_flow = flow(table, "cut_off_flow", "0.08m3/h");
    let cut_off_spread = spread(table, "cut_off_spread", "0.2K");
    let least_spread = spread(table, "least_spread", "3K");
    table.finish();
    let permanent_flow_m3h = permanent?;
    let usual = CutOffs::usual(permanent_flow_m3h.unwrap_or(0.0));
    let cut_offs = CutOffs {
        flow_m3h: least_flow?.unwrap_or(usual.flow_m3h),
        spread_k: cut_off_spread?.unwrap_or(usual.spread_k),
        least_spread_k: least_spread?.unwrap_or(usual.least_spread_k),
    };
    in_order(table, &cut_offs, permanent_flow_m3h).then_some(HeatFromFlow {
        place: HeatMeter {
            fluid: fluid?,
            sensor: sensor?,
            pressure_pa: pressure_pa?,
        },
        cut_offs,
        permanent_flow_m3h,
    })
}

fn fluid(table: &Table<'_>) -> Option<Fluid> {
    let name = table.required("fluid", "water");
    let asked = table.has("mass_pct");
    let mass_pct = table.number("mass_pct");
    if asked && mass_pct.is_none() {
        return None;
    }
    let error = match Fluid::named(name?, mass_pct) {
        Ok(fluid) => return Some(fluid),
        Err(error) => error,
    };
    let (key, fact, remedy) = match error {
        ChoiceError::Unknown { name } => (
            "fluid",
            format!("`{name}` is not a fluid"),
            format!(
                "one of {}; of another one, a meter that computes the heat itself",
                list(FLUIDS.iter().map(|row| format!("`{}`", row.name)))
            ),
        ),
        ChoiceError::FractionMissing { title } => (
            "mass_pct",
            format!("is missing, and {title} is a mixture with water"),
            "add `mass_pct = 40`: percent of mass, as a refractometer or the delivery says"
                .to_owned(),
        ),
        ChoiceError::FractionUnwanted { title } => (
            "mass_pct",
            format!("stands beside {title}, which is no mixture with water"),
            "remove it, or name the fluid that is mixed".to_owned(),
        ),
        ChoiceError::Fraction { title, mass_pct } => (
            "mass_pct",
            format!("{title} of {mass_pct} % is not in the data"),
            "from 0 to 60, percent of mass, not of volume".to_owned(),
        ),
    };
    table.problem(key, fact, remedy);
    None
}

fn pressure(table: &Table<'_>) -> Option<f64> {
    if !table.has("pressure") {
        return Some(REFERENCE_PRESSURE_PA);
    }
    table.parsed("pressure", "6bar", |text| {
        units::measure(text, "Pa")
            .filter(|pa| *pa >= 1e4 && *pa <= 1e8)
            .ok_or_else(|| {
                (
                    format!("`{text}` is not an absolute pressure of a fluid"),
                    "such as \"6bar\"; absolute is gauge plus 1.01325 bar".to_owned(),
                )
            })
    })
}

/// The pipe of the sensor. A mass flow is the same in both, so only [`fits`] knows
/// whether it has to be there.
fn sensor(table: &Table<'_>) -> Option<Pipe> {
    if !table.has("flow_sensor") {
        return Some(Pipe::Return);
    }
    table.parsed("flow_sensor", "return", |text| match text {
        "supply" => Ok(Pipe::Supply),
        "return" => Ok(Pipe::Return),
        other => Err((
            format!("`{other}` is not a pipe"),
            "`supply` or `return`: the pipe that the flow sensor sits in".to_owned(),
        )),
    })
}

/// A flow in m³/h; the outer none is a mistake, the inner one an absent key.
fn flow(table: &Table<'_>, key: &str, example: &str) -> Option<Option<f64>> {
    if !table.has(key) {
        return Some(None);
    }
    let flow = table.parsed(key, example, |text| {
        units::measure(text, "m3/h")
            .filter(|flow| *flow > 0.0 && *flow <= MOST_FLOW_M3H)
            .ok_or_else(|| {
                (
                    format!("`{text}` is not a flow"),
                    format!("above zero, with a unit of volume and time, such as \"{example}\""),
                )
            })
    });
    flow.map(Some)
}

/// A difference of temperatures in K, read as [`flow`] is.
fn spread(table: &Table<'_>, key: &str, example: &str) -> Option<Option<f64>> {
    if !table.has(key) {
        return Some(None);
    }
    let spread = table.parsed(key, example, |text| {
        let known = number_and_unit(text).filter(|(_, unit)| *unit == "K");
        known
            .map(|(kelvin, _)| kelvin)
            .filter(|kelvin| (0.0..=MOST_SPREAD_K).contains(kelvin))
            .ok_or_else(|| {
                (
                    format!("`{text}` is not a difference of temperatures"),
                    format!("from 0 to {MOST_SPREAD_K} kelvin, such as \"{example}\""),
                )
            })
    });
    spread.map(Some)
}

/// Whether the cut-offs lie below what they are cut-offs of.
fn in_order(table: &Table<'_>, cut_offs: &CutOffs, permanent: Option<f64>) -> bool {
    let slow = permanent.filter(|permanent| cut_offs.flow_m3h >= *permanent);
    if let Some(permanent) = slow {
        table.problem(
            "cut_off_flow",
            format!(
                "{} m3/h is not below the permanent flow of {permanent} m3/h",
                cut_offs.flow_m3h
            ),
            "where the sensor starts, usually 0.2 % of the permanent flow",
        );
    }
    let small = cut_offs.spread_k > cut_offs.least_spread_k;
    if small {
        table.problem(
            "cut_off_spread",
            format!(
                "{} K is above the least spread of {} K",
                cut_offs.spread_k, cut_offs.least_spread_k
            ),
            "at most `least_spread`; usually 0.2 K",
        );
    }
    slow.is_none() && !small
}

/// Whether the meter measures what its heat is computed from.
pub(super) fn fits(table: &Table<'_>, meter: &Meter) {
    if !table.has("heat") {
        return;
    }
    let passing = PASSING.iter().find(|name| meter.point(name).is_some());
    match passing {
        None => table.problem(
            "heat",
            "heat from what flows needs to know how much",
            "a point with quantity `volume`, `flow` or `mass_flow`",
        ),
        Some(&"mass_flow") => {}
        Some(name) => {
            let declared = table
                .table("heat")
                .is_some_and(|heat| heat.has("flow_sensor"));
            if !declared {
                table.problem(
                    "heat.flow_sensor",
                    format!("is missing, and `{name}` is as dense as its pipe is cold"),
                    "add `flow_sensor = \"return\"` or `\"supply\"`: the pipe that the sensor sits in",
                );
            }
        }
    }
    for needed in ["temp_supply", "temp_return"] {
        if meter.point(needed).is_none() {
            table.problem(
                "heat",
                format!("heat from flow and temperatures needs `{needed}`"),
                format!("a point with quantity `{needed}`"),
            );
        }
    }
    if meter.role.heat.is_none() {
        table.problem(
            "heat",
            format!("role `{}` stands in no heat balance", meter.role.name),
            "remove it, or choose a heat role",
        );
    }
}

#[cfg(test)]
#[path = "heat_tests.rs"]
mod tests;
