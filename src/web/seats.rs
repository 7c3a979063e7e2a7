//! Who may be connected: a bounded number of seats, and a bounded number of them
//! for one address.
//!
//! A seat is idle while no request of its connection is being answered. When all
//! are taken, a newcomer gets the seat that has idled longest; nobody loses one
//! in the middle of an answer.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::CancellationToken;

/// All seats.
#[derive(Clone)]
pub(super) struct Seats(Arc<Mutex<Table>>);

struct Table {
    total: usize,
    per_address: usize,
    /// Counts seatings and returns to idleness: the lower, the longer ago.
    clock: u64,
    taken: BTreeMap<u64, Taken>,
}

struct Taken {
    address: IpAddr,
    /// Answers under way.
    at_work: usize,
    idle_since: u64,
    give_up: CancellationToken,
}

impl Table {
    fn next(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Whoever idles longest, of one address or of all.
    fn idlest(&self, address: Option<IpAddr>) -> Option<u64> {
        self.taken
            .iter()
            .filter(|(_, seat)| seat.at_work == 0)
            .filter(|(_, seat)| address.is_none_or(|address| seat.address == address))
            .min_by_key(|(_, seat)| seat.idle_since)
            .map(|(number, _)| *number)
    }

    fn clear(&mut self, number: u64) {
        if let Some(seat) = self.taken.remove(&number) {
            seat.give_up.cancel();
        }
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seats {
    /// Empty seats.
    pub fn new(total: usize, per_address: usize) -> Self {
        Self(Arc::new(Mutex::new(Table {
            total,
            per_address,
            clock: 0,
            taken: BTreeMap::new(),
        })))
    }

    /// A seat for a newcomer; none while everyone is at work.
    pub fn take(&self, address: IpAddr) -> Option<Seat> {
        let mut table = lock(&self.0);
        let mine = |seat: &&Taken| seat.address == address;
        if table.taken.values().filter(mine).count() >= table.per_address {
            let idle = table.idlest(Some(address))?;
            table.clear(idle);
        }
        if table.taken.len() >= table.total {
            let idle = table.idlest(None)?;
            table.clear(idle);
        }
        let number = table.next();
        let give_up = CancellationToken::new();
        table.taken.insert(
            number,
            Taken {
                address,
                at_work: 0,
                idle_since: number,
                give_up: give_up.clone(),
            },
        );
        drop(table);
        Some(Seat {
            seats: self.clone(),
            number,
            give_up,
        })
    }
}

/// A seat of one connection; free again when dropped.
pub(super) struct Seat {
    seats: Seats,
    number: u64,
    give_up: CancellationToken,
}

impl Seat {
    /// Waits until the seat is given to somebody else.
    pub async fn given_up(&self) {
        self.give_up.cancelled().await;
    }

    /// Marks the seat as at work until the mark is dropped.
    pub fn work(&self) -> Work {
        let mut table = lock(&self.seats.0);
        if let Some(seat) = table.taken.get_mut(&self.number) {
            seat.at_work += 1;
        }
        drop(table);
        Work {
            seats: self.seats.clone(),
            number: self.number,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.seats.0).taken.remove(&self.number);
    }
}

/// An answer under way.
pub(super) struct Work {
    seats: Seats,
    number: u64,
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut table = lock(&self.seats.0);
        let now = table.next();
        if let Some(seat) = table.taken.get_mut(&self.number) {
            seat.at_work = seat.at_work.saturating_sub(1);
            seat.idle_since = now;
        }
    }
}

/// A body that is work until its last byte is out.
struct Held {
    body: Body,
    _work: Work,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The same body, at work until it is sent.
pub(super) fn holding(body: Body, work: Work) -> Body {
    Body::new(Held { body, _work: work })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn is_given_up(seat: &Seat) -> bool {
        seat.give_up.is_cancelled()
    }

    #[test]
    fn a_newcomer_takes_the_seat_that_idles_longest() {
        let seats = Seats::new(3, 3);
        let [a, b, c] = [1, 2, 3].map(|last| seats.take(address(last)).unwrap());
        drop(a.work());
        let _at_work = b.work();
        let d = seats.take(address(4)).unwrap();
        assert_eq!(
            [&a, &b, &c, &d].map(is_given_up),
            [false, false, true, false]
        );
    }

    #[test]
    fn nobody_loses_a_seat_at_work() {
        let seats = Seats::new(2, 2);
        let [a, b] = [1, 2].map(|last| seats.take(address(last)).unwrap());
        let (_one, two) = (a.work(), b.work());
        assert!(seats.take(address(3)).is_none());
        drop(two);
        assert!(seats.take(address(3)).is_some());
    }

    #[test]
    fn a_crowd_from_one_address_takes_no_seat_of_another() {
        let seats = Seats::new(8, 2);
        let other = seats.take(address(9)).unwrap();
        let crowd: Vec<_> = (0..20).map(|_| seats.take(address(1)).unwrap()).collect();
        assert!(!is_given_up(&other));
        assert_eq!(crowd.iter().filter(|seat| !is_given_up(seat)).count(), 2);
    }
}
