//! Answers that may still come, on a link where nothing in an answer tells to which
//! question it belongs.
//!
//! ```text
//!   ask  unit 1, 2 registers at 100     no answer in time: a debt
//!   ask  unit 1, 2 registers at 200     ✗ the late answer would pass for this one
//!   ask  unit 1, 1 register  at 200     an answer of this shape can only be its own,
//!                                       and whoever gives it has given all before it
//! ```
//!
//! A device answers in the order in which it was asked, each question once at most. So
//! an answer whose shape (unit, function, number of bytes) no open question has proves
//! that nothing older of that unit is under way. **A question is not asked while an
//! answer of its shape may be under way**: a question of another shape goes first. It
//! is one that the unit answered before, or a part of the question itself, or one
//! register by another function, to which a refusal is proof as well.
//!
//! The limit: a unit that gives none of these is asked again when its debts are older
//! than any device holds an answer back, five timeouts and five seconds at least. An
//! answer that is later than this, or a second answer to one question, cannot be told.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::wire::modbus::{FUNCTIONS, Function, Question};

/// No device holds an answer back for longer, or for more timeouts.
const LONGEST: Duration = Duration::from_secs(5);
const TIMEOUTS: u32 = 5;
/// Questions of different shapes that are remembered for a unit.
const REMEMBERED: usize = 4;

/// What to do before a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It may be asked.
    Ask,
    /// This one goes first.
    First(Question),
    /// Its answer could not be told from a late one by any question.
    Wait,
}

/// The open questions of one link.
#[derive(Debug)]
pub struct Debts {
    /// Answers come with any unit id, so units do not tell them apart.
    any_unit: bool,
    lasts: Duration,
    open: Vec<Open>,
    /// By unit, what it answered before: the last of each shape.
    known: BTreeMap<u8, Vec<Question>>,
}

#[derive(Debug)]
struct Open {
    question: Question,
    since: Instant,
}

fn same_shape(one: &Question, other: &Question) -> bool {
    one.function() == other.function() && one.bytes() == other.bytes()
}

impl Debts {
    /// No debts, on a link with this timeout.
    pub fn new(timeout: Duration, any_unit: bool) -> Self {
        Self {
            any_unit,
            lasts: LONGEST.max(timeout * TIMEOUTS),
            open: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// A question goes out; its answer is owed until one comes.
    pub fn asked(&mut self, question: &Question, now: Instant) {
        self.open.push(Open {
            question: *question,
            since: now,
        });
    }

    /// The last question was answered, or refused. Whether that is its own answer, and
    /// not perhaps the late one to a question before.
    pub fn answered(&mut self, question: &Question, refused: bool) -> bool {
        let Some(last) = self.open.pop() else {
            return false;
        };
        let doubtful = self.of(question.unit()).any(|open| {
            same_shape(open, question) || (refused && open.function() == question.function())
        });
        if doubtful {
            self.open.push(last);
            return false;
        }
        let unit = question.unit();
        self.open.retain(|open| open.question.unit() != unit);
        if !refused {
            let known = self.known.entry(unit).or_default();
            known.retain(|known| !same_shape(known, question));
            known.insert(0, *question);
            known.truncate(REMEMBERED);
        }
        true
    }

    /// What to do before a question at this moment.
    pub fn step(&mut self, question: &Question, now: Instant) -> Step {
        let lasts = self.lasts;
        self.open
            .retain(|open| now.saturating_duration_since(open.since) < lasts);
        if self.is_told(question) {
            return Step::Ask;
        }
        let known = self.known.get(&question.unit()).into_iter().flatten();
        let own = known.copied().chain(parts(question));
        if let Some(first) = own.into_iter().find(|one| self.is_told(one)) {
            return Step::First(first);
        }
        let unused = |function: &Function| {
            self.of(question.unit())
                .all(|open| open.function() != *function)
        };
        // Registers before bits: more devices have them.
        let others = FUNCTIONS.into_iter().rev().filter(unused);
        others
            .filter_map(|function| {
                Question::new(question.unit(), function.code(), question.address(), 1)
            })
            .map(Step::First)
            .next()
            .unwrap_or(Step::Wait)
    }

    /// Open questions whose answers could be taken for one of this unit.
    fn of(&self, unit: u8) -> impl Iterator<Item = &Question> {
        let open = self.open.iter().map(|open| &open.question);
        open.filter(move |open| self.any_unit || open.unit() == unit)
    }

    /// Whether no open question has its shape.
    fn is_told(&self, question: &Question) -> bool {
        self.of(question.unit())
            .all(|open| !same_shape(open, question))
    }
}

/// Parts of a question, from long to short: of another length each, and readable where
/// the whole of it is.
fn parts(question: &Question) -> impl Iterator<Item = Question> + use<> {
    let (unit, function) = (question.unit(), question.function());
    let (address, count) = (question.address(), question.count());
    let less = match function {
        Function::Coils | Function::DiscreteInputs => 8,
        Function::HoldingRegisters | Function::InputRegisters => 1,
    };
    let counts = (1..=count).map_while(move |n| count.checked_sub(less * n));
    counts.map_while(move |count| Question::new(unit, function.code(), address, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(unit: u8, function: u8, address: u16, count: u16) -> Question {
        Question::new(unit, function, address, count).unwrap()
    }

    fn debts() -> (Debts, Instant) {
        (Debts::new(Duration::from_secs(1), false), Instant::now())
    }

    #[test]
    fn a_question_like_one_that_was_not_answered_waits_for_a_proof() {
        let (mut debts, now) = debts();
        let silent = ask(1, 3, 100, 2);
        debts.asked(&silent, now);
        #[rustfmt::skip]
        let cases = [
            // question           what goes first
            (ask(1, 3, 200, 2),   Step::First(ask(1, 3, 200, 1))),
            (ask(1, 3, 100, 2),   Step::First(ask(1, 3, 100, 1))),
            (ask(1, 3, 100, 3),   Step::Ask),
            (ask(1, 4, 100, 2),   Step::Ask),
            (ask(2, 3, 100, 2),   Step::Ask),
        ];
        for (question, expected) in cases {
            assert_eq!(debts.step(&question, now), expected, "{question:?}");
        }
        let proof = ask(1, 3, 200, 1);
        debts.asked(&proof, now);
        assert!(debts.answered(&proof, false));
        assert_eq!(debts.step(&silent, now), Step::Ask);
    }

    #[test]
    fn a_proof_that_was_not_answered_is_followed_by_a_shorter_one() {
        let (mut debts, now) = debts();
        let (long, bits) = (ask(1, 4, 0, 4), ask(2, 1, 0, 20));
        for question in [long, bits] {
            debts.asked(&question, now);
            let mut proofs = Vec::new();
            while let Step::First(proof) = debts.step(&question, now) {
                proofs.push((proof.function().code(), proof.count()));
                debts.asked(&proof, now);
            }
            let expected = match question.count() {
                4 => vec![(4, 3), (4, 2), (4, 1), (3, 1), (2, 1), (1, 1)],
                _ => vec![(1, 12), (1, 4), (4, 1), (3, 1), (2, 1)],
            };
            assert_eq!(proofs, expected);
        }
    }

    #[test]
    fn what_a_unit_answered_before_is_the_first_proof() {
        let (mut debts, now) = debts();
        let (long, short) = (ask(7, 3, 0, 60), ask(7, 3, 900, 4));
        for question in [&long, &short] {
            debts.asked(question, now);
            assert!(debts.answered(question, false));
        }
        debts.asked(&long, now);
        assert_eq!(debts.step(&long, now), Step::First(short));
        debts.asked(&short, now);
        assert_eq!(debts.step(&long, now), Step::First(ask(7, 3, 0, 59)));
    }

    #[test]
    fn a_refusal_proves_nothing_about_its_own_function() {
        let (mut debts, now) = debts();
        let one = ask(1, 3, 100, 1);
        debts.asked(&one, now);
        let mut asked = Vec::new();
        loop {
            match debts.step(&one, now) {
                Step::First(question) => {
                    asked.push(question.function().code());
                    debts.asked(&question, now);
                }
                Step::Wait => break,
                Step::Ask => panic!("asked on top of {asked:?}"),
            }
        }
        assert_eq!(asked, [4, 2, 1]);
        let other = ask(1, 3, 100, 2);
        debts.asked(&other, now);
        assert!(!debts.answered(&other, true), "it may be that of the first");
        assert!(debts.answered(&other, false));
        assert_eq!(debts.step(&one, now), Step::Ask);
        debts.asked(&one, now);
        let proof = ask(1, 4, 100, 1);
        debts.asked(&proof, now);
        assert!(debts.answered(&proof, true), "nobody else was asked by 4");
        assert_eq!(debts.step(&one, now), Step::Ask);
    }

    #[test]
    fn an_answer_that_has_the_shape_of_an_open_question_is_doubtful() {
        let (mut debts, now) = debts();
        debts.asked(&ask(1, 1, 0, 9), now);
        let bits = ask(1, 1, 50, 16);
        assert_eq!(debts.step(&bits, now), Step::First(ask(1, 1, 50, 8)));
        debts.asked(&bits, now);
        assert!(!debts.answered(&bits, false), "both have two bytes");
    }

    #[test]
    fn where_units_do_not_tell_every_unit_counts() {
        let now = Instant::now();
        let mut debts = Debts::new(Duration::from_secs(1), true);
        debts.asked(&ask(1, 3, 0, 2), now);
        let of_another = ask(2, 3, 0, 2);
        assert_eq!(debts.step(&of_another, now), Step::First(ask(2, 3, 0, 1)));
        let proof = ask(2, 3, 0, 1);
        debts.asked(&proof, now);
        assert!(debts.answered(&proof, false));
        // Unit 2 has proved nothing about unit 1.
        assert_eq!(debts.step(&of_another, now), Step::First(proof));
    }

    #[test]
    fn debts_end_when_no_device_holds_an_answer_that_long() {
        let (mut debts, now) = debts();
        let question = ask(1, 3, 0, 1);
        debts.asked(&question, now);
        let at = |ms| now + Duration::from_millis(ms);
        assert_ne!(debts.step(&question, at(4_999)), Step::Ask);
        assert_eq!(debts.step(&question, at(5_000)), Step::Ask);
        let mut slow = Debts::new(Duration::from_secs(3), false);
        slow.asked(&question, now);
        assert_ne!(slow.step(&question, at(14_999)), Step::Ask);
    }
}
