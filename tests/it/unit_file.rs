//! The unit file, in the judgement of systemd itself.
//!
//! `systemd-analyze verify` returns success for a key that it does not know and
//! only says so; any output is a failure here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Ten times the exposure that the unit may have; it has 1.1.
const EXPOSURE_LIMIT: &str = "--threshold=15";

fn deploy(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name);
    fs::read_to_string(path).unwrap()
}

/// The unit with ExecStart at the binary that was built, and its drop-ins.
struct Installed {
    dir: TempDir,
}

impl Installed {
    fn new(unit: &str, drop_ins: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let shipped = "ExecStart=/usr/bin/sunledger ";
        assert!(unit.contains(shipped), "the unit starts {shipped}");
        let built = format!("ExecStart={} ", env!("CARGO_BIN_EXE_sunledger"));
        fs::write(
            dir.path().join("sunledger.service"),
            unit.replace(shipped, &built),
        )
        .unwrap();
        let folder = dir.path().join("sunledger.service.d");
        fs::create_dir(&folder).unwrap();
        for (number, text) in drop_ins.iter().enumerate() {
            fs::write(folder.join(format!("{number}.conf")), text).unwrap();
        }
        Self { dir }
    }

    fn unit(&self) -> PathBuf {
        self.dir.path().join("sunledger.service")
    }

    /// What `systemd-analyze verify` says about it.
    fn verified(&self) -> String {
        let output = analyze(&["verify", "--man=no"], &self.unit());
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            said.push_str(&output.status.to_string());
        }
        said
    }
}

fn analyze(arguments: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .env("SYSTEMD_COLORS", "0")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("systemd-analyze is missing; install it with: apt-get install systemd")
}

#[test]
fn systemd_finds_nothing_to_say_about_the_unit() {
    assert_eq!(
        Installed::new(&deploy("sunledger.service"), &[]).verified(),
        ""
    );
}

#[test]
fn systemd_finds_nothing_to_say_about_the_unit_with_credentials() {
    let installed = Installed::new(&deploy("sunledger.service"), &[&deploy("credentials.conf")]);
    assert_eq!(installed.verified(), "");
}

#[test]
fn systemd_finds_nothing_to_say_about_the_unit_with_serial_lines() {
    let installed = Installed::new(&deploy("sunledger.service"), &[&deploy("serial.conf")]);
    assert_eq!(installed.verified(), "");
}

#[test]
fn a_key_that_systemd_does_not_know_is_noticed() {
    let unit = deploy("sunledger.service");
    let misspelt = unit.replace("WatchdogSec=", "WatchdogSecc=");
    let said = Installed::new(&misspelt, &[]).verified();
    assert!(said.contains("WatchdogSecc"), "{said}");
    let said = Installed::new(&unit, &["[Service]\nLoadCredentials=a:b\n"]).verified();
    assert!(said.contains("LoadCredentials"), "{said}");
}

#[test]
fn the_unit_is_locked_up() {
    let unit = deploy("sunledger.service");
    let limit = ["security", "--offline=true", "--no-pager", EXPOSURE_LIMIT];
    let locked = Installed::new(&unit, &[]);
    let output = analyze(&limit, &locked.unit());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );

    let open = Installed::new(&unit.replace("CapabilityBoundingSet=\n", ""), &[]);
    let output = analyze(&limit, &open.unit());
    assert!(
        !output.status.success(),
        "the limit lets a unit with every capability pass"
    );
}

#[test]
fn the_unit_is_told_by_the_daemon_when_it_is_ready_and_alive() {
    let unit = deploy("sunledger.service");
    for line in [
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSec=60s",
        "Restart=always",
        "RestartPreventExitStatus=78",
        "ExecStart=/usr/bin/sunledger run --config /etc/sunledger/sunledger.toml",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line} is missing");
    }
}

#[test]
fn the_user_of_the_unit_is_the_user_that_is_made() {
    let unit = deploy("sunledger.service");
    let user = unit
        .lines()
        .find_map(|line| line.strip_prefix("User="))
        .unwrap();
    let made = deploy("sysusers.conf");
    assert!(
        made.lines()
            .any(|line| line.starts_with(&format!("u {user} -"))),
        "{user}"
    );
}
