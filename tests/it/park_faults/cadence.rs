//! Dead units among living ones: what they cost the others.

use std::collections::BTreeMap;
use std::time::Duration;

use sunledger::domain::quality::Reason;
use sunledger::simulate::rehearsal::{At, Bus, Settings};
use sunledger::sys::clock;

use super::judge::{Judged, Row};
use super::{Meter, Site, anywhere};

const TIMEOUT: Duration = Duration::from_millis(150);
const PERIOD_MS: i64 = 500;
/// How long everyone is watched once it is known who is dead.
const WATCHED: Duration = Duration::from_secs(12);
/// Units 16 to 20 are dead; the other bus has none of them, on the same machine.
const LIVING: u8 = 15;
const ALL: u8 = 20;

/// Periods without a row, and all periods, between the first row and the last of each
/// meter within a stretch.
fn missed<'a>(rows: impl Iterator<Item = &'a Vec<Row>>, stretch: (i64, i64)) -> (i64, i64) {
    let (mut missed, mut all) = (0, 0);
    for rows in rows {
        let within = |row: &&Row| (stretch.0..=stretch.1).contains(&row.time_ms);
        let times: Vec<i64> = rows.iter().filter(within).map(|row| row.time_ms).collect();
        for pair in times.windows(2) {
            let periods = (pair[1] - pair[0] + PERIOD_MS / 2) / PERIOD_MS;
            missed += (periods - 1).max(0);
            all += periods;
        }
    }
    (missed, all)
}

#[tokio::test(flavor = "multi_thread")]
async fn living_units_keep_their_cadence_beside_dead_ones_which_come_back() {
    let mut settings = Settings::encoding(At::Tcp(anywhere()), TIMEOUT);
    let control = Bus {
        name: "control".into(),
        ..settings.buses[0].clone()
    };
    settings.buses.push(control);
    let mut meters: Vec<Meter> = (1..=ALL).map(|unit| Meter::new(0, unit, 3, 100)).collect();
    meters.extend((1..=LIVING).map(|unit| Meter::new(1, unit, 3, 100)));
    let dead = (LIVING + 1..=ALL).map(|unit| format!("dead:main/{unit}"));
    let dead: Vec<String> = dead.collect();
    let faults: Vec<&str> = dead.iter().map(String::as_str).collect();
    let site = Site::start(settings, &faults, meters, PERIOD_MS as u64).await;
    let is_dead = |meter: &Meter| meter.bus == 0 && meter.unit > LIVING;
    let began = site.park.began();
    site.all_heard("the living", began, |meter| !is_dead(meter))
        .await;
    site.until("the dead are known", |site| site.struck("dead") >= 5)
        .await;

    let from = clock::wall();
    tokio::time::sleep(WATCHED).await;
    let until = clock::wall();
    site.park.faults().off("dead").unwrap();
    site.all_heard("the dead are back", until, is_dead).await;
    let asked = site.park.log().asked();
    let ids: BTreeMap<String, Meter> = site
        .meters
        .iter()
        .map(|meter| (meter.id.clone(), meter.clone()))
        .collect();
    let judged = site.end().await;

    let stretch = (from.as_millisecond(), until.as_millisecond());
    let of = |which: &dyn Fn(&Meter) -> bool| missed(rows_of(&judged, &ids, which), stretch);
    let living = of(&|meter| meter.bus == 0 && meter.unit <= LIVING);
    let beside_none = of(&|meter| meter.bus == 1);
    let gaps = of(&is_dead);
    // What the machine itself does not bear is missed beside no dead unit as well.
    println!("missed {living:?}, on a bus without dead units {beside_none:?}, gaps {gaps:?}");
    assert!(
        (living.0 - beside_none.0) * 100 <= living.1,
        "{living:?} of living units, {beside_none:?} beside no dead one"
    );
    assert!(
        gaps.0 * 100 <= 20 * gaps.1,
        "each period is a gap: {gaps:?}"
    );
    let dead = asked.iter().filter(|one| {
        one.bus == 0 && one.question.unit > LIVING && (from..until).contains(&one.wall)
    });
    let cost = TIMEOUT * u32::try_from(dead.count()).unwrap();
    let share = until.duration_since(from).as_secs_f64() / 20.0;
    let most = share + TIMEOUT.as_secs_f64();
    assert!(cost.as_secs_f64() <= most, "{cost:?} of {WATCHED:?}");
    for rows in rows_of(&judged, &ids, &is_dead) {
        let told = |row: &Row| row.time_ms < stretch.0 || row.time_ms > stretch.1;
        let gap = |row: &Row| told(row) || row.said == Err(Reason::Timeout);
        assert!(rows.iter().all(gap), "{rows:?}");
    }
}

fn rows_of<'a>(
    judged: &'a Judged,
    ids: &BTreeMap<String, Meter>,
    which: &dyn Fn(&Meter) -> bool,
) -> impl Iterator<Item = &'a Vec<Row>> {
    let of = judged.rows.iter().filter(|(id, _)| which(&ids[*id]));
    of.map(|(_, rows)| rows).collect::<Vec<_>>().into_iter()
}
