//! Wiring faults against their signatures in `tests/fixtures/ct_errors.csv`.

use super::script::{Fault, HEALTHY, Said, Script, phases};

const TABLE: &str = include_str!("../../../../tests/fixtures/ct_errors.csv");

/// The currents that reach the three elements: of which phase, and with which sign.
type Wired = [(usize, f64); 3];

#[rustfmt::skip]
const FAULTS: [(&str, Wired, u8); 10] = [
    ("correct",                  [(0,  1.0), (1,  1.0), (2,  1.0)], 0),
    ("one_CT_reversed",          [(0, -1.0), (1,  1.0), (2,  1.0)], 1),
    ("two_CT_reversed",          [(0, -1.0), (1, -1.0), (2,  1.0)], 1),
    ("all_CT_reversed",          [(0, -1.0), (1, -1.0), (2, -1.0)], 1),
    ("one_CT_lost",              [(0,  0.0), (1,  1.0), (2,  1.0)], 0),
    ("two_CT_lost",              [(0,  0.0), (1,  0.0), (2,  1.0)], 0),
    ("two_CT_swapped (L1<->L2)", [(1,  1.0), (0,  1.0), (2,  1.0)], 2),
    ("cyclic_shift +120 (L1<-L2,L2<-L3,L3<-L1)", [(1, 1.0), (2, 1.0), (0, 1.0)], 2),
    ("cyclic_shift -120 (L1<-L3,L2<-L1,L3<-L2)", [(2, 1.0), (0, 1.0), (1, 1.0)], 2),
    // The transformer that voltage L1 sees is the wrong way round.
    ("swap + one reversed",      [(1, -1.0), (0,  1.0), (2,  1.0)], 2),
];

/// Active power of each element, as parts of the true power of a phase, and the
/// reactive part of each.
fn elements(wired: Wired, phi: f64) -> ([f64; 3], [f64; 3]) {
    let mut active = [0.0; 3];
    let mut reactive = [0.0; 3];
    for (place, (phase, sign)) in wired.into_iter().enumerate() {
        let lags = |phase: usize| 120.0 * f64::from(u8::try_from(phase).unwrap());
        let angle = (phi + lags(phase) - lags(place)).to_radians();
        active[place] = sign * angle.cos();
        reactive[place] = sign * angle.sin();
    }
    (active, reactive)
}

#[test]
fn wiring_faults_have_their_signatures() {
    let rows: Vec<Vec<String>> = TABLE
        .lines()
        .skip(2)
        .map(|line| {
            // The name may hold commas, in quotes.
            let (name, rest) = match line.strip_prefix('"') {
                Some(quoted) => quoted.split_once("\",").unwrap(),
                None => line.split_once(',').unwrap(),
            };
            let cells = rest.split(',').map(str::to_owned);
            std::iter::once(name.to_owned()).chain(cells).collect()
        })
        .collect();
    assert_eq!(rows.len(), FAULTS.len());
    for ((name, wired, _), row) in FAULTS.iter().zip(&rows) {
        assert_eq!(*name, row[0]);
        for (phi, cell) in [0.0, 18.194_872, 36.869_898, -18.194_872]
            .iter()
            .zip(&row[1..])
        {
            let (active, _) = elements(*wired, *phi);
            let ratio = active.iter().sum::<f64>() / 3.0 / phi.to_radians().cos();
            let expected: f64 = cell.parse().unwrap();
            assert!(
                (ratio - expected).abs() < 2e-6,
                "{name} {phi}: {ratio} {expected}"
            );
        }
    }
}

thread_local! {
    static NOW: std::cell::Cell<(usize, f64)> = const { std::cell::Cell::new((0, 0.0)) };
}

fn miswired(all: &mut Said, _: i64) {
    let (place, phi) = NOW.get();
    let (active, reactive) = elements(FAULTS[place].1, phi);
    let apparent = all["a"]["power"].unwrap() / 3.0 / phi.to_radians().cos();
    let volts = all["a"]["voltage_l1"].unwrap();
    let (watts, vars) = (
        active.map(|part| part * apparent),
        reactive.map(|part| part * apparent),
    );
    let tenant = all.get_mut("a").unwrap();
    for (name, value) in phases(watts, vars, volts) {
        tenant.insert(name, Ok(value));
    }
    tenant.insert("power", Ok(watts.iter().sum()));
}

/// Each is told by the check that it belongs to, at every power factor, and by no other.
#[test]
fn wiring_faults_are_told_apart() {
    let mut wrong = Vec::new();
    for phi in [0.0, 18.19, 36.87, -18.19] {
        for (place, (name, _, check)) in FAULTS.iter().enumerate() {
            NOW.set((place, phi));
            let fault = Fault {
                said: miswired,
                ..HEALTHY
            };
            let changes = Script::new(1.0).run(28_800..33_600, fault);
            let wiring = changes
                .iter()
                .filter(|change| change.opened && change.finding.check <= 2);
            let found: Vec<u8> = wiring.map(|change| change.finding.check).collect();
            let expected: Vec<u8> = Some(*check)
                .filter(|check| *check > 0)
                .into_iter()
                .collect();
            if found != expected {
                wrong.push(format!("{name} at {phi}: {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
