//! `calc day` beside the lengths of days.

use serde_json::{Value, json};

use super::{answer, answer_to, by_flags, by_input, fixture, list, near};

/// Source: interval_cases.json `day_lengths`, computed from IANA tzdata.
#[tokio::test]
async fn days_have_the_intervals_that_their_clock_gives_them() {
    let vectors = fixture("interval_cases.json");
    for case in list(&vectors["day_lengths"]) {
        let word = |key: &str| case[key].as_str().unwrap().to_owned();
        for (interval, minutes, key) in [
            ("15min", 15, "n15"),
            ("30min", 30, "n30"),
            ("5min", 5, "n5"),
        ] {
            let words = format!(
                "day --zone {} --date {} --interval {interval}",
                word("zone"),
                word("local_date")
            );
            let given =
                json!({"zone": case["zone"], "date": case["local_date"], "interval": interval});
            let found = answer(&words).await;
            assert_eq!(found, answer_to("day", &given).await, "{words}");
            assert_eq!(found["start"], case["start_utc"], "{words}");
            assert_eq!(found["end"], case["end_utc"], "{words}");
            assert_eq!(found["start_local"], case["local_start"], "{words}");
            near(&found["hours"], &case["hours"], 0.0, &words);
            assert_eq!(found["interval_minutes"], minutes, "{words}");
            assert_eq!(found["count"], case[key], "{words}");
            let all = list(&found["intervals"]);
            assert_eq!(json!(all.len()), case[key], "{words}");
            assert_eq!(all[0]["start"], found["start"], "{words}");
            assert_eq!(all.last().unwrap()["end"], found["end"], "{words}");
            for pair in all.windows(2) {
                assert_eq!(pair[0]["end"], pair[1]["start"], "{words}");
            }
            let changes = list(&found["clock_changes"]).len();
            assert_eq!(changes == 0, case["hours"] == 24.0, "{words}");
        }
    }
}

#[tokio::test]
async fn the_text_has_local_labels_and_says_where_the_clock_changes() {
    let said = by_flags("day --zone Africa/Cairo --date 2025-04-25 --interval 60min").await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    for words in [
        "2025-04-24T22:00:00Z  UTC",
        "2025-04-25T01:00:00+03:00  local",
        "23  h",
        "the clock changes at 2025-04-24T22:00:00Z UTC: +02 becomes +03",
        "2025-04-25T23:00:00+03:00  2025-04-26T00:00:00+03:00  2025-04-25T20:00:00Z",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
    // The hour that comes twice has two offsets.
    let said = by_flags("day --zone Europe/Berlin --date 2025-10-26").await;
    for words in [
        "100",
        "2025-10-26T02:45:00+02:00  2025-10-26T02:00:00+01:00",
        "25  h",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
    let lord_howe =
        answer("day --zone Australia/Lord_Howe --date 2025-04-06 --interval 60min").await;
    let short: Vec<&Value> = list(&lord_howe["intervals"])
        .iter()
        .filter(|one| one["minutes"] != 60.0)
        .collect();
    assert_eq!(short.len(), 1, "the change cuts one hour in half");
    assert_eq!(short[0]["minutes"], 30.0);
}

#[tokio::test]
async fn a_day_that_is_none_is_refused() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, &str, &str)] = &[
        // zone            date          interval  words
        ("Europe/Bärlin",  "2025-03-30", "15min",  "is no time zone; a name of the IANA database"),
        ("Asia/Shanghai",  "2025-02-30", "15min",  "`2025-02-30` is no date; write YYYY-MM-DD"),
        ("Asia/Shanghai",  "yesterday",  "15min",  "`yesterday` is no date"),
        ("Asia/Shanghai",  "2025-03-30", "7min",   "`7min` is no settlement interval; one of 1min, 5min"),
        ("Asia/Shanghai",  "2025-03-30", "15",     "`15` is no settlement interval"),
        ("Asia/Shanghai",  "9999-12-31", "15min",  "9999-12-31 leaves the calendar"),
        ("Pacific/Apia",   "2011-12-30", "15min",  "2011-12-30 is skipped in Pacific/Apia"),
    ];
    for (zone, date, interval, words) in cases {
        by_flags(&format!(
            "day --zone {zone} --date {date} --interval {interval}"
        ))
        .await
        .must_say(64, &[words]);
        let given = json!({"zone": zone, "date": date, "interval": interval});
        by_input("day", &given.to_string(), &[])
            .await
            .must_say(65, &["standard input: ", words]);
    }
    by_flags("day --zone Asia/Shanghai")
        .await
        .must_say(64, &["say --date, or `date` in a file"]);
}
