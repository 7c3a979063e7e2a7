//! Equipment that makes heat of work: a heat pump, an electric boiler. It links the two
//! balances, and its number is heat over work at the boundary of its two meters.

use std::sync::Arc;

use super::books::{Slot, kwh, total};
use super::live::Moment;
use super::number::{Indicator, Number, all, derived};
use crate::domain::heat::system::{boiler_efficiency, coefficient_of_performance};
use crate::domain::meter::{Carrier, Meter, Park};

/// The two meters of a conversion; one that says both sides stands twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The meter of the work.
    pub electricity: Arc<str>,
    /// The meter of the heat.
    pub heat: Arc<str>,
}

/// Whether a meter says work and heat.
pub(super) fn says_both(meter: &Meter) -> bool {
    let says = |carrier| {
        meter.power_point(carrier).is_some()
            || meter.register(carrier, true).is_some()
            || (carrier == Carrier::Heat && meter.heat_from_flow.is_some())
    };
    says(Carrier::Electricity) && says(Carrier::Heat)
}

/// The name of heat over work, and its formula.
type Ratio = (&'static str, fn(f64, f64) -> Option<f64>);

/// Of a heat pump.
pub(super) const COP: Ratio = ("cop", coefficient_of_performance);
/// Of an electric boiler.
pub(super) const EFFICIENCY: Ratio = ("efficiency", boiler_efficiency);

impl Conversion {
    pub(super) fn now(&self, (name, of): Ratio, moment: &Moment<'_>) -> Vec<Number> {
        let work = (moment.power)(&self.electricity, Carrier::Electricity);
        let heat = (moment.power)(&self.heat, Carrier::Heat);
        let both = all([&work, &heat])
            .map(|known| derived(known.with(of(known.value[1], known.value[0]))));
        vec![
            Number::new("electricity_w", work),
            Number::new("heat_w", heat),
            Number::ratio(name, both, "no work is done"),
        ]
    }

    pub(super) fn indicators(
        &self,
        (name, of): Ratio,
        park: &Park,
        slots: &[Slot],
    ) -> Vec<Indicator> {
        let work = |slot: &Slot| slot.net(park, &self.electricity, Carrier::Electricity);
        let heat = |slot: &Slot| slot.net(park, &self.heat, Carrier::Heat);
        let both = total(slots, |slot| vec![heat(slot), work(slot)]);
        let ratio = |sums: &[f64]| match sums {
            [heat, work] => of(*heat, *work),
            _ => None,
        };
        vec![
            total(slots, |slot| vec![work(slot)]).indicator("electricity", "kWh", kwh),
            total(slots, |slot| vec![heat(slot)]).indicator("heat", "kWh", kwh),
            both.indicator(name, "", ratio),
        ]
    }
}
