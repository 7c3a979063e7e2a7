//! Today's ratios: self-consumption, self-sufficiency, solar fraction.
//!
//! Ratios are ratios of summed energies, never means of ratios. They cover the
//! park's local day so far, closed intervals and the open ones. An interval in which
//! a needed energy is unknown would make a partial sum pass for a whole one: they
//! begin anew behind it, and [`Ratios::from`] says where. 0/0 is unknown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::balance::ratio;
use crate::domain::flow::Flow;
use crate::domain::interval::Interval;
use crate::domain::time::{day, local_date};
use crate::domain::units::MilliwattHours;

/// Ratios of a day's energies.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ratios {
    /// Part of generation that is used on site.
    pub self_consumption: Option<f64>,
    /// Part of the load that needs no grid.
    pub self_sufficiency: Option<f64>,
    /// Part of the heat made that comes from the solar field.
    pub solar_fraction: Option<f64>,
    /// Start of the first interval they cover.
    pub from: Option<Timestamp>,
}

/// The settled intervals of today.
#[derive(Debug, Default)]
pub struct Today {
    intervals: BTreeMap<i64, Interval>,
}

impl Today {
    /// Takes in an interval, or its next revision.
    pub fn settle(&mut self, interval: &Interval) {
        self.intervals
            .insert(interval.span.start.as_millisecond(), interval.clone());
    }

    /// The ratios at `now`.
    pub fn ratios(&mut self, now: Timestamp, zone: &TimeZone, open: &[Interval]) -> Ratios {
        let Some(today) = day(local_date(now, zone), zone) else {
            return Ratios::default();
        };
        let midnight = today.start.as_millisecond();
        self.intervals = self.intervals.split_off(&midnight);
        let settled = self.intervals.values();
        let mut all: Vec<&Interval> = settled
            .chain(open.iter().filter(|open| open.span.start >= today.start))
            .filter(|interval| interval.span.start < today.end)
            .collect();
        if let Some(last) = all.iter().rposition(|interval| is_broken(interval)) {
            all.drain(..=last);
        }
        let sum = |flow: Flow| -> Option<f64> {
            let total: Option<MilliwattHours> =
                all.iter().map(|interval| known(interval, flow)).sum();
            total.map(MilliwattHours::as_watt_hours)
        };
        let sufficiency = ratio(sum(Flow::Import), sum(Flow::Load)).map(|import| 1.0 - import);
        let made = MADE.into_iter().map(sum).sum::<Option<f64>>();
        Ratios {
            self_consumption: ratio(sum(Flow::SelfConsumption), sum(Flow::Generation)),
            self_sufficiency: sufficiency,
            solar_fraction: ratio(sum(Flow::SolarField), made),
            from: all.iter().map(|interval| interval.span.start).min(),
        }
    }
}

/// Sources of heat.
const MADE: [Flow; 4] = [
    Flow::SolarField,
    Flow::Boilers,
    Flow::ElectricBoiler,
    Flow::HeatPump,
];

fn known(interval: &Interval, flow: Flow) -> Option<MilliwattHours> {
    let stated = interval.flows.of(flow).as_ref();
    stated.ok().map(|known| known.value)
}

/// Whether an energy that the ratios need is unknown in an interval, and not because
/// the park does not measure it at all.
fn is_broken(interval: &Interval) -> bool {
    let electricity = [
        Flow::Generation,
        Flow::Import,
        Flow::Load,
        Flow::SelfConsumption,
    ];
    electricity.into_iter().chain(MADE).any(|flow| {
        let stated = interval.flows.of(flow).as_ref();
        stated.is_err_and(|gaps| !gaps.is_unconfigured())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::flow::{FLOW_COUNT, Flows, Known};
    use crate::domain::interval::Span;
    use crate::domain::quality::{Gaps, Reason};

    /// A quarter of an hour with 3 kWh from the roof, 1 kWh of it exported, and 2 kWh
    /// from the grid.
    fn quarter(nth: i64, silent: bool) -> Interval {
        let start = Timestamp::from_second(1_780_272_000 + nth * 900).unwrap();
        let mut stated =
            std::array::from_fn::<_, FLOW_COUNT, _>(|_| Ok(Known::given(MilliwattHours::ZERO)));
        let mut state = |flow: Flow, wh: i64| {
            stated[flow.place()] = Ok(Known::given(MilliwattHours(wh * 1_000)));
        };
        state(Flow::Generation, 3_000);
        state(Flow::SelfConsumption, 2_000);
        state(Flow::Import, 2_000);
        state(Flow::Load, 4_000);
        // Nobody measures heat here.
        stated[Flow::Boilers.place()] = Err(Gaps::config());
        if silent {
            stated[Flow::Import.place()] = Err(Gaps::one(&"pcc".into(), Reason::Timeout));
        }
        Interval {
            span: Span {
                start,
                end: start + std::time::Duration::from_secs(900),
            },
            closed: true,
            revision: 1,
            flows: Flows::new(stated),
        }
    }

    #[test]
    fn ratios_begin_anew_after_an_interval_that_is_not_known() {
        let at = |nth: i64| quarter(nth, false).span.start;
        #[rustfmt::skip]
        let cases = [
            // silent in      known from
            (&[][..],         Some(0)),
            (&[0][..],        Some(1)),
            (&[0, 3][..],     Some(4)),
            (&[7][..],        None),
        ];
        for (silent, from) in cases {
            let mut today = Today::default();
            for nth in 0..8 {
                today.settle(&quarter(nth, silent.contains(&nth)));
            }
            let ratios = today.ratios(at(8), &TimeZone::UTC, &[]);
            assert_eq!(ratios.from, from.map(at), "{silent:?}");
            let known = from.map(|_| 2.0 / 3.0);
            assert_eq!(ratios.self_consumption, known, "{silent:?}");
            assert_eq!(ratios.self_sufficiency, from.map(|_| 0.5), "{silent:?}");
            assert_eq!(ratios.solar_fraction, None, "no heat is measured");
        }
    }

    #[test]
    fn ratios_are_those_of_the_sums_and_never_means_of_ratios() {
        let known = |wh: i64| Ok(Known::given(MilliwattHours(wh * 1_000)));
        let said = |nth: i64, flows: &[(Flow, i64)]| {
            let one = quarter(nth, false);
            let mut stated = std::array::from_fn::<_, FLOW_COUNT, _>(|_| known(0));
            for (flow, wh) in flows {
                stated[flow.place()] = known(*wh);
            }
            Interval {
                flows: Flows::new(stated),
                ..one
            }
        };
        let noon = said(
            0,
            &[
                (Flow::Generation, 9_000),
                (Flow::SelfConsumption, 3_000),
                (Flow::Load, 3_000),
                (Flow::SolarField, 900),
            ],
        );
        let evening = said(
            1,
            &[
                (Flow::Generation, 1_000),
                (Flow::SelfConsumption, 1_000),
                (Flow::Import, 4_000),
                (Flow::Load, 5_000),
                (Flow::SolarField, 100),
                (Flow::Boilers, 500),
                (Flow::ElectricBoiler, 300),
                (Flow::HeatPump, 200),
            ],
        );
        let now = evening.span.end;
        let mut today = Today::default();
        today.settle(&noon);
        // An open interval counts like a closed one.
        let ratios = today.ratios(now, &TimeZone::UTC, &[evening]);
        assert_eq!(ratios.self_consumption, Some(0.4));
        assert_eq!(ratios.self_sufficiency, Some(0.5));
        assert_eq!(ratios.solar_fraction, Some(0.5));
    }

    #[test]
    fn yesterday_is_not_today() {
        let mut today = Today::default();
        today.settle(&quarter(0, false));
        let tomorrow = quarter(96, false).span.start;
        let ratios = today.ratios(tomorrow, &TimeZone::UTC, &[]);
        assert_eq!((ratios.self_consumption, ratios.from), (None, None));
    }
}
