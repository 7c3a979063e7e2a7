//! Unit ids on a command line.

/// Unit ids, each once, in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units(pub Vec<u8>);

/// Reads `1-247` or `1,2,5-9`.
///
/// # Errors
///
/// What is no list of unit ids.
pub fn units(text: &str) -> Result<Units, String> {
    let wrong = |part: &str| format!("`{part}` is no unit id from 0 to 255; such as 1-32,100");
    let one = |part: &str| part.trim().parse::<u8>().map_err(|_| wrong(part));
    let mut units = Vec::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (one(first)?, one(last)?),
            None => (one(part)?, one(part)?),
        };
        if first > last {
            return Err(format!("`{part}` ends before it begins"));
        }
        for unit in first..=last {
            if !units.contains(&unit) {
                units.push(unit);
            }
        }
    }
    Ok(Units(units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges() {
        assert_eq!(units("1-3,2,9").unwrap().0, [1, 2, 3, 9]);
        assert_eq!(units("1-247").unwrap().0.len(), 247);
        assert_eq!(units("0,255").unwrap().0, [0, 255]);
        for wrong in ["", "256", "3-1", "a", "1,", "-1"] {
            assert!(units(wrong).is_err(), "{wrong}");
        }
    }
}
