//! One fault at a time: exactly its finding, and no other.

use super::script::{Fault, GAIN, HEALTHY, MIDNIGHT, SHIFT, STEP, Said, Script, flow, phases};
use crate::domain::quality::Reason;
use crate::domain::units::to_f64;

const HOUR: i64 = 3_600;

fn set(said: &mut Said, meter: &'static str, name: &'static str, value: f64) {
    said.entry(meter).or_default().insert(name, Ok(value));
}

fn of(said: &Said, meter: &'static str, name: &'static str) -> f64 {
    said[meter][name].unwrap()
}

fn times(said: &mut Said, meter: &'static str, names: &[&'static str], factor: f64) {
    for name in names {
        let value = of(said, meter, name) * factor;
        set(said, meter, name, value);
    }
}

const fn said(said: fn(&mut Said, i64)) -> Fault {
    Fault { said, ..HEALTHY }
}

/// One phase of the tenant the wrong way round.
fn reversed(all: &mut Said, _: i64) {
    times(all, "a", &["power_l1"], -1.0);
    let total = ["power_l1", "power_l2", "power_l3"].map(|phase| of(all, "a", phase));
    set(all, "a", "power", total.iter().sum());
}

/// The whole grid connection the wrong way round.
fn turned(all: &mut Said, _: i64) {
    times(
        all,
        "pcc",
        &["power", "power_l1", "power_l2", "power_l3", "power_factor"],
        -1.0,
    );
}

/// Two transformers of the tenant exchanged: 0.95 inductive is 18.19°.
fn swapped(all: &mut Said, _: i64) {
    let apparent = of(all, "a", "power") / 3.0 / 18.19_f64.to_radians().cos();
    let at = |degrees: f64| apparent * f64::to_radians(18.19 + degrees).cos();
    let parts = [at(120.0), at(-120.0), at(0.0)];
    let vars = parts.map(|part| (apparent * apparent - part * part).max(0.0).sqrt());
    let volts = of(all, "a", "voltage_l1");
    for (name, value) in phases(parts, vars, volts) {
        set(all, "a", name, value);
    }
    set(all, "a", "power", parts.iter().sum());
}

/// The same answer over and over.
fn stuck(all: &mut Said, _: i64) {
    set(all, "b", "power", 310_000.0);
    set(all, "b", GAIN, 0.0);
}

/// Two hours of the same power while the register counts on: no drift of the day.
fn stuck_hours(all: &mut Said, second: i64) {
    if (8 * HOUR..10 * HOUR).contains(&second) {
        set(all, "b", "power", 310_000.0);
        set(all, "b", GAIN, 1.5);
    }
}

/// Two minutes of the same, in a meter that has more to say.
fn repeats(all: &mut Said, second: i64) {
    if !(8 * HOUR + 600..8 * HOUR + 760).contains(&second) {
        return;
    }
    for (name, value) in phases([138_600.0; 3], [45_700.0; 3], 231.0) {
        set(all, "a", name, value);
    }
    let totals = [("power", 415_800.0), ("reactive_power", 137_100.0)];
    for (name, value) in totals {
        set(all, "a", name, value);
    }
    for name in ["apparent_power", "power_factor"] {
        set(all, "a", name, 1.0);
    }
}

fn exchanged(all: &mut Said, _: i64) {
    let (supply, back) = (
        of(all, "customer", "temp_supply"),
        of(all, "customer", "temp_return"),
    );
    set(all, "customer", "temp_supply", back);
    set(all, "customer", "temp_return", supply);
    times(all, "customer", &["heat_power"], -1.0);
}

/// Hot enough to boil at 16 bar, which it does at 201 °C.
fn boiling(all: &mut Said, _: i64) {
    let heat = of(all, "field", "heat_power");
    for (name, value) in [("temp_supply", 198.0), ("temp_return", 150.0)] {
        set(all, "field", name, value);
    }
    set(all, "field", "flow", flow(heat, 198.0, 150.0));
}

fn empties(all: &mut Said, second: i64) {
    if second > 9 * HOUR {
        times(all, "cold", &["level"], 0.97);
    }
}

fn leaps(all: &mut Said, second: i64) {
    if second >= 9 * HOUR {
        times(all, "b", &["power"], 1e-3);
    }
}

fn unavailable(all: &mut Said, _: i64) {
    all.get_mut("b")
        .unwrap()
        .insert("power", Err(Reason::NotAvailable));
}

fn refused(all: &mut Said, _: i64) {
    all.get_mut("hall")
        .unwrap()
        .insert("power", Err(Reason::Clock));
}

/// Only one message, and of an hour ago.
fn retained(meter: &'static str, second: i64) -> Option<i64> {
    match (meter, second) {
        ("b", second) if second == 8 * HOUR + 60 => Some(second - HOUR),
        ("b", _) => None,
        _ => Some(second),
    }
}

fn fast_clock(meter: &'static str, second: i64) -> Option<i64> {
    Some(second + if meter == "b" { 30 } else { 0 })
}

fn slow_clock(meter: &'static str, second: i64) -> Option<i64> {
    Some(second - if meter == "hall" { 90 } else { 0 })
}

/// A clock that stands still.
fn no_clock(meter: &'static str, second: i64) -> Option<i64> {
    Some(if meter == "weather" {
        second.min(8 * HOUR + 100)
    } else {
        second
    })
}

const GRID: &[&str] = &[
    "power",
    "power_l1",
    "power_l2",
    "power_l3",
    "reactive_power",
    "apparent_power",
    "current_l1",
    "current_l2",
    "current_l3",
];

/// Number and meter of the finding, hours of the day, and the fault.
type Row = (&'static str, u8, &'static str, (i64, i64), Fault);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("one phase of a tenant reversed",       1, "a",        (8, 10),  said(reversed)),
    ("all phases of the connection reversed",1, "pcc",      (20, 22), said(turned)),
    ("two phases of a tenant exchanged",     2, "a",        (8, 10),  said(swapped)),
    ("a ratio of 80 is missing",             3, "b",        (8, 10),  said(|all, _| times(all, "b", &["power"], 1.0 / 80.0))),
    ("a ratio of 10 counts twice",           3, "b",        (8, 10),  said(|all, _| times(all, "b", &["power"], 10.0))),
    ("apparent power of another register",   4, "pcc",      (8, 9),   said(|all, _| times(all, "pcc", &["apparent_power"], 1.1))),
    ("the total of another register",        4, "pcc",      (8, 9),   said(|all, _| times(all, "pcc", &["power_l2"], 1.06))),
    ("a fuse of a voltage",                  5, "pcc",      (8, 9),   said(|all, _| set(all, "pcc", "voltage_l2", 3.0))),
    ("a frequency of another scale",         5, "pcc",      (8, 9),   said(|all, _| times(all, "pcc", &["frequency"], 10.0))),
    ("a power factor of another scale",      5, "pcc",      (8, 9),   said(|all, _| set(all, "pcc", "power_factor", 95.0))),
    ("a gateway that repeats itself",        6, "b",        (8, 10),  said(stuck)),
    ("a day with stuck hours, no drift",     6, "b",        (0, 25),  said(stuck_hours)),
    ("an answer that repeats for a while",   6, "a",        (8, 9),   said(repeats)),
    ("a register that stands",               6, "a",        (8, 10),  said(|all, _| set(all, "a", GAIN, 0.0))),
    ("power from the roof at night",         7, "pv",       (0, 2),   said(|all, _| set(all, "pv", "power", 20e3))),
    ("a load behind the roof's meter",       7, "pv",       (0, 2),   said(|all, second| set(all, "pv", "power", -30e3 - to_f64(second % 97)))),
    ("a roof that gives too much",           8, "pv",       (12, 14), said(|all, _| times(all, "pv", &["power"], 1.5))),
    ("a field that gives too much",          8, "field",    (12, 14), said(|all, _| times(all, "field", &["heat_power", "flow"], 1.45))),
    ("light at night",                       9, "weather",  (0, 1),   said(|all, _| set(all, "weather", "dni", 40.0))),
    ("a dirty global sensor",                9, "weather",  (12, 14), said(|all, _| times(all, "weather", &["ghi"], 0.85))),
    ("temperature sensors exchanged",       10, "customer", (8, 10),  said(exchanged)),
    ("flow with the pump off",              11, "customer", (8, 9),   Fault { world: |now| now.heat *= 0.1, ..said(|all, _| set(all, "pump", "status", 0.0)) }),
    ("no flow with the pump on",            11, "customer", (8, 9),   Fault { world: |now| now.heat = 0.0, ..HEALTHY }),
    ("a heat meter set to glycol",          12, "customer", (8, 9),   said(|all, _| times(all, "customer", &["heat_power"], 0.94))),
    ("a fluid about to boil",               13, "field",    (12, 13), said(boiling)),
    ("a fluid about to freeze",             13, "field",    (0, 1),   said(|all, _| { set(all, "field", "temp_return", 3.0); set(all, "field", "temp_supply", 3.0); })),
    ("a register with another scale",       14, "a",        (0, 25),  said(|all, _| set(all, "a", GAIN, 1.02))),
    ("a volume with another scale",         14, "customer", (0, 25),  said(|all, _| times(all, "customer", &["volume"], 1.02))),
    ("a register that falls",               15, "b",        (8, 9),   said(|all, second| set(all, "b", SHIFT, if second < 8 * HOUR + 900 { 0.0 } else { -5e3 }))),
    ("the connection shows too much",       16, "pcc",      (0, 2),   said(|all, _| times(all, "pcc", GRID, 1.08))),
    ("export above the contract",           17, "pcc",      (12, 13), Fault { world: |now| { now.a *= 0.2; now.b *= 0.2; now.battery = 0.0; }, ..HEALTHY }),
    ("a source without a meter at night",   17, "pcc",      (0, 2),   Fault { world: |now| now.hidden = 420e3, ..HEALTHY }),
    ("a state of charge that steps",        18, "battery",  (8, 9),   said(|all, second| if second > 8 * HOUR + 900 { set(all, "battery", "soc", 43.0) })),
    ("a state of charge of another scale",  18, "battery",  (8, 9),   said(|all, _| times(all, "battery", &["soc"], 10.0))),
    ("a tank that leaks",                   18, "hot",      (8, 11),  said(empties)),
    ("a clock that is fast",                19, "b",        (8, 9),   Fault { at: fast_clock, ..HEALTHY }),
    ("a clock that is slow",                19, "hall",     (8, 9),   Fault { at: slow_clock, ..HEALTHY }),
    ("a clock that stands",                 19, "weather",  (8, 9),   Fault { at: no_clock, ..HEALTHY }),
    ("a meter's clock that is fast",        19, "pcc",      (8, 9),   said(|all, _| { let shown = of(all, "pcc", "clock"); set(all, "pcc", "clock", shown + 8.0); })),
    ("a meter's clock that stands",         19, "customer", (8, 9),   said(|all, _| set(all, "customer", "clock_local", to_f64(MIDNIGHT + 16 * HOUR)))),
    ("a meter's clock in another zone",     19, "customer", (8, 9),   said(|all, _| { let shown = of(all, "customer", "clock_local"); set(all, "customer", "clock_local", shown + 3_600.0); })),
    ("values of the future, refused",       19, "hall",     (8, 9),   said(refused)),
    ("a sensor without a number",           20, "b",        (8, 9),   said(unavailable)),
    ("a message that was kept",             20, "b",        (8, 9),   Fault { at: retained, ..HEALTHY }),
    ("a unit that changed",                 20, "b",        (8, 11),  said(leaps)),
    ("a feeder with a load of its own",     21, "hall",     (8, 10),  said(|all, _| times(all, "hall", &["power"], 1.06))),
];

/// What opens in a park with this fault, and how the finding reads.
fn opened(hours: (i64, i64), fault: Fault) -> Vec<(u8, String, String)> {
    let mut script = Script::new(1.0);
    let changes = script.run(hours.0 * HOUR..hours.1 * HOUR + STEP, fault);
    let opened = changes.into_iter().filter(|change| change.opened);
    opened
        .map(|change| {
            let finding = change.finding;
            (
                finding.check,
                finding.meters[0].to_string(),
                finding.to_string(),
            )
        })
        .collect()
}

#[test]
fn each_fault_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    for (name, check, meter, hours, fault) in ROWS {
        let found = opened(*hours, *fault);
        let right = matches!(&found[..], [(number, at, _)] if number == check && at == meter);
        if !right {
            wrong.push(format!("{name}: {check} at {meter}: {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_check_has_a_fault() {
    for row in super::super::CHECKS {
        assert!(
            ROWS.iter().any(|(_, check, ..)| *check == row.number),
            "{}",
            row.name
        );
    }
}
