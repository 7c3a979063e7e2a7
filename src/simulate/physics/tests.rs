//! The park as a whole: does it close, is it a park, is it the same again.

use super::*;
use terminal::TERMINAL_COUNT;

fn park(seed: u64, start: &str) -> Physics {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let start = start.parse().unwrap();
    Physics::new(seed, 39.19, 113.26, start, SignedDuration::ZERO, zone)
}

/// Midnight of a clear, long day in the park, after a day of running in.
fn midnight(seed: u64, day: &str) -> Physics {
    let local: jiff::civil::Date = day.parse().unwrap();
    let before = local.yesterday().unwrap();
    let mut park = park(seed, &format!("{before}T00:00:00+08:00"));
    let start = format!("{local}T00:00:00+08:00")
        .parse::<Timestamp>()
        .unwrap();
    park.run_to(start.as_second(), true);
    park
}

#[test]
fn electricity_and_heat_close_in_every_second_of_a_day() {
    for (seed, day) in [(1, "2026-06-21"), (2, "2026-12-21")] {
        let mut park = midnight(seed, day);
        for _ in 0..86_400 {
            let p = |terminal| park.powers().of(terminal);
            let sources =
                p(Terminal::Grid) + p(Terminal::Pv) + p(Terminal::Turbine) + p(Terminal::Battery);
            let loads: i64 = TENANTS.iter().map(|tenant| p(*tenant)).sum::<i64>()
                + p(Terminal::AuxField)
                + p(Terminal::AuxBlock)
                + p(Terminal::ElectricBoiler);
            assert_eq!(
                sources,
                loads + TRANSFORMER,
                "electricity at {}",
                park.second()
            );

            let made = p(Terminal::Field)
                + p(Terminal::GasBoiler)
                + p(Terminal::ElectricHeat)
                + p(Terminal::Storage);
            assert_eq!(
                made,
                p(Terminal::ToPower) + p(Terminal::Feed),
                "heat at {}",
                park.second()
            );
            let taken =
                p(Terminal::BreweryHeat) + p(Terminal::CeramicsHeat) + p(Terminal::DistrictHeat);
            let lost = p(Terminal::Feed) - taken;
            assert!(
                (30_000_000..200_000_000).contains(&lost),
                "pipes at {}: {lost}",
                park.second()
            );
            park.step(1);
        }
    }
}

/// The equations of the balance, over the sums that the model keeps.
fn assert_sums_close(flows: &[(&str, f64)]) {
    let of = |name: &str| flows.iter().find(|flow| flow.0 == name).unwrap().1;
    let load = of("generation") + of("import") - of("export") + of("battery_discharge")
        - of("battery_charge");
    let scale = of("load");
    assert!(
        (load - of("load")).abs() <= 1e-9 * scale,
        "electricity {flows:?}"
    );
    let made = of("solar_field") + of("boilers") + of("electric_boiler") + of("storage_discharge");
    let used = of("storage_charge") + of("to_power") + of("supplied") + of("heat_losses");
    assert!((made - used).abs() <= 1e-9 * used, "heat {flows:?}");
    assert!(
        flows
            .iter()
            .filter(|flow| flow.0 != "solar_field")
            .all(|flow| flow.1 >= 0.0),
        "{flows:?}"
    );
}

#[test]
fn the_truth_of_a_day_closes_and_equals_what_the_meters_counted() {
    let mut park = midnight(3, "2026-06-21");
    for _ in 0..24 {
        let start = park.second();
        let before: Vec<i64> = TERMINALS.iter().map(|t| meter(&park, *t)).collect();
        park.run_to(start + 3_600, false);
        let flows = park.truth().between(start, start + 3_600).unwrap();
        assert_sums_close(&flows);
        for (terminal, before) in TERMINALS.iter().zip(before) {
            let through = park
                .truth()
                .through(*terminal, start, start + 3_600)
                .unwrap();
            let counted = to_f64(meter(&park, *terminal) - before) / to_f64(MJ_PER_WH);
            assert!(
                (through - counted).abs() < 1e-6,
                "{terminal:?}: {through} {counted}"
            );
        }
        let of = |name: &str| flows.iter().find(|flow| flow.0 == name).unwrap().1;
        let through = |terminal| {
            park.truth()
                .through(terminal, start, start + 3_600)
                .unwrap()
        };
        let close = |a: f64, b: f64| (a - b).abs() < 1e-3;
        assert!(close(of("import") - of("export"), through(Terminal::Grid)));
        assert!(close(
            of("storage_discharge") - of("storage_charge"),
            through(Terminal::Storage)
        ));
        assert!(close(
            of("battery_discharge") - of("battery_charge"),
            through(Terminal::Battery)
        ));
        assert!(close(of("solar_field"), through(Terminal::Field)));
        assert!(close(
            of("supplied") + of("heat_losses"),
            through(Terminal::Feed)
        ));
        assert!(close(of("losses"), 3_000.0));
    }
}

fn meter(park: &Physics, terminal: Terminal) -> i64 {
    let at_ms = park.second() * 1_000;
    park.counted(terminal, Direction::Positive, at_ms)
        - park.counted(terminal, Direction::Negative, at_ms)
}

#[test]
fn storages_keep_their_book_and_their_bounds() {
    let mut park = midnight(4, "2026-06-21");
    let (heat, cells) = (park.storage.content, park.battery.content);
    let start = park.second();
    let (mut heat_lost, mut cells_lost) = (0, 0);
    for _ in 0..3 * 8_640 {
        heat_lost += mj(park.storage.loss, 10);
        cells_lost += mj(park.battery.loss, 10);
        park.step(10);
        assert!((0..=storage::CAPACITY).contains(&park.storage.content));
        assert!((0..=electricity::BATTERY_CAPACITY).contains(&park.battery.content));
    }
    assert_eq!(park.second(), start + 3 * 86_400);
    let through = |terminal: Terminal| {
        let opening = midnight(4, "2026-06-21");
        meter(&park, terminal) - meter(&opening, terminal)
    };
    assert_eq!(
        heat - park.storage.content,
        through(Terminal::Storage) + heat_lost
    );
    assert_eq!(
        cells - park.battery.content,
        through(Terminal::Battery) + cells_lost
    );
    assert!(heat_lost > 0 && cells_lost > 0);
}

#[test]
fn the_same_seed_gives_the_same_day_and_another_one_another() {
    let trace = |seed| -> Vec<PerTerminal> {
        let mut park = park(seed, "2026-06-20T16:00:00Z");
        (0..8_640)
            .map(|_| {
                park.step(10);
                *park.powers()
            })
            .collect()
    };
    let once = trace(11);
    assert!(once == trace(11), "deterministic");
    assert!(once != trace(12), "seeded");
}

/// Means of a terminal's power in kW, by local hour.
fn hours(park: &mut Physics) -> Vec<[f64; TERMINAL_COUNT]> {
    (0..24)
        .map(|_| {
            let mut sums = [0.0; TERMINAL_COUNT];
            for _ in 0..360 {
                for (sum, terminal) in sums.iter_mut().zip(TERMINALS) {
                    *sum += watts(park.powers().of(*terminal)) / 360e3;
                }
                park.step(10);
            }
            sums
        })
        .collect()
}

#[test]
fn a_clear_summer_day_is_that_of_a_solar_thermal_park() {
    let mut park = midnight(20, "2026-06-24");
    let day = hours(&mut park);
    let kw = |terminal: Terminal, hour: usize| day[hour][terminal as usize];
    let heat = [
        Terminal::BreweryHeat,
        Terminal::CeramicsHeat,
        Terminal::DistrictHeat,
    ];
    for hour in 0..24 {
        let supplied: f64 = heat.iter().map(|terminal| kw(*terminal, hour)).sum();
        assert!(
            (800.0..5_000.0).contains(&supplied),
            "{hour} h: heat {supplied}"
        );
        let tenants: f64 = TENANTS.iter().map(|tenant| kw(*tenant, hour)).sum();
        assert!(
            (200.0..1_400.0).contains(&tenants),
            "{hour} h: tenants {tenants}"
        );
    }
    assert!(kw(Terminal::Grid, 12) < -200.0, "exports at noon");
    assert!(kw(Terminal::Grid, 3) > 100.0, "imports at night");
    assert!(kw(Terminal::Pv, 12) > 1_000.0);
    assert!(
        (-2.0..0.0).contains(&kw(Terminal::Pv, 1)),
        "inverters stand by"
    );
    assert!(
        kw(Terminal::Field, 12) > 8_000.0,
        "{}",
        kw(Terminal::Field, 12)
    );
    assert!(
        (-1_000.0..-50.0).contains(&kw(Terminal::Field, 3)),
        "the loop is kept warm"
    );
    let fullest = (8..14)
        .map(|hour| kw(Terminal::Storage, hour))
        .fold(0.0, f64::min);
    assert!(fullest < -1_000.0, "charges before noon: {fullest}");
    assert!(kw(Terminal::Storage, 23) > 500.0, "discharges at night");
    assert!(kw(Terminal::Turbine, 13) > 1_000.0);
    assert!(
        (-8.0..-4.0).contains(&kw(Terminal::Turbine, 4)),
        "turning gear"
    );
    assert!(kw(Terminal::ToPower, 13) > 3.5 * kw(Terminal::Turbine, 13));
}

#[test]
fn a_shifted_park_lives_at_another_hour_with_the_same_timestamps() {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let start: Timestamp = "2026-06-20T16:00:00Z".parse().unwrap();
    let shift = SignedDuration::from_hours(11);
    let park = Physics::new(1, 39.19, 113.26, start, shift, zone);
    assert_eq!(park.second(), start.as_second());
    assert!(park.sun.elevation_deg > 50.0, "{:?}", park.sun);
    assert!((park.local.hour - 11.0).abs() < 1e-9);
}

#[test]
fn coarse_and_fine_steps_tell_the_same_story() {
    let mut fine = midnight(9, "2026-06-21");
    let mut coarse = fine.clone();
    let start = fine.second();
    for hour in 1..=24 {
        fine.run_to(start + hour * 3_600, false);
        coarse.run_to(start + hour * 3_600, true);
    }
    for terminal in [
        Terminal::Field,
        Terminal::Pv,
        Terminal::Feed,
        Terminal::Foundry,
    ] {
        let ran = |park: &Physics| {
            to_f64(meter(park, terminal) - meter(&midnight(9, "2026-06-21"), terminal))
        };
        let (a, b) = (ran(&fine), ran(&coarse));
        assert!((a / b - 1.0).abs() < 0.01, "{terminal:?}: {a} {b}");
    }
}

#[test]
fn registers_run_straight_within_a_second_and_never_back() {
    let mut park = midnight(1, "2026-06-21");
    let mut last = 0;
    for _ in 0..100 {
        for ms in [0, 1, 250, 999, 1_000] {
            let at = park.second() * 1_000 + ms;
            let counted = park.counted(Terminal::Foundry, Direction::Positive, at);
            assert!(counted >= last);
            last = counted;
        }
        park.step(1);
        let at = park.second() * 1_000;
        assert_eq!(
            park.counted(Terminal::Foundry, Direction::Positive, at),
            last
        );
    }
}

#[test]
fn truth_is_kept_for_hours_and_then_forgotten() {
    let mut park = midnight(1, "2026-06-21");
    let start = park.second();
    park.run_to(start + 4 * 3_600, true);
    let now = park.second();
    assert!(park.truth().between(now - 3 * 3_600, now).is_some());
    assert!(
        park.truth()
            .between(now - 3 * 3_600 + 7, now - 13)
            .is_some(),
        "between coarse steps"
    );
    assert!(park.truth().between(start, now).is_none(), "forgotten");
    assert!(
        park.truth().between(now - 60, now + 1).is_none(),
        "still to come"
    );
}
