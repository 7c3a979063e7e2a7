//! A Modbus server that is not ours (pymodbus), and a second opinion of what it
//! serves (mbpoll).

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The version that the script in `tests/peers` is written for, and what it needs for
/// serial lines.
const PYMODBUS: &str = "pymodbus==3.11.1 pyserial==3.5";

/// A Python with pymodbus, in an environment of its own under `target`.
fn python() -> &'static PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pymodbus");
        let python = home.join("bin/python");
        let works = |python: &PathBuf| {
            let check = "import pymodbus, serial; assert pymodbus.__version__ == '3.11.1'";
            let run = Command::new(python).args(["-c", check]).output();
            run.is_ok_and(|run| run.status.success())
        };
        if works(&python) {
            return python;
        }
        let home = home.display();
        let install =
            format!("python3 -m venv {home} && {home}/bin/python -m pip install -q {PYMODBUS}");
        let run = Command::new("sh").args(["-c", &install]).output().unwrap();
        assert!(
            works(&python),
            "pymodbus is missing and could not be installed; try\n  \
             apt-get install -y python3-venv && {install}\n{}",
            String::from_utf8_lossy(&run.stderr)
        );
        python
    })
}

/// A running server; ends when it is dropped.
pub struct Pymodbus {
    child: Child,
    pub port: u16,
}

impl Pymodbus {
    /// Serves `units`: by unit, then table (`coils`, `discrete`, `holding`,
    /// `input`), then first address, a list of values.
    pub fn serve(units: &serde_json::Value) -> Self {
        Self::serve_as(&["tcp"], units)
    }

    /// The same as `tcp`, as `rtu_over_tcp`, or as `rtu` on a device.
    pub fn serve_as(kind: &[&str], units: &serde_json::Value) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/modbus_server.py");
        let mut child = Command::new(python())
            .arg(script)
            .args(kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{units}").unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("port ").expect(&line);
        let port = port.parse().unwrap();
        Self { child, port }
    }
}

impl Drop for Pymodbus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What mbpoll reads: `kind` is its `-t` (`4`, `3:float`, …), as it prints it.
pub fn mbpoll(port: u16, unit: u8, kind: &str, address: u16, count: u16, big: bool) -> Vec<String> {
    let mut command = Command::new("mbpoll");
    command.args(["-m", "tcp", "-0", "-1", "-o", "5", "-t", kind]);
    command.args(["-a", &unit.to_string(), "-r", &address.to_string()]);
    command.args(["-c", &count.to_string(), "-p", &port.to_string()]);
    if big {
        command.arg("-B");
    }
    let run = command
        .arg("127.0.0.1")
        .output()
        .expect("mbpoll is missing; try\n  apt-get install -y mbpoll");
    let said = String::from_utf8_lossy(&run.stdout);
    let values: Vec<String> = said
        .lines()
        .filter(|line| line.starts_with('['))
        .filter_map(|line| line.split_once(':'))
        // Above 32767 a register is printed with its signed reading in brackets.
        .filter_map(|(_, value)| value.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    assert_eq!(values.len(), usize::from(count), "{said}{:?}", run.stderr);
    values
}

/// What mbpoll reads as single registers or bits.
pub fn mbpoll_words(port: u16, unit: u8, fc: u8, address: u16, count: u16) -> Vec<u16> {
    let kind = match fc {
        1 => "0",
        2 => "1",
        3 => "4",
        _ => "3",
    };
    mbpoll(port, unit, kind, address, count, false)
        .iter()
        .map(|word| word.parse().unwrap())
        .collect()
}
