//! Devices out of dumps of their registers: a unit has what its dump has, refuses the
//! rest with exception 2, and a unit that there is not is silent.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use super::hostile::{Act, Ask};

/// Registers by function code and address.
#[derive(Debug, Clone, Default)]
pub struct Registers(BTreeMap<(u8, u16), u16>);

fn fixture(path: &str) -> Json {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let text = std::fs::read_to_string(root.join(path)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn word(json: &Json) -> u16 {
    u16::try_from(json.as_i64().unwrap().rem_euclid(65_536)).unwrap()
}

impl Registers {
    /// What a device template is tested with.
    pub fn of_device(name: &str) -> Self {
        let dump = fixture(&format!("devices/{name}.json"));
        let mut registers = Self::default();
        for (fc, blocks) in dump["registers"].as_object().unwrap() {
            for (address, words) in blocks.as_object().unwrap() {
                let words: Vec<u16> = words.as_array().unwrap().iter().map(word).collect();
                registers.put(fc.parse().unwrap(), address.parse().unwrap(), &words);
            }
        }
        registers
    }

    /// A SunSpec device.
    pub fn of_sunspec(name: &str) -> Self {
        let image = fixture(&format!("sunspec/{name}.json"));
        let words: Vec<u16> = image["registers"]
            .as_array()
            .unwrap()
            .iter()
            .map(word)
            .collect();
        Self::holding(word(&image["base"]), &words)
    }

    /// Holding registers from an address on.
    pub fn holding(address: u16, words: &[u16]) -> Self {
        let mut registers = Self::default();
        registers.put(3, address, words);
        registers
    }

    pub fn put(&mut self, fc: u8, address: u16, words: &[u16]) {
        for (at, word) in (address..).zip(words) {
            self.0.insert((fc, at), *word);
        }
    }

    /// The answer to a question.
    pub fn answer(&self, ask: &Ask) -> Vec<u8> {
        let wanted = (0..ask.count).map(|nth| ask.address.checked_add(nth));
        let words: Option<Vec<u16>> = wanted
            .map(|at| self.0.get(&(ask.fc, at?)).copied())
            .collect();
        match words {
            Some(words) => ask.answer(&words),
            None => ask.exception(2),
        }
    }
}

/// Units with their registers, as a gateway has them.
pub fn gateway(units: Vec<(u8, Registers)>) -> impl Fn(&Ask) -> Vec<Act> + Send + Sync + 'static {
    let units: BTreeMap<u8, Registers> = units.into_iter().collect();
    move |ask| match units.get(&ask.unit) {
        Some(registers) => vec![Act::Send(registers.answer(ask))],
        None => Vec::new(),
    }
}
