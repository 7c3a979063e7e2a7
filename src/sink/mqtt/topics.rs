//! The topics of a park: pure.
//!
//! ```text
//!   PREFIX/PARK/status              online │ offline, retained, the last will
//!   PREFIX/PARK/balance/CARRIER     the newest balance, retained
//!   PREFIX/PARK/meter/ID            the newest reading, retained
//!   PREFIX/PARK/health[/SINK]       the newest report on itself, retained
//!   PREFIX/PARK/interval/FLOW       every settled interval, not retained
//! ```
//!
//! **A name never adds a level to a topic, nor a wildcard.**

/// Where a park's topics begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    base: String,
}

impl Topics {
    /// The topics of a park under a prefix.
    #[must_use]
    pub fn new(prefix: &str, park: &str) -> Self {
        Self {
            base: format!("{prefix}/{}", level(park)),
        }
    }

    /// Whether the daemon is there.
    #[must_use]
    pub fn status(&self) -> String {
        format!("{}/status", self.base)
    }

    /// The newest balance of a carrier.
    #[must_use]
    pub fn balance(&self, carrier: &str) -> String {
        format!("{}/balance/{}", self.base, level(carrier))
    }

    /// The newest reading of a meter.
    #[must_use]
    pub fn meter(&self, id: &str) -> String {
        format!("{}/meter/{}", self.base, level(id))
    }

    /// What the daemon reports of itself.
    #[must_use]
    pub fn health(&self) -> String {
        format!("{}/health", self.base)
    }

    /// What the daemon reports of a sink.
    #[must_use]
    pub fn sink_health(&self, sink: &str) -> String {
        format!("{}/health/{}", self.base, level(sink))
    }

    /// The settled intervals of a flow.
    #[must_use]
    pub fn interval(&self, flow: &str) -> String {
        format!("{}/interval/{}", self.base, level(flow))
    }

    /// Everything under the prefix, as one would subscribe to it.
    #[must_use]
    pub fn all(&self) -> String {
        format!("{}/#", self.base)
    }
}

/// A name as one level of a topic.
fn level(name: &str) -> String {
    let clean = |c: char| matches!(c, '+' | '#' | '/') || c.is_control();
    name.replace(clean, "_")
}

/// A name as an identifier of Home Assistant, which has letters, digits, `_` and `-`.
/// One that has to change gets a number of its own, so that no two names fall together.
#[must_use]
pub fn object_id(name: &str) -> String {
    let stays = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.chars().all(stays) {
        return name.to_owned();
    }
    let clean: String = name
        .chars()
        .map(|c| if stays(c) { c } else { '_' })
        .collect();
    let number = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{clean}_{number:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_level_whatever_stands_in_it() {
        let topics = Topics::new("energy/parks", "fan/shi+#");
        assert_eq!(
            topics.meter("a/b+c#d\n"),
            "energy/parks/fan_shi__/meter/a_b_c_d_"
        );
        assert_eq!(
            topics.balance("heat"),
            "energy/parks/fan_shi__/balance/heat"
        );
        assert_eq!(topics.status(), "energy/parks/fan_shi__/status");
        assert_eq!(
            topics.interval("import"),
            "energy/parks/fan_shi__/interval/import"
        );
        assert_eq!(topics.health(), "energy/parks/fan_shi__/health");
        assert_eq!(
            topics.sink_health("a/b"),
            "energy/parks/fan_shi__/health/a_b"
        );
        let umlaut = Topics::new("sunledger", "電站.1");
        assert_eq!(umlaut.meter("pv-1"), "sunledger/電站.1/meter/pv-1");
    }

    #[test]
    fn no_two_names_have_one_identifier() {
        assert_eq!(object_id("pv-roof_1"), "pv-roof_1");
        let names = ["a.b", "a_b", "a b", "電", "站", "a-b"];
        let ids: std::collections::BTreeSet<String> =
            names.iter().map(|name| object_id(name)).collect();
        assert_eq!(ids.len(), names.len());
        for id in ids {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            assert!(id.chars().all(allowed), "{id}");
        }
    }
}
