//! Which messages may be acknowledged: those whose readings are on disk.
//!
//! ```text
//!   message ──▶ readings ──▶ app ──▶ disk
//!      └──▶ Receipts [m1 m2 m3 …] ◀── receipt ──┘
//!               └──▶ PUBACK, in order of arrival
//! ```
//!
//! **A message is acknowledged when all its readings are on disk, never before**,
//! in the order of arrival, as MQTT demands, and only on the connection on which
//! it came: after a reconnect the same identifier may mean another message.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// What became of the readings of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// On their way to the disk.
    Waiting,
    /// On disk.
    Stored,
    /// Thrown away on the way; only another delivery brings them back.
    Lost,
}

/// The state of a message, shared between its deliveries.
#[derive(Debug, Clone)]
pub struct Fate(Arc<AtomicU8>);

impl Fate {
    /// Of a message just taken in.
    pub fn waiting() -> Self {
        Self(Arc::new(AtomicU8::new(0)))
    }

    /// Now.
    pub fn state(&self) -> State {
        match self.0.load(Ordering::Relaxed) {
            0 => State::Waiting,
            1 => State::Stored,
            _ => State::Lost,
        }
    }

    fn set(&self, stored: bool) {
        self.0.store(if stored { 1 } else { 2 }, Ordering::Relaxed);
    }
}

/// One arrival of a message, as the broker knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Packet identifier.
    pub pkid: u16,
    /// The connection on which it came, counted from the start.
    pub connection: u64,
}

/// A message that is not acknowledged yet.
#[derive(Debug)]
struct Entry {
    delivery: Delivery,
    receipts: Vec<oneshot::Receiver<()>>,
    fate: Fate,
    /// Whether the fate is this delivery's own, or that of the one before it.
    own: bool,
}

/// A message whose wait is over.
#[derive(Debug, PartialEq, Eq)]
pub struct Settled {
    /// The arrival.
    pub delivery: Delivery,
    /// Whether all its readings are on disk.
    pub stored: bool,
}

/// Messages that wait for the disk, in order of arrival.
#[derive(Debug, Default)]
pub struct Receipts {
    entries: VecDeque<Entry>,
}

impl Receipts {
    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// A message with the receipts of its readings. Without any it waits only for
    /// those before it.
    pub fn await_disk(
        &mut self,
        delivery: Delivery,
        receipts: Vec<oneshot::Receiver<()>>,
        fate: Fate,
    ) {
        self.entries.push_back(Entry {
            delivery,
            receipts,
            fate,
            own: true,
        });
    }

    /// Another delivery of a message that is known: it shares the fate of the first.
    pub fn await_first(&mut self, delivery: Delivery, fate: Fate) {
        self.entries.push_back(Entry {
            delivery,
            receipts: Vec::new(),
            fate,
            own: false,
        });
    }

    /// The next message whose wait is over; never, while there is none.
    pub fn settled(&mut self) -> impl Future<Output = Settled> + '_ {
        std::future::poll_fn(|cx| self.poll_settled(cx))
    }

    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<Settled> {
        let Some(first) = self.entries.front_mut() else {
            return Poll::Pending;
        };
        let mut stored = true;
        while let Some(receipt) = first.receipts.last_mut() {
            match Pin::new(receipt).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {
                    first.receipts.pop();
                }
                Poll::Ready(Err(_)) => {
                    stored = false;
                    first.receipts.clear();
                }
            }
        }
        if first.own {
            first.fate.set(stored);
        } else {
            // The first delivery is ahead in the queue, so its fate is known.
            stored = first.fate.state() == State::Stored;
        }
        let settled = Settled {
            delivery: first.delivery,
            stored,
        };
        self.entries.pop_front();
        Poll::Ready(settled)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn arrival(pkid: u16, connection: u64) -> Delivery {
        Delivery { pkid, connection }
    }

    fn settled_now(receipts: &mut Receipts) -> Option<(u16, bool)> {
        let settled = receipts.settled().now_or_never()?;
        Some((settled.delivery.pkid, settled.stored))
    }

    #[test]
    fn acknowledgements_keep_the_order_of_arrival() {
        let mut receipts = Receipts::default();
        let (first, first_rx) = oneshot::channel();
        let (second, second_rx) = oneshot::channel();
        receipts.await_disk(arrival(1, 1), vec![first_rx], Fate::waiting());
        receipts.await_disk(arrival(2, 1), vec![second_rx], Fate::waiting());
        receipts.await_disk(arrival(3, 1), vec![], Fate::waiting());
        second.send(()).unwrap();
        assert_eq!(settled_now(&mut receipts), None);
        first.send(()).unwrap();
        assert_eq!(settled_now(&mut receipts), Some((1, true)));
        assert_eq!(settled_now(&mut receipts), Some((2, true)));
        assert_eq!(settled_now(&mut receipts), Some((3, true)));
        assert_eq!(settled_now(&mut receipts), None);
    }

    #[test]
    fn a_message_waits_for_all_its_readings() {
        let mut receipts = Receipts::default();
        let (one, one_rx) = oneshot::channel();
        let (two, two_rx) = oneshot::channel();
        let fate = Fate::waiting();
        receipts.await_disk(arrival(1, 1), vec![one_rx, two_rx], fate.clone());
        two.send(()).unwrap();
        assert_eq!(settled_now(&mut receipts), None);
        assert_eq!(fate.state(), State::Waiting);
        drop(one);
        assert_eq!(settled_now(&mut receipts), Some((1, false)));
        assert_eq!(fate.state(), State::Lost);
    }

    #[test]
    fn a_redelivery_shares_the_fate_of_the_first_delivery() {
        for stored in [true, false] {
            let mut receipts = Receipts::default();
            let (receipt, rx) = oneshot::channel();
            let fate = Fate::waiting();
            receipts.await_disk(arrival(1, 1), vec![rx], fate.clone());
            receipts.await_first(arrival(1, 2), fate);
            assert_eq!(settled_now(&mut receipts), None);
            if stored {
                receipt.send(()).unwrap();
            } else {
                drop(receipt);
            }
            assert_eq!(settled_now(&mut receipts), Some((1, stored)));
            assert_eq!(settled_now(&mut receipts), Some((1, stored)));
        }
    }
}
