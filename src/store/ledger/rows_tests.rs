//! Single channels of the ledger, read by themselves.

use super::*;
use crate::store::ledger::schema::STEPS;

const QUARTER_MS: i64 = 900_000;

/// Four quarter hours of two meters both ways; one of them is not known.
fn ledger() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    STEPS
        .iter()
        .for_each(|step| connection.execute_batch(step).unwrap());
    for nth in 0..4_i64 {
        for (place, meter) in [(1, "pcc"), (2, "roof")] {
            for positive in [true, false] {
                let silent = (nth, meter, positive) == (2, "roof", false);
                let mwh = (!silent).then_some(nth * 100 + place * 10 + i64::from(positive));
                let start = nth * QUARTER_MS;
                let cells = params![
                    start,
                    start + QUARTER_MS,
                    meter,
                    positive,
                    mwh,
                    silent.then_some("timeout"),
                    if silent { 7 } else { 2 },
                    if silent { 0.0 } else { 80.0 },
                ];
                let sql = "INSERT INTO entry VALUES
                    (?1, ?2, ?3, 'electricity', ?4, ?5, ?6, ?7, ?8, 11, 12, 1)";
                connection.execute(sql, cells).unwrap();
            }
        }
    }
    connection
}

#[test]
fn a_channel_by_itself_is_what_it_is_among_all_of_them() {
    let connection = ledger();
    let (from, to) = (timestamp(QUARTER_MS), timestamp(3 * QUARTER_MS));
    let all = entries_between(&connection, from, to).unwrap();
    assert_eq!(all.len(), 8);
    for meter in ["pcc", "roof"] {
        for positive in [true, false] {
            let channel = Channel {
                carrier: Carrier::Electricity,
                positive,
            };
            let mut found = Vec::new();
            let asked = (&Arc::from(meter), channel);
            channel_between(&connection, asked, from, to, &mut found).unwrap();
            let among = all.iter().filter(|one| *one.meter == *meter);
            let among = among.filter(|one| one.channel == channel).cloned();
            let expected: Vec<Entry> = among
                .map(|one| Entry {
                    opening: None,
                    closing: None,
                    ..one
                })
                .collect();
            assert_eq!(found, expected, "{meter} {positive}");
            assert_eq!(found.len(), 2, "{meter} {positive}");
        }
    }
    // What is not known keeps its reason.
    let silent = all.iter().find(|one| one.energy.is_err()).unwrap();
    assert_eq!(silent.energy, Err(Reason::Timeout));
    let mut heat = Vec::new();
    let channel = Channel {
        carrier: Carrier::Heat,
        positive: true,
    };
    channel_between(&connection, (&"pcc".into(), channel), from, to, &mut heat).unwrap();
    assert_eq!(heat, []);
}

#[test]
fn a_channel_is_one_range_of_its_index() {
    let connection = ledger();
    let mut plan = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {CHANNEL}"))
        .unwrap();
    let asked = params!["roof", "electricity", false, 0, QUARTER_MS];
    let steps = plan
        .query_map(asked, |row| row.get::<_, String>(3))
        .unwrap();
    let steps: Vec<String> = steps.collect::<rusqlite::Result<_>>().unwrap();
    assert_eq!(
        steps,
        ["SEARCH entry USING COVERING INDEX entry_of_channel \
          (meter=? AND carrier=? AND positive=? AND start_ms>? AND start_ms<?)"]
    );
}
