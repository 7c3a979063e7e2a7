//! What words of a configuration mean: amounts with units, and names that are almost
//! right.

use std::time::Duration;

/// Words in a sentence: `a, b, c`.
pub fn list(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// The known word that is a typing mistake or two away.
#[must_use]
pub fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|word| (distance(name, word), *word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 5)
        .min()
        .map(|(_, word)| word)
}

/// Insertions, deletions and substitutions between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (place, to) in b.iter().enumerate() {
            let above = row.get(place + 1).copied().unwrap_or(usize::MAX);
            let cost = usize::from(from != *to);
            let least = (diagonal + cost).min(left + 1).min(above + 1);
            if let Some(cell) = row.get_mut(place) {
                *cell = left;
            }
            diagonal = above;
            left = least;
        }
        if let Some(cell) = row.last_mut() {
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

/// A number and the unit behind it.
#[must_use]
pub fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim()))
}

/// A duration such as `500ms`, `1s`, `15min`; above zero, at most ten years.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let total = number * seconds;
    (total > 0.0 && total < 3.2e8).then(|| Duration::from_secs_f64(total))
}

/// A size such as `2GiB`.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor: f64 = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1_024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        "TiB" => 1_099_511_627_776.0,
        _ => return None,
    };
    let total = number * factor;
    if !(0.0..9e18).contains(&total) {
        return None;
    }
    u64::try_from(crate::domain::units::to_i64(total)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_carry_their_unit() {
        for (text, ms) in [
            ("500ms", Some(500)),
            ("1s", Some(1_000)),
            ("15min", Some(900_000)),
            ("1.5 h", Some(5_400_000)),
            ("2d", Some(172_800_000)),
            ("5", None),
            ("0s", None),
            ("-1s", None),
            ("s", None),
            ("1 fortnight", None),
        ] {
            assert_eq!(duration(text).map(|d| d.as_millis()), ms, "{text}");
        }
        for (text, size) in [
            ("2GiB", Some(2_147_483_648)),
            ("512MiB", Some(536_870_912)),
            ("10MB", Some(10_000_000)),
            ("12", None),
            ("1PiB", None),
        ] {
            assert_eq!(bytes(text), size, "{text}");
        }
    }

    #[test]
    fn a_typing_mistake_finds_its_word() {
        let known = ["period", "role", "stale_after", "multiplier"];
        assert_eq!(closest("peroid", &known), Some("period"));
        assert_eq!(closest("stale_aftr", &known), Some("stale_after"));
        assert_eq!(closest("colour", &known), None);
    }
}
