//! Finds what a device refuses inside of a block, in few requests: a pure search.
//!
//! ```text
//!   asked                     said
//!   0 … 19                    refused
//!   0 … 9                     refused     so it is in there
//!   0 … 4                     answered    so it is in 5 … 9, which need not be asked
//!   5 6                       answered    so it is in 7 … 9
//!   7                         refused     found
//!   8 … 19                    answered    the rest, as one
//! ```
//!
//! **Whatever can be read is read within the search**: each answer on the way is
//! delivered, nothing is asked twice, and what remains after a finding is asked as
//! one block again. Where every part answers and the whole did not, the device
//! refuses the joint: a register in a gap that was read over, or the length.

/// What a search comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The device refuses this point.
    Point(usize),
    /// Each part answers and the whole is refused: what lies between these pairs of
    /// neighbours, or so many registers at once.
    Joint(Vec<(usize, usize)>),
}

/// A search under way, over points in order of address.
#[derive(Debug)]
pub struct Search {
    /// Among these is one that the device refuses, or their joint is.
    suspects: Vec<usize>,
    /// Whether they were asked as one block, and not found by elimination.
    proven: bool,
    /// Behind the suspects, not asked yet.
    rest: Vec<usize>,
    /// Where blocks that answered were parted.
    joints: Vec<(usize, usize)>,
}

impl Search {
    /// A search in a block that was refused.
    #[must_use]
    pub fn new(block: Vec<usize>) -> Self {
        Self {
            suspects: block,
            proven: true,
            rest: Vec::new(),
            joints: Vec::new(),
        }
    }

    /// The points to ask for next, as one block; none when the search is over.
    #[must_use]
    pub fn ask(&self) -> Option<&[usize]> {
        let block = match self.suspects.len() {
            0 => self.rest.as_slice(),
            1 => self.suspects.as_slice(),
            several => self.suspects.get(..several / 2).unwrap_or_default(),
        };
        (!block.is_empty()).then_some(block)
    }

    /// Takes in what was said to the last question.
    pub fn hear(&mut self, refused: bool) -> Option<Finding> {
        match self.suspects.len() {
            0 => {
                let rest = std::mem::take(&mut self.rest);
                if !refused {
                    return None;
                }
                *self = Self::new(rest);
                self.settle()
            }
            1 => {
                let point = self.suspects.pop()?;
                if refused {
                    return Some(Finding::Point(point));
                }
                Some(Finding::Joint(std::mem::take(&mut self.joints)))
            }
            several => {
                let mut right = self.suspects.split_off(several / 2);
                if refused {
                    right.append(&mut self.rest);
                    self.rest = right;
                    self.proven = true;
                    return self.settle();
                }
                let left = self.suspects.last().copied();
                self.joints.extend(left.zip(right.first().copied()));
                self.suspects = right;
                self.proven = false;
                None
            }
        }
    }

    /// A single point that was refused by itself is found without asking again.
    fn settle(&mut self) -> Option<Finding> {
        if self.proven && self.suspects.len() == 1 {
            return self.suspects.pop().map(Finding::Point);
        }
        None
    }

    /// What was not answered: for the gaps of a search that is given up.
    pub fn unanswered(&self) -> impl Iterator<Item = usize> {
        self.suspects.iter().chain(&self.rest).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A search among points 0 to `count` in a device that refuses a block by this
    /// rule: what was answered, the findings, and how often it was asked.
    fn searched(
        count: usize,
        refuses: impl Fn(&[usize]) -> bool,
    ) -> (Vec<usize>, Vec<Finding>, usize) {
        let mut search = Search::new((0..count).collect());
        let (mut answered, mut findings, mut asked) = (Vec::new(), Vec::new(), 0);
        // A device that refuses a single point is known to do so from the start.
        findings.extend(search.settle());
        while let Some(block) = search.ask().map(<[usize]>::to_vec) {
            asked += 1;
            let refused = refuses(&block);
            if !refused {
                answered.extend(block);
            }
            findings.extend(search.hear(refused));
            assert!(asked < 10 * count + 10, "it never ends");
        }
        (answered, findings, asked)
    }

    #[test]
    fn one_absent_register_of_twenty_is_found_in_seven_requests_wherever_it_is() {
        for absent in 0..20 {
            let (answered, findings, asked) = searched(20, |block| block.contains(&absent));
            let rest: Vec<usize> = (0..20).filter(|point| *point != absent).collect();
            assert_eq!(answered, rest, "{absent}");
            assert_eq!(findings, [Finding::Point(absent)], "{absent}");
            let most = if absent == 7 { 5 } else { 7 };
            assert!(asked <= most, "{absent} took {asked}");
        }
    }

    #[test]
    fn a_gap_that_is_refused_is_a_joint() {
        // Between 11 and 12 lies a register that the device does not have.
        let (answered, findings, _) =
            searched(20, |block| block.contains(&11) && block.contains(&12));
        assert_eq!(answered, (0..20).collect::<Vec<_>>());
        let [Finding::Joint(joints)] = findings.as_slice() else {
            panic!("{findings:?}");
        };
        assert!(joints.contains(&(11, 12)), "{joints:?}");
    }

    #[test]
    fn a_length_that_is_refused_is_a_joint_and_all_is_answered() {
        let (answered, findings, asked) = searched(125, |block| block.len() > 60);
        assert_eq!(answered, (0..125).collect::<Vec<_>>());
        assert!(
            matches!(findings.as_slice(), [Finding::Joint(_), ..]),
            "{findings:?}"
        );
        assert!(asked <= 16, "{asked}");
    }

    proptest! {
        /// Whatever is refused, every other point is answered once, and each refused
        /// one is found.
        #[test]
        fn what_can_be_read_is_read_once(
            count in 1_usize..60,
            absent in prop::collection::btree_set(0_usize..60, 0..6),
        ) {
            let absent: Vec<usize> = absent.into_iter().filter(|point| *point < count).collect();
            prop_assume!(!absent.is_empty());
            let (answered, findings, _) = searched(count, |block| block.iter().any(|point| absent.contains(point)));
            let readable: Vec<usize> = (0..count).filter(|point| !absent.contains(point)).collect();
            prop_assert_eq!(answered, readable);
            let found: Vec<Finding> = absent.into_iter().map(Finding::Point).collect();
            prop_assert_eq!(findings, found);
        }
    }
}
