//! A serial line from socat, and a libmodbus server at the end of it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::peer::{Running, done, start};

/// Two pseudoterminals, end to end.
pub struct Pair {
    dir: tempfile::TempDir,
    _socat: Running,
}

impl Pair {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut socat = Command::new("socat");
        for end in ["near", "far"] {
            let link = dir.path().join(end);
            socat.arg(format!("pty,raw,echo=0,link={}", link.display()));
        }
        let pair = Self {
            _socat: start(&mut socat, "apt-get install -y socat"),
            dir,
        };
        for _ in 0..2_000 {
            if Path::new(&pair.near()).exists() && Path::new(&pair.far()).exists() {
                return pair;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("socat made no line");
    }

    pub fn near(&self) -> String {
        self.dir.path().join("near").display().to_string()
    }

    pub fn far(&self) -> String {
        self.dir.path().join("far").display().to_string()
    }
}

/// The server in `tests/peers`, compiled once.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let source = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/peers/libmodbus_server.c"
        );
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("libmodbus_server");
        let mut compile = Command::new("cc");
        compile
            .args(["-O1", "-Wall", "-Werror", "-o"])
            .arg(&program);
        compile.args([source, "-lmodbus", "-lpthread"]);
        done(&mut compile, "apt-get install -y gcc libmodbus-dev");
        program
    })
}

/// A running libmodbus server; ends when it is dropped.
pub struct Libmodbus {
    child: Child,
    pub port: u16,
}

impl Libmodbus {
    /// `tcp`, or `rtu` with device and unit.
    pub fn serve(arguments: &[&str]) -> Self {
        let mut child = Command::new(program())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("port ").expect(&line);
        let port = port.parse().unwrap();
        Self { child, port }
    }
}

impl Drop for Libmodbus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
