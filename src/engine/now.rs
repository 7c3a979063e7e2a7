//! What is known of a meter at a moment: its powers, and how good they are.
//!
//! A power comes from the meter's own reading, or for heat from its flow and its two
//! temperatures. **A register that is refused is as much the meter as its power is**:
//! the live view answers with the power, and says that the meter is not well.

use jiff::Timestamp;

use super::book::MeterBook;
use super::check::HeatCheck;
use super::heat::shown_from;
use super::{Engine, MeterNow};
use crate::domain::flow::{Known, Stated};
use crate::domain::heat::integration::Counted;
use crate::domain::interval::Origin;
use crate::domain::meter::{Carrier, Meter, MeterIndex};
use crate::domain::quality::{Gaps, Quality, Reason};
use crate::domain::snapshot::{Value, age};

/// What was counted of a meter's heat since its first look at the pipes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeterHeat {
    /// Both directions, and what was set aside.
    pub counted: Counted,
    /// What a certified register beside it says of it.
    pub check: Option<HeatCheck>,
}

impl MeterHeat {
    fn of(book: &MeterBook) -> Option<Self> {
        Some(Self {
            counted: *book.heat()?.counted(),
            check: book.compared(),
        })
    }
}

/// Whether a meter's heat power is computed: a register of volume alone has no moment.
fn computes_power(meter: &Meter) -> bool {
    meter.heat_from_flow.is_some() && shown_from(meter).is_some()
}

impl Engine {
    /// The power of a meter in a balance, W.
    pub fn power(&self, index: MeterIndex, carrier: Carrier, now: Timestamp) -> Stated<f64> {
        let Some(meter) = self.park.meters.get(index) else {
            return Err(Gaps::config());
        };
        if let Some(expression) = self.park.relations.expression(&meter.id) {
            return self.derived_power(expression, carrier, now);
        }
        if let Some(one) = self.park.relations.lost(&meter.id) {
            return self.lost_power(one, now);
        }
        let gap = |reason| Gaps::one(&meter.id, reason);
        if let Some(point) = meter.power_point(carrier) {
            let standing = self
                .snapshot
                .standing(meter, index, point, now)
                .map_err(gap)?;
            let Value::Analog(value) = standing.value else {
                return Err(gap(Reason::Config));
            };
            return Ok(Known {
                oldest: Some(standing.at),
                ..Known::given(value)
            });
        }
        if carrier == Carrier::Electricity || !computes_power(meter) {
            return Err(gap(Reason::Config));
        }
        self.computed_heat(meter, index, now)
            .map(|shown| shown.known)
            .map_err(|unknown| gap(unknown.reason()))
    }

    pub(super) fn meter_now(&self, index: MeterIndex, now: Timestamp) -> MeterNow {
        let Some(meter) = self.park.meters.get(index) else {
            return MeterNow {
                quality: Quality::Missing,
                reason: Some(Reason::Config),
                age_s: None,
                power_w: None,
                heat_power_w: None,
                trouble: None,
                notes: Vec::new(),
                heat: None,
                loss: None,
            };
        };
        let newest = (0..meter.points.len())
            .filter_map(|point| self.snapshot.last(index, point).0)
            .map(|standing| standing.at)
            .max();
        let side = |carrier| {
            let has = meter.power_point(carrier).is_some()
                || (carrier == Carrier::Heat && computes_power(meter));
            has.then(|| self.power(index, carrier, now))
        };
        let electricity = meter
            .role
            .electricity
            .and_then(|_| side(Carrier::Electricity));
        let heat = meter.role.heat.and_then(|_| side(Carrier::Heat));
        let both = electricity.is_some();
        let mut reason = None;
        let mut quality = Quality::Good;
        let mut see = |stated: &Stated<f64>| match stated {
            Ok(known) => quality = quality.worst(known.quality),
            Err(gaps) => {
                reason = reason.or(gaps.list().first().map(|gap| gap.reason));
                let stale = reason == Some(Reason::Stale) && newest.is_some();
                quality = quality.worst(if stale {
                    Quality::Stale
                } else {
                    Quality::Missing
                });
            }
        };
        match (&electricity, &heat) {
            (None, None) => {
                for point in 0..meter.points.len() {
                    let standing = self.snapshot.standing(meter, index, point, now);
                    see(&standing
                        .map(|_| Known::given(0.0))
                        .map_err(|reason| Gaps::one(&meter.id, reason)));
                }
            }
            (electricity, heat) => electricity.iter().chain(heat).for_each(&mut see),
        }
        // A register that settles is as much the meter as its power is.
        let tracks = self.books.get(index).map_or(&[][..], MeterBook::tracks);
        for track in tracks {
            if let Some(Origin::Register(point)) = track.origin()
                && let Err(reason) = self.snapshot.standing(meter, index, point, now)
            {
                see(&Err(Gaps::one(&meter.id, reason)));
            }
        }
        let watts = |stated: &Option<Stated<f64>>| {
            stated
                .as_ref()
                .and_then(|stated| stated.as_ref().ok())
                .map(|known| known.value)
        };
        let relations = &self.park.relations;
        let (trouble, notes) = match relations.lost(&meter.id) {
            Some(one) => self.told_of_loss(one, now),
            None => self.told_of_heat(meter, index, now),
        };
        let loss = relations.compensation(&meter.id);
        let loss = loss.and_then(|one| Some(self.loss(one, now).ok()?.0));
        MeterNow {
            quality,
            reason,
            trouble,
            notes,
            loss,
            heat: self.books.get(index).and_then(MeterHeat::of),
            age_s: newest
                .or_else(|| oldest(electricity.as_ref().or(heat.as_ref())))
                .map(|at| age(at, now).as_secs_f64()),
            power_w: if both {
                watts(&electricity)
            } else {
                watts(&heat)
            },
            heat_power_w: if both { watts(&heat) } else { None },
        }
    }
}

/// The oldest reading that a power rests on.
fn oldest(power: Option<&Stated<f64>>) -> Option<jiff::Timestamp> {
    power?.as_ref().ok()?.oldest
}
