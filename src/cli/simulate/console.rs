//! What is said to a rehearsal while it runs, a line at a time.

use std::io::BufRead;

use tokio::sync::mpsc;

use crate::cli::{Failure, print};
use crate::simulate::rehearsal::Rehearsal;
use crate::simulate::rehearsal::faults::kinds;

/// Lines that wait; a person types one, a script waits for its turn.
const WAITING: usize = 16;

/// The lines of standard input.
pub struct Commands {
    lines: mpsc::Receiver<String>,
}

impl Commands {
    /// The next line; for ever none, where standard input has ended.
    pub async fn recv(&mut self) -> String {
        match self.lines.recv().await {
            Some(line) => line,
            None => std::future::pending().await,
        }
    }
}

/// Hears standard input, on a thread that ends with the process.
pub fn listen() -> Commands {
    let (tx, lines) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if tx.blocking_send(line).is_err() {
                return;
            }
        }
    });
    Commands { lines }
}

/// Does what a line says, and says what it did. What it does not understand it says
/// as well; a rehearsal does not end for a slip of the finger.
pub fn obey(park: &Rehearsal, line: &str) -> Result<(), Failure> {
    let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let rest = rest.trim();
    let said = match word {
        "" => return Ok(()),
        "on" => park.faults().on(rest).map(|()| format!("on {rest}")),
        "off" => park.faults().off(rest).map(|count| match count {
            0 => format!("off {rest}: it was not on"),
            1 => format!("off {rest}"),
            more => format!("off {rest}: {more} faults"),
        }),
        "asked" => Ok(asked(park)),
        "list" => Ok(kinds::list()),
        _ => Ok(format!("`{word}` is none of on, off, asked, list")),
    };
    let said = said.unwrap_or_else(|error| error.to_string());
    print(&format!("{}\n", said.trim_end()))
}

/// What each bus was asked, in a line.
fn asked(park: &Rehearsal) -> String {
    let lines = park.endpoints().iter().enumerate().map(|(bus, (name, _))| {
        let sockets = park.log().sockets(bus);
        format!(
            "bus {name}: {} questions; {} connections, {} open, {} turned away; \
             {} bytes that were none",
            park.log().questions_of(bus),
            sockets.taken,
            sockets.open,
            sockets.turned_away,
            sockets.garbage,
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}
