//! The points of a device for people, and for programs.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::device::{Device, Said};
use super::views::float;
use crate::cli::columns::{Side, columns};
use crate::config::template::{DevicePoint, Ready, Template};
use crate::domain::snapshot::Value;

/// Watt-hours in the kilowatt-hour that displays show.
const KWH: f64 = 1_000.0;
/// Milliwatt-hours in a watt-hour.
const MWH: f64 = 1_000.0;

/// A value with its unit, as displays show it.
fn shown(ready: &Ready, value: Value) -> (String, &'static str) {
    match energy(ready, value) {
        Some(wh) if ready.quantity.unit == "Wh" => (float(wh / KWH, false), "kWh"),
        Some(wh) => (float(wh, false), ready.quantity.unit),
        None => match value {
            Value::Analog(value) => (float(value, false), ready.quantity.unit),
            Value::Count(count) | Value::Scaled { count, .. } => (count.to_string(), "counts"),
        },
    }
}

/// What a register amounts to, in watt-hours.
fn energy(ready: &Ready, value: Value) -> Option<f64> {
    let (count, unit) = match value {
        Value::Analog(_) => return None,
        Value::Count(count) => (count, ready.register?.unit),
        Value::Scaled { count, unit, .. } => (count, unit),
    };
    let energy = unit.energy(i128::from(count));
    Some(crate::domain::units::to_f64(energy.0) / MWH)
}

impl Device {
    /// Whether it is the device of the template; none where the template cannot tell.
    #[must_use]
    pub fn is_it(&self) -> Option<bool> {
        let mut held = self.identified.iter().map(|(_, held)| held.is_ok());
        (!self.identified.is_empty()).then(|| held.all(|held| held))
    }

    fn spec(&self, said: &Said) -> Option<&DevicePoint> {
        let mut points = self.chosen.template.points_under(&self.chosen.choices);
        points.find(|point| point.spec.quantity.name == said.ready.quantity.name)
    }

    fn positive(&self, said: &Said) -> Option<&'static str> {
        Some(self.spec(said)?.spec.positive?.name())
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let template: &Template = &self.chosen.template;
        let mut text = format!(
            "{}: {} {}\n",
            template.name, template.manufacturer, template.model
        );
        for (expect, held) in &self.identified {
            text.push_str(&match held {
                Ok(()) => format!("  ✓ {}: as it should be\n", expect.about),
                Err(found) => format!(
                    "  ✗ {} (register {}) should be {}, and is {found}\n",
                    expect.about, expect.field.address, expect.wants
                ),
            });
        }
        text.push_str(match self.is_it() {
            Some(true) => "  it is this device\n",
            Some(false) => {
                "  IT IS ANOTHER DEVICE, or another firmware: the values below mean nothing\n"
            }
            None => "  nothing in its registers tells this device from another; compare with the display\n",
        });
        for (factor, value) in &self.factors {
            let said = match value {
                Ok(value) => float(*value, false),
                Err(why) => format!("– ({why})"),
            };
            text.push_str(&format!(
                "  ratio {} (register {}): {said}\n",
                factor.name, factor.field.address
            ));
        }
        for (option, choice) in &self.chosen.choices {
            text.push_str(&format!("  option {option} = {choice}\n"));
        }
        text.push('\n');
        let head = [
            "quantity",
            "value",
            "unit",
            "positive is",
            "fc",
            "address",
            "raw",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.said.iter().map(|said| self.row(said)));
        text.push_str(&columns(&rows, &[Side::Left, Side::Right]));
        text
    }

    fn row(&self, said: &Said) -> Vec<String> {
        let layout = &said.ready.layout;
        let raw: Vec<String> = said.raw.iter().map(|word| format!("{word:04X}")).collect();
        let (value, unit) = match &said.value {
            Ok(value) => {
                let (value, unit) = shown(&said.ready, *value);
                (value, unit.to_owned())
            }
            Err(why) => ("–".to_owned(), why.clone()),
        };
        vec![
            said.ready.quantity.name.to_owned(),
            value,
            unit,
            self.positive(said).unwrap_or_default().to_owned(),
            layout.fc.to_string(),
            layout.span().address.to_string(),
            raw.join(" "),
        ]
    }

    /// For programs: values in canonical units, registers in Wh.
    #[must_use]
    pub fn json(&self, endpoint: &str, unit: u8) -> Json {
        let points = self.said.iter().map(|said| {
            let value = said.value.as_ref().ok().map(|value| match value {
                Value::Analog(value) => json!(value),
                other => json!(energy(&said.ready, *other)),
            });
            json!({
                "quantity": said.ready.quantity.name,
                "value": value,
                "unit": said.ready.quantity.unit,
                "positive": self.positive(said),
                "fc": said.ready.layout.fc,
                "address": said.ready.layout.span().address,
                "raw": said.raw.iter().map(|word| format!("{word:04X}")).collect::<Vec<_>>(),
                "reason": said.value.as_ref().err(),
            })
        });
        let identified = self.identified.iter().map(|(expect, held)| {
            json!({
                "about": expect.about,
                "address": expect.field.address,
                "wants": expect.wants.to_string(),
                "holds": held.is_ok(),
                "found": held.as_ref().err(),
            })
        });
        let factors: BTreeMap<&str, Option<f64>> = self
            .factors
            .iter()
            .map(|(factor, value)| (&*factor.name, value.as_ref().ok().copied()))
            .collect();
        json!({
            "endpoint": endpoint,
            "unit": unit,
            "template": self.chosen.template.name,
            "options": self.chosen.choices,
            "matches": self.is_it(),
            "identify": identified.collect::<Vec<_>>(),
            "ratios": factors,
            "points": points.collect::<Vec<_>>(),
        })
    }
}
