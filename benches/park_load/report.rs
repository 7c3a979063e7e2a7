//! What is printed: the machine, and a table of figures beside what is wanted.

use std::path::Path;
use std::time::Duration;

use super::journal::Seen;
use super::park::Size;
use super::process::Usage;

/// What a run came to.
pub struct Figures {
    pub seen: Seen,
    pub cpu_s: f64,
    pub usage: Usage,
    pub first_poll_ms: f64,
    /// Readings that arrived, p50, p99 and most of their age.
    pub received: Option<Vec<f64>>,
    pub stopped: Duration,
}

/// Names the machine and the binary.
pub fn machine(daemon: &Path) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let models: Vec<&str> = cpus
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, model)| model)
        .collect();
    println!(
        "machine   {} × {}, Linux {}, load {}",
        models.len(),
        models.first().unwrap_or(&"unknown"),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").trim(),
    );
    let size = std::fs::metadata(daemon).map_or(0, |file| file.len());
    println!(
        "binary    {}, {:.1} MiB",
        daemon.file_name().unwrap_or_default().display(),
        size as f64 / 1_048_576.0
    );
}

/// What each of the two scenarios is to reach: CPU in percent of a core, MiB.
fn wanted(name: &str) -> Option<(f64, f64)> {
    match name {
        "small" => Some((3.0, 40.0)),
        "large" => Some((15.0, 80.0)),
        _ => None,
    }
}

/// Prints the table of a run.
pub fn print(name: &str, size: &Size, seconds: i64, figures: &Figures) {
    println!(
        "\n{name}: {} meters × {} points every {} ms on {} endpoints, {seconds} s",
        size.meters, size.points, size.interval_ms, size.endpoints
    );
    let wanted = wanted(name);
    let row = |what: &str, figure: String, limit: Option<String>| {
        println!("  {what:<44} {figure:>10}   {}", limit.unwrap_or_default());
    };
    let seen = &figures.seen;
    let expected = size.values_per_s() * seconds as f64 / size.points as f64;
    let values = seen.readings as f64 * size.points as f64;
    let limit = |text: String| wanted.map(|_| text);
    let age = |part| {
        let age = seen.ages.quantile(part);
        age.map_or("none".to_owned(), |age| format!("{age:.3}"))
    };
    row(
        "cadence, %",
        format!("{:.3}", seen.readings as f64 / expected * 100.0),
        limit("at least 99.9".to_owned()),
    );
    row("age when readable in the journal, p50, s", age(0.5), None);
    row(
        "age when readable in the journal, p99, s",
        age(0.99),
        limit("below 1.5".to_owned()),
    );
    if let Some([rows, p50, p99, _]) = figures.received.as_deref() {
        row("age when delivered, p50, s", format!("{p50:.3}"), None);
        row("age when delivered, p99, s", format!("{p99:.3}"), None);
        row("readings delivered", format!("{rows:.0}"), None);
    }
    row(
        "CPU, % of one core",
        format!("{:.2}", figures.cpu_s / seconds as f64 * 100.0),
        wanted.map(|(cpu, _)| format!("at most {cpu}")),
    );
    row(
        "CPU seconds per million values",
        format!("{:.3}", figures.cpu_s / values * 1e6),
        None,
    );
    row(
        "RSS, MiB",
        format!("{:.1}", figures.usage.rss_mib),
        wanted.map(|(_, rss)| format!("below {rss}")),
    );
    row(
        "RSS peak, MiB",
        format!("{:.1}", figures.usage.peak_mib),
        None,
    );
    row("threads", figures.usage.threads.to_string(), None);
    row(
        "journal text, KiB/s",
        format!("{:.0}", seen.text_bytes as f64 / 1_024.0 / seconds as f64),
        None,
    );
    row("blocks", seen.blocks.to_string(), None);
    row(
        "start to first poll, ms",
        format!("{:.0}", figures.first_poll_ms),
        None,
    );
    row("stop, ms", format!("{}", figures.stopped.as_millis()), None);
}

/// Prints the times from start to first poll.
pub fn starts(times: &[f64]) {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
    println!("\nstart to first poll, ms: {times:.0?}, median {median:.0}   below 200");
}

/// Shows what the daemon complained about.
pub fn troubles(log: &Path) {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let lines = log
        .lines()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"));
    for line in lines.take(10) {
        println!("  daemon: {line}");
    }
}
