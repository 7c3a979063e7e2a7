//! The program itself, as a service on a machine that breaks: its disk hangs, is
//! full or fails, its clock jumps, its neighbours are silent.
//!
//! The meters are the simulated park in this process, whose clock and disk are
//! well; the faults are those of `tests/peers/machine.c`, preloaded into the
//! daemon alone. Everything is judged by what an operator can see: the page, the
//! journal, what systemd hears.

mod clock;
mod daemon;
mod disk;
mod full;
mod machine;
mod manager;
mod stop;
mod witness;

use std::time::Duration;

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
