use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A model: id, address, length.
type Listed = (u16, u16, u16);
/// The words of models, one behind the other.
type Blocks = Vec<Vec<u16>>;
/// The parts of a model.
type Kinds = Vec<Option<u16>>;

/// A device: registers, a limit of registers in one answer, and registers that it
/// does not answer for at all.
#[derive(Clone, Default)]
struct Device {
    registers: BTreeMap<u16, u16>,
    most: u16,
    silent: Vec<u16>,
}

impl Device {
    /// A device with the marker and these words behind it.
    fn at(base: u16, words: &[u16]) -> Self {
        Self {
            most: 125,
            ..Self::default()
        }
        .and(base, &MARKER)
        .and(base + 2, words)
    }

    fn and(mut self, from: u16, words: &[u16]) -> Self {
        self.registers
            .extend((from..=u16::MAX).zip(words.iter().copied()));
        self
    }

    fn without(mut self, registers: std::ops::RangeInclusive<u16>) -> Self {
        self.registers.retain(|at, _| !registers.contains(at));
        self
    }

    fn answers_at_most(mut self, most: u16) -> Self {
        self.most = most;
        self
    }

    fn silent_at(mut self, register: u16) -> Self {
        self.silent.push(register);
        self
    }

    /// What it says; no words for a refusal, none for silence.
    fn say(&self, ask: Ask) -> Option<Vec<u16>> {
        let asked = u32::from(ask.address)..u32::from(ask.address) + u32::from(ask.count);
        if self.silent.iter().any(|at| asked.contains(&u32::from(*at))) {
            return None;
        }
        let words = asked.map(|at| self.registers.get(&u16::try_from(at).ok()?).copied());
        let words: Option<Vec<u16>> = words.collect();
        Some(words.filter(|_| ask.count <= self.most).unwrap_or_default())
    }

    /// Walks it; also what was asked.
    fn walk(&self) -> (Result<Chain, Lost>, Vec<Ask>) {
        let mut walk = Walk::new();
        let mut asked = Vec::new();
        while let Some(ask) = walk.next_request() {
            assert!(asked.len() < 20_000, "the walk does not end");
            asked.push(ask);
            match self.say(ask) {
                None => walk.hear(Said::Silent),
                Some(words) if words.is_empty() => walk.hear(Said::Refused),
                Some(words) => walk.hear(Said::Words(&words)),
            }
        }
        (walk.finish(), asked)
    }
}

/// A model of this id and length, filled with zeros.
fn block(id: u16, length: u16) -> Vec<u16> {
    let mut words = vec![0; usize::from(length) + 2];
    (words[0], words[1]) = (id, length);
    words
}

/// A text in so many registers.
fn letters(text: &str, words: usize) -> Vec<u16> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(words * 2, 0);
    bytes
        .chunks(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

/// Model 1 with names.
fn common(length: u16) -> Vec<u16> {
    let names = [
        ("Helios", 16),
        ("HX-50 ", 16),
        ("-", 8),
        ("1.0.2", 8),
        ("SN00017", 16),
    ];
    let mut words = vec![1, length];
    words.extend(names.iter().flat_map(|(name, words)| letters(name, *words)));
    words.resize(usize::from(length) + 2, 0);
    words
}

fn models(chain: &Chain) -> Vec<Listed> {
    let models = chain.models.iter();
    models.map(|m| (m.id, m.address, m.length)).collect()
}

const NO_MORE: [u16; 2] = [0xFFFF, 0];

#[test]
fn each_step_is_as_long_as_the_device_says() {
    #[rustfmt::skip]
    let cases: [(&str, u16, Blocks, Vec<Listed>); 6] = [
        ("model 1 of 66",        40_000, vec![common(66), block(103, 50)],                   vec![(1, 40_002, 66), (103, 40_070, 50)]),
        ("model 1 of 65",        40_000, vec![common(65), block(103, 50)],                   vec![(1, 40_002, 65), (103, 40_069, 50)]),
        ("the second base",      50_000, vec![common(65), block(203, 105)],                  vec![(1, 50_002, 65), (203, 50_069, 105)]),
        ("the third base",       0,      vec![common(66), block(113, 60)],                   vec![(1, 2, 66), (113, 70, 60)]),
        ("a longer 103",         40_000, vec![common(66), block(103, 52), block(120, 26)],   vec![(1, 40_002, 66), (103, 40_070, 52), (120, 40_124, 26)]),
        ("unknown in between",   40_000, vec![common(66), block(64_111, 7), block(0x7FFF, 0), block(307, 11)],
                                 vec![(1, 40_002, 66), (64_111, 40_070, 7), (0x7FFF, 40_079, 0), (307, 40_081, 11)]),
    ];
    for (situation, base, blocks, expected) in cases {
        let words = [blocks.concat(), NO_MORE.to_vec()].concat();
        let chain = Device::at(base, &words).walk().0.unwrap();
        assert_eq!(models(&chain), expected, "{situation}");
        assert_eq!(chain.base, base, "{situation}");
        assert!(chain.marked_end, "{situation}");
        assert_eq!(chain.identity.serial, "SN00017", "{situation}");
    }
}

#[test]
fn the_marker_is_looked_for_in_the_order_of_the_specification_and_no_further() {
    let chain = [common(66), NO_MORE.to_vec()].concat();
    #[rustfmt::skip]
    let cases: [(&str, Device, Vec<u16>); 5] = [
        ("first",             Device::at(40_000, &chain),                          vec![40_000]),
        ("second",            Device::at(50_000, &chain),                          vec![40_000, 50_000]),
        ("third",             Device::at(0, &chain),                               vec![40_000, 50_000, 0]),
        ("something else",    Device::at(50_000, &chain).and(40_000, &[7, 8]),     vec![40_000, 50_000]),
        ("half of it",        Device::at(0, &chain).and(40_000, &[0x5375, 0x6E54]), vec![40_000, 50_000, 0]),
    ];
    for (situation, device, expected) in cases {
        let (chain, asked) = device.walk();
        assert!(chain.is_ok(), "{situation}: {chain:?}");
        let bases: Vec<u16> = asked
            .iter()
            .map(|ask| ask.address)
            .filter(|at| BASES.contains(at))
            .collect();
        assert_eq!(bases, expected, "{situation}");
    }
}

#[test]
fn what_a_device_refuses_costs_no_more_than_itself() {
    let words = [common(66), block(103, 50), NO_MORE.to_vec()].concat();
    let device = || Device::at(40_000, &words);
    let all = vec![(1, 40_002, 66), (103, 40_070, 50)];
    #[rustfmt::skip]
    let cases: [(&str, Device, &[Listed], bool, &str); 6] = [
        ("everything is told",                 device(),                          &all,      true,  "SN00017"),
        ("names only one by one",              device().answers_at_most(20),      &all,      true,  "SN00017"),
        ("no names at all",                    device().answers_at_most(4),       &all,      true,  ""),
        ("no serial number",                   device().without(40_052..=40_060), &all,      true,  ""),
        ("no end",                             device().without(40_122..=40_123), &all,      false, "SN00017"),
        ("no header of the second",            device().without(40_070..=40_071), &all[..1], false, "SN00017"),
    ];
    for (situation, device, expected, marked_end, serial) in cases {
        let chain = device.walk().0.unwrap();
        assert_eq!(models(&chain), expected, "{situation}");
        assert_eq!(chain.marked_end, marked_end, "{situation}");
        assert_eq!(chain.identity.serial, serial, "{situation}");
    }
    // Zeros behind the last model, instead of the mark.
    let zeros = Device::at(40_000, &[common(66), vec![0; 20]].concat());
    let chain = zeros.walk().0.unwrap();
    assert_eq!((chain.models.len(), chain.marked_end), (1, false));
}

#[test]
fn a_device_says_who_it_is() {
    let words = [common(65), common(65), NO_MORE.to_vec()].concat();
    let mut second = words.clone();
    second[67..]
        .iter_mut()
        .take(10)
        .skip(2)
        .for_each(|word| *word = 0x4141);
    let chain = Device::at(0, &second).walk().0.unwrap();
    // That of the device stands in the first model 1; behind it are those of its meters.
    let expected = Identity {
        manufacturer: "Helios".into(),
        model: "HX-50".into(),
        version: "1.0.2".into(),
        serial: "SN00017".into(),
    };
    assert_eq!(chain.identity, expected);
    #[rustfmt::skip]
    let cases: [(&str, Vec<u16>, &str); 6] = [
        ("padded with zeros",         letters("AB", 4),                 "AB"),
        ("padded with blanks",        letters("AB      ", 4),           "AB"),
        ("to its last character",     letters("ABCDEFGH", 4),           "ABCDEFGH"),
        ("not implemented",           vec![0x0080, 0, 0, 0],            ""),
        ("all zero",                  vec![0; 4],                       ""),
        ("a bell in it",              vec![0x4107, 0x4200],             "AB"),
    ];
    for (situation, words, expected) in cases {
        assert_eq!(text(&words), expected, "{situation}");
    }
}

#[test]
fn there_is_a_reason_where_there_is_no_chain() {
    let lone = |words: &[u16]| Device::at(40_000, words);
    let many = [block(64_000, 0).repeat(300), NO_MORE.to_vec()].concat();
    let whole = [common(66), block(103, 50), NO_MORE.to_vec()].concat();
    #[rustfmt::skip]
    let cases: [(&str, Device, Lost); 9] = [
        ("no marker",                Device::default().and(40_000, &[1, 2]), Lost::NoMarker),
        ("refuses everything",       Device::default(),                     Lost::NoMarker),
        ("silent everywhere",        BASES.into_iter().fold(Device::default(), Device::silent_at), Lost::Silent { address: 40_000 }),
        ("nothing behind",           lone(&[]),                             Lost::NoModels { base: 40_000 }),
        ("the end at once",          lone(&NO_MORE),                        Lost::NoModels { base: 40_000 }),
        ("too long",                 lone(&[1, 25_533]),                    Lost::Absurd { id: 1, address: 40_002, length: 25_533 }),
        ("as long as can be",        lone(&[1, 0xFFFF]),                    Lost::Absurd { id: 1, address: 40_002, length: 0xFFFF }),
        ("no end of models",         Device::at(0, &many),                  Lost::Endless { base: 0 }),
        ("falls silent",             lone(&whole).silent_at(40_070),        Lost::Silent { address: 40_070 }),
    ];
    for (situation, device, expected) in cases {
        assert_eq!(device.walk().0, Err(expected), "{situation}");
    }
    // Silent where the marker is not: the next place is asked.
    let chain = Device::at(0, &whole).silent_at(40_000).walk().0;
    assert_eq!(chain.unwrap().base, 0);
    // Up to the last register there is.
    let chain = lone(&[1, 25_532]).walk().0.unwrap();
    assert_eq!(models(&chain), [(1, 40_002, 25_532)]);
    assert!(!chain.marked_end);
}

#[test]
fn a_walk_that_is_not_over_has_no_chain() {
    let mut walk = Walk::new();
    walk.hear(Said::Words(&MARKER));
    walk.hear(Said::Words(&[1, 66]));
    assert_eq!(walk.finish(), Err(Lost::Silent { address: 40_004 }));
}

#[test]
fn a_model_has_as_many_parts_as_it_says_and_as_fit() {
    let inputs = |number: u16, room: u16| {
        let mut words = block(160, 8 + 20 * room);
        words[8] = number;
        words
    };
    let ports = |number: u16, kinds: &[u16]| {
        let mut words = block(714, 18 + 25 * u16::try_from(kinds.len()).unwrap());
        words[4] = number;
        for (place, kind) in kinds.iter().enumerate() {
            words[20 + 25 * place] = *kind;
        }
        words
    };
    #[rustfmt::skip]
    let cases: [(&str, Vec<u16>, Kinds); 9] = [
        ("two inputs",               inputs(2, 2),                    vec![None; 2]),
        ("two of four in use",       inputs(2, 4),                    vec![None; 2]),
        ("four said, two there",     inputs(4, 2),                    vec![None; 2]),
        ("number not implemented",   inputs(0xFFFF, 3),               vec![None; 3]),
        ("none",                     inputs(0, 3),                    vec![]),
        ("a storage",                ports(1, &[1]),                  vec![Some(1)]),
        ("a roof and a storage",     ports(2, &[0, 1]),               vec![Some(0), Some(1)]),
        ("one does not say",         ports(2, &[0xFFFF, 1]),          vec![None, Some(1)]),
        ("more than one can sum",    ports(9, &[1; 9]),               vec![None; 9]),
    ];
    for (situation, model, expected) in cases {
        let words = [common(65), model, NO_MORE.to_vec()].concat();
        let chain = Device::at(40_000, &words).walk().0.unwrap();
        assert_eq!(chain.models[1].parts, expected, "{situation}");
        assert!(chain.marked_end, "{situation}");
    }
    // Too short for the register that says how many.
    let words = [block(160, 5), NO_MORE.to_vec()].concat();
    let chain = Device::at(40_000, &words).walk().0.unwrap();
    assert_eq!(chain.models[0].parts, []);
    // The number refused: as many as fit.
    let words = [inputs(1, 2), NO_MORE.to_vec()].concat();
    let chain = Device::at(40_000, &words)
        .without(40_010..=40_010)
        .walk()
        .0
        .unwrap();
    assert_eq!(chain.models[0].parts, [None; 2]);
}

/// Answers of a device that does what it likes: sensible words, others, too few,
/// too many, none.
fn answers() -> impl Strategy<Value = Vec<Option<Vec<u16>>>> {
    let word = prop_oneof![
        Just(0x5375_u16),
        Just(0x6E53),
        Just(1),
        Just(160),
        Just(714),
        Just(0xFFFF),
        Just(2),
        0_u16..200,
        any::<u16>()
    ];
    let words = prop_oneof![
        4 => prop::collection::vec(word, 2),
        1 => prop::collection::vec(any::<u16>(), 0..70),
        2 => Just(MARKER.to_vec()),
        2 => (Just(714_u16), 60_u16..300).prop_map(|(id, length)| vec![id, length]),
    ];
    prop::collection::vec(prop::option::weighted(0.95, words), 1..80)
}

proptest! {
    /// Whatever a device answers, the walk ends, asks for no register that does not
    /// exist, and goes up.
    #[test]
    fn a_walk_ends_and_goes_up(answers in answers()) {
        let mut walk = Walk::new();
        let mut last_header = 0;
        for said in answers.iter().cycle().take(20_000) {
            let Some(ask) = walk.next_request() else { break };
            prop_assert!((1..=125).contains(&ask.count));
            prop_assert!(u32::from(ask.address) + u32::from(ask.count) <= 65_536);
            if let (Step::Header(at), true) = (&walk.step, walk.details.is_empty()) {
                prop_assert!(*at > last_header);
                last_header = *at;
            }
            match said {
                Some(words) => walk.hear(Said::Words(words)),
                None => walk.hear(Said::Refused),
            }
        }
        prop_assert_eq!(walk.next_request(), None);
        if let Ok(chain) = walk.finish() {
            let mut next = u32::from(chain.base) + 2;
            for found in &chain.models {
                prop_assert_eq!(u32::from(found.address), next);
                next += 2 + u32::from(found.length);
            }
            prop_assert!((1..=256).contains(&chain.models.len()) && next <= 65_536);
        }
    }

    /// A device with any registers at all is walked to an end.
    #[test]
    fn any_image_is_walked(
        base in prop::sample::select(BASES.to_vec()),
        words in prop::collection::vec(prop_oneof![0_u16..30, any::<u16>()], 0..600),
        most in 1_u16..125,
    ) {
        let (_, asked) = Device::at(base, &words).answers_at_most(most).walk();
        prop_assert!(asked.len() <= 3 + 257 * 10);
    }
}
