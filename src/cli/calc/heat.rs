//! `sunledger calc heat`: heat, its coefficient, and what it is made of.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::Failure;
use super::increments::{self, Step};
use super::{Answer, Asked, answer, need, section};
use crate::config::read::duration;
use crate::domain::heat::fluid::Fluid;
use crate::domain::heat::integration::{Counted, CutOffs, Increment};
use crate::domain::heat::meter::{HeatMeter, J_PER_KWH, REFERENCE_PRESSURE_PA};
use crate::domain::meter::Pipe;

/// Pascals of a bar.
pub(super) const PA_PER_BAR: f64 = 1e5;
/// Seconds of an hour, and of an increment whose time changes nothing.
pub(super) const HOUR_S: f64 = 3_600.0;

/// Arguments of `calc heat`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    asked: Asked,
}

/// What goes in.
#[derive(Debug, Clone, clap::Args, Serialize, Deserialize)]
#[group(id = "numbers", multiple = true, conflicts_with = "file")]
#[serde(deny_unknown_fields)]
struct Given {
    /// water, meg, mpg, therminol-vp-1, therminol-66, syltherm-800 or solar-salt
    #[arg(long, value_name = "NAME")]
    fluid: Option<String>,
    /// Glycol in the water, % of mass
    #[arg(long, value_name = "PCT", allow_negative_numbers = true)]
    mass_pct: Option<f64>,
    /// Temperature of the flow (supply) pipe, °C
    #[arg(
        long,
        alias = "supply-temp",
        value_name = "CELSIUS",
        allow_negative_numbers = true
    )]
    #[serde(alias = "supply_temp")]
    flow_temp: Option<f64>,
    /// Temperature of the return pipe, °C
    #[arg(long, value_name = "CELSIUS", allow_negative_numbers = true)]
    return_temp: Option<f64>,
    /// Pressure, bar absolute: gauge plus 1.01325 [default: 16]
    #[arg(long, value_name = "BAR", allow_negative_numbers = true)]
    pressure: Option<f64>,
    /// The pipe that the flow sensor sits in: supply (or flow) or return
    #[arg(long, value_name = "PIPE")]
    sensor: Option<String>,
    /// Volume as the sensor counts it, m³
    #[arg(long, value_name = "M3", allow_negative_numbers = true)]
    volume: Option<f64>,
    /// Mass, kg
    #[arg(long, value_name = "KG", allow_negative_numbers = true)]
    mass: Option<f64>,
    /// Flow as the sensor counts it, m³/h, for a time
    #[arg(long, value_name = "M3_PER_H", allow_negative_numbers = true)]
    flow: Option<f64>,
    /// How long it flows, such as 15min
    #[arg(long = "for", value_name = "DURATION")]
    #[serde(rename = "for")]
    time: Option<String>,
    /// Greatest flow of the meter, m³/h: 0.2 % of it are its cut-off
    #[arg(skip)]
    greatest_flow: Option<f64>,
    #[arg(skip)]
    increments: Option<Vec<Step>>,
}

/// Heat from flags or a file.
///
/// # Errors
///
/// Those of [`super::run`].
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    answer(&arguments.asked, || Ok(arguments.given.clone()), sum)
}

/// A place where heat is measured, from the words of people; pressure in bar absolute.
///
/// # Errors
///
/// What is no fluid and no pipe, with what would be one.
pub(super) fn place(
    fluid: &str,
    mass_pct: Option<f64>,
    sensor: &str,
    pressure: Option<f64>,
) -> Result<HeatMeter, String> {
    Ok(HeatMeter {
        fluid: Fluid::named(fluid, mass_pct).map_err(|error| error.to_string())?,
        sensor: pipe(sensor)?,
        pressure_pa: pressure.map_or(REFERENCE_PRESSURE_PA, |bar| bar * PA_PER_BAR),
    })
}

fn sum(given: &Given) -> Result<Answer, String> {
    let fluid = need(given.fluid.as_ref(), "fluid")?;
    let sensor = need(given.sensor.as_ref(), "sensor")?;
    let meter = place(fluid, given.mass_pct, sensor, given.pressure)?;
    match &given.increments {
        None => one(given, &meter),
        Some(steps) => {
            let common = [
                given.flow_temp,
                given.return_temp,
                given.volume,
                given.mass,
                given.flow,
            ];
            if common.iter().any(Option::is_some) || given.time.is_some() {
                return Err(
                    "each of the `increments` has its own temperatures and volume; \
                            leave those beside them out"
                        .to_owned(),
                );
            }
            let answer = increments::sum(&meter, given.greatest_flow, steps)?;
            let text = went_in(given, &meter) + &answer.text;
            Ok(Answer { text, ..answer })
        }
    }
}

fn pipe(name: &str) -> Result<Pipe, String> {
    match name {
        "supply" | "flow" => Ok(Pipe::Supply),
        "return" => Ok(Pipe::Return),
        other => Err(format!(
            "`{other}` is not a pipe; the flow sensor sits in `supply` (also `flow`) or `return`"
        )),
    }
}

/// The pipe, as its temperature is called.
pub(super) fn pipe_name(pipe: Pipe) -> &'static str {
    match pipe {
        Pipe::Supply => "supply",
        Pipe::Return => "return",
    }
}

pub(super) fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The increment that one volume, mass or flow is; none where only k is asked for.
fn increment(
    given: &Given,
    meter: &HeatMeter,
    hot: f64,
    cold: f64,
) -> Result<Option<Increment>, String> {
    let seconds = match &given.time {
        None => None,
        Some(text) => Some(duration(text).map(|time| time.as_secs_f64()).ok_or_else(|| {
            format!("`{text}` is no duration; a number above zero with a unit, such as 90s or 15min")
        })?),
    };
    let of_volume = |volume_m3| Increment {
        volume_m3,
        seconds: seconds.unwrap_or(HOUR_S),
        supply: hot,
        back: cold,
    };
    match (given.volume, given.mass, given.flow, seconds) {
        (None, None, None, None) => Ok(None),
        (Some(volume), None, None, None) => Ok(Some(of_volume(volume))),
        (None, Some(mass), None, None) => Increment::of_mass(meter, mass, HOUR_S, hot, cold)
            .map(Some)
            .map_err(said),
        (None, None, Some(flow), Some(seconds)) => Ok(Some(of_volume(flow * seconds / HOUR_S))),
        _ => Err(
            "how much flowed is said once: --volume, or --mass, or --flow with --for \
                  (`volume`, `mass`, `flow` with `for` in a file)"
                .to_owned(),
        ),
    }
}

fn one(given: &Given, meter: &HeatMeter) -> Result<Answer, String> {
    if given.greatest_flow.is_some() {
        return Err("`greatest_flow` is a cut-off for `increments`; leave it out".to_owned());
    }
    let hot = *need(given.flow_temp.as_ref(), "flow-temp")?;
    let cold = *need(given.return_temp.as_ref(), "return-temp")?;
    let pressure_pa = meter.pressure_pa;
    let k = meter.k_kwh(hot, cold).map_err(said)?;
    let mean_cp = meter.fluid.mean_cp(hot, cold, pressure_pa).map_err(said)?;
    let density = |celsius| meter.fluid.density(celsius, pressure_pa).map_err(said);
    let enthalpy = |celsius| meter.fluid.enthalpy(celsius, pressure_pa).map_err(said);
    let (rho_hot, rho_cold) = (density(hot)?, density(cold)?);
    let (h_hot, h_cold) = (enthalpy(hot)? / 1e3, enthalpy(cold)? / 1e3);
    let rho = meter.density(hot, cold).map_err(said)?;
    let increment = increment(given, meter, hot, cold)?;
    let energy = match &increment {
        None => None,
        Some(increment) => {
            let mut counted = Counted::default();
            counted
                .count(meter, &NO_CUT_OFFS, increment)
                .map_err(said)?;
            Some(counted.heat_j())
        }
    };
    let volume = increment.map(|increment| increment.volume_m3);
    let power = match given.flow {
        None => None,
        Some(flow) => Some(meter.power_w(flow, hot, cold).map_err(said)? / 1e3),
    };
    let mut cautions = cautions(meter, &[hot, cold]);
    cautions.extend(of_spread(hot - cold));
    let json = json!({
        "fluid": meter.fluid.to_string(),
        "sensor": pipe_name(meter.sensor),
        "pressure_bar": pressure_pa / PA_PER_BAR,
        "k_kwh_per_m3_k": k,
        "k_kj_per_m3_k": k * J_PER_KWH / 1e3,
        "energy_kwh": energy.map(|joules| joules / J_PER_KWH),
        "energy_mj": energy.map(|joules| joules / 1e6),
        "power_kw": power,
        "volume_m3": volume,
        "mass_kg": volume.map(|volume| volume * rho),
        "density_flow_kg_per_m3": rho_hot,
        "density_return_kg_per_m3": rho_cold,
        "enthalpy_flow_kj_per_kg": h_hot,
        "enthalpy_return_kj_per_kg": h_cold,
        "mean_heat_capacity_kj_per_kg_k": mean_cp / 1e3,
        "cautions": cautions,
    });
    let mut rows = vec![
        ("k", format!("{k:.6}"), "kWh/(m³·K)"),
        ("", format!("{:.3}", k * J_PER_KWH / 1e3), "kJ/(m³·K)"),
        ("density, flow", format!("{rho_hot:.3}"), "kg/m³"),
        ("density, return", format!("{rho_cold:.3}"), "kg/m³"),
        ("enthalpy, flow", format!("{h_hot:.3}"), "kJ/kg"),
        ("enthalpy, return", format!("{h_cold:.3}"), "kJ/kg"),
        (
            "mean heat capacity",
            format!("{:.4}", mean_cp / 1e3),
            "kJ/(kg·K)",
        ),
    ];
    if let Some(volume) = volume {
        rows.push(("volume", format!("{volume:.6}"), "m³"));
        rows.push(("mass", format!("{:.3}", volume * rho), "kg"));
    }
    rows.extend(power.map(|power| ("power", format!("{power:.6}"), "kW")));
    if let Some(joules) = energy {
        rows.push(("heat", format!("{:.6}", joules / J_PER_KWH), "kWh"));
        rows.push(("", format!("{:.6}", joules / 1e6), "MJ"));
    }
    let text = went_in(given, meter) + &section("heat", &rows) + &caution_text(&cautions);
    Ok(Answer { json, text })
}

/// A single sum sets nothing aside.
const NO_CUT_OFFS: CutOffs = CutOffs {
    flow_m3h: 0.0,
    spread_k: 0.0,
    least_spread_k: 0.0,
};

/// What to know beside a value.
pub(super) fn cautions(meter: &HeatMeter, temperatures: &[f64]) -> Vec<String> {
    let mut said: Vec<String> = temperatures
        .iter()
        .filter_map(|celsius| meter.fluid.caution(*celsius))
        .map(|caution| caution.to_string())
        .collect();
    said.dedup();
    said
}

/// What a heat meter, and the daemon with its usual cut-offs, would make of a spread.
fn of_spread(kelvin: f64) -> Option<String> {
    let usual = CutOffs::usual(0.0);
    let (spread, least) = (usual.spread_k, usual.least_spread_k);
    if kelvin.abs() < spread {
        Some(format!(
            "below a spread of {spread} K nothing is counted (`cut_off_spread` of the meter)"
        ))
    } else if usual.below_least_spread(kelvin) {
        Some(format!(
            "below ΔΘmin of {least} K the class of a meter promises nothing; the daemon marks such \
             heat `suspect`"
        ))
    } else if kelvin < 0.0 {
        Some(
            "the return is the hotter pipe: heat flows back, and is no heat supplied; are the \
             sensors exchanged?"
                .to_owned(),
        )
    } else {
        None
    }
}

pub(super) fn caution_text(cautions: &[String]) -> String {
    cautions
        .iter()
        .map(|caution| format!("note: {caution}\n"))
        .collect()
}

/// The numbers that went in, as a person reads them.
fn went_in(given: &Given, meter: &HeatMeter) -> String {
    let mut rows = vec![
        ("fluid", meter.fluid.to_string(), ""),
        ("flow sensor in", pipe_name(meter.sensor).to_owned(), ""),
        (
            "pressure",
            (meter.pressure_pa / PA_PER_BAR).to_string(),
            "bar absolute",
        ),
    ];
    for (what, value, unit) in [
        ("flow temperature", given.flow_temp, "°C"),
        ("return temperature", given.return_temp, "°C"),
        ("volume", given.volume, "m³"),
        ("mass", given.mass, "kg"),
        ("flow", given.flow, "m³/h"),
        ("greatest flow", given.greatest_flow, "m³/h"),
    ] {
        rows.extend(value.map(|value| (what, value.to_string(), unit)));
    }
    rows.extend(given.time.clone().map(|time| ("for", time, "")));
    section("given", &rows)
}
