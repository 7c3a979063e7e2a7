//! A machine that breaks on command, and the proof that it really does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::support::peer;

/// The faults of one daemon's machine. While it is not told otherwise it is well.
pub struct Machine {
    control: PathBuf,
    /// The folder that the faults of the disk are about.
    dir: PathBuf,
}

impl Machine {
    /// A machine whose disk is `dir`; its control file lies beside it.
    pub fn new(dir: &Path) -> Self {
        let machine = Self {
            control: dir.with_extension("control"),
            dir: dir.to_owned(),
        };
        machine.is_well();
        machine
    }

    /// What a program has to be started with.
    pub fn environment(&self) -> [(&'static str, &Path); 2] {
        [
            ("LD_PRELOAD", library()),
            ("MACHINE_CONTROL", &self.control),
        ]
    }

    /// Breaks in these ways and no other from now on.
    pub fn breaks(&self, faults: &[String]) {
        for fault in ["clock", "sync", "synced", "write"] {
            let _ = std::fs::remove_file(self.mark(fault));
        }
        let text = format!("dir {}\n{}\n", self.dir.display(), faults.join("\n"));
        let new = self.control.with_extension("new");
        std::fs::write(&new, text).unwrap();
        // The daemon sees the old faults or the new ones, never half of them.
        std::fs::rename(&new, &self.control).unwrap();
    }

    pub fn is_well(&self) {
        self.breaks(&[]);
    }

    /// Its clock is ahead by so many seconds.
    pub fn clock_is_ahead(&self, seconds: i64) {
        self.breaks(&[format!("clock {seconds}")]);
    }

    /// Whether a fault has bitten since it was last told to break.
    pub fn has_bitten(&self, fault: &str) -> bool {
        self.mark(fault).exists()
    }

    fn mark(&self, fault: &str) -> PathBuf {
        let name = self.control.file_name().unwrap().to_str().unwrap();
        self.control.with_file_name(format!("{name}.{fault}"))
    }
}

/// The faults, compiled once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/machine.c");
        let (library, new) = (
            target.join("machine.so"),
            target.join(format!("machine-{}.so", std::process::id())),
        );
        let mut cc = Command::new("cc");
        cc.args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
        cc.arg(&new).arg(&source).arg("-ldl");
        peer::done(&mut cc, "apt-get install -y gcc libc6-dev");
        // Another run of the tests may use the one that is there.
        std::fs::rename(&new, &library).unwrap();
        library
    })
}

/// A program of the system, on the broken machine.
fn program(machine: &Machine, command: &str) -> Command {
    let mut words = command.split(' ');
    let mut program = Command::new(words.next().unwrap());
    program.args(words).envs(machine.environment());
    program.env("LC_ALL", "C");
    program
}

fn run(machine: &Machine, command: &str) -> Output {
    program(machine, command).output().unwrap()
}

fn says(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}

#[test]
fn the_clock_of_the_tests_machine_is_ahead_for_a_program_that_asks() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::new(&root.path().join("disk"));
    let now = sunledger::sys::clock::wall().as_second();
    let date = || -> i64 { says(&run(&machine, "date +%s")).trim().parse().unwrap() };
    assert!((date() - now).abs() < 60);
    assert!(!machine.has_bitten("clock"));
    machine.clock_is_ahead(-100_000);
    assert!((date() + 100_000 - now).abs() < 60);
    assert!(machine.has_bitten("clock"));
    let synchronised = "stat -c %Y /run/systemd/timesync/synchronized";
    assert!(!run(&machine, synchronised).status.success());
    machine.breaks(&["synced 1700000000".to_owned()]);
    assert_eq!(says(&run(&machine, synchronised)), "1700000000\n");
}

#[test]
fn the_disk_of_the_tests_machine_is_full_broken_or_hangs_and_others_are_not() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("disk");
    std::fs::create_dir(&dir).unwrap();
    let machine = Machine::new(&dir);
    let write = |at: &Path| {
        let file = at.join("file");
        format!(
            "dd if=/dev/zero of={} bs=1 count=1 conv=fdatasync",
            file.display()
        )
    };
    #[rustfmt::skip]
    let faults = [
        // told           word                      bites
        ("write enospc", "No space left on device", "write"),
        ("write eio",    "Input/output error",      "write"),
        ("sync eio",     "Input/output error",      "sync"),
        ("write erofs",  "Read-only file system",   "write"),
    ];
    for (told, word, bites) in faults {
        machine.breaks(&[told.to_owned()]);
        let elsewhere = run(&machine, &write(root.path()));
        assert!(elsewhere.status.success(), "{told}: {}", says(&elsewhere));
        assert!(!machine.has_bitten(bites), "{told}");
        let there = run(&machine, &write(&dir));
        assert!(!there.status.success(), "{told}");
        assert!(says(&there).contains(word), "{told}: {}", says(&there));
        assert!(machine.has_bitten(bites), "{told}");
    }
    machine.breaks(&["sync hang".to_owned()]);
    let mut hangs = program(&machine, &write(&dir))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !machine.has_bitten("sync") {
        assert!(start.elapsed() < super::PATIENCE, "it does not hang");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(hangs.try_wait().unwrap().is_none(), "it hangs");
    machine.is_well();
    assert!(hangs.wait().unwrap().success(), "it goes on");
}
