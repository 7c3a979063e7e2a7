//! What to say of a meter that was watched: whether it answers, whether every point is
//! there, and what it says of itself.

use crate::config::read::list;
use crate::domain::commission::{Around, Check, Verdict, checks};
use crate::domain::meter::{Freshness, Meter};
use crate::domain::quality::Reason;

use super::watch::{Gap, Watched};

/// Percent of answers below which something is wrong with the way to the meter.
const FEW_PCT: f64 = 95.0;

/// How a meter is reached, for the lines that would mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// By a bus, with what its table is called.
    Bus {
        /// `bus.main.tcp`.
        table: String,
        /// A longer time-out than it has.
        longer: String,
        /// Its unit.
        unit: u8,
    },
    /// By a broker.
    Broker {
        /// `broker.park`.
        table: String,
    },
    /// By nothing: it has no points to be read.
    Nothing,
}

/// Every check of a meter.
#[must_use]
pub fn verdicts(meter: &Meter, watched: &Watched, way: &Way, around: &Around) -> Vec<Check> {
    let mut all = vec![Check {
        name: "answers",
        verdict: answers(meter, watched, way),
    }];
    let points = points(meter, watched);
    all.extend(points.into_iter().map(|verdict| Check {
        name: "points",
        verdict,
    }));
    all.extend(checks(meter, &watched.observed, around));
    all
}

fn answers(meter: &Meter, watched: &Watched, way: &Way) -> Verdict {
    let what = match way {
        Way::Broker { .. } => "messages",
        _ => "requests",
    };
    let Some(pct) = watched.answers_pct() else {
        return silence(meter, way);
    };
    let never = match (watched.answered, watched.spoke) {
        (0, false) => ": it does not answer",
        (0, true) => ": it gives no numbers",
        _ => "",
    };
    let fact = format!("{pct:.1} % of {} {what}{never}", watched.heard);
    if pct >= FEW_PCT {
        return Verdict::Passed { fact };
    }
    let Some((reason, gap)) = watched.worst() else {
        return Verdict::Passed { fact };
    };
    let cause = gap.detail.clone();
    let cause = cause.unwrap_or_else(|| reason.name().to_owned());
    Verdict::Finding {
        fact,
        cause,
        mend: way.mend(reason, watched.answered == 0),
    }
}

/// Nothing was heard of a meter.
fn silence(meter: &Meter, way: &Way) -> Verdict {
    match way {
        Way::Broker { .. } if meter.freshness == Freshness::UntilChanged => Verdict::NotTested {
            needs: "a change: this sensor speaks only then".to_owned(),
        },
        Way::Broker { table } => Verdict::Finding {
            fact: "no message".to_owned(),
            cause: "nobody publishes the topic, or the broker does not let us read it".to_owned(),
            mend: Some(format!(
                "topic = \"…\"      # of the sensor; mosquitto_sub -v -t '#' at the host of [{table}] lists what there is"
            )),
        },
        _ => Verdict::NotTested {
            needs: "a longer time (--for): it is asked less often".to_owned(),
        },
    }
}

impl Way {
    /// The line that would mend a lack of answers.
    fn mend(&self, reason: Reason, never: bool) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Broker { table } => Some(format!(
                "host = \"…\"      # of [{table}], or port, user and tls"
            )),
            Self::Bus {
                table,
                longer,
                unit,
            } => match reason {
                Reason::Timeout if never => Some(format!(
                    "unit = {unit}      # of the meter: the one set at the device (sunledger scan finds it)"
                )),
                Reason::Timeout => Some(format!("timeout = \"{longer}\"      # of [{table}]")),
                Reason::Connect if table.ends_with(".rtu") => Some(format!(
                    "device = \"…\"      # of [{table}]: ls /dev/serial/by-id"
                )),
                Reason::Connect => Some(format!("host = \"…\"      # of [{table}], or port")),
                Reason::ShortAnswer => Some(format!(
                    "any_unit = true      # of [{table}], where a gateway answers with its own unit id"
                )),
                Reason::Config => {
                    Some("template = \"…\"      # of the meter: the one of this device".to_owned())
                }
                _ => None,
            },
        }
    }
}

/// Whether every point was there at least once.
fn points(meter: &Meter, watched: &Watched) -> Vec<Verdict> {
    if watched.answered == 0 {
        return vec![Verdict::NotTested {
            needs: "an answer".to_owned(),
        }];
    }
    let absent = |gap: &Gap| {
        let never = gap
            .points
            .iter()
            .filter(|point| !watched.seen.contains(point));
        let names = never.filter_map(|point| Some(meter.points.get(*point)?.quantity.name));
        names.collect::<Vec<&str>>()
    };
    let mut findings = Vec::new();
    let mut told: Vec<&str> = Vec::new();
    for (reason, gap) in &watched.gaps {
        let mut names = absent(gap);
        names.retain(|name| !told.contains(name));
        if names.is_empty() {
            continue;
        }
        told.extend(&names);
        findings.push(never(*reason, gap, &names));
    }
    if findings.is_empty() {
        let (seen, all) = (watched.seen.len(), meter.points.len());
        return vec![if seen == all {
            Verdict::Passed {
                fact: format!("all {all} have values"),
            }
        } else {
            Verdict::NotTested {
                needs: format!("a word of {} points that nothing was heard of", all - seen),
            }
        }];
    }
    findings
}

fn never(reason: Reason, gap: &Gap, names: &[&str]) -> Verdict {
    let listed = list(names.iter().map(|name| format!("`{name}`")));
    let why = match reason {
        Reason::NotAvailable => "the device says that it has no value",
        Reason::Exception => {
            "the device refuses the register: another model or firmware, or another function code"
        }
        Reason::OutOfRange => {
            "what the register holds is not plausible: type, order or scale is another one"
        }
        Reason::NeverSeen => "it needs a ratio of the device that could not be read",
        Reason::Config => "no request can read it, or the device is another one",
        _ => "no usable answer came",
    };
    let quoted = list(names.iter().map(|name| format!("\"{name}\"")));
    let mend = matches!(reason, Reason::NotAvailable | Reason::Exception).then(|| {
        format!("omit = [{quoted}]      # beside a template; else remove the [[meter.point]]")
    });
    Verdict::Finding {
        fact: format!("{listed} never had a value"),
        cause: match &gap.detail {
            Some(detail) if reason != Reason::NotAvailable => format!("{why} ({detail})"),
            _ => why.to_owned(),
        },
        mend,
    }
}
