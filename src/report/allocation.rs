//! The allocation report: who got how much of the generation and of the solar heat, by
//! settlement interval, and which part of discharge and export is renewable.
//!
//! **Every row adds up to the milliwatt-hour**: what is shared is what everyone has of it,
//! own use, loss and export. An interval that lacks a meter is empty and says why; so is the total
//! of a period with one, which says how much of its time is known.

use std::sync::Arc;

use super::cells::{Cell, Sum, each};
use super::grid_export::Scope;
use crate::domain::allocate::AllocateError;
use crate::domain::flow::{Flow, Known, Stated};
use crate::domain::interval::{Entry, Interval, Span};
use crate::domain::meter::{Carrier, MeterIndex, Park};
use crate::domain::quality::{Gaps, Quality, Reason};
use crate::domain::settlement::origin::{Green, Origin};
use crate::domain::settlement::{
    HeatPool, Line, Rule, Settlement, Shared, Sharing, electricity, heat,
};
use crate::domain::units::MilliwattHours;

/// One carrier in one interval: energies by column, or why there are none.
#[derive(Debug, Clone)]
pub struct Part {
    /// Energies in the order of the columns; empty where they are not known.
    pub cells: Vec<Cell>,
    /// The worst quality of the inputs.
    pub quality: Quality,
    /// Least coverage of the inputs, percent.
    pub coverage_pct: f64,
    /// Why it is empty; empty where it is not.
    pub reason: String,
    /// Meters that are missing.
    pub missing: Vec<String>,
}

/// The renewable parts of an interval, with the battery after it.
#[derive(Debug, Clone)]
pub struct GreenPart {
    /// Energies.
    pub part: Part,
    /// Content of the battery, Wh, and the renewable part of it.
    pub content: Option<(f64, f64)>,
}

/// An interval of the report.
#[derive(Debug, Clone)]
pub struct Row {
    /// When.
    pub span: Span,
    /// Revision of the interval; 0 where the ledger has none.
    pub revision: i64,
    /// Electricity, where a contract shares it.
    pub electricity: Option<Part>,
    /// The renewable parts of electricity.
    pub green: Option<GreenPart>,
    /// Heat, where a contract shares it.
    pub heat: Option<Part>,
}

/// The report.
#[derive(Debug, Clone)]
pub struct Allocation {
    /// What it is about.
    pub scope: Scope,
    /// One row an interval.
    pub rows: Vec<Row>,
    /// What it is shared by.
    pub settlement: Arc<Settlement>,
    park: Arc<Park>,
    origin: Origin,
    storage: HeatPool,
}

impl Allocation {
    /// A report without rows.
    #[must_use]
    pub fn new(scope: Scope, park: Arc<Park>, settlement: Arc<Settlement>) -> Self {
        Self {
            scope,
            rows: Vec::new(),
            origin: Origin::new(&settlement),
            storage: settlement.storage.clone(),
            park,
            settlement,
        }
    }

    /// Takes the next intervals in, with the entries of the same stretch, both in order of
    /// time. Each slot is an interval that the ledger has, or a row that says it has not.
    pub fn push(&mut self, slots: &[Span], intervals: &[Interval], entries: &[Entry]) {
        for (span, interval, mine) in each(slots, intervals, entries) {
            let row = self.row(span, interval, &mine);
            self.rows.push(row);
        }
    }

    fn row(&mut self, span: Span, interval: Option<&Interval>, entries: &[Entry]) -> Row {
        let park = Arc::clone(&self.park);
        let settlement = Arc::clone(&self.settlement);
        let unknown = || Gaps::one(&"ledger".into(), Reason::NeverSeen);
        let electric = settlement.electricity.as_ref().map(|rule| {
            let sharing = match interval {
                Some(known) => {
                    let own_pool = settlement.battery.own_pool;
                    electricity(&park, rule, own_pool, &known.flows, entries)
                }
                None => Err(AllocateError::Unknown(unknown())),
            };
            self.part(rule, Carrier::Electricity, sharing, interval)
        });
        let green = electric.is_some().then(|| {
            let green = match interval {
                Some(known) => self.origin.step(&park, &known.flows, entries),
                None => self.origin.passed_over(unknown()),
            };
            green_part(&green)
        });
        let heated = settlement.heat.as_ref().map(|rule| {
            let sharing = match interval {
                Some(known) => heat(&park, rule, &mut self.storage, &known.flows, entries),
                None => {
                    self.storage.gaps += 1;
                    Err(AllocateError::Unknown(unknown()))
                }
            };
            self.part(rule, Carrier::Heat, sharing, interval)
        });
        Row {
            span,
            revision: interval.map_or(0, |known| known.revision),
            electricity: electric,
            green,
            heat: heated,
        }
    }

    fn part(
        &self,
        rule: &Rule,
        carrier: Carrier,
        sharing: Sharing,
        interval: Option<&Interval>,
    ) -> Part {
        let metered = interval.map(|known| known.flows.of(Flow::Export).clone());
        match sharing {
            Ok(known) => Part {
                cells: cells(&self.park, rule, carrier, &known.value, metered.as_ref()),
                quality: known.quality,
                coverage_pct: known.coverage_pct,
                reason: String::new(),
                missing: Vec::new(),
            },
            Err(error) => {
                let missing = match &error {
                    AllocateError::Unknown(gaps) => {
                        gaps.meters().into_iter().map(str::to_owned).collect()
                    }
                    _ => Vec::new(),
                };
                Part::empty(error.to_string(), missing)
            }
        }
    }

    /// The columns of a carrier, in order.
    #[must_use]
    pub fn columns(&self, carrier: Carrier) -> Vec<Cell> {
        let rule = match carrier {
            Carrier::Electricity => self.settlement.electricity.as_ref(),
            Carrier::Heat => self.settlement.heat.as_ref(),
        };
        let Some(rule) = rule else {
            return Vec::new();
        };
        let nothing = Shared::nothing(rule.participants.len());
        let metered = Ok(Known::given(MilliwattHours::ZERO));
        cells(&self.park, rule, carrier, &nothing, Some(&metered))
    }

    /// The sums of one carrier over all rows; unknown where a row is.
    #[must_use]
    pub fn total(&self, of: impl Fn(&Row) -> Option<&Part>) -> Sum {
        let mut sum = Sum::default();
        for row in &self.rows {
            if let Some(part) = of(row) {
                let known = part.reason.is_empty().then_some(&part.cells[..]);
                sum.add(row.span.ms(), known, part.quality, part.coverage_pct);
            }
        }
        sum
    }

    /// Intervals without an origin of electricity; those after them are estimates.
    #[must_use]
    pub fn origin_gaps(&self) -> usize {
        self.origin.gaps
    }

    /// The same of heat.
    #[must_use]
    pub fn storage_gaps(&self) -> usize {
        self.storage.gaps
    }

    /// The name of a meter.
    #[must_use]
    pub fn meter(&self, index: MeterIndex) -> &str {
        self.park.meters.get(index).map_or("", |meter| &meter.id)
    }
}

impl Part {
    fn empty(reason: String, missing: Vec<String>) -> Self {
        Self {
            cells: Vec::new(),
            quality: Quality::Missing,
            coverage_pct: 0.0,
            reason,
            missing,
        }
    }
}

/// The energies of an interval by column.
fn cells(
    park: &Park,
    rule: &Rule,
    carrier: Carrier,
    shared: &Shared,
    metered_export: Option<&Stated<MilliwattHours>>,
) -> Vec<Cell> {
    let electric = carrier == Carrier::Electricity;
    let mut cells = if electric {
        vec![
            Cell::new("generation_kwh", shared.generation),
            Cell::new("to_battery_kwh", shared.withheld),
            Cell::new("battery_discharge_kwh", shared.discharge),
            Cell::new("shared_kwh", shared.shared),
        ]
    } else {
        vec![
            Cell::new("network_kwh", shared.generation),
            Cell::new("other_heat_kwh", shared.withheld),
            Cell::new("shared_kwh", shared.shared),
        ]
    };
    let mut of = |group: Arc<str>, line: &Line| {
        let mut put = |name, energy| cells.push(Cell::of(&group, name, energy));
        put("consumption_kwh", line.consumption);
        put("loss_kwh", line.loss);
        if electric {
            put("local_kwh", line.local);
            put("battery_kwh", line.battery);
            put("grid_kwh", line.rest);
        } else {
            put("solar_kwh", line.local);
            put("other_kwh", line.rest);
        }
    };
    for (index, line) in rule.participants.iter().zip(&shared.lines) {
        let meter = park.meters.get(*index);
        of(meter.map_or("".into(), |meter| Arc::clone(&meter.id)), line);
    }
    of(OWN_USE.into(), &shared.own);
    of(LOSS.into(), &shared.loss);
    cells.push(Cell::new("lost_kwh", shared.lost));
    if electric {
        cells.push(Cell::new("export_kwh", shared.export));
        cells.push(Cell::new("battery_export_kwh", shared.battery_export));
        let metered = metered_export.and_then(|stated| stated.as_ref().ok());
        let metered = metered.map_or(MilliwattHours::ZERO, |known| known.value);
        cells.push(Cell::new("metered_export_kwh", metered));
    } else {
        cells.push(Cell::new("unused_kwh", shared.export));
    }
    cells
}

/// The line of what takes no part; no meter can have the name, which has a space.
const OWN_USE: &str = "own use";
/// The line of the loss that the operator bears.
const LOSS: &str = "operator loss";

fn green_part(green: &Stated<Green>) -> GreenPart {
    match green {
        Ok(known) => GreenPart {
            part: Part {
                cells: green_cells(&known.value),
                quality: known.quality,
                coverage_pct: known.coverage_pct,
                reason: String::new(),
                missing: Vec::new(),
            },
            content: Some((known.value.content_wh, known.value.content)),
        },
        Err(gaps) => {
            let meters = gaps.meters().into_iter().map(str::to_owned).collect();
            let reason = AllocateError::Unknown(gaps.clone()).to_string();
            GreenPart {
                part: Part::empty(reason, meters),
                content: None,
            }
        }
    }
}

/// The renewable energies by column.
#[must_use]
pub fn green_cells(green: &Green) -> Vec<Cell> {
    vec![
        Cell::new("renewable_generation_kwh", green.generation),
        Cell::new("renewable_charge_kwh", green.charge),
        Cell::new("renewable_discharge_kwh", green.discharge),
        Cell::new("renewable_export_kwh", green.export),
    ]
}

#[cfg(test)]
#[path = "allocation_tests.rs"]
mod tests;
