//! The faults of a rehearsal: which are on, and what they do to a question.
//!
//! Faults go on and off while the park is running, so that a rehearsal has phases.
//! Each counts the questions it could strike; **with the same seed and the same
//! questions it strikes the same ones again**.

pub mod kinds;
pub mod often;
mod strike;
pub mod target;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::unit::{Image, Incident, Manner};
use crate::sys::clock;
use kinds::What;
use often::{Draw, Often};
pub use strike::{Act, Strike};
pub use target::{Fault, Names, NoFault, Target};

/// A fault that is on.
struct Active {
    fault: Fault,
    /// Seconds since the rehearsal began.
    since: f64,
    /// Questions that it could have struck.
    met: AtomicU64,
    seed: u64,
    channel: u64,
}

impl Active {
    /// Another question that this fault can strike.
    fn draw(&self) -> Draw {
        Draw {
            seed: self.seed,
            channel: self.channel,
            n: self.met.fetch_add(1, Ordering::Relaxed),
        }
    }
}

struct Shared {
    names: Names,
    seed: u64,
    began: Instant,
    images: Vec<Arc<Image>>,
    active: RwLock<Vec<Arc<Active>>>,
    changed: watch::Sender<()>,
}

/// A handle to break the park with, and to mend it.
#[derive(Clone)]
pub struct Faults {
    shared: Arc<Shared>,
}

/// Whether, and for how long, a bus takes no connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// For so long from now on.
    For(Duration),
    /// Until a fault goes off.
    UntilMended,
}

impl Faults {
    /// A park without a fault; `images` are those of its buses.
    #[must_use]
    pub fn new(names: Names, seed: u64, began: Instant, images: Vec<Arc<Image>>) -> Self {
        Self {
            shared: Arc::new(Shared {
                names,
                seed,
                began,
                images,
                active: RwLock::default(),
                changed: watch::Sender::default(),
            }),
        }
    }

    /// What there is to break.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.shared.names
    }

    /// Puts a fault on, from `KIND[:TARGET][:PARAMETERS]`.
    ///
    /// # Errors
    ///
    /// [`NoFault`].
    pub fn on(&self, text: &str) -> Result<(), NoFault> {
        let fault = Fault::read(text, self.names())?;
        self.put_on(fault);
        Ok(())
    }

    /// Puts a fault on; the same kind at the same target is replaced.
    pub fn put_on(&self, fault: Fault) {
        let s = self.seconds();
        if let Some(incident) = incident(&fault.what) {
            self.befall(incident, &fault.target, s);
            return;
        }
        let channel = kinds::KINDS.iter().position(|kind| kind.name == fault.name);
        let active = Active {
            since: s,
            met: AtomicU64::new(0),
            seed: self.shared.seed,
            channel: channel
                .and_then(|at| u64::try_from(at).ok())
                .unwrap_or_default(),
            fault,
        };
        let several = matches!(active.fault.what, What::Exceptions(..));
        let is_it = |other: &Fault| {
            let same = other.name == active.fault.name && other.target == active.fault.target;
            same && (!several || other.what == active.fault.what)
        };
        self.mend(is_it);
        self.write().push(Arc::new(active));
        self.shared.changed.send_replace(());
    }

    /// Takes faults off: one, as it was put on (parameters aside), all of a kind, or
    /// `*` for all. Says how many there were.
    ///
    /// # Errors
    ///
    /// [`NoFault`] where the words name no kind or no place.
    pub fn off(&self, text: &str) -> Result<usize, NoFault> {
        if text == "*" {
            return Ok(self.mend(|_| true));
        }
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let kind = kinds::Kind::named(name).ok_or_else(|| NoFault::Kind(name.to_owned()))?;
        let word = rest.split(':').next().unwrap_or_default();
        let target = if word.is_empty() {
            None
        } else {
            let unit = || word.parse().ok().map(|unit| Target::Unit(None, unit));
            let target = self.names().target(kind.scope, word).or_else(unit);
            Some(target.ok_or_else(|| NoFault::Target {
                target: word.to_owned(),
                kind: kind.name,
                known: "those that it was put on at".to_owned(),
            })?)
        };
        Ok(self.mend(|fault| {
            fault.name == kind.name && target.as_ref().is_none_or(|target| fault.target == *target)
        }))
    }

    fn mend(&self, is_it: impl Fn(&Fault) -> bool) -> usize {
        let mut off = Vec::new();
        self.write().retain(|active| {
            let stays = !is_it(&active.fault);
            if !stays {
                off.push(Arc::clone(active));
            }
            stays
        });
        let s = self.seconds();
        for active in &off {
            // What a counter missed, it never gets.
            if let What::ReversedCt(phase) = active.fault.what {
                self.befall(
                    Incident::PutRight(phase, active.since),
                    &active.fault.target,
                    s,
                );
            }
        }
        if !off.is_empty() {
            self.shared.changed.send_replace(());
        }
        off.len()
    }

    fn befall(&self, incident: Incident, target: &Target, s: f64) {
        for (bus, image) in self.shared.images.iter().enumerate() {
            image.befall(incident, s, |unit, meter| {
                let hit = target.is_meter(bus, unit, meter);
                hit.then(|| self.manner(bus, unit, meter))
            });
        }
    }

    /// Tells when faults went on or off.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.shared.changed.subscribe()
    }

    /// Seconds since the rehearsal began.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        clock::mono()
            .duration_since(self.shared.began)
            .as_secs_f64()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Vec<Arc<Active>>> {
        self.shared
            .active
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn each<T>(&self, with: impl FnMut(&Active) -> Option<T>) -> Vec<T> {
        let active = self
            .shared
            .active
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        active.iter().map(Arc::as_ref).filter_map(with).collect()
    }

    /// What happens to the answer of a question.
    #[must_use]
    pub fn strike(&self, bus: usize, unit: u8, address: u16, count: u16) -> Strike {
        let mut strike = Strike::default();
        self.each(|active| {
            if active.fault.target.is_unit(bus, unit) {
                strike.add(&active.fault, address, count, || active.draw());
            }
            None::<()>
        });
        strike
    }

    /// How a meter shows its numbers.
    #[must_use]
    pub fn manner(&self, bus: usize, unit: u8, meter: &str) -> Manner {
        let mut manner = Manner::default();
        self.each(|active| {
            if active.fault.target.is_meter(bus, unit, meter) {
                match active.fault.what {
                    What::Sentinels => manner.absent = true,
                    What::Frozen => manner.frozen_at = Some(active.since),
                    What::SwappedWords => manner.swapped = true,
                    What::ReversedCt(phase) => manner.reversed = Some((phase, active.since)),
                    What::Spike(often, counts) if often.strikes(active.draw()) => {
                        manner.spike = i128::from(counts);
                    }
                    _ => {}
                }
            }
            None::<()>
        });
        manner
    }

    /// Whether a bus takes no connections now.
    #[must_use]
    pub fn down(&self, bus: usize) -> Option<Down> {
        let s = self.seconds();
        let mut down = self.each(|active| match active.fault.what {
            _ if !active.fault.target.is_bus(bus) => None,
            What::Refuse => Some(Down::UntilMended),
            What::GatewayReboot(time) => {
                let left = active.since + time.as_secs_f64() - s;
                let left = Duration::try_from_secs_f64(left).ok()?;
                (!left.is_zero()).then_some(Down::For(left))
            }
            _ => None,
        });
        down.sort_by_key(|down| match down {
            Down::UntilMended => Duration::MAX,
            Down::For(left) => *left,
        });
        down.pop()
    }

    /// Connections that a bus takes at most.
    #[must_use]
    pub fn max_sockets(&self, bus: usize) -> Option<usize> {
        let most = self.each(|active| match active.fault.what {
            What::MaxSockets(most) if active.fault.target.is_bus(bus) => Some(most),
            _ => None,
        });
        most.into_iter().min()
    }

    /// How long a connection to a bus may be idle.
    #[must_use]
    pub fn idle_close(&self, bus: usize) -> Option<Duration> {
        let times = self.each(|active| match active.fault.what {
            What::IdleClose(time) if active.fault.target.is_bus(bus) => Some(time),
            _ => None,
        });
        times.into_iter().min()
    }

    /// Whether a sensor says nothing.
    #[must_use]
    pub fn mute(&self, sensor: &str) -> bool {
        let dead = |active: &Active| {
            let dead = active.fault.what == What::Dead && active.fault.target.is_sensor(sensor);
            dead.then_some(())
        };
        !self.each(dead).is_empty()
    }

    /// Whether a broker is gone.
    #[must_use]
    pub fn broker_down(&self, broker: usize) -> bool {
        let down = |active: &Active| {
            let down = active.fault.what == What::BrokerDown;
            (down && active.fault.target.is_broker(broker)).then_some(())
        };
        !self.each(down).is_empty()
    }

    /// What the database answers instead of taking a write.
    #[must_use]
    pub fn database_down(&self) -> Option<u16> {
        let status = |active: &Active| match active.fault.what {
            What::DatabaseDown(status) => Some(status),
            _ => None,
        };
        self.each(status).pop()
    }
}

/// What happens to counters once, when a fault is put on.
fn incident(what: &What) -> Option<Incident> {
    match what {
        What::CounterReset => Some(Incident::Reset),
        What::CounterRollover => Some(Incident::NearTurn),
        What::CounterExchange(count) => Some(Incident::Exchange(i128::from(*count))),
        _ => None,
    }
}

/// Whether a fault of this frequency strikes now.
fn hits(often: Often, draw: impl FnOnce() -> Draw) -> Option<Draw> {
    let draw = draw();
    often.strikes(draw).then_some(draw)
}
