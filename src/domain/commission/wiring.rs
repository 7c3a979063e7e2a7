//! What the powers of three phases say of their current transformers.
//!
//! Each phase's power over its voltage times current is a power factor. A transformer
//! the wrong way round turns the sign of its own; two that are exchanged see voltages
//! that are 120 degrees away from theirs.

/// The three phases.
pub const PHASES: [&str; 3] = ["l1", "l2", "l3"];
/// Below this part of what the phases could carry a power says nothing of directions.
pub const NOISE: f64 = 0.02;
/// How far a power and what two other numbers make of it may be apart.
pub const SUM_TOLERANCE: f64 = 0.02;
/// How unlike the factors of phases of one load may be.
const UNLIKE: f64 = 0.25;
/// How far a factor may be from that of a shifted phase.
const SHIFT_TOLERANCE: f64 = 0.1;
/// The angle between two phases, radian.
const THIRD: f64 = 2.0 * std::f64::consts::PI / 3.0;

/// How the current transformers of a meter are wired, as far as its phases show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wiring {
    /// As they should, or all alike wrong.
    Right,
    /// One is the wrong way round.
    Reversed(usize),
    /// All but this one are the wrong way round, or this one alone.
    AllBut(usize),
    /// Two are exchanged.
    Exchanged(usize, usize),
    /// Two are exchanged, and one of them is the wrong way round.
    ExchangedAndReversed(usize, usize),
}

/// The name of a phase.
#[must_use]
pub fn phase(place: usize) -> &'static str {
    PHASES.get(place).copied().unwrap_or("l1")
}

/// Reads the power factors of the three phases.
#[must_use]
pub fn wiring(cosines: &[f64; 3]) -> Wiring {
    let clear = cosines.iter().all(|cosine| cosine.abs() > NOISE);
    if clear && like_in_size(cosines) {
        match minority(cosines) {
            Some((phase, true)) => return Wiring::Reversed(phase),
            Some((phase, false)) => return Wiring::AllBut(phase),
            None => (),
        }
    }
    exchanged(cosines).unwrap_or(Wiring::Right)
}

/// The one whose sign is not that of the two others, and whether it is the negative one.
#[must_use]
pub fn minority(parts: &[f64; 3]) -> Option<(usize, bool)> {
    let negative = parts.iter().filter(|part| **part < 0.0).count();
    let alone = match negative {
        1 => true,
        2 => false,
        _ => return None,
    };
    let place = parts.iter().position(|part| (*part < 0.0) == alone)?;
    Some((place, alone))
}

/// Whether three numbers are alike but for their signs.
fn like_in_size(cosines: &[f64; 3]) -> bool {
    let sizes = || cosines.iter().map(|cosine| cosine.abs());
    let (least, most) = (
        sizes().fold(f64::INFINITY, f64::min),
        sizes().fold(0.0, f64::max),
    );
    most - least < UNLIKE
}

/// The factors of a phase whose current belongs to the voltage before or after it.
#[must_use]
pub fn shifted(cosine: f64) -> [f64; 2] {
    let angle = cosine.clamp(-1.0, 1.0).acos();
    [(angle + THIRD).cos(), (angle - THIRD).cos()]
}

/// Whether a factor is that of another which is shifted by a phase.
#[must_use]
pub fn is_shifted(cosine: f64, from: f64) -> bool {
    let near = |to: f64| (cosine - to).abs() < SHIFT_TOLERANCE;
    shifted(from).into_iter().any(near)
}

/// Two phases whose factors are those of the third, shifted to either side.
fn exchanged(cosines: &[f64; 3]) -> Option<Wiring> {
    const PAIRS: [(usize, usize, usize); 3] = [(0, 1, 2), (1, 2, 0), (0, 2, 1)];
    let near = |x: f64, y: f64| (x - y).abs() < SHIFT_TOLERANCE;
    let fits = |(a, b, right): (usize, usize, usize), turn: [f64; 2]| {
        let (ca, cb, c) = (cosines.get(a)?, cosines.get(b)?, cosines.get(right)?);
        let [one, other] = shifted(*c);
        let [ta, tb] = turn;
        let straight = near(ca * ta, one) && near(cb * tb, other);
        let crossed = near(ca * ta, other) && near(cb * tb, one);
        (straight || crossed).then_some((a, b))
    };
    let found = |turn| PAIRS.into_iter().find_map(|pair| fits(pair, turn));
    if let Some((a, b)) = found([1.0, 1.0]) {
        return Some(Wiring::Exchanged(a, b));
    }
    let (a, b) = found([-1.0, 1.0]).or_else(|| found([1.0, -1.0]))?;
    Some(Wiring::ExchangedAndReversed(a, b))
}

/// Why a total is not the sum of its phases; none where it is.
#[must_use]
pub fn sum_fault(parts: &[f64; 3], total: f64, tolerance: f64, floor: f64) -> Option<String> {
    let sum: f64 = parts.iter().sum();
    let magnitudes: f64 = parts.iter().map(|part| part.abs()).sum();
    let size = magnitudes.max(total.abs());
    if (sum - total).abs() <= tolerance * size + floor {
        return None;
    }
    let near = |to: f64| (to - total).abs() <= SUM_TOLERANCE * size;
    if (total.abs() - magnitudes).abs() <= SUM_TOLERANCE * size {
        let fault = "the meter adds the phases without their signs, or one phase is read with the wrong sign";
        return Some(fault.to_owned());
    }
    let same = parts.iter().zip(PHASES).find(|(part, _)| near(**part));
    Some(match same {
        Some((_, phase)) => format!("the register of the total is that of phase {phase}"),
        None => "the register of the total, or one of the phases, is another one".to_owned(),
    })
}
