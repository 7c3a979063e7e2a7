//! A list of increments for `sunledger calc heat`: heat over time, as the daemon sums it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::columns::{Side, columns};
use super::heat::{HOUR_S, PA_PER_BAR, caution_text, cautions, pipe_name, said};
use super::{Answer, section};
use crate::domain::heat::integration::{Counted, CutOffs, Increment, Place};
use crate::domain::heat::meter::{HeatMeter, J_PER_KWH};

/// What passed between two looks at the meter.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// m³ as the sensor counts it.
    volume: Option<f64>,
    /// kg.
    mass: Option<f64>,
    /// How long it took; needed for a cut-off of flow.
    seconds: Option<f64>,
    /// °C.
    #[serde(alias = "supply_temp")]
    flow_temp: f64,
    /// °C.
    return_temp: f64,
}

impl Step {
    fn increment(&self, meter: &HeatMeter, timed: bool) -> Result<Increment, String> {
        let seconds = match self.seconds {
            None if timed => {
                return Err("a cut-off of flow needs the time of each; say `seconds`".to_owned());
            }
            seconds => seconds.unwrap_or(HOUR_S),
        };
        let (supply, back) = (self.flow_temp, self.return_temp);
        match (self.volume, self.mass) {
            (Some(volume_m3), None) => Ok(Increment {
                volume_m3,
                seconds,
                supply,
                back,
            }),
            (None, Some(mass)) => {
                Increment::of_mass(meter, mass, seconds, supply, back).map_err(said)
            }
            _ => Err("say `volume` in m³ or `mass` in kg".to_owned()),
        }
    }
}

/// Where the heat of an increment went.
fn place_name(place: Place) -> &'static str {
    match place {
        Place::Positive => "counted",
        Place::Negative => "counted_negative",
        Place::BelowFlow => "below_flow",
        Place::BelowSpread => "below_spread",
    }
}

/// Sums increments with the cut-offs of a heat meter.
pub fn sum(
    meter: &HeatMeter,
    greatest_flow: Option<f64>,
    steps: &[Step],
) -> Result<Answer, String> {
    // Without a greatest flow there is no cut-off of flow.
    let cut_offs = CutOffs::usual(greatest_flow.unwrap_or(0.0));
    let mut all = Counted::default();
    let mut documents = Vec::new();
    let mut rows = vec![
        ["", "m³", "flow °C", "return °C", "kWh", ""]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (place, step) in steps.iter().enumerate() {
        let named = |sentence: String| format!("increments[{place}]: {sentence}");
        let increment = step
            .increment(meter, greatest_flow.is_some())
            .map_err(named)?;
        let mut counted = Counted::default();
        let went = counted
            .count(meter, &cut_offs, &increment)
            .map_err(|error| named(said(error)))?;
        all += counted;
        let kwh = counted.heat_j() / J_PER_KWH;
        documents.push(json!({
            "place": place_name(went),
            "energy_kwh": kwh,
            "set_aside_kwh": set_aside(&counted),
            "volume_m3": increment.volume_m3,
        }));
        rows.push(vec![
            place.to_string(),
            format!("{:.6}", increment.volume_m3),
            increment.supply.to_string(),
            increment.back.to_string(),
            format!("{kwh:.6}"),
            place_name(went).to_owned(),
        ]);
    }
    let temperatures: Vec<f64> = steps
        .iter()
        .flat_map(|step| [step.flow_temp, step.return_temp])
        .collect();
    let cautions = cautions(meter, &temperatures);
    let means = all.mean_temperatures();
    let kwh = |joules: f64| joules / J_PER_KWH;
    let json = json!({
        "fluid": meter.fluid.to_string(),
        "sensor": pipe_name(meter.sensor),
        "pressure_bar": meter.pressure_pa / PA_PER_BAR,
        "energy_kwh": kwh(all.heat_j()),
        "energy_mj": all.heat_j() / 1e6,
        "positive_kwh": kwh(all.positive.joules),
        "negative_kwh": kwh(all.negative.joules),
        "set_aside_kwh": set_aside(&all),
        "below_least_spread_kwh": kwh(all.below_least_spread.joules),
        "volume_m3": all.volume_m3(),
        "mean_flow_temp": means.map(|means| means.0),
        "mean_return_temp": means.map(|means| means.1),
        "increments": documents,
        "cautions": cautions,
    });
    let mean =
        |value: Option<f64>| value.map_or("unknown".to_owned(), |value| format!("{value:.3}"));
    let sums = [
        ("volume", format!("{:.6}", all.volume_m3()), "m³"),
        (
            "mean flow temperature, by volume",
            mean(means.map(|means| means.0)),
            "°C",
        ),
        (
            "mean return temperature, by volume",
            mean(means.map(|means| means.1)),
            "°C",
        ),
        (
            "set aside by the cut-offs",
            format!("{:.6}", set_aside(&all)),
            "kWh",
        ),
        (
            "heat to the load",
            format!("{:.6}", kwh(all.positive.joules)),
            "kWh",
        ),
        (
            "heat from the load",
            format!("{:.6}", kwh(all.negative.joules)),
            "kWh",
        ),
        ("heat", format!("{:.6}", kwh(all.heat_j())), "kWh"),
        ("", format!("{:.6}", all.heat_j() / 1e6), "MJ"),
    ];
    let sides = [Side::Right; 5];
    let text = format!(
        "increments:\n{}{}{}",
        columns(&rows, &sides),
        section("sum", &sums),
        caution_text(&cautions)
    );
    Ok(Answer { json, text })
}

/// What the cut-offs kept out of the heat, kWh.
fn set_aside(counted: &Counted) -> f64 {
    (counted.below_flow.joules + counted.below_spread.joules) / J_PER_KWH
}
