//! Who feeds whom, as the API tells it: seven numbers by source and destination.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::domain::attribution::{Attribution, NAMES, of_energies, of_powers};
use crate::domain::flow::{Energies, Powers, Stated};
use crate::domain::quality::Quality;

/// The attribution of a moment, watt.
pub(super) struct PowersAttribution<'a>(pub(super) &'a Powers);

impl Serialize for PowersAttribution<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stated = of_powers(self.0);
        let mut map = serializer.serialize_map(None)?;
        match &stated {
            Ok(known) => {
                map.serialize_entry("quality", &known.quality)?;
                map.serialize_entry("gaps", &[(); 0])?;
            }
            Err(gaps) => {
                map.serialize_entry("quality", &Quality::Missing)?;
                map.serialize_entry("gaps", gaps.list())?;
            }
        }
        map.serialize_entry("w", &Named::of(&stated, |watts| *watts))?;
        map.end()
    }
}

/// The attribution of an interval.
pub(super) struct EnergiesAttribution<'a>(pub(super) &'a Energies);

impl Serialize for EnergiesAttribution<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stated = of_energies(self.0);
        let mut map = serializer.serialize_map(None)?;
        match &stated {
            Ok(known) => {
                map.serialize_entry("quality", &known.quality)?;
                map.serialize_entry("coverage_pct", &known.coverage_pct)?;
                map.serialize_entry("missing", &[(); 0])?;
            }
            Err(gaps) => {
                map.serialize_entry("quality", &Quality::Missing)?;
                map.serialize_entry("coverage_pct", &0.0)?;
                map.serialize_entry("missing", &gaps.meters())?;
            }
        }
        map.serialize_entry("wh", &Named::of(&stated, |energy| energy.to_wh_string()))?;
        map.end()
    }
}

/// Numbers by name; null where they are not known.
struct Named<T>([Option<T>; NAMES.len()]);

impl<T> Named<T> {
    fn of<N: Copy>(stated: &Stated<Attribution<N>>, number: impl Fn(&N) -> T) -> Self {
        let mut numbers = [const { None }; NAMES.len()];
        if let Ok(known) = stated {
            for (place, (_, value)) in numbers.iter_mut().zip(known.value.named()) {
                *place = Some(number(&value));
            }
        }
        Self(numbers)
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(NAMES.iter().zip(&self.0))
    }
}
