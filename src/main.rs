//! The `sunledger` command: arguments in, exit code out.

fn main() {}
