//! Maps and sets by the names of a configuration.
//!
//! The standard hash withstands keys that somebody chose to collide, which costs more
//! than all the rest of adding up a thousand meters. Names of a configuration are
//! nobody's attack: a multiplication for each eight bytes tells them apart.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map by names.
pub type NamedMap<K, V> = HashMap<K, V, BuildHasherDefault<NameHasher>>;
/// A set of names.
pub type NamedSet<K> = HashSet<K, BuildHasherDefault<NameHasher>>;

/// An odd number whose bits are those of the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The hash of a name.
#[derive(Debug, Default, Clone, Copy)]
pub struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        if !rest.is_empty() {
            self.write_u64(u64::from_le_bytes(last));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(GOLDEN);
    }

    fn finish(&self) -> u64 {
        // A map looks at the highest and at the lowest bits, and the best of a product are
        // above.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;

    #[test]
    fn the_names_that_parks_have_are_told_apart_by_few_bits() {
        let hasher = BuildHasherDefault::<NameHasher>::default();
        let schemes: [fn(usize) -> String; 4] = [
            |n| format!("m{n}"),
            |n| format!("hall_{:02}_meter_{:03}", n / 40, n % 40),
            |n| format!("{n:06}-electricity"),
            |n| format!("feeder {} / tenant {}", n % 25, n / 25),
        ];
        for name in schemes {
            let hashes: Vec<u64> = (0..1_000)
                .map(|n| hasher.hash_one((name(n), true)))
                .collect();
            let all: HashSet<u64> = hashes.iter().copied().collect();
            assert_eq!(all.len(), 1_000, "{}", name(7));
            // A thousand into 2,048 places: 790 different ones if chance throws them.
            let low: HashSet<u64> = hashes.iter().map(|hash| hash % 2_048).collect();
            assert!(low.len() > 650, "{}: {}", name(7), low.len());
        }
    }

    #[test]
    fn a_map_finds_what_was_put_into_it() {
        let names: Vec<String> = (0..500).map(|n| format!("meter {n}")).collect();
        let map: NamedMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
        for (place, name) in names.iter().enumerate() {
            assert_eq!(map.get(name.as_str()), Some(&place));
        }
        assert_eq!(map.get("meter 500"), None);
    }
}
