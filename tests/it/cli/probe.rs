//! `probe`: one look at a device.

use std::time::Duration;

use serde_json::json;
use sunledger::source::modbus::Wiring;

use crate::support::daemon::{Ended, ask};
use crate::support::dumps::{Registers, gateway};
use crate::support::hostile::{Act, Hostile};
use crate::support::peer::free_port;
use crate::support::pymodbus::Pymodbus;

fn tcp(port: u16) -> String {
    format!("tcp://127.0.0.1:{port}")
}

/// The cells of the row of a table that begins with these words.
fn row<'a>(said: &'a Ended, first: &str) -> Vec<&'a str> {
    let rows = said.out.lines().map(|line| line.split_whitespace());
    let mut rows = rows.map(Iterator::collect::<Vec<&str>>);
    let found = rows.find(|row| row.first() == Some(&first));
    found.unwrap_or_else(|| panic!("{first} in {}", said.out))
}

#[tokio::test(flavor = "multi_thread")]
async fn registers_of_pymodbus_are_shown_as_every_type_and_order() {
    // 230.1 V as a single in both orders, -200 as i16, 12345678 as i32, "AB".
    let holding =
        json!({ "100": [0x4366, 0x199A, 0x199A, 0x4366, 0xFF38, 0x00BC, 0x614E, 0x4142] });
    let units = json!({ "7": { "holding": holding, "coils": { "0": [true, false, true] } } });
    let server = Pymodbus::serve(&units);
    let url = tcp(server.port);
    let arguments = [
        "probe",
        &url,
        "--unit",
        "7",
        "--address",
        "100",
        "--count",
        "8",
    ];
    let said = ask(&[&arguments[..], &["--json"]].concat()).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    let document = said.json();
    let registers = document["registers"].as_array().unwrap();
    assert_eq!(registers.len(), 8);
    let volts = json!(230.1);
    assert_eq!(registers[0]["f32"]["big"], volts);
    assert_eq!(registers[2]["f32"]["little"], volts);
    assert_eq!(registers[4]["i16"], -200);
    assert_eq!(registers[5]["i32"]["big"], 12_345_678);
    assert_eq!(registers[7]["text"], "AB");
    assert_eq!(registers[4]["u64"]["big"], 0xFF38_00BC_614E_4142_u64);
    assert_eq!(registers[7]["u32"], json!(null));
    assert_eq!(
        (&document["requests"], &document["refused"]),
        (&json!(1), &json!([]))
    );

    let said = ask(&arguments).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert_eq!(
        row(&said, "104"),
        ["104", "0x0068", "FF38", "65336", "-200", "-", ".8"]
    );
    let wide = said.out.split("Two registers").nth(1).unwrap();
    assert!(
        wide.contains("f32 big") && wide.contains("i32 little"),
        "{wide}"
    );
    let line = wide.lines().find(|line| line.contains("0x0064")).unwrap();
    assert!(line.contains(" 230.1 "), "{line}");

    let bits = ask(&["probe", &url, "--unit", "7", "--fc", "1", "--count", "3"]).await;
    assert_eq!(bits.code, Some(0), "{bits:?}");
    assert_eq!(row(&bits, "0"), ["0", "1", "0", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_register_is_named_and_the_rest_is_read_with_few_questions() {
    let server = Hostile::start(|ask| {
        let refused = (ask.address..ask.address + ask.count).contains(&37);
        vec![Act::Send(if refused {
            ask.exception(2)
        } else {
            ask.good()
        })]
    })
    .await;
    let url = tcp(server.port);
    let said = ask(&["probe", &url, "--address", "0-99", "--json"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let document = said.json();
    let read: Vec<u64> = document["registers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert_eq!(row["address"], row["u16"]);
            row["address"].as_u64().unwrap()
        })
        .collect();
    let expected: Vec<u64> = (0..100).filter(|address| *address != 37).collect();
    assert_eq!(read, expected);
    let refused = &document["refused"][0];
    assert_eq!(
        (&refused["first"], &refused["last"]),
        (&json!(37), &json!(37))
    );
    assert_eq!(refused["exception"], 2);
    assert!(server.asks().len() < 20, "{}", server.asks().len());
    assert!(server.asks().iter().all(|ask| ask.fc == 3));
    let said = ask(&["probe", &url, "--address", "30-40"]).await;
    assert!(
        said.out
            .contains("register 37: refused: illegal data address (exception 2)"),
        "{}",
        said.out
    );
}

/// A device with every other register: to look for each would take more questions than
/// one that is in use bears.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_ends_after_sixty_questions_and_says_what_was_not_asked() {
    let server = Hostile::start(|ask| {
        let refused = ask.count > 1 || ask.address % 2 == 1;
        vec![Act::Send(if refused {
            ask.exception(2)
        } else {
            ask.good()
        })]
    })
    .await;
    let url = tcp(server.port);
    let said = ask(&["probe", &url, "--address", "0-99", "--json"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(server.asks().len(), 1 + 60);
    let document = said.json();
    assert_eq!(document["registers"][1]["address"], 2);
    let refused = document["refused"].as_array().unwrap();
    let last = refused.last().unwrap();
    assert_eq!(last["last"], 99);
    assert_eq!(last["reason"], "not asked one by one; ask for fewer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_knows_the_usual_unit_of_its_device() {
    let units = vec![(3, Registers::of_device("sma-inverter"))];
    let server = Hostile::start(gateway(units)).await;
    let url = tcp(server.port);
    let said = ask(&["probe", &url, "--template", "sma-inverter"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("unit 3\n"), "{}", said.out);
    assert!(server.asks().iter().all(|ask| ask.unit == 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_refuses_everything_answers_all_the_same() {
    let server = Hostile::start(|ask| vec![Act::Send(ask.exception(1))]).await;
    let said = ask(&["probe", &tcp(server.port), "--fc", "4", "--count", "50"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert!(
        said.out
            .contains("registers 0 to 49: refused: illegal function (exception 1)"),
        "{}",
        said.out
    );
    // A function that it does not have is no matter of the length.
    assert_eq!(server.asks().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_answers_is_69_with_what_to_try() {
    let silent = Hostile::start(|_| Vec::new()).await;
    let gateway = Hostile::start(|ask| vec![Act::Send(ask.exception(11))]).await;
    let closed = free_port();
    #[rustfmt::skip]
    let cases = [
        (tcp(silent.port),                           &["no answer within 200 ms", "another --unit", "--fc 4"][..]),
        (tcp(gateway.port),                          &["gateway target device failed to respond (exception 11)", "the device behind it does not"]),
        (tcp(closed),                                &["no connection: Connection refused", "no other client"]),
        ("rtu:///dev/nowhere?baud=9600".to_owned(),  &["/dev/nowhere (9600 8N1), unit 3", "ls /dev/serial/by-id", "dialout"]),
    ];
    for (url, words) in cases {
        for template in [
            &[][..],
            &["--template", "abb-b23-b24"],
            &["--template", "sunspec"],
        ] {
            let arguments = ["probe", &url, "--unit", "3", "--timeout", "200ms"];
            let said = ask(&[&arguments[..], template].concat()).await;
            said.must_say(69, words);
            assert_eq!(said.out, "", "{url}");
        }
    }
    // It does not ask on and on: a block and one register of it, twice; three markers.
    assert!(silent.asks().len() <= 2 + 3 + 4, "{}", silent.asks().len());
}

#[tokio::test]
async fn what_is_no_question_is_64() {
    #[rustfmt::skip]
    let cases: &[(&str, &str)] = &[
        ("10.0.0.10",                                    "tcp://10.0.0.10"),
        ("tcp://fd00::1",                                "tcp://[fd00::1]:502"),
        ("rtu://dev/ttyUSB0",                            "rtu:///dev/ttyUSB0"),
        ("udp://a",                                      "tcp://HOST[:PORT], rtu:///dev/ttyUSB0 or rtu+tcp://HOST:PORT"),
        ("tcp://a --unit 256",                           "--unit"),
        ("tcp://a --fc 6",                               "--fc"),
        ("tcp://a --address 40001.5",                    "no register from 0 to 65535"),
        ("tcp://a --address 9-5",                        "ends before it begins"),
        ("tcp://a --address 1-5 --count 3",              "leave --count out"),
        ("tcp://a --address 65535 --count 2",            "--count 2 is more"),
        ("tcp://a --timeout 1",                          "for example"),
        ("tcp://a --template sdm630",                    "did you mean `eastron-sdm630`?"),
        ("tcp://a --template nothing-at-all",            "sunledger devices lists all"),
        ("tcp://a --template abb-b23-b24 --fc 4",        "cannot be used with"),
        ("tcp://a --template abb-b23-b24 --option a=b",  "has no options"),
        ("tcp://a --template chint-dtsu666 --option energy_block=7", "is no choice of `energy_block`; one of 1000, 4000"),
        ("tcp://a --option a=b",                         "--template"),
    ];
    for (line, words) in cases {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let said = ask(&[&["probe"], &arguments[..]].concat()).await;
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(64), ""),
            "{line}: {said:?}"
        );
        assert!(said.err.contains(words), "{words:?} in {}", said.err);
        said.no_panic();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_shows_all_points_with_unit_and_what_positive_means() {
    let units = vec![(1, Registers::of_device("abb-b23-b24"))];
    let server = Hostile::start(gateway(units)).await;
    let url = tcp(server.port);
    let said = ask(&["probe", &url, "--template", "abb-b23-b24"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.out.contains("it is this device"), "{}", said.out);
    let power = row(&said, "power");
    assert_eq!(&power[..6], ["power", "41230", "W", "import", "3", "23316"]);
    let energy = row(&said, "energy_import");
    assert_eq!(&energy[1..3], ["48213.47", "kWh"]);
    assert_eq!(row(&said, "power_factor_l3")[1..3], ["–", "not_available"]);

    let said = ask(&["probe", &url, "--template", "abb-b23-b24", "--json"]).await;
    let document = said.json();
    assert_eq!(document["matches"], true);
    let point = |name: &str| {
        let points = document["points"].as_array().unwrap();
        let found = points.iter().find(|point| point["quantity"] == name);
        found.unwrap().clone()
    };
    assert_eq!(point("frequency")["value"], 49.98);
    assert_eq!(point("energy_export")["value"], 1_204_650.0);
    assert_eq!(point("energy_export")["unit"], "Wh");
    assert_eq!(point("power")["positive"], "import");
    assert_eq!(point("power_factor_l3")["value"], json!(null));
    assert!(server.asks().iter().all(|ask| (1..=4).contains(&ask.fc)));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_device_is_told_before_its_numbers() {
    let mut other = Registers::of_device("abb-b23-b24");
    other.put(3, 35_168, &[0x4131, 0x3000]);
    let server = Hostile::start(gateway(vec![(1, other)])).await;
    let url = tcp(server.port);
    let said = ask(&["probe", &url, "--template", "abb-b23-b24"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let (warning, table) = (
        said.out.find("IT IS ANOTHER DEVICE"),
        said.out.find("energy_import"),
    );
    assert!(warning.unwrap() < table.unwrap(), "{}", said.out);
    let said = ask(&["probe", &url, "--template", "abb-b23-b24", "--json"]).await;
    assert_eq!(said.json()["matches"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn ratios_and_choices_of_a_template_are_shown() {
    let units = vec![(1, Registers::of_device("acrel-dtsd1352"))];
    let server = Hostile::start(gateway(units)).await;
    let said = ask(&[
        "probe",
        &tcp(server.port),
        "--template",
        "acrel-dtsd1352",
        "--json",
    ])
    .await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let ratios = said.json()["ratios"].clone();
    assert!(
        ratios["ct"].as_f64().is_some_and(|ratio| ratio > 0.0),
        "{ratios}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sunspec_device_shows_its_models_and_their_points() {
    let units = vec![(126, Registers::of_sunspec("inverter-103"))];
    let server = Hostile::start(gateway(units)).await;
    let url = tcp(server.port);
    let arguments = ["probe", &url, "--unit", "126", "--template", "sunspec"];
    let said = ask(&[&arguments[..], &["--json"]].concat()).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    let document = said.json();
    assert_eq!(
        (&document["manufacturer"], &document["model"]),
        (&json!("Helios"), &json!("HX-33"))
    );
    let models = document["models"].as_array().unwrap();
    let ids: Vec<u64> = models
        .iter()
        .map(|model| model["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, [1, 103, 120, 121, 122, 123, 160]);
    let points = models[1]["points"].as_array().unwrap();
    let power = points.iter().find(|point| point["name"] == "W").unwrap();
    assert!(power["value"].is_f64() && power["unit"] == "W", "{power}");
    let said = ask(&arguments).await;
    assert!(
        said.out
            .contains("SunSpec at register 40000: Helios HX-33, firmware 3.21"),
        "{}",
        said.out
    );
    assert_eq!(row(&said, "Hz")[2], "Hz");
    assert!(
        said.out
            .contains("model 121 (not known here, stepped over)"),
        "{}",
        said.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_sunspec_says_so() {
    let server = Hostile::start(gateway(vec![(1, Registers::holding(0, &[1, 2, 3]))])).await;
    let said = ask(&["probe", &tcp(server.port), "--template", "sunspec"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out
            .contains("no SunSpec marker at register 40000, 50000 or 0"),
        "{}",
        said.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_and_a_serial_server_are_probed_alike() {
    let on_a_line = Hostile::on_a_line(honest);
    let behind = Hostile::rtu_over_tcp(honest).await;
    let Wiring::Serial(serial) = on_a_line.wiring() else {
        panic!("it is a line");
    };
    let line = format!("rtu://{}?baud=115200&parity=none", serial.device);
    for url in [line, format!("rtu+tcp://127.0.0.1:{}", behind.port)] {
        let said = ask(&["probe", &url, "--address", "1000", "--count", "2", "--json"]).await;
        assert_eq!(said.code, Some(0), "{url}: {said:?}");
        assert_eq!(said.json()["registers"][1]["u16"], 1_001, "{url}");
    }
}

fn honest(ask: &crate::support::hostile::Ask) -> Vec<Act> {
    vec![Act::Wait(Duration::from_millis(5)), Act::Send(ask.good())]
}
