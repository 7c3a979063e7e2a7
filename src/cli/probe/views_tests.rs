use super::*;

fn block(words: &[u16]) -> Block {
    let cells = (100_u16..).zip(words);
    Block {
        cells: cells.map(|(at, word)| (at, Cell::Word(*word))).collect(),
        ..Block::default()
    }
}

#[test]
fn a_float_stands_under_the_order_that_the_device_has() {
    // 230.1 as a single, high word first.
    let text = tables(&block(&[0x4366, 0x199A]), Order::Big);
    let row = text.lines().last().unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(
        words,
        [
            "100",
            "0x0064",
            "1130764698",
            "1130764698",
            "230.1",
            "-",
            "429540198",
            "429540198",
            "1.595045e-23",
            "-"
        ]
    );
    let swapped = json(&block(&[0x199A, 0x4366]), 3, Order::Big);
    assert_eq!(swapped[0]["f32"]["little"], json!(230.1));
    assert_eq!(swapped[0]["u64"], Value::Null);
    assert_eq!(swapped[1]["u32"], Value::Null);
}

#[test]
fn every_type_of_one_register() {
    let rows = json(&block(&[0xFF38, 0x1234, 0x4142]), 3, Order::Big);
    assert_eq!(rows[0]["u16"], 65_336);
    assert_eq!(rows[0]["i16"], -200);
    assert_eq!(rows[0]["bcd16"], Value::Null);
    assert_eq!(rows[1]["bcd16"], 1_234);
    assert_eq!(rows[2]["text"], "AB");
    let swapped = json(&block(&[0x4142]), 3, Order::Little);
    assert_eq!(
        (&swapped[0]["text"], &swapped[0]["u16"]),
        (&json!("BA"), &json!(0x4241))
    );
}

#[test]
fn floats_have_the_digits_that_they_are_good_for() {
    assert_eq!(float(f64::from(0.1_f32), true), "0.1");
    assert_eq!(float(f64::from(1e-30_f32), true), "1e-30");
    assert_eq!(float(f64::NAN, true), "NaN");
    assert_eq!(float(0.0, true), "0");
    assert_eq!(float(123_456_789.125, false), "123456789.125");
}
