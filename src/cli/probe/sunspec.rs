//! What a `SunSpec` device says: its models, and every point of those that are known.

use serde_json::{Value as Json, json};

use crate::cli::asking::Asker;
use crate::cli::columns::{Side, columns};
use crate::domain::snapshot::Value;
use crate::source::modbus::discover::{Undiscovered, discover};
use crate::source::modbus::link::Failure;
use crate::wire::modbus::timing::Timing;
use crate::wire::plan::{Limits, Span, plan};
use crate::wire::sunspec::{Chain, Shown, model, points};

use super::views::float;

/// A point with what the device says of it.
pub struct Said {
    /// The place of its model in the chain.
    model: usize,
    shown: Shown,
    value: Result<f64, String>,
}

/// A device.
pub struct Device {
    /// Its models.
    pub chain: Chain,
    said: Vec<Said>,
}

/// Walks the models of a unit and reads their points.
///
/// # Errors
///
/// Why it has no models, and the failure where it does not answer.
pub async fn read(asker: &mut Asker, unit: u8) -> Result<Device, (String, Option<Failure>)> {
    let chain = match discover(asker, unit).await {
        Ok(chain) => chain,
        Err(Undiscovered::Lost(lost)) => return Err((lost.to_string(), None)),
        Err(Undiscovered::Failed(failure)) => return Err((asker.words(&failure), Some(failure))),
    };
    let mut said: Vec<Said> = Vec::new();
    for (place, found) in chain.models.iter().enumerate() {
        said.extend(points(found).into_iter().map(|shown| Said {
            model: place,
            shown,
            value: Err("more registers than one answer has".to_owned()),
        }));
    }
    let spans: Vec<Span> = said.iter().map(|said| said.shown.layout.span()).collect();
    for request in plan(&spans, &Limits::default(), &[], &Timing::NETWORK) {
        let came = asker
            .ask(unit, request.fc, request.address, request.count)
            .await;
        for place in &request.points {
            let Some(said) = said.get_mut(*place) else {
                continue;
            };
            said.value = match &came {
                Err(failure) => Err(asker.words(failure)),
                Ok(words) => match said.shown.layout.value(request.address, words, &[]) {
                    Ok(Value::Analog(value)) => Ok(value),
                    Ok(_) => Err("no momentary value".to_owned()),
                    Err(reason) => Err(reason.name().to_owned()),
                },
            };
        }
    }
    Ok(Device { chain, said })
}

impl Device {
    fn of(&self, place: usize) -> impl Iterator<Item = &Said> {
        self.said.iter().filter(move |said| said.model == place)
    }

    /// The device for people.
    #[must_use]
    pub fn text(&self) -> String {
        let identity = &self.chain.identity;
        let mut text = format!(
            "SunSpec at register {}: {} {}, firmware {}, serial number {}\n",
            self.chain.base,
            or_dash(&identity.manufacturer),
            or_dash(&identity.model),
            or_dash(&identity.version),
            or_dash(&identity.serial),
        );
        for (place, found) in self.chain.models.iter().enumerate() {
            let name = match found.id {
                1 => "common",
                id => model(id).map_or("not known here, stepped over", |model| model.name),
            };
            text.push_str(&format!(
                "\nmodel {} ({name}) at register {}, {} registers\n",
                found.id, found.address, found.length
            ));
            let rows: Vec<Vec<String>> = self.of(place).map(row).collect();
            text.push_str(&columns(&rows, &[Side::Left, Side::Right]));
        }
        if !self.chain.marked_end {
            text.push_str("\nThe device does not mark the end of its models.\n");
        }
        text
    }

    /// The device for programs.
    #[must_use]
    pub fn json(&self) -> Json {
        let models = self.chain.models.iter().enumerate().map(|(place, found)| {
            let points: Vec<Json> = self.of(place).map(point_json).collect();
            json!({
                "id": found.id,
                "name": model(found.id).map(|model| model.name),
                "address": found.address,
                "length": found.length,
                "points": points,
            })
        });
        let identity = &self.chain.identity;
        json!({
            "base": self.chain.base,
            "manufacturer": identity.manufacturer,
            "model": identity.model,
            "version": identity.version,
            "serial": identity.serial,
            "models": models.collect::<Vec<_>>(),
        })
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}

fn row(said: &Said) -> Vec<String> {
    let shown = &said.shown;
    let name = match shown.part {
        Some(part) => format!("{} {part}", shown.name),
        None => shown.name.to_owned(),
    };
    let (value, unit) = match &said.value {
        Ok(value) => (float(*value, false), shown.unit.to_owned()),
        Err(why) => ("–".to_owned(), why.clone()),
    };
    vec![name, value, unit, shown.quantity.to_owned()]
}

fn point_json(said: &Said) -> Json {
    json!({
        "name": said.shown.name,
        "part": said.shown.part,
        "quantity": said.shown.quantity,
        "address": said.shown.layout.field.address,
        "value": said.value.as_ref().ok(),
        "unit": said.shown.unit,
        "reason": said.value.as_ref().err(),
    })
}
