//! A day of a healthy park, and what is said where something is missing.

use super::script::{Fault, HEALTHY, STEP, Script};

/// Night, sunrise, clouds, a battery that cycles, tenants in steps, a grid that is away
/// for a minute, and a meter that is silent for ten.
#[test]
fn a_healthy_day_has_no_finding() {
    let mut script = Script::new(1.0);
    script.silent = |meter, second| meter == "b" && (54_000..54_600).contains(&second);
    let changes = script.run(0..90_000, HEALTHY);
    assert_eq!(changes, []);
    assert_eq!(script.checks.open(), []);
}

/// A meter that says nothing is not judged, and that is said.
#[test]
fn what_cannot_be_judged_is_said() {
    let mut script = Script::new(1.0);
    script.silent = |meter, _| meter == "pcc";
    assert_eq!(script.run(0..3_600, HEALTHY), []);
    let unjudged = script.checks.unjudged();
    let because = |check: u8, meter: &str| {
        let mut silent = unjudged.iter();
        let found = silent.find(|silent| silent.check == check && &*silent.meter == meter);
        found.map(|silent| silent.because)
    };
    assert_eq!(because(4, "pcc"), Some("its power is not known"));
    assert_eq!(
        because(16, "pcc"),
        Some("a meter of the balance was silent")
    );
    assert_eq!(because(19, "pcc"), Some("nothing was heard of it"));
    assert_eq!(because(7, "pv"), None);
}

/// A finding closes once the fault has gone, and is told as it was.
#[test]
fn a_finding_closes() {
    let fault = Fault {
        said: |all, second| {
            if second < 3_000 {
                all.get_mut("pv").unwrap().insert("power", Ok(20e3));
            }
        },
        ..HEALTHY
    };
    let mut script = Script::new(1.0);
    let opened = script.run(0..3_000, fault);
    let [change] = &opened[..] else {
        panic!("{opened:?}");
    };
    assert_eq!(script.checks.open(), std::slice::from_ref(&change.finding));
    let closed = script.run(3_000..3_600, fault);
    assert_eq!(closed.len(), 1);
    assert!(!closed[0].opened);
    assert_eq!(closed[0].finding, change.finding);
    assert_eq!(script.checks.open(), []);
    let sentence = "pv: its power at night is 20000 W, the limit is 2000 W; probably the meter \
        sees another source, the park's place or clock is wrong, or the value is stuck; check the \
        meter's role and the park's latitude and longitude; is another source behind the meter?";
    assert_eq!(change.finding.to_string(), sentence);
}

/// A restart loses none of the time that a condition has stood, and adds none.
#[test]
fn a_restart_in_between_changes_nothing() {
    let fault = Fault {
        said: |all, _| {
            for (name, factor) in [("power_l1", -1.0), ("power", 1.0 / 3.0)] {
                let value = all["a"][name].unwrap() * factor;
                all.get_mut("a").unwrap().insert(name, Ok(value));
            }
        },
        ..HEALTHY
    };
    let opens = |restarts: &[i64]| {
        let mut script = Script::new(1.0);
        let mut second = 28_800;
        while script
            .step(second, fault)
            .iter()
            .all(|change| !change.opened)
        {
            second += STEP;
            if restarts.contains(&second) {
                script.restart();
            }
        }
        let found = script.checks.open().remove(0);
        (second, (found.check, found.meters, found.since))
    };
    let (second, found) = opens(&[]);
    let (again, found_again) = opens(&[29_400, 29_500]);
    assert_eq!(found, found_again);
    // A look after each start counts no time.
    assert!(
        (0..=4 * STEP).contains(&(again - second)),
        "{second} {again}"
    );
}
