use super::*;

fn tcp(text: &str) -> (String, u16) {
    match endpoint(text).unwrap().wiring {
        Wiring::Tcp { host, port } | Wiring::RtuOverTcp { host, port } => (host, port),
        Wiring::Serial(serial) => panic!("{text}: {serial:?}"),
    }
}

#[test]
fn endpoints_of_a_network() {
    #[rustfmt::skip]
    let cases = [
        ("tcp://10.0.0.10",            "10.0.0.10", 502),
        ("tcp://10.0.0.10:1502/",      "10.0.0.10", 1_502),
        ("tcp://gateway.local:502",    "gateway.local", 502),
        ("tcp://[fd00::10]",           "fd00::10",  502),
        ("tcp://[::1]:5020",           "::1",       5_020),
        ("rtu+tcp://10.0.0.11:4196",   "10.0.0.11", 4_196),
    ];
    for (text, host, port) in cases {
        assert_eq!(tcp(text), (host.to_owned(), port), "{text}");
    }
    let over = endpoint("rtu+tcp://a:1").unwrap();
    assert!(matches!(over.wiring, Wiring::RtuOverTcp { .. }));
    let slow = endpoint("tcp://a?connect_pause=1s&any_unit=true").unwrap();
    assert_eq!(slow.manners.connect_pause, Duration::from_secs(1));
    assert!(slow.manners.any_unit && !slow.manners.ignore_transaction);
}

#[test]
fn a_line_with_all_it_can_be_told() {
    let text = "rtu:///dev/ttyUSB0?baud=19200&parity=even&stop_bits=1&turnaround=60ms";
    let Wiring::Serial(serial) = endpoint(text).unwrap().wiring else {
        panic!("{text} is a line");
    };
    assert_eq!(serial.device, "/dev/ttyUSB0");
    assert_eq!(line_text(&serial), "19200 8E1");
    assert_eq!(serial.turnaround, Duration::from_millis(60));
    assert_eq!(serial.rs485, None);
}

#[test]
fn what_is_no_endpoint_is_told_the_right_form() {
    #[rustfmt::skip]
    let cases = [
        ("10.0.0.10",                        "tcp://10.0.0.10, or rtu+tcp://10.0.0.10"),
        ("/dev/ttyUSB0",                     "rtu:///dev/ttyUSB0?baud=9600&parity=even"),
        ("",                                 "tcp://10.0.0.10:502 or rtu:///dev/ttyUSB0"),
        ("fd00::10",                         "tcp://[fd00::10]:502"),
        ("tcp://fd00::10",                   "in brackets: tcp://[fd00::10]:502"),
        ("tcp://[fd00::10:502",              "no closing bracket"),
        ("tcp://[gateway]:502",              "no IPv6 address in brackets"),
        ("tcp://",                           "has no host"),
        ("tcp://:502",                       "has no host"),
        ("tcp://a:0",                        "no port from 1 to 65535"),
        ("tcp://a:65536",                    "no port from 1 to 65535"),
        ("tcp://a:502/meters",               "more than a host and a port"),
        ("tcp://user@a:502",                 "Modbus knows none"),
        ("rtu+tcp://a",                      "has no port from 1 to 65535: rtu+tcp://10.0.0.11:4196"),
        ("rtu://dev/ttyUSB0",                "three slashes: rtu:///dev/ttyUSB0"),
        ("http://a",                         "`http` is no way to an endpoint"),
        ("tcp://a?baud=9600",                "`baud` says nothing of tcp"),
        ("rtu:///dev/tty0?baud=9601",        "one of 1200"),
        ("rtu:///dev/tty0?parity=mark",      "parity=none, even or odd"),
        ("rtu:///dev/tty0?stop_bits=3",      "stop_bits=1 or 2"),
        ("rtu:///dev/tty0?turnaround=1min",  "turnaround=30ms"),
        ("tcp://a?any_unit=perhaps",         "true or false"),
    ];
    for (text, right) in cases {
        let wrong = endpoint(text).unwrap_err();
        assert!(wrong.contains(right), "{text}: {right:?} in {wrong:?}");
    }
}
