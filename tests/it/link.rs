//! The link to a Modbus endpoint: what may go wrong on a wire, on each kind of wire.

mod lines;
mod manners;
mod misattribution;
mod peers;

use std::time::Duration;

use sunledger::source::modbus::link::{Failure, Link};
use sunledger::source::modbus::{Manners, Wiring};
use sunledger::wire::plan::Request;

use crate::support::hostile::Hostile;

/// Longer than anything honest takes on a slow machine.
const PATIENT: Duration = Duration::from_secs(5);

fn ask(fc: u8, address: u16, count: u16) -> Request {
    Request {
        fc,
        address,
        count,
        points: Vec::new(),
    }
}

fn link(wiring: Wiring, manners: Manners, timeout: Duration) -> Link {
    Link::new("test", wiring, manners, timeout)
}

/// The words alone.
async fn words(link: &mut Link, unit: u8, request: &Request) -> Result<Vec<u16>, Failure> {
    link.read(unit, request).await.map(|(words, _)| words)
}

/// Requests that are no proofs: those of this address.
fn asked(server: &Hostile, address: u16) -> usize {
    let asks = server.asks();
    asks.iter().filter(|ask| ask.address == address).count()
}
