use bytes::Bytes;

use super::*;
use crate::domain::snapshot::Value;
use crate::wire::mqtt::moment::{Clock, Format};
use crate::wire::mqtt::{Extract, Filter, Numbers, Place, Reader, Way, Words};
use crate::wire::register::Decode;

const NOW: &str = "2026-03-02T10:15:00Z";

fn values(topic: &str, places: &[&str], clock: bool, identity: bool) -> Way {
    let place = |text: &&str| Place::parse(text).unwrap();
    let extract = Extract {
        point: 0,
        places: places.iter().map(place).collect(),
        errors: Vec::new(),
        numbers: Numbers::Plain,
        decode: Decode::Analog {
            scale: 1.0,
            offset: 0.0,
        },
    };
    let reader = Reader {
        points: vec![extract],
        clock: clock.then(|| Clock {
            place: place(&"/ts"),
            format: Format::Rfc3339,
        }),
        identity: identity.then(|| place(&"/id")),
        ..Reader::default()
    };
    Way {
        filter: Filter::new(topic, &[]).unwrap(),
        speech: Speech::Values(reader),
    }
}

fn presence(topic: &str) -> Way {
    let words = Words {
        place: None,
        online: "online".into(),
        offline: "offline".into(),
    };
    Way {
        filter: Filter::exactly(topic),
        speech: Speech::Presence(words),
    }
}

fn sensor(ways: Vec<Way>, retained_ok: bool) -> Subscription {
    Subscription {
        meter: 0,
        points: vec![0],
        ways,
        stand_for: (!retained_ok).then(|| Duration::from_secs(15)),
        retained_ok,
        keep_talking: None,
    }
}

fn said(intake: &mut Intake, topic: &str, payload: &str, retain: bool, late: bool) -> Understood {
    let message = Message {
        topic: topic.into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        pkid: Some(1),
        dup: false,
        retain,
    };
    let arrival = Arrival {
        wall: NOW.parse().ok(),
        in_backlog: late,
    };
    intake.understand(&message, arrival)
}

fn number(value: f64) -> Vec<(usize, Result<Value, Reason>)> {
    vec![(0, Ok(Value::Analog(value)))]
}

/// What becomes of a message: its age in seconds and whether it is late, if it is
/// a measurement at all.
type Fate = Option<(u64, bool)>;

#[test]
fn a_message_is_of_now_or_late_or_no_measurement() {
    #[rustfmt::skip]
    let cases: &[(&str, bool, bool, bool, &str, Fate)] = &[
        // situation                        clock  retained backlog time in the payload      fate
        ("fresh",                           false, false, false, "",                       Some((0, false))),
        ("a kept session",                  false, false, true,  "",                       Some((0, true))),
        ("retained",                        false, true,  false, "",                       None),
        ("fresh by its own word",           true,  false, false, "2026-03-02T10:14:55Z",   Some((5, false))),
        ("retained, and still true",        true,  true,  false, "2026-03-02T10:14:55Z",   Some((5, false))),
        ("kept, and still true",            true,  false, true,  "2026-03-02T10:14:55Z",   Some((5, false))),
        ("old by its own word",             true,  false, false, "2026-03-02T10:14:40Z",   Some((0, true))),
        ("retained and old",                true,  true,  false, "2026-03-02T10:14:40Z",   None),
        ("a little ahead",                  true,  false, false, "2026-03-02T10:15:30Z",   Some((0, false))),
    ];
    for (situation, clock, retain, backlog, time, fate) in cases {
        let mut intake = Intake::new(vec![sensor(
            vec![values("t", &["/p"], *clock, false)],
            false,
        )]);
        let payload = format!(r#"{{"p": 5, "ts": "{time}"}}"#);
        let understood = said(&mut intake, "t", &payload, *retain, *backlog);
        let (gaps, values): (Vec<_>, Vec<_>) = understood
            .said
            .iter()
            .partition(|one| one.values[0].1 == Err(Reason::Stale));
        let explained = *situation == "old by its own word";
        assert_eq!(!gaps.is_empty(), explained, "{situation}");
        let found: Vec<Fate> = values
            .iter()
            .map(|one| {
                assert_eq!(one.values, number(5.0), "{situation}");
                let of = one.of.map(|of| of.to_string());
                let named = one.late && !time.is_empty();
                assert_eq!(of.as_deref(), named.then_some(*time), "{situation}");
                Some((one.age.as_secs(), one.late))
            })
            .collect();
        let expected: Vec<Fate> = fate.iter().map(|fate| Some(*fate)).collect();
        assert_eq!(found, expected, "{situation}");
    }
}

#[test]
fn a_clock_that_is_ahead_makes_a_gap_that_says_so() {
    let mut intake = Intake::new(vec![sensor(vec![values("t", &["/p"], true, false)], false)]);
    let payload = r#"{"p": 5, "ts": "2026-03-02T11:15:00Z"}"#;
    let understood = said(&mut intake, "t", payload, false, false);
    assert_eq!(understood.said[0].values, [(0, Err(Reason::Clock))]);
    let detail = understood.said[0].detail.as_deref();
    assert_eq!(detail, Some("t says a time 3600 s ahead of our clock"));
}

#[test]
fn a_clock_that_is_behind_says_why_nothing_is_of_now() {
    let mut intake = Intake::new(vec![sensor(vec![values("t", &["/p"], true, false)], false)]);
    let payload = r#"{"p": 5, "ts": "2026-03-02T09:15:00Z"}"#;
    let understood = said(&mut intake, "t", payload, false, false);
    let [gap, late] = &understood.said[..] else {
        panic!("{understood:?}");
    };
    assert_eq!(
        (&gap.values[..], gap.late),
        (&[(0, Err(Reason::Stale))][..], false)
    );
    let detail = gap.detail.as_deref();
    assert_eq!(
        detail,
        Some("t says a time 3600 s ago; its values no longer stand")
    );
    assert_eq!((late.values.clone(), late.late), (number(5.0), true));
    let of = late.of.map(|of| of.to_string());
    assert_eq!(of.as_deref(), Some("2026-03-02T09:15:00Z"));
    // A clock that was never set names no time.
    let payload = r#"{"p": 5, "ts": "1970-01-02T00:00:00Z"}"#;
    let understood = said(&mut intake, "t", payload, false, false);
    let late = understood.said.iter().find(|one| one.late).unwrap();
    assert_eq!((late.values.clone(), late.of), (number(5.0), None));
}

#[test]
fn a_sensor_that_speaks_on_change_hears_what_was_retained() {
    let mut intake = Intake::new(vec![sensor(vec![values("t", &[], false, false)], true)]);
    let understood = said(&mut intake, "t", "5", true, false);
    assert_eq!(understood.said[0].values, number(5.0));
}

#[test]
fn a_repetition_under_one_identity_is_no_new_reading() {
    let mut intake = Intake::new(vec![sensor(vec![values("t", &["/p"], false, true)], false)]);
    let mut count = |payload| said(&mut intake, "t", payload, false, false).said.len();
    assert_eq!(count(r#"{"p": 5, "id": "a"}"#), 1);
    assert_eq!(count(r#"{"p": 5, "id": "a"}"#), 0);
    assert_eq!(count(r#"{"p": 5, "id": "b"}"#), 1);
    assert_eq!(count(r#"{"p": 5}"#), 1);
    assert_eq!(count(r#"{"p": 5}"#), 1, "without an identity all are new");
}

#[test]
fn a_device_that_goes_has_no_value_until_it_speaks_again() {
    let ways = vec![values("t", &[], false, false), presence("lwt")];
    let mut intake = Intake::new(vec![sensor(ways, false)]);
    let gone = said(&mut intake, "lwt", "offline", true, false);
    assert_eq!(gone.said[0].values, [(0, Err(Reason::NotAvailable))]);
    assert!(gone.said[0].presence && intake.is_away(0));
    assert!(
        said(&mut intake, "lwt", "online", true, false)
            .said
            .is_empty()
    );
    assert!(!intake.is_away(0));
    said(&mut intake, "lwt", "offline", false, false);
    said(&mut intake, "t", "7", false, false);
    assert!(!intake.is_away(0), "who speaks is there");
}

#[test]
fn wildcards_find_their_sensors_and_a_fault_is_counted() {
    let ways = vec![values("a/+/p", &["/p"], false, false)];
    let mut intake = Intake::new(vec![
        sensor(ways, false),
        sensor(vec![values("a/1/p", &["/q"], false, false)], false),
    ]);
    assert!(intake.knows("a/2/p") && !intake.knows("a/2/q"));
    let both = said(&mut intake, "a/1/p", r#"{"p": 1, "q": 2}"#, false, false);
    let mut sensors: Vec<_> = both.said.iter().map(|one| one.sensor).collect();
    sensors.sort_unstable();
    assert_eq!(sensors, [0, 1]);
    let bomb = "[".repeat(5_000);
    for (payload, why) in [(&*bomb, Rejected::TooDeep), ("<html>", Rejected::NotJson)] {
        let understood = said(&mut intake, "a/2/p", payload, false, false);
        assert_eq!(understood.rejected, Some(why));
        assert_eq!(
            understood.said[0].values,
            [(0, Err(Reason::ShortAnswer))],
            "a gap all the same"
        );
    }
}
