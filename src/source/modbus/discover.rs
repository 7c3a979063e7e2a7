//! Walks the `SunSpec` models of a device over whatever carries the requests.
//!
//! What to ask and what an answer means is in [`crate::wire::sunspec`]; here is the loop
//! between it and the wire. **Nothing is decided here but when to give up**: a refusal
//! is an answer, silence at one of the three places of the marker leads on to the next,
//! and a connection that is down ends the walk at once.

use std::future::Future;

use crate::wire::sunspec::{Chain, Lost, Said, Walk};

/// The function code of everything in `SunSpec`.
const READ_HOLDING: u8 = 3;

/// What a failed read says of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It answered, and not with registers.
    Refused,
    /// It said nothing in time.
    Silent,
    /// Nobody was asked: there is no connection.
    Unasked,
}

/// Whoever reads registers.
pub trait Reader: Send {
    /// Why a read fails.
    type Failure: Send;

    /// Reads so many registers from this address on.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from having all of them.
    fn read(
        &mut self,
        unit: u8,
        fc: u8,
        address: u16,
        count: u16,
    ) -> impl Future<Output = Result<Vec<u16>, Self::Failure>> + Send;

    /// What a failure says of the device.
    fn failed(failure: &Self::Failure) -> Failed;
}

/// Why a device has no models to be read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undiscovered<F> {
    /// It has no chain of models.
    Lost(Lost),
    /// It could not be asked, or did not answer; this is the last failure.
    Failed(F),
}

/// The chain of models of a unit.
///
/// # Errors
///
/// [`Undiscovered::Lost`] where the device answers and has no chain,
/// [`Undiscovered::Failed`] where it does not answer or nobody could be asked: it is to
/// be walked again.
pub async fn discover<R: Reader>(
    reader: &mut R,
    unit: u8,
) -> Result<Chain, Undiscovered<R::Failure>> {
    let mut walk = Walk::new();
    let mut last_failure = None;
    while let Some(ask) = walk.next_request() {
        let said = reader.read(unit, READ_HOLDING, ask.address, ask.count);
        match said.await {
            Ok(words) => walk.hear(Said::Words(&words)),
            Err(failure) => {
                match R::failed(&failure) {
                    Failed::Refused => walk.hear(Said::Refused),
                    Failed::Silent => walk.hear(Said::Silent),
                    Failed::Unasked => return Err(Undiscovered::Failed(failure)),
                }
                last_failure = Some(failure);
            }
        }
    }
    match (walk.finish(), last_failure) {
        (Ok(chain), _) => Ok(chain),
        (Err(Lost::Silent { .. }), Some(failure)) => Err(Undiscovered::Failed(failure)),
        (Err(lost), _) => Err(Undiscovered::Lost(lost)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that holds one model 1 and one 103 from a base on.
    struct Device {
        base: u16,
        elsewhere: Failed,
        asked: Vec<(u8, u8, u16, u16)>,
        reads_left: usize,
    }

    impl Device {
        fn at(base: u16, elsewhere: Failed) -> Self {
            Self {
                base,
                elsewhere,
                asked: Vec::new(),
                reads_left: usize::MAX,
            }
        }

        fn word(&self, at: u32) -> Option<u16> {
            let from = at.checked_sub(self.base.into())?;
            match from {
                0 => Some(0x5375),
                1 => Some(0x6E53),
                2 => Some(1),
                3 => Some(66),
                70 => Some(103),
                71 => Some(50),
                122 => Some(0xFFFF),
                4..=123 => Some(0),
                _ => None,
            }
        }
    }

    impl Reader for Device {
        type Failure = Failed;

        async fn read(
            &mut self,
            unit: u8,
            fc: u8,
            address: u16,
            count: u16,
        ) -> Result<Vec<u16>, Failed> {
            self.asked.push((unit, fc, address, count));
            if self.reads_left == 0 {
                return Err(Failed::Unasked);
            }
            self.reads_left -= 1;
            let registers = u32::from(address)..u32::from(address) + u32::from(count);
            let words: Option<Vec<u16>> = registers.map(|at| self.word(at)).collect();
            words.ok_or(self.elsewhere)
        }

        fn failed(failure: &Failed) -> Failed {
            *failure
        }
    }

    #[tokio::test]
    async fn a_chain_is_found_behind_refusals_and_silence() {
        for base in [40_000, 50_000, 0] {
            for elsewhere in [Failed::Refused, Failed::Silent] {
                let mut device = Device::at(base, elsewhere);
                let chain = discover(&mut device, 7).await.unwrap();
                let ids: Vec<u16> = chain.models.iter().map(|found| found.id).collect();
                assert_eq!((chain.base, ids), (base, vec![1, 103]));
                // Function code 3 and nothing else, of the unit that was meant.
                assert!(device.asked.iter().all(|ask| (ask.0, ask.1) == (7, 3)));
            }
        }
    }

    #[tokio::test]
    async fn a_device_without_a_marker_and_one_that_is_silent_are_told_apart() {
        let mut refusing = Device::at(1_000, Failed::Refused);
        let said = discover(&mut refusing, 1).await;
        assert_eq!(said, Err(Undiscovered::Lost(Lost::NoMarker)));
        let mut silent = Device::at(1_000, Failed::Silent);
        let said = discover(&mut silent, 1).await;
        assert_eq!(said, Err(Undiscovered::Failed(Failed::Silent)));
    }

    #[tokio::test]
    async fn a_connection_that_is_down_ends_the_walk_at_once() {
        for reads in [0, 2] {
            let mut device = Device::at(40_000, Failed::Refused);
            device.reads_left = reads;
            let said = discover(&mut device, 1).await;
            assert_eq!(said, Err(Undiscovered::Failed(Failed::Unasked)));
            assert_eq!(device.asked.len(), reads + 1);
        }
    }
}
