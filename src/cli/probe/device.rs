//! All points of a template, as a device says them now.
//!
//! Values have the sign of the device: a template knows no role, and it says what
//! positive means. **A device that is another one is told first**, before a number of it
//! is shown.

use super::choose::Chosen;
use crate::cli::asking::{Asker, is_answer};
use crate::config::template::{DevicePoint, Ready, Site};
use crate::domain::snapshot::Value;
use crate::source::modbus::link::Failure;
use crate::source::modbus::{Expect, Factor};
use crate::wire::modbus::timing::Timing;
use crate::wire::plan::{Request, Span, plan};

/// Points of a refused block that are read alone.
const ALONE: usize = 40;

/// What a device says of one point.
pub struct Said {
    /// The point.
    pub ready: Ready,
    /// Its registers.
    pub raw: Vec<u16>,
    /// Its value, or why there is none.
    pub value: Result<Value, String>,
}

/// A device as its template sees it.
pub struct Device {
    /// Its template.
    pub chosen: Chosen,
    /// Ratios that it keeps in registers.
    pub factors: Vec<(Factor, Result<f64, String>)>,
    /// What it should hold, and what it holds instead.
    pub identified: Vec<(Expect, Result<(), String>)>,
    /// Its points.
    pub said: Vec<Said>,
}

/// Reads everything.
///
/// # Errors
///
/// The failure, where it answers nothing at all.
pub async fn read(asker: &mut Asker, unit: u8, chosen: Chosen) -> Result<Device, Failure> {
    let mut reading = Reading {
        asker,
        unit,
        answered: false,
        failure: None,
    };
    let template = &chosen.template;
    let mut identified = Vec::new();
    for expect in &template.identify {
        let said = reading
            .words(expect.fc, expect.field.address, expect.words())
            .await;
        let held = said.and_then(|words| expect.holds(expect.field.address, &words));
        identified.push((expect.clone(), held));
    }
    let ready = template
        .ready(&Site::of(None), &chosen.choices, |_: &DevicePoint| true)
        .unwrap_or_default();
    let mut factors = Vec::new();
    for factor in ready.factors {
        let address = factor.field.address;
        let said = reading
            .words(factor.fc, address, factor.field.number.words())
            .await;
        let value = said.and_then(|words| {
            let value = factor.value(address, &words);
            value.map_err(|reason| reason.name().to_owned())
        });
        factors.push((factor, value));
    }
    let told: Vec<f64> = factors
        .iter()
        .map(|(_, value)| value.as_ref().copied().unwrap_or(f64::NAN))
        .collect();
    let mut said: Vec<Said> = ready
        .points
        .into_iter()
        .map(|ready| Said {
            ready,
            raw: Vec::new(),
            value: Err("not read".to_owned()),
        })
        .collect();
    let spans: Vec<Span> = said.iter().map(|said| said.ready.layout.span()).collect();
    let limits = template.protocol.limits.plan();
    let mut alone = ALONE;
    for request in plan(&spans, &limits, &[], &Timing::NETWORK) {
        reading.points(&request, &mut said, &told, &mut alone).await;
    }
    match (reading.answered, reading.failure) {
        (false, Some(failure)) => Err(failure),
        _ => Ok(Device {
            chosen,
            factors,
            identified,
            said,
        }),
    }
}

struct Reading<'a> {
    asker: &'a mut Asker,
    unit: u8,
    answered: bool,
    failure: Option<Failure>,
}

impl Reading<'_> {
    async fn words(&mut self, fc: u8, address: u16, count: u16) -> Result<Vec<u16>, String> {
        // Where nothing answered twice nothing will.
        if let (Some(failure), false, true) = (&self.failure, self.answered, self.asker.asked > 1) {
            return Err(self.asker.words(failure));
        }
        match self.asker.ask(self.unit, fc, address, count).await {
            Ok(words) => {
                self.answered = true;
                Ok(words)
            }
            Err(failure) => {
                self.answered |= is_answer(&failure);
                let words = self.asker.words(&failure);
                self.failure = Some(failure);
                Err(words)
            }
        }
    }

    /// Reads a block of points; where it is refused, each of them alone.
    async fn points(
        &mut self,
        request: &Request,
        said: &mut [Said],
        factors: &[f64],
        alone: &mut usize,
    ) {
        let block = self.words(request.fc, request.address, request.count).await;
        for place in &request.points {
            let Some(said) = said.get_mut(*place) else {
                continue;
            };
            let span = said.ready.layout.span();
            let (base, words) = match &block {
                Ok(words) => (request.address, Ok(words.clone())),
                Err(_) if request.points.len() > 1 && *alone > 0 => {
                    *alone -= 1;
                    let own = self.words(span.fc, span.address, span.count).await;
                    (span.address, own)
                }
                Err(why) => (span.address, Err(why.clone())),
            };
            said.value = words.and_then(|words| {
                let from = usize::from(span.address.saturating_sub(base));
                let own = words.iter().skip(from).take(usize::from(span.count));
                said.raw = own.copied().collect();
                let value = said.ready.layout.value(base, &words, factors);
                value.map_err(|reason| reason.name().to_owned())
            });
        }
    }
}
