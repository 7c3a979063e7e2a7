//! The carbon report: what the energy of a period means in carbon dioxide.
//!
//! Rows are energies and the products of one factor each; ratios and indicators stand for
//! the period alone, from its sums. **Export is netted nowhere**: what it avoids elsewhere
//! is a memo. **A sum that lacks an interval is none**, and neither is what rests on it;
//! an hour that is unknown leaves the hourly score unknown, for it may be the night.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::grid_export::Scope;
use crate::domain::carbon::account::{Account, Accounted, PeriodSums};
use crate::domain::carbon::{Emission, Factor, Hour, HourGap, Matched, match_hours};
use crate::domain::flow::{Flow, Known, Stated};
use crate::domain::interval::{Entry, Interval, Span};
use crate::domain::meter::{Carrier, Park};
use crate::domain::quality::{Gaps, Quality, Reason};
use crate::domain::settlement::origin::Origin;
use crate::domain::settlement::{Settlement, net};
use crate::domain::stated::combine;
use crate::domain::time::slot;
use crate::domain::units::{MilliwattHours, to_f64};

/// Columns of energy.
pub const COLUMNS: [&str; 9] = [
    "import_kwh",
    "export_kwh",
    "load_kwh",
    "renewable_generation_kwh",
    "renewable_discharge_kwh",
    "renewable_export_kwh",
    "carbon_free_kwh",
    "boiler_heat_kwh",
    "purchased_heat_kwh",
];
/// The places of those that others follow from.
const IMPORT: usize = 0;
const EXPORT: usize = 1;
const LOAD: usize = 2;
const RENEWABLE: usize = 3;
const RENEWABLE_EXPORT: usize = 5;
const CARBON_FREE: usize = 6;
const BOILERS: usize = 7;
const PURCHASED_HEAT: usize = 8;

/// Columns of mass, by the factor of the grid; that of scope 2 with purchased heat by its own.
pub const MASSES: [&str; 3] = [
    "scope2_location_kg",
    "avoided_self_consumption_memo_kg",
    "avoided_export_memo_kg",
];

/// An interval of the report.
#[derive(Debug, Clone)]
pub struct Row {
    /// When.
    pub span: Span,
    /// Revision of the interval; 0 where the ledger has none.
    pub revision: i64,
    /// Energies in the order of [`COLUMNS`].
    pub energies: Vec<Stated<MilliwattHours>>,
    /// The solar part of the heat that generators ran on, where it is known.
    pub heat_solar: Option<f64>,
}

/// The report.
#[derive(Debug, Clone)]
pub struct Carbon {
    /// What it is about.
    pub scope: Scope,
    /// One row an interval.
    pub rows: Vec<Row>,
    /// Factors and boundary.
    pub account: Account,
    park: Arc<Park>,
    settlement: Arc<Settlement>,
    origin: Origin,
}

/// What a period comes to.
pub struct Period {
    /// Sums in the order of [`COLUMNS`]; unknown where an interval is.
    pub sums: Vec<Stated<MilliwattHours>>,
    /// What they come to.
    pub accounted: Accounted,
    /// Load and carbon-free energy, hour by hour.
    pub matched: Result<Matched, HourGap>,
}

impl Row {
    /// The worst quality of what is known, missing where something is not.
    #[must_use]
    pub fn quality(&self) -> Quality {
        let quality = |stated: &Stated<MilliwattHours>| match stated {
            Ok(known) => known.quality,
            Err(_) => Quality::Missing,
        };
        self.energies
            .iter()
            .map(quality)
            .reduce(Quality::worst)
            .unwrap_or(Quality::Missing)
    }

    /// The least coverage, percent.
    #[must_use]
    pub fn coverage_pct(&self) -> f64 {
        let coverage = |stated: &Stated<MilliwattHours>| {
            stated.as_ref().map_or(0.0, |known| known.coverage_pct)
        };
        self.energies.iter().map(coverage).fold(100.0, f64::min)
    }

    /// Why something is not known; nothing where all is.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut gaps: Option<Gaps> = None;
        for more in self.energies.iter().filter_map(|one| one.as_ref().err()) {
            match &mut gaps {
                Some(gaps) => gaps.join(more),
                None => gaps = Some(more.clone()),
            }
        }
        let meters = |gaps: &Gaps| match gaps.meters().join(", ") {
            none if none.is_empty() => "unknown: no meter for it".to_owned(),
            named => format!("unknown: {named}"),
        };
        gaps.as_ref().map_or(String::new(), meters)
    }

    /// Masses in the order of [`MASSES`], kilograms.
    #[must_use]
    pub fn masses(&self, account: &Account) -> [Option<f64>; 3] {
        masses(&self.energies, account)
    }
}

/// Masses of energies in the order of [`COLUMNS`].
pub(super) fn masses(energies: &[Stated<MilliwattHours>], account: &Account) -> [Option<f64>; 3] {
    let of = |place| known(energies, place);
    let by = |energy, factor: &Factor| Emission::of(energy, factor).mass.as_kilograms();
    let kg = |energy| by(energy, &account.grid);
    let used = of(RENEWABLE).zip(of(RENEWABLE_EXPORT));
    let heat = match &account.purchased_heat {
        None => Some(0.0),
        Some(bought) => of(PURCHASED_HEAT).map(|heat| by(heat, &bought.factor)),
    };
    [
        of(IMPORT).zip(heat).map(|(import, heat)| kg(import) + heat),
        used.map(|(made, exported)| kg(made - exported)),
        of(RENEWABLE_EXPORT).map(kg),
    ]
}

fn known(energies: &[Stated<MilliwattHours>], place: usize) -> Option<MilliwattHours> {
    Some(energies.get(place)?.as_ref().ok()?.value)
}

impl Carbon {
    /// A report without rows.
    #[must_use]
    pub fn new(
        scope: Scope,
        park: Arc<Park>,
        settlement: Arc<Settlement>,
        account: Account,
    ) -> Self {
        Self {
            scope,
            rows: Vec::new(),
            account,
            origin: Origin::new(&settlement),
            park,
            settlement,
        }
    }

    /// Takes the next intervals in, as [`super::allocation::Allocation::push`] does.
    pub fn push(&mut self, slots: &[Span], intervals: &[Interval], entries: &[Entry]) {
        for (span, interval, mine) in super::cells::each(slots, intervals, entries) {
            let row = self.row(span, interval, &mine);
            self.rows.push(row);
        }
    }

    fn row(&mut self, span: Span, interval: Option<&Interval>, entries: &[Entry]) -> Row {
        let Some(interval) = interval else {
            let gaps = Gaps::one(&"ledger".into(), Reason::NeverSeen);
            let _ = self.origin.passed_over(gaps.clone());
            return Row {
                span,
                revision: 0,
                energies: vec![Err(gaps); COLUMNS.len()],
                heat_solar: None,
            };
        };
        let flows = &interval.flows;
        let green = self.origin.step(&self.park, flows, entries);
        let part = |of: fn(&crate::domain::settlement::origin::Green) -> MilliwattHours| {
            green.clone().map(|known| known.with(of(&known.value)))
        };
        let of = |flow| flows.of(flow).clone();
        let bought = self.account.purchased_heat.as_ref();
        let heat = bought.map_or_else(
            || Ok(Known::given(MilliwattHours::ZERO)),
            |bought| net(&self.park, Carrier::Heat, bought.meter, entries),
        );
        // A transfer station among the boilers burns nothing.
        let boilers = if bought.is_some_and(|bought| bought.among_boilers) {
            combine(&of(Flow::Boilers), &heat, |all, bought| all - bought)
        } else {
            of(Flow::Boilers)
        };
        let heat_solar = green.as_ref().ok().and_then(|known| known.value.heat);
        Row {
            heat_solar,
            span,
            revision: interval.revision,
            energies: vec![
                of(Flow::Import),
                of(Flow::Export),
                of(Flow::Load),
                part(|green| green.generation),
                part(|green| green.discharge),
                part(|green| green.export),
                // After the battery, before export.
                part(|green| green.generation - green.charge + green.discharge),
                boilers,
                heat,
            ],
        }
    }

    /// What the period comes to.
    #[must_use]
    pub fn period(&self) -> Period {
        let mut rows = self.rows.iter();
        let first = rows.next().map(|row| row.energies.clone());
        let unknown = || Err(Gaps::one(&"ledger".into(), Reason::NeverSeen));
        let mut sums = first.unwrap_or_else(|| vec![unknown(); COLUMNS.len()]);
        for row in rows {
            for (sum, one) in sums.iter_mut().zip(&row.energies) {
                *sum = combine(sum, one, |a, b| a + b);
            }
        }
        let of = |place| known(&sums, place);
        let (from, to) = self.scope.dates;
        let accounted = self.account.of(
            &PeriodSums {
                import: of(IMPORT),
                export: of(EXPORT),
                load: of(LOAD),
                renewable: of(RENEWABLE),
                renewable_export: of(RENEWABLE_EXPORT),
                boilers: of(BOILERS),
                purchased_heat: of(PURCHASED_HEAT),
            },
            from,
            to,
        );
        Period {
            accounted,
            matched: match_hours(&self.hours()),
            sums,
        }
    }

    /// Load and carbon-free energy by hour of the park's civil time.
    fn hours(&self) -> Vec<Hour> {
        let mut hours: BTreeMap<Span, Hour> = BTreeMap::new();
        for row in &self.rows {
            let hour = slot(row.span.start, &self.scope.time_zone, 60);
            let nothing = Some(MilliwattHours::ZERO);
            let sum = hours.entry(hour).or_insert(Hour {
                load: nothing,
                carbon_free: nothing,
                grid_share: self.account.grid_share.as_ref().map(|grid| grid.share),
            });
            let plus =
                |sum: Option<MilliwattHours>, place| Some(sum? + known(&row.energies, place)?);
            sum.load = plus(sum.load, LOAD);
            sum.carbon_free = plus(sum.carbon_free, CARBON_FREE);
        }
        hours.into_values().collect()
    }

    /// Coverage of the period, percent of its time.
    #[must_use]
    pub fn coverage_pct(&self) -> f64 {
        let all: i64 = self.rows.iter().map(|row| row.span.ms()).sum();
        if all == 0 {
            return 0.0;
        }
        let covered = |row: &Row| row.coverage_pct() * to_f64(row.span.ms());
        self.rows.iter().map(covered).sum::<f64>() / to_f64(all)
    }

    /// Intervals in which a column is unknown.
    #[must_use]
    pub fn unknown(&self, place: usize) -> usize {
        let rows = self.rows.iter();
        rows.filter(|row| known(&row.energies, place).is_none())
            .count()
    }

    /// The generators that count as renewable.
    #[must_use]
    pub fn renewable(&self) -> Vec<&str> {
        let meters = self.settlement.battery.renewable.iter();
        meters
            .filter_map(|index| self.park.meters.get(*index))
            .map(|meter| &*meter.id)
            .collect()
    }

    /// The generators that are as renewable as the heat of the header is solar.
    #[must_use]
    pub fn by_heat(&self) -> Vec<&str> {
        let meters = self.settlement.battery.by_heat.iter();
        meters
            .filter_map(|index| self.park.meters.get(*index))
            .map(|meter| &*meter.id)
            .collect()
    }

    /// What the thermal storage held when the period began: kWh, and the solar part.
    #[must_use]
    pub fn storage_starts_with(&self) -> (f64, f64) {
        let pool = self.settlement.storage.pool;
        (pool.content() / 1e3, pool.solar())
    }

    /// Intervals that the thermal storage was passed over in.
    #[must_use]
    pub fn storage_gaps(&self) -> usize {
        self.origin.heat_gaps()
    }

    /// What the battery held when the period began: kWh, and the renewable part.
    #[must_use]
    pub fn starts_with(&self) -> (f64, f64) {
        let pool = self.settlement.battery.pool;
        (pool.energy_wh / 1e3, pool.renewable)
    }

    /// Intervals without an origin; those after them are estimates.
    #[must_use]
    pub fn origin_gaps(&self) -> usize {
        self.origin.gaps
    }
}

/// A statement of a total, for its quality.
#[must_use]
pub fn total_quality(sums: &[Stated<MilliwattHours>]) -> Quality {
    let quality = |one: &Stated<MilliwattHours>| {
        one.as_ref()
            .map_or(Quality::Missing, |known: &Known<_>| known.quality)
    };
    let all = sums.iter().map(quality);
    all.reduce(Quality::worst).unwrap_or(Quality::Missing)
}

#[cfg(test)]
#[path = "carbon_tests.rs"]
mod tests;
