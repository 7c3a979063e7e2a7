//! Says once when a heat register and the heat computed beside it begin to differ, and
//! once when they agree again.

use tracing::{info, warn};

use crate::domain::meter::Park;
use crate::engine::{Frame, HeatCheck};

/// Whether each meter's two numbers agreed when last compared.
#[derive(Debug, Default)]
pub struct Agreements(Vec<Option<bool>>);

impl Agreements {
    /// Comparisons whose outcome is another one than before, by place of the meter. One
    /// that agrees from the start is nothing to say.
    fn news(&mut self, frame: &Frame) -> Vec<(usize, HeatCheck)> {
        self.0.resize(frame.meters.len(), None);
        let mut news = Vec::new();
        for (place, (meter, known)) in frame.meters.iter().zip(&mut self.0).enumerate() {
            let Some(check) = meter.heat.and_then(|heat| heat.check) else {
                continue;
            };
            if known.replace(check.agrees).unwrap_or(true) != check.agrees {
                news.push((place, check));
            }
        }
        news
    }

    /// Writes what is new to the log.
    pub fn tell(&mut self, park: &Park, frame: &Frame) {
        for (place, check) in self.news(frame) {
            let meter = park.meters.get(place).map_or("", |meter| &*meter.id);
            if check.agrees {
                info!(meter, %check, "The heat register and the computed heat agree again.");
            } else {
                warn!(meter, %check, "The heat register and the computed heat differ.");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::balance::powers;
    use crate::domain::heat::integration::Counted;
    use crate::domain::interval::Span;
    use crate::domain::quality::{Gaps, Quality};
    use crate::domain::units::MilliwattHours;
    use crate::engine::today::Ratios;
    use crate::engine::{MeterHeat, MeterNow};

    fn frame(agrees: Option<bool>) -> Frame {
        let epoch = Timestamp::UNIX_EPOCH;
        let check = agrees.map(|agrees| HeatCheck {
            span: Span {
                start: epoch,
                end: epoch,
            },
            register: MilliwattHours(1_000),
            computed: MilliwattHours(900),
            relative: Some(-0.1),
            agrees,
        });
        let park = Park {
            id: "p".into(),
            name: String::new(),
            time_zone: jiff::tz::TimeZone::UTC,
            settlement_minutes: 15,
            latitude: 0.0,
            longitude: 0.0,
            meters: Vec::new(),
            every_load_metered: false,
            losses: None,
            relations: crate::domain::relations::Relations::default(),
        };
        Frame {
            at: epoch,
            powers: powers(&park, &|_, _| Err(Gaps::config())),
            meters: vec![MeterNow {
                quality: Quality::Good,
                reason: None,
                age_s: None,
                power_w: None,
                heat_power_w: None,
                trouble: None,
                notes: Vec::new(),
                loss: None,
                heat: Some(MeterHeat {
                    counted: Counted::default(),
                    check,
                }),
            }],
            ratios: Ratios::default(),
            open: Arc::from([]),
            findings: Arc::from([]),
            closure: Arc::default(),
        }
    }

    #[test]
    fn a_change_is_said_once_and_agreement_from_the_start_is_no_change() {
        let mut agreements = Agreements::default();
        #[rustfmt::skip]
        let story = [
            (None, 0), (Some(true), 0), (Some(true), 0), (Some(false), 1), (Some(false), 0),
            (None, 0), (Some(false), 0), (Some(true), 1), (Some(true), 0),
        ];
        for (step, (agrees, news)) in story.into_iter().enumerate() {
            assert_eq!(agreements.news(&frame(agrees)).len(), news, "{step}");
        }
        let mut differs_at_once = Agreements::default();
        assert_eq!(differs_at_once.news(&frame(Some(false))).len(), 1);
    }
}
