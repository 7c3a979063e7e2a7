//! Verdicts for a technician, and for programs.

use serde_json::{Value, json};

use super::verdict::Way;
use super::watch::Watched;
use crate::domain::commission::{Check, Verdict};
use crate::domain::meter::Meter;

/// A meter with all that is said of it.
pub struct Report<'a> {
    /// The meter.
    pub meter: &'a Meter,
    /// How it is reached.
    pub way: Way,
    /// What was heard of it.
    pub watched: Watched,
    /// The verdicts.
    pub checks: Vec<Check>,
}

/// One block for each meter.
#[must_use]
pub fn as_text(reports: &[Report<'_>]) -> String {
    let checks = || reports.iter().flat_map(|report| &report.checks);
    let width = checks().map(|check| check.name.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for report in reports {
        let way = match &report.way {
            Way::Bus { table, unit, .. } => format!("{table} unit {unit}"),
            Way::Broker { table } => table.clone(),
            Way::Nothing => "by nothing".to_owned(),
        };
        let (id, role) = (&report.meter.id, report.meter.role.name);
        text.push_str(&format!("{id} ({role}, {way})\n"));
        // What needs an answer is said once, where there was none.
        let is_mute = report.watched.answered == 0;
        let shown =
            |check: &&Check| !is_mute || !matches!(check.verdict, Verdict::NotTested { .. });
        for check in report.checks.iter().filter(shown) {
            block(check, width, &mut text);
        }
        let rest = report.checks.len() - report.checks.iter().filter(shown).count();
        if rest > 0 {
            let (others, word) = ("others", "not tested");
            text.push_str(&format!(
                "  – {others:width$}  {word:<10}  {rest} checks need an answer\n"
            ));
        }
        for (reason, gap) in &report.watched.gaps {
            let detail = gap.detail.as_deref().unwrap_or("no more is known");
            text.push_str(&format!(
                "    gap: {} × {}: {detail}\n",
                gap.times,
                reason.name()
            ));
        }
        text.push('\n');
    }
    let count = |is: fn(&Verdict) -> bool| checks().filter(|check| is(&check.verdict)).count();
    text.push_str(&format!(
        "{} meters: {} passed, {} findings, {} not tested\n",
        reports.len(),
        count(|verdict| matches!(verdict, Verdict::Passed { .. })),
        count(|verdict| matches!(verdict, Verdict::Finding { .. })),
        count(|verdict| matches!(verdict, Verdict::NotTested { .. })),
    ));
    text
}

fn block(check: &Check, width: usize, text: &mut String) {
    let name = check.name;
    let mut say = |mark: &str, name: &str, word: &str, what: &str| {
        text.push_str(&format!("  {mark} {name:width$}  {word:<10}  {what}\n"));
    };
    match &check.verdict {
        Verdict::Passed { fact } => say("✓", name, "passed", fact),
        Verdict::NotTested { needs } => say("–", name, "not tested", &format!("needs {needs}")),
        Verdict::Finding { fact, cause, mend } => {
            say("✗", name, "FINDING", fact);
            say(" ", "", "", cause);
            if let Some(mend) = mend {
                say(" ", "", "write", mend);
            }
        }
    }
}

/// `{"meters":[{"id","answers_pct","checks":[…],"gaps":[…]}]}`.
#[must_use]
pub fn as_json(reports: &[Report<'_>]) -> Value {
    let meters = reports.iter().map(|report| {
        let points = &report.meter.points;
        let gaps = report.watched.gaps.iter().map(|(reason, gap)| {
            let names = gap.points.iter();
            let names = names.filter_map(|point| Some(points.get(*point)?.quantity.name));
            json!({
                "reason": reason.name(),
                "times": gap.times,
                "points": names.collect::<Vec<_>>(),
                "detail": gap.detail,
            })
        });
        json!({
            "id": &*report.meter.id,
            "role": report.meter.role.name,
            "answers_pct": report.watched.answers_pct(),
            "requests": report.watched.heard,
            "checks": report.checks.iter().map(check_json).collect::<Vec<_>>(),
            "gaps": gaps.collect::<Vec<_>>(),
        })
    });
    json!({ "meters": meters.collect::<Vec<_>>() })
}

fn check_json(check: &Check) -> Value {
    let (verdict, fact, cause, mend, needs) = match &check.verdict {
        Verdict::Passed { fact } => ("passed", Some(fact), None, None, None),
        Verdict::Finding { fact, cause, mend } => {
            ("finding", Some(fact), Some(cause), mend.as_ref(), None)
        }
        Verdict::NotTested { needs } => ("not_tested", None, None, None, Some(needs)),
    };
    json!({
        "name": check.name,
        "verdict": verdict,
        "fact": fact,
        "cause": cause,
        "mend": mend,
        "needs": needs,
    })
}
