//! Reads a run of registers, whatever the device says to it.
//!
//! A device may refuse a block for one register in it. Then it is halved until it is
//! known which: as few questions as show it, and no more than [`SEARCH`] in all.

use crate::cli::asking::{Asker, is_answer};
use crate::source::modbus::link::Failure;
use crate::wire::plan::{MAX_BITS, MAX_REGISTERS};

/// Questions that the search for refused registers may take.
const SEARCH: u32 = 60;
/// Blocks in a row without an answer after which nothing is expected any more.
const SILENT: u32 = 2;

/// What came of one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Its word; of a bit 0 or 1.
    Word(u16),
    /// The device refuses it, with this code.
    Refused(u8),
    /// It was asked for, and nothing usable came.
    Silent,
    /// It was not asked for alone: the search would have taken too long.
    NotAsked,
}

/// Registers with what came of them.
#[derive(Debug, Default)]
pub struct Block {
    /// By address, in the order in which they were wanted.
    pub cells: Vec<(u16, Cell)>,
    /// Whether the device answered at all, if only by refusing.
    pub answered: bool,
    /// The last failure.
    pub failure: Option<Failure>,
}

impl Block {
    /// The words that came from this register on, as many as are wanted, if all came.
    #[must_use]
    pub fn words(&self, place: usize, count: u16) -> Option<Vec<u16>> {
        let (first, _) = self.cells.get(place)?;
        let cells = (0..count).map(|nth| {
            let (address, cell) = self.cells.get(place + usize::from(nth))?;
            match cell {
                Cell::Word(word) if *address == first.checked_add(nth)? => Some(*word),
                _ => None,
            }
        });
        cells.collect()
    }

    fn tell(&mut self, address: u16, count: u16, cell: Cell) {
        let each = (0..count).map(|nth| (address.wrapping_add(nth), cell));
        self.cells.extend(each);
    }

    /// Runs of registers with the same trouble: first, last and what.
    #[must_use]
    pub fn troubles(&self) -> Vec<(u16, u16, Cell)> {
        let mut runs: Vec<(u16, u16, Cell)> = Vec::new();
        for (address, cell) in &self.cells {
            if matches!(cell, Cell::Word(_)) {
                continue;
            }
            match runs.last_mut() {
                Some((_, last, same)) if same == cell && last.checked_add(1) == Some(*address) => {
                    *last = *address;
                }
                _ => runs.push((*address, *address, *cell)),
            }
        }
        runs
    }
}

/// Reads runs of registers: each a first address and how many.
pub async fn read(asker: &mut Asker, unit: u8, fc: u8, runs: &[(u16, u32)]) -> Block {
    let mut block = Block::default();
    let mut search = SEARCH;
    let most = u32::from(if fc <= 2 { MAX_BITS } else { MAX_REGISTERS });
    let mut silent = 0;
    for (first, count) in runs {
        let mut from = u32::from(*first);
        let end = from + count;
        while from < end {
            let part = most.min(end - from);
            let (Ok(address), Ok(count)) = (u16::try_from(from), u16::try_from(part)) else {
                break;
            };
            from += part;
            if silent >= SILENT && !block.answered {
                block.tell(address, count, Cell::NotAsked);
                continue;
            }
            silent = if run(asker, unit, fc, (address, count), &mut block, &mut search).await {
                0
            } else {
                silent + 1
            };
        }
    }
    block
}

/// Reads one run; whether anything came.
async fn run(
    asker: &mut Asker,
    unit: u8,
    fc: u8,
    run: (u16, u16),
    block: &mut Block,
    search: &mut u32,
) -> bool {
    let mut open = vec![run];
    let mut is_first = true;
    let mut came = false;
    while let Some((address, count)) = open.pop() {
        if !is_first {
            if *search == 0 {
                block.tell(address, count, Cell::NotAsked);
                continue;
            }
            *search -= 1;
        }
        let failure = match asker.ask(unit, fc, address, count).await {
            Ok(words) => {
                (came, block.answered) = (true, true);
                let addresses = (address..=u16::MAX).zip(&words);
                block
                    .cells
                    .extend(addresses.map(|(address, word)| (address, Cell::Word(*word))));
                is_first = false;
                continue;
            }
            Err(failure) => failure,
        };
        let refused = is_answer(&failure);
        came |= refused;
        block.answered |= refused;
        // Some devices leave a question unanswered that is too long for them, or that
        // touches what they do not have.
        let too_long = is_first && failure == Failure::Timeout;
        let halve = count > 1 && (failure.is_refusal() || too_long);
        is_first = false;
        if halve && refused {
            let half = count / 2;
            open.push((address + half, count - half));
            open.push((address, half));
        } else if halve {
            open.push((address + 1, count - 1));
            open.push((address, 1));
        } else {
            let cell = match failure {
                Failure::Exception(code) if refused => Cell::Refused(code),
                _ => Cell::Silent,
            };
            block.tell(address, count, cell);
            if !came {
                // Not even one register: the rest is not asked for.
                for (address, count) in open.drain(..) {
                    block.tell(address, count, Cell::NotAsked);
                }
            }
        }
        block.failure = Some(failure);
    }
    came
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_belong_together_are_adjacent_and_all_there() {
        let block = Block {
            cells: vec![
                (7, Cell::Word(1)),
                (8, Cell::Word(2)),
                (9, Cell::Refused(2)),
                (20, Cell::Word(3)),
                (30, Cell::Word(4)),
            ],
            ..Block::default()
        };
        assert_eq!(block.words(0, 2), Some(vec![1, 2]));
        assert_eq!(block.words(1, 2), None);
        assert_eq!(block.words(3, 2), None);
        assert_eq!(block.troubles(), [(9, 9, Cell::Refused(2))]);
    }
}
