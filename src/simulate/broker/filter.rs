//! Topics, and the filters that ask for them.

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
}
