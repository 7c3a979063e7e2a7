//! Checks of electricity meters.

use super::wiring::{NOISE, PHASES, SUM_TOLERANCE, Wiring, phase, sum_fault, wiring};
use super::{
    Around, Observed, Verdict, finding, needs, number, passed, positive_is_import, usual_factor,
};
use crate::domain::meter::{Carrier, Meter};

/// How far a register and the integrated power may be apart.
const REGISTER_TOLERANCE: f64 = 0.03;
/// Steps that a register must have made before its pace says something.
const STEPS: usize = 20;

fn phases(observed: &Observed, quantity: &str) -> Option<[f64; 3]> {
    let [a, b, c] = PHASES.map(|phase| observed.median(&format!("{quantity}_{phase}")));
    Some([a?, b?, c?])
}

fn is_electric(meter: &Meter) -> bool {
    meter.power_point(Carrier::Electricity).is_some() && meter.point("power").is_some()
}

pub fn frequency(meter: &Meter, observed: &Observed, _: &Around) -> Option<Verdict> {
    meter.point("frequency")?;
    let Some(hertz) = observed.median("frequency") else {
        return needs("an answer with the frequency");
    };
    let fact = format!("{} Hz", number(hertz));
    if (45.0..=65.0).contains(&hertz) {
        return passed(fact);
    }
    let tens = [0.001, 0.01, 0.1, 10.0, 100.0, 1_000.0];
    match tens
        .iter()
        .find(|ten| (45.0..=65.0).contains(&(hertz * *ten)))
    {
        Some(ten) => finding(
            fact,
            "the scale is off by a power of ten",
            Some(format!(
                "scale = {ten}      # of the point `frequency`, times its scale"
            )),
        ),
        None => finding(
            fact,
            "no grid has this frequency: the word order, the type or the register is another one",
            Some("order = \"little\"".to_owned()),
        ),
    }
}

pub fn voltage(meter: &Meter, observed: &Observed, _: &Around) -> Option<Verdict> {
    meter.point("voltage_l1")?;
    let Some(volts) = observed.median("voltage_l1") else {
        return needs("an answer with the voltages");
    };
    let all: Vec<f64> = phases(observed, "voltage").map_or(vec![volts], Into::into);
    let mean =
        all.iter().sum::<f64>() / super::super::units::to_f64(i64::try_from(all.len()).ok()?);
    let text: Vec<String> = all.iter().map(|volts| number(*volts)).collect();
    let mut fact = format!("{} V", text.join(", "));
    if let Some(unlike) = all.iter().find(|volts| (*volts / mean - 1.0).abs() > 0.2) {
        return finding(
            fact,
            &format!(
                "{} V is more than a fifth away from the others: a phase is missing, or a register is another one",
                number(*unlike)
            ),
            None,
        );
    }
    if let Some(between) = observed.median("voltage_l12") {
        fact.push_str(&format!(", between phases {} V", number(between)));
        if (between / mean / 3.0_f64.sqrt() - 1.0).abs() > 0.03 {
            return finding(
                fact,
                "the voltage between phases is not 1.73 times that of a phase: the block of voltages is another one",
                None,
            );
        }
    }
    // Secondary sides of voltage transformers: 100 V or 110 V between phases.
    if (55.0..=66.0).contains(&mean) || (96.0..=115.0).contains(&mean) {
        return finding(
            fact,
            "this is the secondary side of voltage transformers",
            Some(
                "transformer = { ct = \"400/5\", vt = \"10000/100\", programmed = \"secondary\" }"
                    .to_owned(),
            ),
        );
    }
    passed(fact)
}

pub fn phase_sum(meter: &Meter, observed: &Observed, _: &Around) -> Option<Verdict> {
    meter.point("power_l1")?;
    let (Some(parts), Some(total)) = (phases(observed, "power"), observed.median("power")) else {
        return needs("`power` and the powers of all three phases");
    };
    let sum: f64 = parts.iter().sum();
    let fact = format!(
        "{} W in total, {} W over the phases",
        number(total),
        number(sum)
    );
    match sum_fault(&parts, total, SUM_TOLERANCE, 5.0) {
        None => passed(fact),
        Some(cause) => finding(fact, &cause, None),
    }
}

/// The sum of voltage times current over the phases, VA.
fn volt_amperes(observed: &Observed) -> Option<f64> {
    let (volts, amperes) = (phases(observed, "voltage")?, phases(observed, "current")?);
    Some(
        volts
            .iter()
            .zip(amperes)
            .map(|(volts, amperes)| volts * amperes.abs())
            .sum(),
    )
}

pub fn apparent_power(meter: &Meter, observed: &Observed, _: &Around) -> Option<Verdict> {
    if !is_electric(meter) || meter.point("current_l1").is_none() {
        return None;
    }
    let (Some(apparent), Some(power)) = (volt_amperes(observed), observed.median("power")) else {
        return needs("`power`, and voltages and currents of all three phases");
    };
    if apparent < 100.0 {
        return needs("a load: nothing flows");
    }
    let part = power.abs() / apparent;
    let fact = format!("{} W of {} VA", number(power), number(apparent));
    if part <= 1.02 {
        if part < 0.05
            && let Some(factor) = usual_factor(1.0 / part).filter(|_| part < 0.02)
        {
            return finding(
                fact,
                "power is far below what voltages and currents allow: a factor is missing in the power alone",
                Some(format!(
                    "scale = {}      # of the point `power`, times its scale",
                    number(factor)
                )),
            );
        }
        return passed(fact);
    }
    let mend = usual_factor(part).map(|factor| {
        if factor >= 900.0 {
            "unit = \"W\"      # of the point `power`: it is not in kW".to_owned()
        } else {
            format!(
                "multiplier = {}      # for currents too: power has it already",
                number(factor)
            )
        }
    });
    finding(
        fact,
        "more power than voltages and currents allow: a transformer ratio is missing in the currents, or kW and W are mixed up",
        mend,
    )
}

pub fn direction(meter: &Meter, observed: &Observed, _: &Around) -> Option<Verdict> {
    if !is_electric(meter) {
        return None;
    }
    let registers = ["energy_import", "energy_export"].map(|name| meter.point(name).is_some());
    if registers == [false, false] {
        return None;
    }
    let moved = ["energy_import", "energy_export"]
        .map(|name| observed.moved(name).map_or(0.0, |moved| moved.wh));
    let [import, export] = moved;
    let Some(power) = observed.median("power") else {
        return needs("`power`");
    };
    if import <= 0.0 && export <= 0.0 {
        return needs("a register that moves: observe for longer (--for 15min)");
    }
    if import > 0.0 && export > 0.0 && import.min(export) > 0.1 * import.max(export) {
        return needs("a flow in one direction: both registers move");
    }
    let flows = if import > export { "import" } else { "export" };
    let says_import = (power > 0.0) == positive_is_import(meter);
    let fact = format!("{} W while the register of {flows} moves", number(power));
    if says_import == (flows == "import") {
        return passed(fact);
    }
    finding(
        fact,
        "power and registers have opposite signs: the device's positive power is the other direction",
        Some(
            "scale = -1.0      # of the point `power`; with a template its option for the sign"
                .to_owned(),
        ),
    )
}

pub fn register(meter: &Meter, observed: &Observed, _: &Around) -> Option<Verdict> {
    if !is_electric(meter) {
        return None;
    }
    let names = ["energy_import", "energy_export", "energy"];
    if names.iter().all(|name| meter.point(name).is_none()) {
        return None;
    }
    let mut moves = names
        .iter()
        .filter_map(|name| Some((*name, observed.moved(name)?)));
    let most = moves
        .by_ref()
        .max_by(|a, b| a.1.wh.abs().total_cmp(&b.1.wh.abs()));
    let Some((name, moved)) = most.filter(|(_, moved)| moved.steps >= STEPS) else {
        return needs("a register that makes twenty steps: observe for longer (--for 1h)");
    };
    let Some(integral) = observed.integral("power", moved.from_ms, moved.to_ms) else {
        return needs("`power` over the whole time");
    };
    let integral = integral.abs();
    let fact = format!(
        "{} Wh in `{name}`, {} Wh by integrating power",
        number(moved.wh),
        number(integral)
    );
    if (moved.wh - integral).abs() <= REGISTER_TOLERANCE * integral.max(moved.wh) {
        return passed(fact);
    }
    let mend = usual_factor(integral / moved.wh).map(|factor| {
        format!(
            "scale = {}      # of the point `{name}`, times its scale",
            number(factor)
        )
    });
    let cause = "register and power disagree: the scale of the energy is another one, or the register is that of another block";
    finding(fact, cause, mend)
}

/// Which phase's transformer is the wrong way round, or which are exchanged.
pub fn transformers(meter: &Meter, observed: &Observed, _: &Around) -> Option<Verdict> {
    meter.point("power_l1")?;
    let (Some(parts), Some(volts), Some(amperes)) = (
        phases(observed, "power"),
        phases(observed, "voltage"),
        phases(observed, "current"),
    ) else {
        return needs("power, voltage and current of all three phases");
    };
    let loads: Vec<f64> = volts
        .iter()
        .zip(amperes)
        .map(|(volts, amperes)| volts * amperes.abs())
        .collect();
    let total: f64 = loads.iter().sum();
    if total < 100.0 || loads.iter().any(|load| *load < NOISE * total) {
        return needs("a load on all three phases");
    }
    let mut cosines = parts;
    for (cosine, load) in cosines.iter_mut().zip(&loads) {
        *cosine /= load;
    }
    let text: Vec<String> = cosines
        .iter()
        .map(|cosine| format!("{cosine:.2}"))
        .collect();
    let fact = format!("power factors {}", text.join(", "));
    let (cause, mend) = match wiring(&cosines) {
        Wiring::Right => return passed(fact),
        Wiring::Reversed(place) => {
            let phase = phase(place);
            (
                format!("the current transformer of {phase} is the wrong way round"),
                format!(
                    "# turn the current transformer of {phase} at the meter; until then the total is a third"
                ),
            )
        }
        Wiring::AllBut(place) => (
            format!(
                "the current transformers of two phases are the wrong way round, or that of {} alone",
                phase(place)
            ),
            "# compare with the direction that the plant has now, then turn them at the meter"
                .to_owned(),
        ),
        Wiring::Exchanged(a, b) => {
            let (a, b) = (phase(a), phase(b));
            (
                format!("the current transformers of {a} and {b} are exchanged"),
                format!("# exchange the current transformers of {a} and {b} at the meter"),
            )
        }
        Wiring::ExchangedAndReversed(a, b) => {
            let (a, b) = (phase(a), phase(b));
            (
                format!(
                    "the current transformers of {a} and {b} are exchanged, and one of them is the wrong way round"
                ),
                format!("# wire the current transformers of {a} and {b} anew at the meter"),
            )
        }
    };
    finding(fact, &cause, Some(mend))
}
