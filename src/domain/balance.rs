//! The balances of electricity and heat: where power comes from and where it goes.
//!
//! ```text
//!        grid ──▶┐                          solar field ──▶┐      ┌──▶ to power
//!  generators ──▶├──▶ load ──▶ metered            boilers ──▶├──▶───┼──▶ supplied
//!     battery ──▶┘         └─▶ losses      electric boiler ──▶│      └──▶ losses
//!                          └─▶ residual          storage ◀──▶┘
//! ```
//!
//! Arrows point the way of positive power. Each meter enters with two parts, what
//! went the positive way of its role and what went the other; both are never
//! negative. The same sums serve powers at a tick ([`powers`]) and energies over
//! an interval ([`settle`]), so the two can not drift apart.
//!
//! **Missing is not zero.** A term with a silent meter is a gap, and so is every
//! flow derived from it. **Nothing is clamped**: a negative load, a field that
//! cools the loop and a residual are shown as they are.

use std::ops::{Add, Sub};

pub use super::attribution::{Attribution, attribute};
use super::compensation::{self, lost_at};
use super::derived;
use super::flow::{Energies, Flows, Known, Powers, Stated};
use super::interval::{Channel, Entry, ExportShape, Span, origin};
use super::meter::{Carrier, Meter, MeterIndex, Park, Term};
use super::named::NamedMap;
use super::nested::own;
use super::provenance::Made;
use super::quality::{Gaps, Quality, Reason};
use super::relations::Boundary;
pub(super) use super::stated::combine;
use super::units::{MilliwattHours, Power, to_f64};

/// An amount that a balance can add up: watt or milliwatt-hours.
pub trait Amount: Copy + PartialOrd + Add<Output = Self> + Sub<Output = Self> {
    /// Nothing.
    const ZERO: Self;
    /// A fraction of it.
    #[must_use]
    fn fraction(self, of_one: f64) -> Self;
}

impl Amount for f64 {
    const ZERO: Self = 0.0;
    fn fraction(self, of_one: f64) -> Self {
        self * of_one
    }
}

impl Amount for MilliwattHours {
    const ZERO: Self = Self(0);
    fn fraction(self, of_one: f64) -> Self {
        Self(super::units::to_i64(to_f64(self.0) * of_one))
    }
}

/// What a meter contributes to one balance, by direction; neither is negative.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts<N> {
    /// What went the positive way of the role.
    pub positive: Stated<N>,
    /// What went the other way.
    pub negative: Stated<N>,
}

impl<N: Amount> Parts<N> {
    /// The parts of a signed amount: all of it goes one way.
    #[must_use]
    pub fn of_net(net: Stated<N>) -> Self {
        let way = |known: &Known<N>, amount: N| {
            let amount = if amount < N::ZERO { N::ZERO } else { amount };
            Ok(known.with(amount))
        };
        match net {
            Ok(known) => Self {
                positive: way(&known, known.value),
                negative: way(&known, N::ZERO - known.value),
            },
            Err(gaps) => Self {
                positive: Err(gaps.clone()),
                negative: Err(gaps),
            },
        }
    }
}

impl Parts<f64> {
    /// The parts of a signed power.
    #[must_use]
    pub fn of_power(power: Stated<f64>) -> Self {
        Self::of_net(power)
    }
}

pub(super) fn add<N: Amount>(a: &Stated<N>, b: &Stated<N>) -> Stated<N> {
    combine(a, b, |a, b| a + b)
}

pub(super) fn subtract<N: Amount>(a: &Stated<N>, b: &Stated<N>) -> Stated<N> {
    combine(a, b, |a, b| a - b)
}

/// The same, known to be a sum over meters and not a meter's own word.
fn computed<N>(stated: Stated<N>) -> Stated<N> {
    stated.map(|known| Known {
        made: known.made.and(Made::DERIVED),
        ..known
    })
}

/// A sum under way; what any of its members lacks, the sum lacks.
struct Total<N> {
    known: Stated<N>,
    gaps: Vec<Gaps>,
}

impl<N: Amount> Total<N> {
    fn new() -> Self {
        Self {
            known: Ok(Known::given(N::ZERO)),
            gaps: Vec::new(),
        }
    }

    fn add(&mut self, one: Stated<N>) {
        match one {
            Ok(_) => self.known = add(&self.known, &one),
            Err(gaps) => self.gaps.push(gaps),
        }
    }

    fn stated(self) -> Stated<N> {
        let mut gaps = self.gaps.into_iter();
        match gaps.next() {
            None => self.known,
            Some(mut first) => {
                first.join_all(gaps.as_slice());
                Err(first)
            }
        }
    }
}

/// The sums of one term: every meter whose role stands there and that no other of them
/// has counted.
struct Sum<N> {
    positive: Stated<N>,
    negative: Stated<N>,
    net: Stated<N>,
    members: usize,
}

/// The meters that a term adds up. One whose next meter before it in this balance is of the
/// same term is in that one's count already, and is left out.
#[must_use]
pub fn members(park: &Park, carrier: Carrier, term: Term) -> Vec<MeterIndex> {
    let stands = |(_, meter): &(MeterIndex, &Meter)| meter.role.term(carrier) == Some(term);
    let standing = park.meters.iter().enumerate().filter(stands);
    let topology = &park.relations.topology;
    if topology.is_flat() {
        return standing.map(|(index, _)| index).collect();
    }
    let mut terms: NamedMap<&str, Term> = NamedMap::default();
    for meter in &park.meters {
        if let Some(term) = meter.role.term(carrier) {
            terms.insert(&meter.id, term);
        }
    }
    let counted = |(_, meter): &(MeterIndex, &Meter)| {
        let mut before = topology.before(&meter.id);
        let next = before.find_map(|before| terms.get(&**before));
        next != Some(&term)
    };
    standing.filter(counted).map(|(index, _)| index).collect()
}

fn sum<N: Amount>(
    park: &Park,
    carrier: Carrier,
    term: Term,
    parts: &dyn Fn(MeterIndex, Carrier) -> Parts<N>,
) -> Sum<N> {
    let members = members(park, carrier, term);
    let (mut positive, mut negative) = (Total::new(), Total::new());
    for index in &members {
        let part = own(park, *index, carrier, parts);
        positive.add(part.positive);
        negative.add(part.negative);
    }
    let (positive, negative) = (positive.stated(), negative.stated());
    Sum {
        net: subtract(&positive, &negative),
        positive,
        negative,
        members: members.len(),
    }
}

/// Strikes both balances.
///
/// Equipment that the configuration does not have contributes nothing; a boundary
/// that it does not measure (the grid connection, the customers) is unknown.
///
/// `parts` says what crossed the boundary at a grid connection. `lost` is what the park's
/// own transformers there took, where it has any; it is in the load, because it crossed the
/// boundary. `fixed_losses` is the configured constant loss as an amount. `export_share` is
/// the measured fraction of export that generators fed, where it was integrated
/// over the interval; without it the attribution of the amounts decides.
fn strike<N: Amount>(
    park: &Park,
    parts: &dyn Fn(MeterIndex, Carrier) -> Parts<N>,
    lost: Option<&Stated<N>>,
    fixed_losses: N,
    export_share: Option<f64>,
) -> Flows<N> {
    let electric = |term| sum(park, Carrier::Electricity, term, parts);
    let grid = electric(Term::Grid);
    let generators = electric(Term::Generator);
    let batteries = electric(Term::Battery);
    let loads = electric(Term::Load);
    let boundary = |stated: Stated<N>, members: usize| {
        if members == 0 {
            Err(Gaps::config())
        } else {
            stated
        }
    };
    let import = boundary(grid.positive, grid.members);
    let export = boundary(grid.negative, grid.members);
    let generation = generators.positive;
    let standby = generators.negative;
    let (discharge, charge) = (batteries.positive, batteries.negative);
    let sources = add(&add(&generation, &import), &discharge);
    let load = computed(subtract(&subtract(&sources, &export), &charge));

    let exported_generation = exported_generation(
        &[&generation, &import, &export, &discharge, &charge],
        export_share,
    );
    let self_consumption = computed(subtract(&generation, &exported_generation));

    let configured = park.losses.map(|losses| {
        add(
            &Ok(Known {
                quality: Quality::Derived,
                made: Made::DERIVED,
                ..Known::given(fixed_losses)
            }),
            &if losses.load_pct == 0.0 {
                Ok(Known::given(N::ZERO))
            } else {
                load.clone()
                    .map(|load| load.with(load.value.fraction(losses.load_pct / 100.0)))
            },
        )
    });
    let losses: Stated<N> = match (configured, lost) {
        (None, None) => Err(Gaps::config()),
        (Some(one), None) => one,
        (None, Some(lost)) => lost.clone(),
        (Some(one), Some(lost)) => add(&one, lost),
    };
    let residual = if park.every_load_metered {
        // Losses are a statement of the configuration: they do not spoil the quality
        // of what the meters say.
        let stated_losses = match &losses {
            Ok(loss) => Ok(Known::given(loss.value)),
            Err(_) if park.losses.is_none() && lost.is_none() => Ok(Known::given(N::ZERO)),
            Err(gaps) => Err(gaps.clone()),
        };
        computed(subtract(
            &subtract(&subtract(&load, &loads.net), &standby),
            &stated_losses,
        ))
    } else {
        Err(Gaps::config())
    };

    let heat = |term| sum(park, Carrier::Heat, term, parts);
    let field = heat(Term::SolarField).net;
    let boilers = heat(Term::Boiler).net;
    let electric_boiler = heat(Term::ElectricBoilerHeat).net;
    let heat_pump = heat(Term::HeatPumpHeat).net;
    let storage = heat(Term::HeatStorage);
    let to_power = heat(Term::HeatToPower).net;
    let consumers = heat(Term::HeatConsumer);
    let feed = heat(Term::HeatFeed);
    let supplied = boundary(consumers.net, consumers.members);
    let heat_losses = if feed.members == 0 {
        Err(Gaps::config())
    } else {
        computed(subtract(&feed.net, &supplied))
    };
    let made = [&boilers, &electric_boiler, &heat_pump, &storage.positive]
        .into_iter()
        .fold(field.clone(), |sum, source| add(&sum, source));
    let used = add(&add(&storage.negative, &to_power), &supplied);
    let used = if feed.members == 0 {
        used
    } else {
        add(&used, &heat_losses)
    };
    let heat_residual = computed(subtract(&made, &used));

    Flows::new([
        generation,
        import,
        export,
        load,
        self_consumption,
        charge,
        discharge,
        losses,
        residual,
        field,
        boilers,
        electric_boiler,
        heat_pump,
        storage.negative,
        storage.positive,
        to_power,
        supplied,
        heat_losses,
        heat_residual,
    ])
}

/// The part of export that comes from generators, of generation, import, export,
/// discharge and charge.
fn exported_generation<N: Amount>(all: &[&Stated<N>; 5], share: Option<f64>) -> Stated<N> {
    // Not cut short at the first gap: every meter that is missing is named.
    let mut evidence: Stated<N> = Ok(Known::given(N::ZERO));
    for one in all {
        evidence = add(&evidence, one);
    }
    let evidence = evidence?;
    let [
        Ok(generation),
        Ok(import),
        Ok(export),
        Ok(discharge),
        Ok(charge),
    ] = all
    else {
        return Ok(evidence);
    };
    let attributed = attribute(
        generation.value,
        import.value,
        export.value,
        discharge.value,
        charge.value,
    );
    let value = match share {
        // What left the park as generation can not exceed what was generated.
        Some(share) => {
            let shaped = export.value.fraction(share);
            if shaped > generation.value {
                generation.value
            } else {
                shaped
            }
        }
        None => attributed.generation_to_grid,
    };
    Ok(evidence.with(value))
}

/// The flows of one moment from the signed power of every meter, watt.
///
/// `power` states the power of a meter in a carrier's balance; it is asked only
/// for meters whose role stands in that balance.
#[must_use]
pub fn powers(park: &Park, power: &dyn Fn(MeterIndex, Carrier) -> Stated<f64>) -> Powers {
    let fixed = park.losses.map_or(0.0, |losses| losses.fixed.as_watts());
    let at_boundary = |meter, carrier| {
        let metered = power(meter, carrier);
        match compensation::of(park, meter, carrier) {
            None => metered,
            Some((one, loss)) => one.power(&metered, &power(loss, carrier)),
        }
    };
    let lost = total_lost(park, &|loss| power(loss, Carrier::Electricity));
    strike(
        park,
        &|meter, carrier| Parts::of_power(at_boundary(meter, carrier)),
        lost.as_ref(),
        fixed,
        None,
    )
}

/// What the park's own transformers before the boundary took; none without one.
fn total_lost<N: Amount>(park: &Park, lost: &dyn Fn(MeterIndex) -> Stated<N>) -> Option<Stated<N>> {
    let losses = lost_at(park, Boundary::GridSide);
    if losses.is_empty() {
        return None;
    }
    let mut total = Total::new();
    for loss in losses {
        total.add(lost(loss));
    }
    Some(total.stated())
}

/// The flows of an interval from what every channel counted.
///
/// A channel that a meter has and no entry speaks of is a gap. The shape says
/// which part of export generators fed; without one the amounts decide.
#[must_use]
pub fn settle(park: &Park, entries: &[Entry], shape: ExportShape, span: Span) -> Energies {
    let said = Said::new(entries);
    settle_from(
        park,
        &|index, channel| said.of(park, index, channel),
        shape,
        span,
    )
}

/// The same from what somebody says of each channel.
#[must_use]
pub fn settle_from(
    park: &Park,
    said: &dyn Fn(MeterIndex, Channel) -> Stated<MilliwattHours>,
    shape: ExportShape,
    span: Span,
) -> Energies {
    let fixed = park.losses.map_or(Power::ZERO, |losses| losses.fixed);
    let derived = derived::energies_from(park, said);
    let parts = |index: MeterIndex, carrier: Carrier| -> Parts<MilliwattHours> {
        let computed = derived.iter().find(|one| one.meter == index);
        if let Some(one) = computed.filter(|one| one.carrier == carrier) {
            return Parts::of_net(one.net.clone());
        }
        let sides = |index| Parts {
            positive: said(
                index,
                Channel {
                    carrier,
                    positive: true,
                },
            ),
            negative: said(
                index,
                Channel {
                    carrier,
                    positive: false,
                },
            ),
        };
        match compensation::of(park, index, carrier) {
            None => sides(index),
            Some((one, loss)) => one.parts(&sides(index), &sides(loss)),
        }
    };
    let lost = total_lost(park, &|loss| {
        let side = |positive| {
            let carrier = Carrier::Electricity;
            said(loss, Channel { carrier, positive })
        };
        add(&side(true), &side(false))
    });
    strike(
        park,
        &parts,
        lost.as_ref(),
        MilliwattHours::from_power(fixed, span.ms()),
        shape.generation_share(),
    )
}

/// A span, settled: its flows, and the entries of the meters that are computed from others.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The flows.
    pub flows: Energies,
    /// What follows from the entries of other meters.
    pub derived: Vec<Entry>,
}

impl From<Energies> for Settled {
    fn from(flows: Energies) -> Self {
        Self {
            flows,
            derived: Vec::new(),
        }
    }
}

/// The flows of an interval, with the entries of derived meters that belong to them.
#[must_use]
pub fn settle_all(park: &Park, entries: &[Entry], shape: ExportShape, span: Span) -> Settled {
    Settled {
        flows: settle(park, entries, shape, span),
        derived: derived::entries(park, entries, span),
    }
}

/// What entries say, by meter and channel. Of two that speak of the same, the first.
pub struct Said<'a>(NamedMap<(&'a str, Channel), &'a Entry>);

impl<'a> Said<'a> {
    /// What these entries say.
    #[must_use]
    pub fn new(entries: &'a [Entry]) -> Self {
        let mut all = NamedMap::default();
        all.reserve(entries.len());
        for entry in entries {
            all.entry((&*entry.meter, entry.channel)).or_insert(entry);
        }
        Self(all)
    }

    /// What they say of a channel of a meter.
    pub(super) fn of(
        &self,
        park: &Park,
        index: MeterIndex,
        channel: Channel,
    ) -> Stated<MilliwattHours> {
        let meter = park.meters.get(index).ok_or_else(Gaps::config)?;
        stated(meter, channel, self.get(&meter.id, channel))
    }

    /// The entry of a channel of a meter.
    #[must_use]
    pub fn get(&self, meter: &str, channel: Channel) -> Option<&'a Entry> {
        self.0.get(&(meter, channel)).copied()
    }
}

/// What is known of a channel from its entry, where there is one.
///
/// # Errors
///
/// The gap, where it is not known or not measured.
pub fn stated(meter: &Meter, channel: Channel, entry: Option<&Entry>) -> Stated<MilliwattHours> {
    if origin(meter, channel).is_none() {
        // The positive way of a role must be metered, and both ways of what goes both
        // ways; elsewhere the other way may be foreign to it.
        let both = matches!(
            meter.role.term(channel.carrier),
            Some(Term::Grid | Term::Battery | Term::HeatStorage)
        );
        return if channel.positive || both {
            Err(Gaps::one(&meter.id, Reason::Config))
        } else {
            Ok(Known::given(MilliwattHours::ZERO))
        };
    }
    match entry {
        None => Err(Gaps::one(&meter.id, Reason::NeverSeen)),
        Some(entry) => entered(entry),
    }
}

/// What an entry says of its channel.
///
/// # Errors
///
/// The gap of its meter, where it is unknown.
pub fn entered(entry: &Entry) -> Stated<MilliwattHours> {
    match entry.energy {
        Err(reason) => Err(Gaps::one(&entry.meter, reason)),
        Ok(energy) => Ok(Known {
            value: energy,
            quality: entry.quality,
            oldest: None,
            coverage_pct: entry.coverage_pct,
            made: entry.made,
        }),
    }
}

/// A ratio of two amounts; none where it would be 0/0 or one is unknown.
#[must_use]
pub fn ratio(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    let (part, whole) = (part?, whole?);
    (whole != 0.0).then(|| part / whole)
}

#[cfg(test)]
#[path = "balance_tests.rs"]
mod tests;
