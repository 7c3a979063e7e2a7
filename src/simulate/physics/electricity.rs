//! Photovoltaics, battery and tenants.

use super::noise::{Channel, ease, smooth};
use super::sky::Sky;
use super::sun::Sun;
use super::terminal::{MilliJ, MilliW, mj, mw, watts};
use super::time::Local;
use crate::domain::units::to_f64;

/// Modules at 1000 W/m² and 25 °C, W.
const PV_DC_W: f64 = 2.4e6;
/// Most that the inverters give, W.
const PV_AC_W: f64 = 2.0e6;
/// Drawn by the inverters at all times, W.
const PV_STANDBY_W: f64 = 1.3e3;
/// Tilt of the modules, which face south.
const PV_TILT_DEG: f64 = 35.0;
/// Irradiance of the modules below which the inverters sleep, W/m².
const PV_WAKE_WM2: f64 = 10.0;
/// Loss of power per kelvin of cell temperature.
const PV_PER_K: f64 = 0.003_5;

/// Power of the photovoltaic plant at its meter, W; slightly negative at night.
#[must_use]
pub fn pv_w(sun: &Sun, sky: &Sky) -> f64 {
    let tilt = PV_TILT_DEG.to_radians();
    let beam = sky.dni * sun.cos_on_tilted(PV_TILT_DEG, 180.0).max(0.0);
    let irradiance =
        beam + sky.diffuse * 0.5 * (1.0 + tilt.cos()) + sky.ghi * 0.2 * 0.5 * (1.0 - tilt.cos());
    if irradiance < PV_WAKE_WM2 {
        return -PV_STANDBY_W;
    }
    let cell = sky.air_degc + irradiance * 30.0 / (1_000.0 + 40.0 * sky.wind);
    let dc = PV_DC_W * irradiance / 1_000.0 * (1.0 - PV_PER_K * (cell - 25.0));
    (dc * 0.955).min(PV_AC_W) - PV_STANDBY_W
}

/// Energy between empty and full: 1.6 MWh.
pub const BATTERY_CAPACITY: MilliJ = 1_600 * 3_600_000_000;
/// Most that it takes and gives, W.
const BATTERY_MAX_W: f64 = 400e3;
/// Part of the surplus that it takes.
const BATTERY_SHARE: f64 = 0.35;
/// Change of its power, W/s.
const BATTERY_RAMP: f64 = 8e3;
/// Converters, one way.
const BATTERY_EFFICIENCY: f64 = 0.965;
/// Drawn by controls and cooling at all times, W.
const BATTERY_STANDBY_W: f64 = 2.1e3;
/// The last of room and energy is moved this slowly, s.
const BATTERY_TAPER_S: f64 = 600.0;

/// The battery at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Battery {
    /// Energy in the cells.
    pub content: MilliJ,
    /// At the meter: positive is discharge.
    pub power: MilliW,
    /// Lost in converters and controls.
    pub loss: MilliW,
    /// What it is asked for, W.
    set_w: f64,
}

impl Default for Battery {
    fn default() -> Self {
        Self {
            content: BATTERY_CAPACITY / 2,
            power: 0,
            loss: 0,
            set_w: 0.0,
        }
    }
}

impl Battery {
    /// Lives through a step at the powers set for it.
    pub fn advance(&mut self, dt_s: i64) {
        self.content -= mj(self.power + self.loss, dt_s);
    }

    /// Charges from surplus; carries the evening while there is something to carry.
    pub fn set(&mut self, dt_s: f64, surplus_w: f64, hour: f64) {
        let room = watts(BATTERY_CAPACITY - self.content) / BATTERY_TAPER_S;
        let rest = watts(self.content - BATTERY_CAPACITY / 10) / BATTERY_TAPER_S;
        let wanted = if surplus_w > 0.0 {
            -(surplus_w * BATTERY_SHARE).min(BATTERY_MAX_W)
        } else if (17.0..23.0).contains(&hour) {
            (-surplus_w * 0.8).min(BATTERY_MAX_W)
        } else {
            0.0
        };
        let reach = BATTERY_RAMP * dt_s;
        let ramped = self.set_w + (wanted - self.set_w).clamp(-reach, reach);
        self.set_w = ramped.clamp(-room.max(0.0), rest.max(0.0));
        let cells = if self.set_w < 0.0 {
            self.set_w * BATTERY_EFFICIENCY
        } else {
            self.set_w / BATTERY_EFFICIENCY
        };
        self.power = mw(self.set_w - BATTERY_STANDBY_W);
        // Cells give what the meter sees and what is lost; controls are fed from
        // outside, so that an idle battery does not empty itself.
        self.loss = mw(cells) - self.power;
    }

    /// State of charge, 0 to 1.
    #[must_use]
    pub fn charge(&self) -> f64 {
        to_f64(self.content) / to_f64(BATTERY_CAPACITY)
    }
}

const LOAD: Channel = Channel(40);

/// Load of the five tenants, W: foundry, ceramics works, brewery, cold store, offices.
#[must_use]
pub fn tenants_w(seed: u64, second: i64, local: &Local, air_degc: f64) -> [f64; 5] {
    let wander = |n: u64, period_s| smooth(seed, LOAD.number(n), second, period_s);
    let hour = local.hour;
    let shift =
        |from: f64, to: f64| ease((hour - from) / 0.7 + 0.5) * ease((to - hour) / 0.7 + 0.5);
    let work = if local.weekend { 0.0 } else { 1.0 };
    // Two shifts with a break between; melts of the induction furnace.
    let melting = work * (shift(6.5, 13.7) + shift(14.5, 21.5));
    let melt = ease(1.6 * wander(0, 700));
    let foundry = 38e3 + melting * (190e3 + 170e3 * melt + 12e3 * wander(1, 60));
    // Kilns around the clock, presses by day.
    let ceramics = 118e3 * (1.0 + 0.04 * wander(2, 300))
        + (0.25 + 0.75 * work) * shift(7.5, 18.0) * (145e3 + 18e3 * wander(3, 90));
    let brewery = 46e3
        + (0.3 + 0.7 * work) * shift(5.5, 20.0) * (128e3 + 26e3 * wander(4, 180))
        + 5e3 * wander(5, 45);
    // Compressors follow the weather and their own rhythm.
    let warm = ((air_degc + 12.0) / 40.0).clamp(0.15, 1.2);
    let cold_store = 52e3 + 95e3 * warm * (0.6 + 0.4 * ease(1.4 * wander(6, 900)));
    let offices = 14e3
        + work * shift(8.0, 18.5) * (72e3 + 9e3 * wander(7, 240))
        + 18e3 * ((air_degc - 24.0) / 8.0).clamp(0.0, 1.0) * shift(8.0, 19.0);
    [foundry, ceramics, brewery, cold_store, offices]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photovoltaics_draw_a_little_at_night_and_are_capped_at_noon() {
        let night = Sun {
            elevation_deg: -30.0,
            ..Sun::default()
        };
        assert_eq!(pv_w(&night, &Sky::default()), -PV_STANDBY_W);
        let noon = Sun {
            elevation_deg: 60.0,
            azimuth_deg: 180.0,
            ..Sun::default()
        };
        let sky = Sky {
            dni: 1_000.0,
            diffuse: 100.0,
            ghi: 966.0,
            air_degc: -10.0,
            ..Sky::default()
        };
        assert_eq!(pv_w(&noon, &sky), PV_AC_W - PV_STANDBY_W);
    }

    #[test]
    fn what_goes_through_the_battery_is_less_by_its_losses() {
        let mut battery = Battery::default();
        let start = battery.content;
        let (mut charged, mut discharged, mut lost) = (0, 0, 0);
        for (surplus, hour, seconds) in
            [(2e6, 12.0, 5_400), (-1e6, 20.0, 20_000), (-1e6, 2.0, 9_000)]
        {
            for _ in 0..seconds {
                battery.set(1.0, surplus, hour);
                battery.advance(1);
                charged += (-battery.power).max(0);
                discharged += battery.power.max(0);
                lost += battery.loss;
                assert!(battery.loss > 0 && battery.loss < 40_000_000, "{battery:?}");
                assert!((0..=BATTERY_CAPACITY).contains(&battery.content));
            }
        }
        assert_eq!(battery.content - start, charged - discharged - lost);
        assert!(discharged > 3_600 * 500_000_000, "the evening was carried");
        assert_eq!(battery.power, mw(-BATTERY_STANDBY_W), "at night it idles");
    }

    #[test]
    fn tenants_work_by_day_and_on_weekdays_and_never_give() {
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
        let day = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
        let energy = |start: i64, hours: std::ops::Range<i64>| -> f64 {
            let seconds = (hours.start * 360..hours.end * 360).map(|s| start + s * 10);
            seconds
                .map(|s| {
                    let loads = tenants_w(5, s, &Local::at(s, &zone), 10.0);
                    assert!(loads.iter().all(|w| *w > 5e3), "{loads:?}");
                    loads.iter().sum::<f64>()
                })
                .sum()
        };
        let wednesday = day("2026-06-02T16:00:00Z");
        let sunday = day("2026-06-06T16:00:00Z");
        assert!(energy(wednesday, 9..17) > 1.8 * energy(wednesday, 0..8) / 1.0);
        assert!(energy(wednesday, 0..24) > 1.3 * energy(sunday, 0..24));
    }
}
