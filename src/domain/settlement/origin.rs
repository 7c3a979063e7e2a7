//! Is what is exported green? The battery's content, carried from interval to interval.
//!
//! ```text
//!   renewable generation ──▶┐
//!                           ├──▶ ( one well-mixed content ) ──▶ discharge ──▶ load, export
//!   everything else ───────▶┘
//! ```
//!
//! **A pool starts somewhere, and says where**: what it holds when a period begins is a
//! statement of the configuration, by default nothing. An interval whose flows are unknown
//! has no origin, and the intervals after it are estimates.
//!
//! A turbine that runs on heat of the header is as renewable as that heat is solar in the
//! same interval ([`HeatPool`]). **Where that part is unknown, so is what the turbine made
//! of it**: neither all of it nor nothing.

use super::{HeatPool, Settlement, total, value};
use crate::domain::allocate::AllocateError;
use crate::domain::balance::{Amount, Said, attribute, combine, ratio};
use crate::domain::flow::{Energies, Flow, Known, Stated};
use crate::domain::interval::{Channel, Entry};
use crate::domain::kpi::{Pool, Step};
use crate::domain::meter::{Carrier, MeterIndex, Park};
use crate::domain::quality::{Gaps, Quality, Reason};
use crate::domain::units::{MilliwattHours, to_f64};

/// Batteries, as a contract sees them.
#[derive(Debug, Clone, PartialEq)]
pub struct Battery {
    /// Whether discharge is shared by itself, after generation; else with it.
    pub own_pool: bool,
    /// What is in it when a period begins, with its efficiencies.
    pub pool: Pool,
    /// The generators that are renewable, whatever drives them.
    pub renewable: Vec<MeterIndex>,
    /// Those that run on heat of the header, and are as renewable as it is solar.
    pub by_heat: Vec<MeterIndex>,
}

impl Default for Battery {
    /// Common generation; empty, as efficient as batteries are.
    fn default() -> Self {
        Self {
            own_pool: false,
            pool: Pool {
                energy_wh: 0.0,
                renewable: 0.0,
                charging: 0.95,
                discharging: 0.95,
            },
            renewable: Vec::new(),
            by_heat: Vec::new(),
        }
    }
}

/// The renewable parts of an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Green {
    /// Of generation.
    pub generation: MilliwattHours,
    /// Of what charged the battery.
    pub charge: MilliwattHours,
    /// Of what it gave.
    pub discharge: MilliwattHours,
    /// Of what the grid took.
    pub export: MilliwattHours,
    /// Content of the battery after the interval, Wh; below zero where more came out than
    /// the pool holds, the sign of a wrong start or efficiency.
    pub content_wh: f64,
    /// The renewable part of that content, 0 to 1.
    pub content: f64,
    /// The solar part of the heat at the header, 0 to 1, where generators run on it; none
    /// where none did in the interval and nothing says it.
    pub heat: Option<f64>,
}

/// The pool of a park over a period.
#[derive(Debug, Clone)]
pub struct Origin {
    renewable: Vec<MeterIndex>,
    by_heat: Vec<MeterIndex>,
    heat: HeatPool,
    pool: Pool,
    /// Intervals that were passed over because a flow is unknown.
    pub gaps: usize,
}

impl Origin {
    /// The pool at the beginning of a period.
    #[must_use]
    pub fn new(settlement: &Settlement) -> Self {
        let battery = &settlement.battery;
        Self {
            renewable: battery.renewable.clone(),
            by_heat: battery.by_heat.clone(),
            heat: settlement.storage.clone(),
            pool: battery.pool,
            gaps: 0,
        }
    }

    /// Takes the next interval in; the parts are derived at best.
    ///
    /// # Errors
    ///
    /// The meters that are missing; the pool stays as it was.
    pub fn step(&mut self, park: &Park, flows: &Energies, entries: &[Entry]) -> Stated<Green> {
        let stepped = self.stepped(park, flows, entries);
        if stepped.is_err() {
            self.gaps += 1;
        }
        let mut known = stepped?;
        if self.gaps > 0 {
            known.quality = known.quality.worst(Quality::Estimated);
        }
        Ok(known)
    }

    /// An interval that nobody knows: its origin is as unknown as its flows.
    ///
    /// # Errors
    ///
    /// The gaps, always.
    pub fn passed_over(&mut self, gaps: Gaps) -> Stated<Green> {
        self.gaps += 1;
        self.heat.passed_over();
        Err(gaps)
    }

    /// Intervals that the thermal storage was passed over in.
    #[must_use]
    pub fn heat_gaps(&self) -> usize {
        self.heat.gaps
    }

    /// The solar part of the heat at the header in an interval.
    fn solar(&mut self, flows: &Energies) -> Stated<Option<f64>> {
        match self.heat.header(flows) {
            Ok(known) => Ok(known.with(known.value.solar)),
            Err(AllocateError::Unknown(gaps)) => Err(gaps),
            // Charge or discharge below zero, which no register gives.
            Err(_) => Err(Gaps::one(&HEADER.into(), Reason::OutOfRange)),
        }
    }

    fn stepped(&mut self, park: &Park, flows: &Energies, entries: &[Entry]) -> Stated<Green> {
        let channel = Channel {
            carrier: Carrier::Electricity,
            positive: true,
        };
        let said = Said::new(entries);
        let solar = if self.by_heat.is_empty() {
            Ok(Known::given(None))
        } else {
            self.solar(flows)
        };
        let mut renewable: Vec<_> = self
            .renewable
            .iter()
            .map(|meter| said.of(park, *meter, channel))
            .collect();
        let by_heat = self.by_heat.iter();
        renewable.extend(by_heat.map(|meter| of_heat(&said.of(park, *meter, channel), &solar)));
        let renewable = total(&renewable);
        let of = |flow| flows.of(flow).clone();
        let all = [
            renewable.clone(),
            of(Flow::Generation),
            of(Flow::Import),
            of(Flow::Export),
            of(Flow::BatteryDischarge),
            of(Flow::BatteryCharge),
            of(Flow::SelfConsumption),
        ];
        let evidence = total(&all)?;
        let [
            renewable,
            generation,
            import,
            export,
            discharge,
            charge,
            self_used,
        ] = all.map(|one| value(&one));
        let attributed = attribute(generation, import, export, discharge, charge);
        let wh = |energy: MilliwattHours| to_f64(energy.0) / 1e3;
        let part = ratio(Some(wh(renewable)), Some(wh(generation))).unwrap_or(0.0);
        let charged = attributed.generation_to_battery.fraction(part);
        let stepped = self.pool.step(Step {
            renewable_wh: wh(charged),
            grid_wh: wh(charge - charged),
            discharged_wh: wh(discharge),
        });
        // Amounts below zero, which no register gives.
        let Some(stepped) = stepped else {
            return Err(Gaps::one(&"battery".into(), Reason::OutOfRange));
        };
        self.pool = stepped.pool;
        let mixed = stepped.pool.renewable;
        let exported = generation - self_used;
        let from_battery = (export - exported).min(discharge).max(MilliwattHours::ZERO);
        Ok(Known {
            quality: evidence.quality.worst(Quality::Derived),
            ..evidence.with(Green {
                generation: renewable,
                charge: charged,
                discharge: discharge.fraction(mixed),
                export: exported.fraction(part) + from_battery.fraction(mixed),
                content_wh: stepped.pool.energy_wh,
                content: mixed,
                heat: solar.ok().and_then(|known| known.value),
            })
        })
    }
}

/// The name of the place where heat mixes, in a gap.
const HEADER: &str = "heat header";

/// The renewable part of what a generator made of heat.
fn of_heat(made: &Stated<MilliwattHours>, solar: &Stated<Option<f64>>) -> Stated<MilliwattHours> {
    // A part of nothing is nothing, whatever is known of the heat.
    if made
        .as_ref()
        .is_ok_and(|known| known.value == MilliwattHours::ZERO)
    {
        return made.clone();
    }
    let part = match solar {
        Ok(known) => match known.value {
            Some(part) => Ok(known.with(part)),
            // No source gave heat: nothing says what the generator ran on.
            None => Err(Gaps::one(&HEADER.into(), Reason::NotAvailable)),
        },
        Err(gaps) => Err(gaps.clone()),
    };
    let evidence = part.clone().map(|known| known.with(MilliwattHours::ZERO));
    let made = combine(made, &evidence, |made, _| made)?;
    Ok(made.with(made.value.fraction(part?.value)))
}
