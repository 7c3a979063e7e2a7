//! What really flows, second by second, in whole microwatts.
//!
//! Nothing here is taken from the program: loads are daily profiles with drifting noise,
//! the sun is a parabola behind clouds, the grid and the heat store take what is left, so
//! both balances close to the microwatt. Heat of the field follows from flow and the
//! coefficients printed in `tests/fixtures/en1434_k.csv`.

use super::park::*;

const UW: i64 = 1_000_000;

/// A small generator of our own (splitmix64): the same seed is the same year everywhere.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `from` up to `to`, both possible.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + (self.roll() % (to - from + 1) as u64) as i64
    }
}

/// Two temperatures with what a litre an hour carries between them, µW.
struct Pipes {
    supply: f64,
    back: f64,
    uw_per_lph: i64,
}

/// The table of heat coefficients at 16 bar, flow sensor in the return.
fn pipes() -> Vec<Pipes> {
    let table = include_str!("../../../fixtures/en1434_k.csv");
    let number = |text: &str| text.parse::<f64>().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("16.0,"));
    let mut all: Vec<Pipes> = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let (supply, back) = (number(cells[1]), number(cells[2]));
        let uw = |k: &str, spread: f64| (number(k) * spread * 1e6).round() as i64;
        if (20.0..=50.0).contains(&(supply - back)) && supply <= 130.0 {
            let uw_per_lph = uw(cells[6], supply - back);
            all.push(Pipes {
                supply,
                back,
                uw_per_lph,
            });
        }
    }
    assert!(all.len() > 5);
    all
}

/// Freeze protection: the field is the colder end, the sensor in the pipe at 50 °C.
/// 1.1466993 kWh/(m³·K) is what the table prints for the pipe at 50 °C of 50/40.
const FREEZE: Pipes = Pipes {
    supply: 40.0,
    back: 50.0,
    uw_per_lph: -11_466_993,
};

/// Percent of the greatest load, by hour.
const WORKS: [i64; 24] = [
    30, 28, 27, 27, 30, 45, 70, 88, 95, 100, 98, 94, 85, 92, 97, 95, 88, 75, 60, 50, 44, 40, 36, 32,
];
/// Half a day in minutes, and permille of the peak, by month.
const SUN: [(i64, i64); 12] = [
    (250, 300),
    (305, 450),
    (360, 640),
    (420, 800),
    (470, 920),
    (500, 1_000),
    (490, 980),
    (445, 880),
    (385, 720),
    (325, 520),
    (265, 340),
    (235, 260),
];

/// What really flows.
pub struct World {
    dice: Dice,
    noise: [i64; METERS],
    /// Permille of sun through the clouds, and where that goes.
    cloud: (i64, i64),
    turbine: i64,
    battery: i64,
    pipes: Vec<Pipes>,
    pipe: usize,
    /// Signed in the direction of the role, µW.
    pub net: [i64; METERS],
    /// Flow in litres an hour; supply and return of the field, °C.
    pub flow_lph: i64,
    pub temperatures: (f64, f64),
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            noise: [0; METERS],
            cloud: (800, 800),
            turbine: 0,
            battery: 0,
            pipes: pipes(),
            pipe: 0,
            net: [0; METERS],
            flow_lph: 0,
            temperatures: (60.0, 40.0),
        }
    }

    fn load(&mut self, meter: usize, second: i64, greatest_w: i64, swing_w: i64) -> i64 {
        let of_day = second.rem_euclid(86_400);
        let (hour, into) = ((of_day / 3_600) as usize, of_day % 3_600);
        let (a, b) = (WORKS[hour], WORKS[(hour + 1) % 24]);
        let percent_s = a * (3_600 - into) + b * into;
        let noise = self.noise[meter];
        let step = swing_w / 8;
        self.noise[meter] = noise + self.dice.between(-step, step) - noise / 256;
        (greatest_w * percent_s / 360_000 + self.noise[meter]).max(greatest_w / 50)
    }

    /// Goes on to a second of Unix time.
    pub fn second(&mut self, second: i64, month: usize) {
        let w = |watts: i64| watts * UW;
        let hall_a = self.load(HALL_A, second, 180_000, 4_000);
        let hall_c = self.load(HALL_C, second, 90_000, 3_000);
        let hall_b = hall_c + self.load(HALL_B, second, 260_000, 8_000);
        let workshop = self.load(WORKSHOP, second, 40_000, 2_000);
        let aux = self.load(AUX, second, 30_000, 500);
        let sun = self.sun(second, month);
        let pv = 1_000_000 * sun / 1_000_000;
        let of_day = second.rem_euclid(86_400);
        let wanted = if (25_200..72_000).contains(&of_day) {
            420_000
        } else {
            0
        };
        self.turbine += (wanted - self.turbine).clamp(-500, 500);
        let loads = hall_a + hall_b + workshop + aux;
        let missing = (loads - pv - self.turbine).clamp(-250_000, 250_000);
        self.battery += (missing - self.battery).clamp(-5_000, 5_000);
        let grid = loads - pv - self.turbine - self.battery;
        for (meter, watts) in [
            (PCC, grid),
            (PV, pv),
            (TURBINE, self.turbine),
            (BATTERY, self.battery),
            (HALL_A, hall_a),
            (HALL_B, hall_b),
            (HALL_C, hall_c),
            (REST, hall_b - hall_c),
            (WORKSHOP, workshop),
            (AUX, aux),
        ] {
            self.net[meter] = w(watts);
        }
        self.heat(second, sun);
    }

    /// Millionths of the clear noon of midsummer.
    fn sun(&mut self, second: i64, month: usize) -> i64 {
        let (half_min, peak) = SUN[month];
        if self.dice.roll().is_multiple_of(240) {
            self.cloud.1 = self.dice.between(80, 1_000);
        }
        self.cloud.0 += (self.cloud.1 - self.cloud.0).clamp(-8, 8);
        let from_noon = second.rem_euclid(86_400) - 43_200;
        let half = half_min * 60;
        let bell = half * half - from_noon * from_noon;
        if bell <= 0 {
            return 0;
        }
        peak * self.cloud.0 * (bell * 1_000 / (half * half)) / 1_000
    }

    fn heat(&mut self, second: i64, sun: i64) {
        if second % 7_200 == 0 {
            self.pipe = self.dice.roll() as usize % self.pipes.len();
        }
        let freezes = (10_800..11_400).contains(&second.rem_euclid(86_400));
        let pipes = if freezes {
            &FREEZE
        } else {
            &self.pipes[self.pipe]
        };
        // A pump of 30 m³/h, that stands below a twentieth of the sun.
        self.flow_lph = match sun {
            _ if freezes => 1_500,
            ..50_000 => 0,
            _ => 30_000 * sun / 1_000_000,
        };
        self.temperatures = (pipes.supply, pipes.back);
        self.net[FIELD] = self.flow_lph * pipes.uw_per_lph;
        self.net[CONSUMER] = self.load(CONSUMER, second, 600_000, 6_000) * UW;
        self.net[STORE] = self.net[CONSUMER] - self.net[FIELD];
    }
}
