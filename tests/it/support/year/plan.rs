//! What goes wrong in a year, and when: everything in a part of the day of its own, so
//! that each incident is judged by itself.

use super::park::*;
use super::weather::Dice;

/// When somebody enters what happened to a meter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Entered {
    /// Before the register speaks again.
    AtOnce,
    /// So many seconds later: the ledger is revised.
    After(i64),
    Never,
}

#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// A meter does not answer for so many seconds.
    Silence {
        meter: usize,
        for_s: i64,
    },
    /// Its messages wait at a broker and come all at once.
    Backlog {
        meter: usize,
        for_s: i64,
    },
    /// One answer in which the registers are garbage.
    Spike {
        meter: usize,
    },
    /// The daemon is killed, and starts after so many seconds.
    Kill {
        down_s: i64,
    },
    /// The clock is off, and is set right again.
    Clock {
        off_s: i64,
        for_s: i64,
    },
    /// Another device hangs there, or its register was reset.
    Exchange {
        meter: usize,
        entered: Entered,
    },
    /// Another current transformer.
    Ratio {
        meter: usize,
        entered: Entered,
    },
    /// `sunledger recompute` of the local day that began so many seconds before.
    Recompute {
        day: i64,
    },
    // What follows from those above.
    Start,
    ClockRight,
    Swap {
        meter: usize,
        entered: Entered,
        ratio: bool,
    },
    Enter {
        meter: usize,
        at_once: bool,
    },
}

const HOUR: i64 = 3_600;

/// The acts of all days, by second since the first 00:00 UTC.
pub fn plan(days: i64, seed: u64) -> Vec<(i64, Act)> {
    let mut dice = Dice(seed ^ 0x0005_CA1E);
    let mut acts = Vec::new();
    let single = [HALL_B, CONSUMER, AUX, TURBINE];
    let quiet = [
        PCC, PV, BATTERY, HALL_A, HALL_B, WORKSHOP, FIELD, CONSUMER, STORE, HALL_C,
    ];
    let for_days = [AUX, TURBINE, STORE, CONSUMER];
    for day in 0..days {
        let mut at = |second: i64, act: Act| acts.push((day * 86_400 + second, act));
        at(HOUR - 3, Act::Kill { down_s: 45 });
        let rotated = single[(day / 2) as usize % single.len()];
        match day % 6 {
            1 => at(
                2 * HOUR,
                Act::Exchange {
                    meter: rotated,
                    entered: Entered::AtOnce,
                },
            ),
            2 => at(
                2 * HOUR,
                Act::Exchange {
                    meter: HALL_B,
                    entered: Entered::After(5 * HOUR),
                },
            ),
            3 => at(
                2 * HOUR,
                Act::Exchange {
                    meter: [BATTERY, STORE][(day / 6) as usize % 2],
                    entered: Entered::Never,
                },
            ),
            4 => at(
                2 * HOUR,
                Act::Exchange {
                    meter: rotated,
                    entered: Entered::After(26 * HOUR),
                },
            ),
            _ => {}
        }
        if day % 10 == 1 {
            // The interval under way when it is entered is right when it is computed again.
            let late = (day / 10 + seed as i64) % 2 == 1;
            let entered = if late {
                Entered::After(5 * HOUR)
            } else {
                Entered::AtOnce
            };
            at(
                3 * HOUR,
                Act::Ratio {
                    meter: HALL_C,
                    entered,
                },
            );
            if late {
                at(24 * HOUR + 5_400, Act::Recompute { day });
            }
        }
        if day % 5 == 0 {
            let for_s = dice.between(600, 2_400);
            at(
                5 * HOUR,
                Act::Backlog {
                    meter: HALL_C,
                    for_s,
                },
            );
            at(24 * HOUR + 5_400, Act::Recompute { day });
        }
        for _ in 0..2 {
            let meter = [PCC, HALL_B, HALL_A, BATTERY, CONSUMER, STORE][dice.roll() as usize % 6];
            at(23_400 + dice.between(0, 3_000), Act::Spike { meter });
        }
        match day % 4 {
            1 => at(
                8 * HOUR,
                Act::Clock {
                    off_s: 3 * HOUR,
                    for_s: 420,
                },
            ),
            2 => at(
                8 * HOUR,
                Act::Clock {
                    off_s: -2 * HOUR,
                    for_s: 240,
                },
            ),
            _ => {}
        }
        if day % 2 == 0 {
            let meter = quiet[(day / 2) as usize % quiet.len()];
            let for_s = dice.between(HOUR, 4 * HOUR);
            at(9 * HOUR, Act::Silence { meter, for_s });
        }
        if day % 28 == 5 {
            let meter = for_days[(day / 28) as usize % for_days.len()];
            let for_s = dice.between(20, 50) * HOUR;
            at(9 * HOUR + 1_800, Act::Silence { meter, for_s });
        }
        for _ in 0..4 {
            let meter = quiet[dice.roll() as usize % quiet.len()];
            let for_s = dice.between(20, 300);
            at(
                15 * HOUR + dice.between(0, 7 * HOUR),
                Act::Silence { meter, for_s },
            );
        }
        let down_s = if day % 10 == 6 {
            7_200
        } else {
            dice.between(5, 120)
        };
        at(
            22 * HOUR + 1_800 + dice.between(0, 600),
            Act::Kill { down_s },
        );
    }
    acts
}
