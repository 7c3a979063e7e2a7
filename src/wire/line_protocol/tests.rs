use super::*;
use proptest::prelude::*;

#[test]
fn tags_are_sorted_escaped_and_never_empty() {
    let tags = [("role", "grid"), ("meter", "a b,c=d"), ("note", "")];
    assert_eq!(
        series_key("heat flow,x", &tags).unwrap(),
        r"heat\ flow\,x,meter=a\ b\,c\=d,role=grid"
    );
}

#[test]
fn names_that_would_split_a_row_are_refused() {
    let meter = |value| series_key("m", &[("meter", value)]);
    assert_eq!(meter("a\nb"), Err(KeyError::Control("a\nb".into())));
    assert_eq!(meter("a\u{7f}"), Err(KeyError::Control("a\u{7f}".into())));
    assert_eq!(
        meter("C:\\"),
        Err(KeyError::TrailingBackslash("C:\\".into()))
    );
    assert_eq!(series_key("", &[]), Err(KeyError::Empty));
    assert_eq!(series_key("m", &[("", "x")]), Err(KeyError::Empty));
    assert_eq!(
        series_key("m", &[("time", "x")]),
        Err(KeyError::Reserved("time".into()))
    );
    assert_eq!(series_key("_m", &[]), Err(KeyError::Reserved("_m".into())));
    assert_eq!(
        series_key("m", &[("a", "1"), ("a", "2")]),
        Err(KeyError::Twice("a".into()))
    );
}

#[test]
fn a_number_that_is_none_is_an_absent_field_and_an_empty_row_is_no_row() {
    let mut rows = Writer::default();
    rows.begin("m,meter=a");
    rows.float("power_w", f64::NAN);
    rows.end(1);
    assert_eq!((rows.text.as_str(), rows.lines, rows.points), ("", 0, 0));
    rows.begin("m,meter=a");
    rows.float("power_w", f64::INFINITY);
    rows.int("quality", 7);
    rows.end(2);
    assert_eq!(rows.text, "m,meter=a quality=7i 2\n");
    assert_eq!((rows.lines, rows.points), (1, 1));
}

#[test]
fn a_row_that_was_never_closed_leaves_nothing() {
    let mut rows = Writer::default();
    rows.begin("m");
    rows.int("a", 1);
    rows.end(1);
    rows.begin("m");
    rows.int("a", 2);
    rows.begin("m");
    rows.int("a", 3);
    rows.end(3);
    assert_eq!(rows.text, "m a=1i 1\nm a=3i 3\n");
    assert_eq!((rows.lines, rows.points), (2, 2));
}

#[test]
fn floats_are_as_short_as_they_can_be() {
    let text = |value| {
        let mut rows = Writer::default();
        rows.begin("m");
        rows.float("f", value);
        rows.end(0);
        rows.text
    };
    assert_eq!(text(1.0), "m f=1.0 0\n");
    assert_eq!(text(-0.0), "m f=-0.0 0\n");
    assert_eq!(text(0.1 + 0.2), "m f=0.30000000000000004 0\n");
    assert_eq!(text(1e300), "m f=1e300 0\n");
    assert_eq!(text(5e-324), "m f=5e-324 0\n");
    assert!(text(f64::MIN).len() < 35);
}

#[test]
fn every_kind_of_field_is_read() {
    let row = parse(r#"m,t=1 a=1.5,b=-2i,c="say \"a\\b\" , x",d=true,e=f -3"#).unwrap();
    let fields: Vec<_> = row.fields.into_iter().map(|(_, value)| value).collect();
    assert_eq!(
        fields,
        [
            FieldValue::Float(1.5),
            FieldValue::Integer(-2),
            FieldValue::Text(r#"say "a\b" , x"#.into()),
            FieldValue::Bool(true),
            FieldValue::Bool(false),
        ]
    );
    assert_eq!(row.time_ms, -3);
}

#[test]
fn rows_that_are_none_are_refused() {
    #[rustfmt::skip]
    let cases = [
        ("",                    "the measurement is empty"),
        ("# words a=1 2",       "a comment is not a row"),
        ("m",                   "a row needs a field"),
        ("m,t a=1 1",           "a tag has no value"),
        ("m,t= a=1 1",          "a tag is empty"),
        ("m,=1 a=1 1",          "a tag has no name"),
        ("m 1",                 "a field has no value"),
        ("m =1 1",              "a field has no name"),
        ("m a= 1",              "a field is not a number"),
        ("m a=NaN 1",           "a field is not a number"),
        ("m a=-inf 1",          "a field is not a number"),
        ("m a=+1 1",            "a field is not a number"),
        ("m a=1e999 1",         "a field is not a number"),
        ("m a=1u 1",            "a field is not a number"),
        ("m a=1.5i 1",          "a field is not a number"),
        ("m a=\"x 1",           "a text has no end"),
        ("m a=1",               "a row needs a time"),
        ("m a=1 ",              "the time is not a whole number"),
        ("m a=1 1.5",           "the time is not a whole number"),
        ("m a=1 +1",            "the time is not a whole number"),
        ("m a=1 1 ",            "the time is not a whole number"),
        ("m a=1 1 2",           "the time is not a whole number"),
    ];
    for (line, fact) in cases {
        assert_eq!(parse(line).unwrap_err().fact, fact, "{line:?}");
    }
}

#[test]
fn the_time_of_a_row_is_read_alone() {
    assert_eq!(
        time_of("m,t=a\\ b a=1 1780468327000"),
        Some(1_780_468_327_000)
    );
    assert_eq!(time_of("m"), None);
}

/// Names as an operator may type them, separators and backslashes included.
fn name() -> impl Strategy<Value = String> {
    let letter = prop::sample::select(vec!['a', 'ü', '站', ',', '=', ' ', '\\', '"', '_', '1']);
    prop::collection::vec(letter, 1..8)
        .prop_map(|letters| format!("n{}e", letters.into_iter().collect::<String>()))
}

fn value() -> impl Strategy<Value = FieldValue> {
    prop_oneof![
        any::<f64>().prop_map(FieldValue::Float),
        any::<i64>().prop_map(FieldValue::Integer),
    ]
}

proptest! {
    /// Whatever is written is read back: names, every bit of every number, time.
    /// What is not finite is absent.
    #[test]
    fn what_is_written_is_read_back(
        measurement in name(),
        tags in prop::collection::btree_map(name(), name(), 0..4),
        fields in prop::collection::vec((name(), value()), 1..6),
        time_ms in any::<i64>(),
    ) {
        let tags: Vec<(String, String)> = tags.into_iter().collect();
        let borrowed: Vec<_> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let key = series_key(&measurement, &borrowed).unwrap();
        let mut rows = Writer::default();
        rows.begin(&key);
        for (name, value) in &fields {
            match value {
                FieldValue::Float(value) => rows.float(name, *value),
                FieldValue::Integer(value) => rows.int(name, *value),
                _ => unreachable!(),
            }
        }
        rows.end(time_ms);
        let fields: Vec<_> = fields
            .into_iter()
            .filter(|(_, value)| !matches!(value, FieldValue::Float(f) if !f.is_finite()))
            .collect();
        prop_assert_eq!(rows.points, fields.len());
        if fields.is_empty() {
            prop_assert_eq!(rows.text, "");
        } else {
            prop_assert_eq!(rows.text.lines().count(), 1);
            let row = parse(rows.text.strip_suffix('\n').unwrap()).unwrap();
            prop_assert_eq!(&row.measurement, &measurement);
            prop_assert_eq!(row.tags, tags);
            prop_assert_eq!(row.time_ms, time_ms);
            prop_assert_eq!(row.fields.len(), fields.len());
            for (read, written) in row.fields.iter().zip(&fields) {
                prop_assert_eq!(&read.0, &written.0);
                match (&read.1, &written.1) {
                    (FieldValue::Float(a), FieldValue::Float(b)) => {
                        prop_assert_eq!(a.to_bits(), b.to_bits());
                    }
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
        }
    }

    /// Reading never panics, and what it accepts has a field and a time.
    #[test]
    fn no_text_breaks_the_reader(line in r#"[ma,= \\"1.ei\-]{0,24}"#) {
        if let Ok(row) = parse(&line) {
            prop_assert!(!row.fields.is_empty());
            prop_assert_eq!(time_of(&line), Some(row.time_ms));
        }
    }
}
