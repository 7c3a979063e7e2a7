//! Which mirrors look at the sun: the aperture that an efficiency may be related to.
//!
//! ```text
//!   mount ── angle ──┐
//!                    ├── apart by at most the limit ──▶ in focus
//!     sun ── demand ─┘
//! ```
//!
//! **A mount that says nothing is neither counted nor left out**: the aperture of the
//! field is unknown, and the error says whose fault it is.

/// What a mount does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pointing {
    /// Stands at an angle, degrees, counted as its [`Axis`](super::incidence::Axis) does.
    At(f64),
    /// Is at rest, whatever its angle: stowed by wind, by hand, by a fault.
    Stowed,
}

/// A mount: mirrors that turn together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mount {
    /// Its net aperture, m².
    pub aperture_m2: f64,
    /// What it does; none where nobody knows.
    pub pointing: Option<Pointing>,
}

/// What the sun asks of the mounts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Demand {
    /// To stand at an angle, degrees.
    Angle(f64),
    /// Nothing: it is below the horizon.
    SunDown,
}

/// The mounts that stand in focus.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Focus {
    /// Their aperture, m².
    pub aperture_m2: f64,
    /// How many.
    pub mounts: usize,
}

/// The aperture in focus is unknown, because of mounts whose state is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the aperture in focus is unknown: {} of the mounts do not say where they stand, \
     the first is number {}",
    .0.len(),
    .0.first().map_or(0, |place| place + 1)
)]
pub struct UnknownMounts(pub Vec<usize>);

/// The aperture in focus: the sum over mounts that stand within `limit_deg` of the
/// angle that the sun demands.
///
/// While the sun is down nothing is in focus, also of mounts that say nothing.
///
/// # Errors
///
/// [`UnknownMounts`] by their places, where one does not say what it does: its mirrors
/// are neither counted nor left out.
pub fn in_focus(mounts: &[Mount], demand: Demand, limit_deg: f64) -> Result<Focus, UnknownMounts> {
    let Demand::Angle(demanded) = demand else {
        return Ok(Focus::default());
    };
    let mut focus = Focus::default();
    let mut unknown = Vec::new();
    for (place, mount) in mounts.iter().enumerate() {
        match mount.pointing {
            None => unknown.push(place),
            Some(Pointing::At(angle)) if !angle.is_finite() => unknown.push(place),
            Some(Pointing::At(angle)) if deviation(angle, demanded) <= limit_deg => {
                focus.aperture_m2 += mount.aperture_m2;
                focus.mounts += 1;
            }
            Some(Pointing::At(_) | Pointing::Stowed) => (),
        }
    }
    if unknown.is_empty() {
        Ok(focus)
    } else {
        Err(UnknownMounts(unknown))
    }
}

/// How far two angles are apart, degrees, from 0 to 180.
fn deviation(one: f64, other: f64) -> f64 {
    ((one - other + 180.0).rem_euclid(360.0) - 180.0).abs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mount(pointing: Option<Pointing>) -> Mount {
        Mount {
            aperture_m2: 400.0,
            pointing,
        }
    }

    #[test]
    fn mirrors_count_that_stand_where_the_sun_asks() {
        let at = |angle| Some(Pointing::At(angle));
        #[rustfmt::skip]
        let cases = [
            // situation                  pointing               demand               mounts
            ("on the sun",                at(20.0),              Demand::Angle(20.0), 1),
            ("at the limit",              at(21.0),              Demand::Angle(20.0), 1),
            ("behind the sun",            at(18.9),              Demand::Angle(20.0), 0),
            ("defocused by two degrees",  at(22.0),              Demand::Angle(20.0), 0),
            ("at rest where the sun is",  Some(Pointing::Stowed),Demand::Angle(20.0), 0),
            ("counted the other way round", at(379.5),           Demand::Angle(20.0), 1),
            ("night",                     at(20.0),              Demand::SunDown,     0),
            ("night, and silent",         None,                  Demand::SunDown,     0),
        ];
        for (situation, pointing, demand, mounts) in cases {
            let focus = in_focus(&[mount(pointing)], demand, 1.0).unwrap();
            assert_eq!(focus.mounts, mounts, "{situation}");
            assert_eq!(focus.aperture_m2 > 0.0, mounts > 0, "{situation}");
        }
    }

    #[test]
    fn one_silent_mount_makes_the_aperture_unknown() {
        let on_sun = mount(Some(Pointing::At(20.0)));
        let mounts = [
            on_sun,
            mount(None),
            on_sun,
            mount(Some(Pointing::At(f64::NAN))),
        ];
        let error = in_focus(&mounts, Demand::Angle(20.0), 1.0).unwrap_err();
        assert_eq!(error, UnknownMounts(vec![1, 3]));
        assert_eq!(
            error.to_string(),
            "the aperture in focus is unknown: 2 of the mounts do not say where they stand, \
             the first is number 2"
        );
    }

    proptest! {
        /// What is in focus is never more than there is, and all of it at a wide limit.
        #[test]
        fn focus_is_part_of_the_field(
            angles in prop::collection::vec(-180.0..180.0_f64, 0..20),
            demanded in -90.0..90.0_f64,
            limit in 0.0..10.0_f64,
        ) {
            let mounts: Vec<_> = angles.iter().map(|at| mount(Some(Pointing::At(*at)))).collect();
            let of = |limit| in_focus(&mounts, Demand::Angle(demanded), limit).unwrap();
            prop_assert!(of(limit).mounts <= of(limit + 5.0).mounts);
            prop_assert_eq!(of(180.0).mounts, mounts.len());
            prop_assert_eq!(of(180.0).aperture_m2, mounts.iter().map(|m| m.aperture_m2).sum::<f64>());
        }
    }
}
