//! The `sunledger` command: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Two TLS users share one provider; without this the first connection panics.
    let _ = rustls::crypto::ring::default_provider().install_default();
    sunledger::cli::run(std::env::args_os())
}
