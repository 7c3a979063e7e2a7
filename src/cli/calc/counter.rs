//! `sunledger calc counter`: what the daemon makes of two readings of a register.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::Failure;
use super::decimal::Decimal;
use super::judged::{Judged, Register, Scale, Segment, meaning, word};
use super::{Answer, Asked, answer, need, section};
use crate::domain::units::MilliwattHours;

/// What 1 of a reading is worth where nothing is said.
const KWH: &str = "1kWh";

/// Arguments of `calc counter`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    asked: Asked,
}

/// What goes in. Readings are as the register shows them.
#[derive(Debug, Clone, clap::Args, Serialize, Deserialize)]
#[group(id = "numbers", multiple = true, conflicts_with = "file")]
#[serde(deny_unknown_fields)]
struct Given {
    /// The earlier reading, as shown
    #[arg(long, value_name = "READING", allow_negative_numbers = true)]
    old: Option<Decimal>,
    /// The later reading, as shown
    #[arg(long, value_name = "READING", allow_negative_numbers = true)]
    new: Option<Decimal>,
    /// Where the register starts again at zero
    #[arg(long, value_name = "READING")]
    modulus: Option<Decimal>,
    /// The same by its digits before the point: 5 is 100000
    #[arg(long, value_name = "COUNT")]
    digits: Option<u32>,
    /// The same by its bits: 16 or 32; 64 never start again
    #[arg(long, value_name = "COUNT")]
    bits: Option<u32>,
    /// What 1 of a reading is worth, such as 0.1kWh [default: 1kWh]
    #[arg(long, value_name = "ENERGY")]
    unit: Option<String>,
    /// Factor of the transformers, CT × VT [default: 1]
    #[arg(long, value_name = "FACTOR")]
    multiplier: Option<Decimal>,
    /// Nameplate power, such as 250kW
    #[arg(long, value_name = "POWER")]
    rated: Option<String>,
    /// Seconds between the readings
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// The most it can have advanced, in place of nameplate and time
    #[arg(long, value_name = "READING")]
    max_plausible: Option<Decimal>,
    /// The meter was exchanged: last of the old, first of the new, the new one's factor
    #[arg(long = "exchange", value_name = "OLD_END,NEW_START[,MULTIPLIER]")]
    #[serde(default)]
    exchanges: Vec<Exchange>,
}

/// An exchange of the meter between the readings.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    old_end: Decimal,
    new_start: Decimal,
    multiplier: Option<Decimal>,
}

impl FromStr for Exchange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<Decimal> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        let (old_end, new_start, multiplier) = match parts.as_slice() {
            [end, start] => (*end, *start, None),
            [end, start, factor] => (*end, *start, Some(*factor)),
            _ => return Err("write OLD_END,NEW_START or OLD_END,NEW_START,MULTIPLIER".to_owned()),
        };
        Ok(Self {
            old_end,
            new_start,
            multiplier,
        })
    }
}

/// A counter from flags or a file.
///
/// # Errors
///
/// Those of [`super::run`].
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    answer(&arguments.asked, || Ok(arguments.given.clone()), sum)
}

fn sum(given: &Given) -> Result<Answer, String> {
    let exchanges = given.exchanges.iter();
    let exchanged = exchanges.flat_map(|one| [one.old_end, one.new_start]);
    let readings = [given.old, given.new].into_iter().flatten();
    let register = Register {
        modulus: (given.modulus, given.digits, given.bits),
        unit: given.unit.as_deref().unwrap_or(KWH),
        rated: given.rated.as_deref(),
        seconds: given.seconds,
        most: given.max_plausible,
    };
    let scale = Scale::of(register, readings.chain(exchanged))?;
    let mut judged = Vec::new();
    for segment in segments(given)? {
        judged.push(scale.judge(segment)?);
    }
    let advanced: Option<Vec<(i128, MilliwattHours)>> =
        judged.iter().map(Judged::advanced).collect();
    let energy: Option<MilliwattHours> = advanced
        .as_ref()
        .map(|all| all.iter().map(|one| one.1).sum());
    let shown = |counts: i128| {
        Decimal {
            digits: counts,
            places: scale.places,
        }
        .to_string()
    };
    // The worst word of all segments; doubt is worse than a rollover.
    let status = judged
        .iter()
        .map(|one| word(one.step))
        .max_by_key(|word| word.0)
        .unwrap_or((0, "ok"));
    let only = match judged.as_slice() {
        [one] => Some(one),
        _ => None,
    };
    let json = json!({
        "status": status.1,
        "delta": only.and_then(Judged::advanced).map(|one| shown(one.0)),
        "energy_wh": energy.map(MilliwattHours::to_wh_string),
        "energy_kwh": energy.map(MilliwattHours::to_kwh_string),
        "max_plausible": only.and_then(|one| one.most).map(shown),
        "modulus": scale.modulus.map(shown),
        "segments": judged.iter().map(|one| one.json(&shown)).collect::<Vec<_>>(),
    });
    let mut text = went_in(given, &scale, &shown);
    for one in &judged {
        text += &one.text(&shown);
    }
    text += &format!("{}: {}\n", status.1, meaning(status.1));
    text += &match energy {
        Some(energy) => format!("energy: {} kWh\n", energy.to_kwh_string()),
        None => "energy: unknown, none is booked\n".to_owned(),
    };
    Ok(Answer { json, text })
}

/// The stretches between the exchanges.
fn segments(given: &Given) -> Result<Vec<Segment>, String> {
    let mut from = *need(given.old.as_ref(), "old")?;
    let new = *need(given.new.as_ref(), "new")?;
    let mut multiplier = given.multiplier.unwrap_or(Decimal::whole(1));
    let mut all = Vec::new();
    for exchange in &given.exchanges {
        all.push(Segment {
            from,
            to: exchange.old_end,
            multiplier,
        });
        from = exchange.new_start;
        multiplier = exchange.multiplier.unwrap_or(multiplier);
    }
    all.push(Segment {
        from,
        to: new,
        multiplier,
    });
    Ok(all)
}

fn went_in(given: &Given, scale: &Scale<'_>, shown: &impl Fn(i128) -> String) -> String {
    let mut rows = vec![(
        "1 of a reading is",
        given.unit.clone().unwrap_or(KWH.to_owned()),
        "",
    )];
    rows.extend(
        scale
            .modulus
            .map(|modulus| ("starts again at", shown(modulus), "")),
    );
    rows.extend(
        given
            .rated
            .clone()
            .map(|rated| ("nameplate power", rated, "")),
    );
    rows.extend(
        given
            .seconds
            .map(|seconds| ("between the readings", seconds.to_string(), "s")),
    );
    section("given", &rows)
}
