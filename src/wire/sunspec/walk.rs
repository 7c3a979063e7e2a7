//! Finding the chain of models: what to ask next, and what the answer says.
//!
//! ```text
//!   marker ──▶ header ──▶ details ──▶ header ──▶ … ──▶ id 0xFFFF
//!   40000        ▲           │
//!   50000        └───────────┘ + 2 + length
//!   0
//! ```
//!
//! A model that nobody knows is listed and stepped over. Of the first model 1 the names
//! are read, of a model with parts how many there are and of what kind; a device that
//! refuses these details is walked all the same.
//!
//! **Each step goes up**, so whatever a device answers, the walk ends: at the mark, at
//! a header that is refused, or with an error.

use std::collections::VecDeque;

use super::model::model;

/// Where the marker can stand, in the order in which it is looked for.
pub const BASES: [u16; 3] = [40_000, 50_000, 0];
/// "`SunS`".
const MARKER: [u16; 2] = [0x5375, 0x6E53];
/// The id behind the last model.
const END: u16 = 0xFFFF;
/// Far more than a device lists; the largest chains in reach have some thirty.
const MOST_MODELS: usize = 256;
/// Parts of a model of which each is asked for its kind. One answer does not hold the
/// values of more.
const MOST_KINDS: u16 = 8;
/// Registers of a model before its points: id and length.
const HEADER: u16 = 2;

/// The names in model 1: offset and registers.
const NAMES: [(u16, u16); 4] = [(2, 16), (18, 16), (42, 8), (50, 16)];
/// From the first of them to the last.
const ALL_NAMES: (u16, u16) = (2, 64);

/// A read of registers, with function code 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// First register, zero-based.
    pub address: u16,
    /// How many.
    pub count: u16,
}

/// What came of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'a> {
    /// These registers.
    Words(&'a [u16]),
    /// An exception, or an answer that is none.
    Refused,
    /// Nothing in time.
    Silent,
}

/// Why there is no chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// None of the three places has the marker.
    #[error(
        "no SunSpec marker at register 40000, 50000 or 0; \
         is SunSpec switched on at the device, and is this its unit id?"
    )]
    NoMarker,
    /// The device does not answer, or no longer.
    #[error("no answer to a read of register {address} on the way through the SunSpec models")]
    Silent {
        /// The register that was asked for.
        address: u16,
    },
    /// A marker and nothing behind it.
    #[error("a SunSpec marker at register {base} and no model behind it")]
    NoModels {
        /// Where the marker is.
        base: u16,
    },
    /// A model that cannot be as long as it says.
    #[error(
        "SunSpec model {id} at register {address} says that it has {length} registers; \
         they would end behind register 65535"
    )]
    Absurd {
        /// Its id.
        id: u16,
        /// The register that holds the id.
        address: u16,
        /// Its length.
        length: u16,
    },
    /// No end to the models.
    #[error("more than 256 SunSpec models behind the marker at register {base}")]
    Endless {
        /// Where the marker is.
        base: u16,
    },
}

/// Who a device says it is; empty where it does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Its maker.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Version of its firmware.
    pub version: String,
    /// Its serial number.
    pub serial: String,
}

/// A model that a device has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: u16,
    /// The register that holds the id.
    pub address: u16,
    /// Registers behind id and length.
    pub length: u16,
    /// Its repeating parts, each with its kind where it says one.
    pub parts: Vec<Option<u16>>,
}

impl Found {
    /// Whether the model reaches to this offset.
    #[must_use]
    pub fn has(&self, offset: u16, words: u16) -> bool {
        u32::from(offset) + u32::from(words) <= u32::from(self.length) + u32::from(HEADER)
    }
}

/// The models of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    /// Where the marker is.
    pub base: u16,
    /// Who the device is.
    pub identity: Identity,
    /// Its models, in the order in which it lists them.
    pub models: Vec<Found>,
    /// Whether the device marks the end; one that refuses to be read on does not.
    pub marked_end: bool,
}

/// What is known of the place the walk has come to.
#[derive(Debug)]
enum Step {
    /// The marker is looked for at this place of [`BASES`].
    Marker(usize),
    /// A header is at this address.
    Header(u16),
    /// It is over.
    Over(Result<(), Lost>),
}

/// A read beside the way, and what it is about.
#[derive(Debug)]
struct Detail {
    ask: Ask,
    about: About,
}

#[derive(Debug, Clone, Copy)]
enum About {
    /// All names of model 1.
    Names,
    /// One of [`NAMES`].
    Name(usize),
    /// How many parts the last model has.
    Number,
    /// What kind of part this one is.
    Kind(usize),
}

/// A walk along the models of a device.
///
/// Ask what [`Walk::next_request`] wants, tell it to [`Walk::hear`], until there is no
/// request any more; then [`Walk::finish`].
#[derive(Debug)]
pub struct Walk {
    step: Step,
    chain: Chain,
    details: VecDeque<Detail>,
    /// Whether any question was answered, if only by a refusal.
    answered: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self::new()
    }
}

impl Walk {
    /// A walk that has asked nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            step: Step::Marker(0),
            chain: Chain::default(),
            details: VecDeque::new(),
            answered: false,
        }
    }

    /// What to read next; none where the walk is over.
    #[must_use]
    pub fn next_request(&self) -> Option<Ask> {
        if let Some(detail) = self.details.front() {
            return Some(detail.ask);
        }
        match self.step {
            Step::Marker(place) => BASES.get(place).map(|base| Ask {
                address: *base,
                count: HEADER,
            }),
            Step::Header(address) => Some(Ask {
                address,
                count: HEADER,
            }),
            Step::Over(_) => None,
        }
    }

    /// Takes in what came of the last request.
    pub fn hear(&mut self, said: Said<'_>) {
        let Some(ask) = self.next_request() else {
            return;
        };
        self.answered |= said != Said::Silent;
        let said = match said {
            Said::Words(words) if words.len() != usize::from(ask.count) => Said::Refused,
            other => other,
        };
        let detail = self.details.pop_front();
        match (said, detail, &self.step) {
            (said, None, Step::Marker(place)) => self.marker(*place, ask.address, said),
            (Said::Silent, ..) => {
                self.details.clear();
                self.over(Err(Lost::Silent {
                    address: ask.address,
                }));
            }
            (Said::Words(words), Some(detail), _) => self.detail(detail.about, words),
            (Said::Refused, Some(detail), _) => self.without_detail(&detail),
            (Said::Words(words), None, _) => self.header(ask.address, words),
            (Said::Refused, None, _) => self.end(false),
        }
    }

    /// The chain.
    ///
    /// # Errors
    ///
    /// Why there is none; also [`Lost::Silent`] where the walk is not over.
    pub fn finish(self) -> Result<Chain, Lost> {
        match (self.next_request(), self.step) {
            (None, Step::Over(result)) => result.map(|()| self.chain),
            (ask, _) => Err(Lost::Silent {
                address: ask.map_or(0, |ask| ask.address),
            }),
        }
    }

    fn over(&mut self, result: Result<(), Lost>) {
        self.step = Step::Over(result);
    }

    fn end(&mut self, marked: bool) {
        self.chain.marked_end = marked;
        let result = if self.chain.models.is_empty() {
            Err(Lost::NoModels {
                base: self.chain.base,
            })
        } else {
            Ok(())
        };
        self.over(result);
    }

    fn marker(&mut self, place: usize, base: u16, said: Said<'_>) {
        if said == Said::Words(&MARKER) {
            self.chain.base = base;
            self.step = Step::Header(base + HEADER);
        } else if place + 1 < BASES.len() {
            self.step = Step::Marker(place + 1);
        } else if self.answered {
            self.over(Err(Lost::NoMarker));
        } else {
            let [address, ..] = BASES;
            self.over(Err(Lost::Silent { address }));
        }
    }

    fn header(&mut self, address: u16, words: &[u16]) {
        let &[id, length] = words else {
            return self.end(false);
        };
        // Behind the last model some devices have zeros instead of the mark.
        if id == END || id == 0 {
            return self.end(id == END);
        }
        if self.chain.models.len() == MOST_MODELS {
            let base = self.chain.base;
            return self.over(Err(Lost::Endless { base }));
        }
        let next = u32::from(address) + u32::from(HEADER) + u32::from(length);
        if next > 65_536 {
            return self.over(Err(Lost::Absurd {
                id,
                address,
                length,
            }));
        }
        let first = self.chain.models.iter().all(|found| found.id != id);
        self.chain.models.push(Found {
            id,
            address,
            length,
            parts: Vec::new(),
        });
        self.want_details(first);
        // Nothing fits behind: that is the end, without its mark.
        match u16::try_from(next).ok().filter(|next| *next < u16::MAX) {
            Some(next) => self.step = Step::Header(next),
            None => self.end(false),
        }
    }

    fn want_details(&mut self, first_of_its_id: bool) {
        let Some(found) = self.chain.models.last() else {
            return;
        };
        let (offset, count) = ALL_NAMES;
        let names = found.id == 1 && first_of_its_id && found.has(offset, count);
        let number_at = model(found.id)
            .and_then(|model| model.group.as_ref())
            .map(|group| group.number_at)
            .filter(|number_at| found.has(*number_at, 1));
        if names {
            self.want(About::Names, offset, count);
        }
        if let Some(number_at) = number_at {
            self.want(About::Number, number_at, 1);
        }
    }

    /// Asks for registers of the last model.
    fn want(&mut self, about: About, offset: u16, count: u16) {
        if let Some(found) = self.chain.models.last() {
            let address = found.address.saturating_add(offset);
            let ask = Ask { address, count };
            self.details.push_back(Detail { ask, about });
        }
    }

    fn detail(&mut self, about: About, words: &[u16]) {
        match about {
            About::Names => {
                for (place, (offset, count)) in NAMES.into_iter().enumerate() {
                    let from = usize::from(offset - ALL_NAMES.0);
                    let name = words.get(from..from + usize::from(count));
                    self.name(place, name.unwrap_or_default());
                }
            }
            About::Name(place) => self.name(place, words),
            About::Number => self.parts(words.first().copied()),
            About::Kind(place) => {
                let parts = self.chain.models.last_mut().map(|found| &mut found.parts);
                if let Some(part) = parts.and_then(|parts| parts.get_mut(place)) {
                    *part = words.first().copied().filter(|kind| *kind != 0xFFFF);
                }
            }
        }
    }

    /// What is done about a detail that the device refuses.
    fn without_detail(&mut self, detail: &Detail) {
        match detail.about {
            // Perhaps it was too much at once.
            About::Names => {
                for (place, (offset, count)) in NAMES.into_iter().enumerate() {
                    let address = detail.ask.address + (offset - ALL_NAMES.0);
                    let ask = Ask { address, count };
                    let about = About::Name(place);
                    self.details.push_back(Detail { ask, about });
                }
            }
            About::Number => self.parts(None),
            About::Name(_) | About::Kind(_) => (),
        }
    }

    fn name(&mut self, place: usize, words: &[u16]) {
        let identity = &mut self.chain.identity;
        let name = match place {
            0 => &mut identity.manufacturer,
            1 => &mut identity.model,
            2 => &mut identity.version,
            _ => &mut identity.serial,
        };
        *name = text(words);
    }

    /// The last model has so many parts: as many as it says, and no more than its
    /// length holds.
    fn parts(&mut self, number: Option<u16>) {
        let Some(found) = self.chain.models.last_mut() else {
            return;
        };
        let Some(group) = model(found.id).and_then(|model| model.group.as_ref()) else {
            return;
        };
        let room = found.length.saturating_sub(group.first - HEADER) / group.stride;
        let count = number
            .filter(|n| *n != 0xFFFF)
            .map_or(room, |n| n.min(room));
        found.parts = vec![None; usize::from(count)];
        if let Some(kind_at) = group.kind_at
            && count <= MOST_KINDS
        {
            for place in 0..count {
                let offset = group.first + place * group.stride + kind_at;
                self.want(About::Kind(usize::from(place)), offset, 1);
            }
        }
    }
}

/// A text in registers: two characters each, ended by a zero or the last register.
fn text(words: &[u16]) -> String {
    let bytes: Vec<u8> = words
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .take_while(|byte| *byte != 0)
        .collect();
    let text = String::from_utf8_lossy(&bytes);
    let shown = text.chars().filter(|c| !c.is_control());
    shown.collect::<String>().trim().to_owned()
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
