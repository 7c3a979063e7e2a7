//! `sunledger store backup`.

use std::path::PathBuf;

use serde_json::json;

use super::{Which, failure, size};
use crate::cli::{Failure, print};
use crate::store::backup::back_up;

/// Arguments of `store backup`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The directory of the copy; it must not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Copies the store.
///
/// # Errors
///
/// What the store says, a target that exists among it; then there is no copy.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let dir = arguments.which.dir()?;
    let done = back_up(&dir, &arguments.out).map_err(|error| failure(&error))?;
    let text = if arguments.json {
        let report = json!({
            "dir": dir,
            "out": arguments.out,
            "last_seq": done.last_seq,
            "bytes": done.bytes,
        });
        format!("{report}\n")
    } else {
        let upto = match done.last_seq {
            Some(seq) => format!("up to block {seq}"),
            None => "without a block".to_owned(),
        };
        format!(
            "{} is copied to {}, {}, {upto}. To restore it, put it in the place of store.dir, \
             with the owner of the daemon.\n",
            dir.display(),
            arguments.out.display(),
            size(done.bytes)
        )
    };
    print(&text)
}
