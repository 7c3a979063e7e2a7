//! What really flowed: the model's own sums, kept for the last hours.
//!
//! The sums are made from powers, flow by flow, next to the registers and not
//! from them, so that a register that counts wrongly is found out.

use std::collections::VecDeque;

use super::terminal::{Direction, MJ_PER_WH, MilliJ, PerTerminal, TENANTS, Terminal, mj};
use crate::domain::units::to_f64;

/// How long the truth is kept, s.
pub const KEEP_S: i64 = 12_000;

macro_rules! flows {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// Energy of every flow since the model began, under the names of the
        /// daemon's intervals.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Sums { $($(#[$doc])* pub $field: MilliJ,)* }

        impl Sums {
            /// Every flow with its name.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, MilliJ)> {
                vec![$((stringify!($field), self.$field),)*]
            }

            /// Sums in between, in proportion of time: exact within a step,
            /// because its powers are constant.
            fn between(&self, later: &Self, part: i64, whole: i64) -> Self {
                Self { $($field: share(self.$field, later.$field, part, whole),)* }
            }
        }
    };
}

flows! {
    /// Electricity generated, gross.
    generation,
    /// From the grid.
    import,
    /// To the grid.
    export,
    /// Used, with standby of generators and losses.
    load,
    /// Into the battery.
    battery_charge,
    /// Out of the battery.
    battery_discharge,
    /// Of the transformer.
    losses,
    /// Heat from the field, less what it was given at night.
    solar_field,
    /// Heat of the gas boiler.
    boilers,
    /// Heat of the electric boiler.
    electric_boiler,
    /// Heat into the storage.
    storage_charge,
    /// Heat out of it.
    storage_discharge,
    /// Heat to the turbine.
    to_power,
    /// Heat that customers took.
    supplied,
    /// Heat that the network lost.
    heat_losses,
}

/// A part of the way between two numbers.
fn share(from: i64, to: i64, part: i64, whole: i64) -> i64 {
    let way = i128::from(to - from) * i128::from(part) / i128::from(whole.max(1));
    from + i64::try_from(way).unwrap_or(0)
}

impl Sums {
    /// Adds a step of constant powers.
    pub fn add(&mut self, powers: &PerTerminal, losses: i64, dt_s: i64) {
        use Direction::{Negative, Positive};
        let e = |terminal, direction: Direction| mj(direction.part(powers.of(terminal)), dt_s);
        let net = |terminal| mj(powers.of(terminal), dt_s);

        self.generation += e(Terminal::Pv, Positive) + e(Terminal::Turbine, Positive);
        self.import += e(Terminal::Grid, Positive);
        self.export += e(Terminal::Grid, Negative);
        let tenants: MilliJ = TENANTS.iter().map(|tenant| net(*tenant)).sum();
        let plant =
            net(Terminal::AuxField) + net(Terminal::AuxBlock) + net(Terminal::ElectricBoiler);
        let standby = e(Terminal::Pv, Negative) + e(Terminal::Turbine, Negative);
        self.load += tenants + plant + standby + mj(losses, dt_s);
        self.battery_charge += e(Terminal::Battery, Negative);
        self.battery_discharge += e(Terminal::Battery, Positive);
        self.losses += mj(losses, dt_s);

        self.solar_field += net(Terminal::Field);
        self.boilers += net(Terminal::GasBoiler);
        self.electric_boiler += net(Terminal::ElectricHeat);
        self.storage_charge += e(Terminal::Storage, Negative);
        self.storage_discharge += e(Terminal::Storage, Positive);
        self.to_power += net(Terminal::ToPower);
        let supplied =
            net(Terminal::BreweryHeat) + net(Terminal::CeramicsHeat) + net(Terminal::DistrictHeat);
        self.supplied += supplied;
        self.heat_losses += net(Terminal::Feed) - supplied;
    }
}

/// Sums and net energies at the start of a step.
#[derive(Debug, Clone, Copy)]
struct Mark {
    second: i64,
    sums: Sums,
    net: PerTerminal,
}

/// The truth of the last [`KEEP_S`] seconds. What is older is forgotten.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    marks: VecDeque<Mark>,
}

impl Truth {
    /// Notes the sums at a second.
    pub fn note(&mut self, second: i64, sums: Sums, net: PerTerminal) {
        self.marks.push_back(Mark { second, sums, net });
        while self
            .marks
            .front()
            .is_some_and(|mark| second - mark.second > KEEP_S)
        {
            self.marks.pop_front();
        }
    }

    /// The marks on both sides of a second.
    fn around(&self, second: i64) -> Option<(&Mark, &Mark)> {
        let after = self.marks.partition_point(|mark| mark.second < second);
        let late = self.marks.get(after)?;
        if late.second == second {
            return Some((late, late));
        }
        Some((self.marks.get(after.checked_sub(1)?)?, late))
    }

    /// Sums at a second; `None` where they are forgotten or still to come.
    fn sums(&self, second: i64) -> Option<Sums> {
        let (early, late) = self.around(second)?;
        let (part, whole) = (second - early.second, late.second - early.second);
        Some(early.sums.between(&late.sums, part, whole))
    }

    /// Energy by flow between two whole seconds, Wh.
    #[must_use]
    pub fn between(&self, start: i64, end: i64) -> Option<Vec<(&'static str, f64)>> {
        let (from, to) = (self.sums(start)?.named(), self.sums(end)?.named());
        let wh = |mj: MilliJ| to_f64(mj) / to_f64(MJ_PER_WH);
        Some(
            from.iter()
                .zip(&to)
                .map(|(from, to)| (from.0, wh(to.1 - from.1)))
                .collect(),
        )
    }

    /// Net energy through a terminal between two whole seconds, Wh.
    #[must_use]
    pub fn through(&self, terminal: Terminal, start: i64, end: i64) -> Option<f64> {
        let at = |second| {
            let (early, late) = self.around(second)?;
            let (part, whole) = (second - early.second, late.second - early.second);
            Some(share(
                early.net.of(terminal),
                late.net.of(terminal),
                part,
                whole,
            ))
        };
        Some(to_f64(at(end)? - at(start)?) / to_f64(MJ_PER_WH))
    }
}
