//! Topics, and the filters that ask for them.
//!
//! | filter | subscribed as | asks for |
//! |---|---|---|
//! | `park/dni` | `park/dni` | that topic |
//! | `meters/+/power` | `meters/+/power` | any one level there |
//! | `meters/+id/power`, `id` = `pump1` | `meters/+/power` | `meters/pump1/power` |
//! | `park/#` | `park/#` | `park` and all below |
//!
//! A level `+name` is captured: a hundred sensors subscribe to one filter, and each
//! means one topic of it.

/// Longest topic that MQTT allows, bytes.
const LONGEST: usize = 65_535;

/// What is asked of a broker, and which of it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// What is subscribed.
    pub subscribed: String,
    meant: String,
}

impl Filter {
    /// A topic that it lets through.
    #[must_use]
    pub fn example(&self) -> String {
        self.meant.replace(['+', '#'], "any")
    }

    /// A filter with its captured levels filled in.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people.
    pub fn new(text: &str, captured: &[(String, String)]) -> Result<Self, String> {
        if text.is_empty() || text.len() > LONGEST || text.contains('\0') {
            return Err("is no topic".into());
        }
        let last = text.split('/').count();
        let (mut subscribed, mut meant) = (Vec::new(), Vec::new());
        for (level, place) in text.split('/').zip(1..) {
            match level.strip_prefix('+') {
                Some("") => {
                    subscribed.push("+");
                    meant.push("+");
                }
                Some(name) => {
                    let value = captured.iter().find(|(key, _)| key == name);
                    let (_, value) = value
                        .ok_or_else(|| format!("captures `{name}`, and nothing says which"))?;
                    if value.is_empty() || value.contains(['/', '+', '#', '\0']) {
                        return Err(format!("`{value}` cannot be a level of a topic"));
                    }
                    subscribed.push("+");
                    meant.push(value);
                }
                None if level == "#" && place == last => {
                    subscribed.push("#");
                    meant.push("#");
                }
                None if level.contains(['+', '#']) => {
                    return Err(format!(
                        "level `{level}`: `+` begins a level, `#` is the last one"
                    ));
                }
                None => {
                    subscribed.push(level);
                    meant.push(level);
                }
            }
        }
        Ok(Self {
            subscribed: subscribed.join("/"),
            meant: meant.join("/"),
        })
    }

    /// One topic.
    #[must_use]
    pub fn exactly(topic: &str) -> Self {
        Self {
            subscribed: topic.to_owned(),
            meant: topic.to_owned(),
        }
    }

    /// The topic that is meant, if it is one.
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        is_topic(&self.meant).then_some(&*self.meant)
    }

    /// Whether a message of this topic is meant.
    #[must_use]
    pub fn means(&self, topic: &str) -> bool {
        matches(topic, &self.meant)
    }
}

/// The names of the captured levels of a filter.
#[must_use]
pub fn captures(text: &str) -> Vec<&str> {
    let levels = text.split('/');
    let names = levels.filter_map(|level| level.strip_prefix('+'));
    names.filter(|name| !name.is_empty()).collect()
}

/// Whether a topic is one that a filter asks for.
///
/// `+` stands for one level, `#` for the rest with its parent; neither stands for
/// a first level that begins with `$`.
#[must_use]
pub fn matches(topic: &str, filter: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// Whether there is a topic that both of two filters ask for.
#[must_use]
pub fn overlap(one: &str, other: &str) -> bool {
    let system = |filter: &str| filter.starts_with('$');
    let open = |filter: &str| filter.starts_with(['+', '#']);
    if system(one) && open(other) || system(other) && open(one) {
        return false;
    }
    let (mut ones, mut others) = (one.split('/'), other.split('/'));
    loop {
        match (ones.next(), others.next()) {
            // `#` stands for what is left, also for nothing.
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "+" || b == "+" => {}
            _ => return false,
        }
    }
}

/// Whether a filter is well formed.
#[must_use]
pub fn is_filter(filter: &str) -> bool {
    let last = filter.split('/').count();
    !filter.is_empty()
        && filter
            .split('/')
            .zip(1..)
            .all(|(level, place)| match level {
                "+" => true,
                "#" => place == last,
                level => !level.contains(['+', '#']),
            })
}

/// Whether messages can be sent to a topic.
#[must_use]
pub fn is_topic(topic: &str) -> bool {
    !topic.is_empty() && !topic.contains(['+', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_ask_for_what_the_standard_says() {
        #[rustfmt::skip]
        let cases = [
            // topic            filter           asked for
            ("park/weather",    "park/weather",    true),
            ("park/weather",    "park/+",          true),
            ("park/weather",    "+/weather",       true),
            ("park/weather",    "park",            false),
            ("park",            "park/#",          true),
            ("park/field/x",    "park/#",          true),
            ("park/field/x",    "park/+",          false),
            ("park/field/x",    "#",               true),
            ("park//x",         "park/+/x",        true),
            ("$SYS/uptime",     "#",               false),
            ("$SYS/uptime",     "+/uptime",        false),
            ("$SYS/uptime",     "$SYS/#",          true),
            ("größe",           "+",               true),
        ];
        for (topic, filter, asked) in cases {
            assert_eq!(matches(topic, filter), asked, "{topic} {filter}");
            assert!(is_filter(filter));
        }
        for malformed in ["", "park/#/x", "park/w#", "pa+rk", "+x"] {
            assert!(!is_filter(malformed), "{malformed}");
        }
    }

    #[test]
    fn two_filters_overlap_where_one_topic_is_asked_for_by_both() {
        #[rustfmt::skip]
        let cases = [
            ("sunledger/p/#",     "sunledger/p/meter/a", true),
            ("sunledger/p/#",     "sunledger/p",         true),
            ("sunledger/p/#",     "sunledger/q/meter/a", false),
            ("sunledger/p/#",     "+/+/meter/+",         true),
            ("sunledger/p/#",     "#",                   true),
            ("sunledger/p/#",     "sunledger/+",         true),
            ("sunledger/p/#",     "sunledger",           false),
            ("a/+/config",        "a/b/state",           false),
            ("a/+/config",        "a/b/config",          true),
            ("a/+",               "a",                   false),
            ("$SYS/x",            "#",                   false),
            ("$SYS/x",            "$SYS/+",              true),
        ];
        for (one, other, both) in cases {
            assert_eq!(overlap(one, other), both, "{one} {other}");
            assert_eq!(overlap(other, one), both, "{other} {one}");
        }
    }

    #[test]
    fn a_captured_level_is_subscribed_for_all_and_means_one() {
        let id = [("id".to_owned(), "pump1".to_owned())];
        let filter = Filter::new("meters/+id/+/power", &id).unwrap();
        assert_eq!(filter.subscribed, "meters/+/+/power");
        assert_eq!(filter.topic(), None);
        assert!(filter.means("meters/pump1/x/power"));
        assert!(!filter.means("meters/pump2/x/power"));
        assert_eq!(captures("meters/+id/+/power"), ["id"]);
        let one = Filter::new("meters/+id/power", &id).unwrap();
        assert_eq!(one.topic(), Some("meters/pump1/power"));
        assert!(Filter::new("park/#", &[]).unwrap().means("park/a/b"));
    }

    #[test]
    fn a_filter_that_cannot_be_meant_says_why() {
        let slash = [("id".to_owned(), "a/b".to_owned())];
        for (text, captured, why) in [
            ("", &[][..], "is no topic"),
            ("a/#/b", &[], "level `#`"),
            ("a/b#", &[], "level `b#`"),
            ("a/b+", &[], "level `b+`"),
            ("a/+id", &[], "captures `id`"),
            ("a/+id", &slash[..], "`a/b` cannot be a level"),
        ] {
            let fault = Filter::new(text, captured).unwrap_err();
            assert!(fault.starts_with(why), "{text}: {fault}");
        }
    }
}
