//! The physics of the simulated park.
//!
//! ```text
//!   sun · clouds ─▶ trough field ─┐            ┌─▶ turbine ─▶ generator ─┐
//!                  gas boiler ────┼─▶ header ──┼─▶ heat network          ├─▶ bus bar ─▶ tenants
//!             electric boiler ────┘    ▲▼      │    └─▶ customers        │      ▲▼      ─▶ plant
//!                                    storage   └─▶ losses     PV ────────┘  battery, grid
//! ```
//!
//! Two equations close exactly, in every step, because the last term of each is
//! computed from the others in integers:
//!
//! > grid = tenants + plant + electric boiler + transformer − PV − turbine − battery
//! >
//! > storage = turbine heat + feed − field − gas boiler − electric boiler heat
//!
//! The model keeps its own sums of what flowed ([`truth`]) and knows nothing of
//! the daemon's balance. It is pure: the same seed, place and start give the
//! same park, second by second.

pub mod boilers;
pub mod electricity;
pub mod field;
pub mod gauge;
pub mod network;
pub mod noise;
pub mod oil;
pub mod sky;
pub mod storage;
pub mod sun;
pub mod terminal;
pub mod time;
pub mod truth;
pub mod turbine;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::units::{to_f64, to_i64};
use boilers::{ELECTRIC_STANDBY_W, Electric, Gas};
use electricity::Battery;
use field::Field;
use network::Network;
use noise::{Channel, uniform};
use sky::Sky;
use storage::Storage;
use sun::Sun;
use terminal::{Direction, MJ_PER_WH, MilliJ, MilliW, PerTerminal, TENANTS, TERMINALS, Terminal};
use terminal::{mj, mw, watts};
use time::Local;
use truth::{Sums, Truth};
use turbine::Turbine;

/// Losses of the transformer, which no meter sees: 3 kW.
pub const TRANSFORMER: MilliW = 3_000_000;
/// Seconds of a step where nobody watches.
pub const COARSE_S: i64 = 10;
/// Readings of meters that were there before the model began.
const OPENING: Channel = Channel(60);

/// The simulated park at a second, and the powers from it to the next.
#[derive(Debug, Clone)]
pub struct Physics {
    seed: u64,
    latitude: f64,
    longitude: f64,
    shift_s: i64,
    zone: TimeZone,

    second: i64,
    sun: Sun,
    sky: Sky,
    local: Local,
    field: Field,
    storage: Storage,
    turbine: Turbine,
    electric: Electric,
    gas: Gas,
    network: Network,
    battery: Battery,
    surplus_w: f64,

    powers: PerTerminal,
    positive: PerTerminal,
    negative: PerTerminal,
    sums: Sums,
    truth: Truth,
}

impl Physics {
    /// A park that begins at a second. `shift` moves sun and working day against
    /// the timestamps: with +3 h, noon comes three hours early.
    #[must_use]
    pub fn new(
        seed: u64,
        latitude: f64,
        longitude: f64,
        start: Timestamp,
        shift: SignedDuration,
        zone: TimeZone,
    ) -> Self {
        let second = start.as_second();
        let mut physics = Self {
            seed,
            latitude,
            longitude,
            shift_s: shift.as_secs(),
            local: Local::at(second, &zone),
            zone,
            second,
            sun: Sun::default(),
            sky: Sky::default(),
            field: Field::default(),
            storage: Storage::default(),
            turbine: Turbine::default(),
            electric: Electric::default(),
            gas: Gas::default(),
            network: Network::default(),
            battery: Battery::default(),
            surplus_w: 0.0,
            powers: PerTerminal::default(),
            positive: opening(seed, 0, 900_000.0),
            negative: opening(seed, 1, 40_000.0),
            sums: Sums::default(),
            truth: Truth::default(),
        };
        physics.set(1);
        physics.truth.note(second, physics.sums, physics.net());
        physics
    }

    /// The second that the park has reached.
    #[must_use]
    pub fn second(&self) -> i64 {
        self.second
    }

    /// Powers from this second to the next.
    #[must_use]
    pub fn powers(&self) -> &PerTerminal {
        &self.powers
    }

    /// What really flowed.
    #[must_use]
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Lives on to a second, in coarse steps where they fit.
    pub fn run_to(&mut self, second: i64, coarse: bool) {
        while self.second < second {
            let fits =
                coarse && self.second.rem_euclid(COARSE_S) == 0 && second - self.second >= COARSE_S;
            self.step(if fits { COARSE_S } else { 1 });
        }
    }

    /// Lives through a step of whole seconds at the powers set for it, then sets
    /// those of the next.
    pub fn step(&mut self, dt_s: i64) {
        for terminal in TERMINALS {
            let power = self.powers.of(*terminal);
            self.positive
                .add(*terminal, mj(Direction::Positive.part(power), dt_s));
            self.negative
                .add(*terminal, mj(Direction::Negative.part(power), dt_s));
        }
        self.sums.add(&self.powers, TRANSFORMER, dt_s);
        self.storage.advance(dt_s, self.sky.air_degc);
        self.battery.advance(dt_s);
        self.second += dt_s;
        self.set(dt_s);
        self.truth.note(self.second, self.sums, self.net());
    }

    /// Sets the powers of the coming step, `dt_s` after the last ones were set.
    fn set(&mut self, dt_s: i64) {
        let dt = to_f64(dt_s);
        let park_s = self.second + self.shift_s;
        self.local = Local::at(park_s, &self.zone);
        self.sun = sun::sun(self.latitude, self.longitude, park_s);
        self.sky = sky::sky(self.seed, park_s, self.local.second, &self.sun);
        self.network = Network::at(self.seed, park_s, &self.local, self.sky.air_degc);
        self.set_heat(dt);
        self.set_electricity(dt_s, park_s);
    }

    /// The heat header: demand first, then what carries it, the storage last.
    fn set_heat(&mut self, dt: f64) {
        let feed = watts(self.network.feed());
        self.turbine.advance(dt, self.offer_to_turbine(feed));
        let charge = self.storage.charge_limit_w();

        let room = feed + self.turbine.heat_w + charge;
        self.electric.advance(dt, self.surplus_w, room);
        let room = room - self.electric.heat_w();
        let demand = feed + self.turbine.heat_w - self.field.heat_w.min(0.0);
        self.gas.advance(dt, self.storage.charge(), demand, room);
        let room = room - self.gas.heat_w;
        self.field.advance(dt, &self.sun, &self.sky, room);

        let made = self.field.heat_w + self.gas.heat_w + self.electric.heat_w();
        let missing =
            |turbine_w: f64| (feed + turbine_w - made - self.storage.discharge_limit_w()).max(0.0);
        let short = missing(self.turbine.heat_w);
        self.turbine.cut(short);
        self.gas.push(missing(self.turbine.heat_w));

        self.powers.set(Terminal::Field, mw(self.field.heat_w));
        self.powers.set(Terminal::GasBoiler, mw(self.gas.heat_w));
        self.powers
            .set(Terminal::ElectricHeat, mw(self.electric.heat_w()));
        self.powers.set(Terminal::ToPower, mw(self.turbine.heat_w));
        let [brewery, ceramics, district] = self.network.taken;
        self.powers.set(Terminal::BreweryHeat, brewery);
        self.powers.set(Terminal::CeramicsHeat, ceramics);
        self.powers.set(Terminal::DistrictHeat, district);
        self.powers.set(Terminal::Feed, self.network.feed());
        let taken = self.powers.sum(&[Terminal::ToPower, Terminal::Feed]);
        let made = self
            .powers
            .sum(&[Terminal::Field, Terminal::GasBoiler, Terminal::ElectricHeat]);
        self.storage.set(taken - made);
        self.powers.set(Terminal::Storage, taken - made);
    }

    /// Heat that the dispatcher would give the turbine: most of what the field has
    /// over, and in the evening what the storage can spare, W.
    fn offer_to_turbine(&self, feed_w: f64) -> f64 {
        let charge = self.storage.charge();
        let over = (self.field.heat_w - feed_w) * 0.75;
        let full = ((charge - 0.85) / 0.15).clamp(0.0, 1.0) * 4e6;
        let evening = (17.0..22.0).contains(&self.local.hour) && charge > 0.4;
        over + full + if evening { 5e6 } else { 0.0 }
    }

    /// The bus bar: the grid closes it.
    fn set_electricity(&mut self, dt_s: i64, park_s: i64) {
        let tenants = electricity::tenants_w(self.seed, park_s, &self.local, self.sky.air_degc);
        for (terminal, load) in TENANTS.iter().zip(tenants) {
            self.powers.set(*terminal, mw(load));
        }
        let salt_pumps = watts(self.storage.power).abs() * 0.004;
        let offices = 24e3 + 8e3 * uniform(self.seed, Channel(61), park_s.div_euclid(600));
        let aux_field = self.field.draws_w() + salt_pumps;
        let aux_block = self.turbine.draws_w() + self.network.draws_w() + offices;
        let pv = electricity::pv_w(&self.sun, &self.sky);
        let turbine = self.turbine.gross_w();
        let plant = aux_field + aux_block + watts(TRANSFORMER);
        self.surplus_w = pv + turbine - tenants.iter().sum::<f64>() - plant;
        let electric = self.electric.heating_w + ELECTRIC_STANDBY_W;
        self.battery
            .set(to_f64(dt_s), self.surplus_w - electric, self.local.hour);

        self.powers.set(Terminal::AuxField, mw(aux_field));
        self.powers.set(Terminal::AuxBlock, mw(aux_block));
        self.powers.set(Terminal::ElectricBoiler, mw(electric));
        self.powers.set(Terminal::Pv, mw(pv));
        self.powers.set(Terminal::Turbine, mw(turbine));
        self.powers.set(Terminal::Battery, self.battery.power);
        let used = self.powers.sum(&TENANTS)
            + self.powers.sum(&[
                Terminal::AuxField,
                Terminal::AuxBlock,
                Terminal::ElectricBoiler,
            ])
            + TRANSFORMER;
        let made = self
            .powers
            .sum(&[Terminal::Pv, Terminal::Turbine, Terminal::Battery]);
        self.powers.set(Terminal::Grid, used - made);
    }

    /// What a register has counted at a millisecond of the coming second.
    #[must_use]
    pub fn counted(&self, terminal: Terminal, direction: Direction, at_ms: i64) -> MilliJ {
        let base = match direction {
            Direction::Positive => &self.positive,
            Direction::Negative => &self.negative,
        };
        let into = (at_ms - self.second * 1_000).clamp(0, 1_000);
        base.of(terminal) + direction.part(self.powers.of(terminal)) * into / 1_000
    }

    /// Net energy through every terminal.
    fn net(&self) -> PerTerminal {
        let mut net = self.positive;
        for terminal in TERMINALS {
            net.add(*terminal, -self.negative.of(*terminal));
        }
        net
    }
}

/// What registers read before the model began, up to so many kilowatt-hours.
fn opening(seed: u64, register: u64, most_kwh: f64) -> PerTerminal {
    let mut readings = PerTerminal::default();
    for (place, terminal) in (0_i64..).zip(TERMINALS) {
        let part = 0.1 + 0.9 * uniform(seed, OPENING.number(register), place);
        let wh = to_i64(part * most_kwh * 1_000.0);
        readings.set(*terminal, wh * MJ_PER_WH);
    }
    readings
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests;
