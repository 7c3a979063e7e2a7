//! Expressions as people write them, and what is wrong with some.

use proptest::prelude::*;

use super::*;

const METERS: [&str; 6] = ["a", "b", "c", "main-1", "pv.roof", "園区"];

fn parse(text: &str) -> Result<Expression, ExpressionError> {
    Expression::parse(text, &|name| METERS.contains(&name))
}

fn coefficients(text: &str) -> Vec<(String, f64)> {
    let expression = parse(text).unwrap();
    let all = expression.coefficients();
    all.map(|(meter, factor)| (meter.to_string(), factor))
        .collect()
}

#[test]
fn expressions_are_sums_of_meters_with_factors() {
    #[rustfmt::skip]
    let cases: [(&str, &[(&str, f64)]); 10] = [
        ("a",                      &[("a", 1.0)]),
        ("a - b",                  &[("a", 1.0), ("b", -1.0)]),
        ("a + b - c",              &[("a", 1.0), ("b", 1.0), ("c", -1.0)]),
        ("0.5 * a",                &[("a", 0.5)]),
        ("-a + 2*b",               &[("a", -1.0), ("b", 2.0)]),
        ("main-1 - 0.25*pv.roof",  &[("main-1", 1.0), ("pv.roof", -0.25)]),
        ("  a\t-b ",               &[("a", 1.0), ("b", -1.0)]),
        ("a + a",                  &[("a", 2.0)]),
        ("園区 - a",               &[("園区", 1.0), ("a", -1.0)]),
        ("0.000000001 * a",        &[("a", 1e-9)]),
    ];
    for (text, expected) in cases {
        let expected: Vec<(String, f64)> = expected
            .iter()
            .map(|(meter, factor)| ((*meter).to_owned(), *factor))
            .collect();
        assert_eq!(coefficients(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_sum_of_meters_is_pointed_at_with_what_would_be_right() {
    let sum = "an expression is a sum of meters, each with a factor: `a + b - 0.5 * c`";
    let number = "a factor is a decimal number before the meter, such as `0.5 * meter`";
    #[rustfmt::skip]
    let cases = [
        ("",             "column 1: nothing to compute; name a meter".to_owned()),
        ("a -",          "column 4: a sign with no meter behind it; name a meter, or leave the sign out".to_owned()),
        ("a - + b",      "column 5: a sign with no meter behind it; name a meter, or leave the sign out".to_owned()),
        ("+ a",          "column 1: a sign with nothing before it; begin with a meter".to_owned()),
        ("* a",          "column 1: a sign with nothing before it; begin with a meter".to_owned()),
        ("a b",          "column 3: two meters without a sign between them; write `+` or `-`".to_owned()),
        ("a - d",        "column 5: `d` is no meter; name a meter of the configuration".to_owned()),
        ("a-b",          "column 1: `a-b` is no meter; a minus stands apart: `a - b`".to_owned()),
        ("main-1-a",     "column 1: `main-1-a` is no meter; a minus stands apart: `main-1 - a`".to_owned()),
        ("a + 5",        "column 5: a number alone is no meter; a factor stands before a meter: `5 * meter`".to_owned()),
        ("a * 0.5",      format!("column 1: `a` is no factor; {number}")),
        ("0 * a",        format!("column 1: `0` is no factor; {number}")),
        ("1e3 * a",      format!("column 1: `1e3` is no factor; {number}")),
        ("1.0000000001 * a", format!("column 1: `1.0000000001` is no factor; {number}")),
        ("2 *",          "column 4: a factor with no meter behind it; name a meter".to_owned()),
        ("(a - b)",      format!("column 1: `(` has no meaning here; {sum}")),
        ("園区 / b",     format!("column 4: `/` has no meaning here; {sum}")),
        ("a + b - a",    "column 1: `a` cancels; leave it out".to_owned()),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text:?}");
    }
}

fn said(quality: Quality) -> impl Fn(&str) -> Stated<MilliwattHours> {
    move |name| match name {
        "a" => Ok(Known {
            quality,
            coverage_pct: 80.0,
            ..Known::given(MilliwattHours(1_001))
        }),
        "b" => Ok(Known::given(MilliwattHours(400))),
        _ => Err(Gaps::one(&name.into(), Reason::Timeout)),
    }
}

#[test]
fn energies_are_exact_and_derived_at_best() {
    let energy = |text: &str, quality| parse(text).unwrap().energy(&said(quality)).unwrap();
    assert_eq!(energy("a - b", Quality::Good).value, MilliwattHours(601));
    assert_eq!(
        energy("0.5 * a", Quality::Good).value,
        MilliwattHours(501),
        "halves away from zero"
    );
    assert_eq!(
        energy("b - 1.5 * a", Quality::Good).value,
        MilliwattHours(-1_102)
    );
    assert_eq!(energy("a", Quality::Good).quality, Quality::Derived);
    let stale = energy("b - a", Quality::Stale);
    assert_eq!((stale.quality, stale.coverage_pct), (Quality::Stale, 80.0));
}

#[test]
fn one_missing_meter_makes_the_sum_missing_and_every_one_is_named() {
    let expression = parse("c + a - main-1").unwrap();
    let gaps = expression.energy(&said(Quality::Good)).unwrap_err();
    assert_eq!(gaps.meters(), ["c", "main-1"]);
    let power = |name: &str| {
        if name == "b" {
            Err(Gaps::one(&"b".into(), Reason::Stale))
        } else {
            Ok(Known::given(2.0))
        }
    };
    assert_eq!(
        parse("a - b").unwrap().power(&power).unwrap_err().meters(),
        ["b"]
    );
    assert_eq!(
        parse("a - 0.5 * c").unwrap().power(&power).unwrap().value,
        1.0
    );
}

#[test]
fn an_energy_beyond_the_books_is_out_of_range_not_clamped() {
    let most = |_: &str| Ok(Known::given(MilliwattHours(i64::MAX)));
    let gaps = parse("a + b").unwrap().energy(&most).unwrap_err();
    assert_eq!(gaps.list()[0].reason, Reason::OutOfRange);
    assert_eq!(
        parse("a - b").unwrap().energy(&most).unwrap().value,
        MilliwattHours::ZERO
    );
}

proptest! {
    /// Any text is an expression or an error with a place in it.
    #[test]
    fn any_text_is_read_or_pointed_at(text in "[abc0-9 .+*()-]{0,24}|\\PC{0,12}") {
        if let Err(error) = parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column));
        }
    }

    /// The energy of a sum is the sum of the energies.
    #[test]
    fn sums_are_sums(a in any::<i32>(), b in any::<i32>(), c in any::<i32>()) {
        let of = |name: &str| Ok(Known::given(MilliwattHours(i64::from(match name { "a" => a, "b" => b, _ => c }))));
        let sum = parse("a + b - c").unwrap().energy(&of).unwrap().value;
        prop_assert_eq!(sum.0, i64::from(a) + i64::from(b) - i64::from(c));
    }
}
