//! What this process uses of the machine, as the kernel counts it.

use std::fs;

/// CPU time, user and system, seconds.
#[must_use]
pub fn cpu_seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let time = std::time::Duration::try_from(time).ok()?;
    Some(time.as_secs_f64())
}

/// Memory that is in RAM, bytes.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    // Pages: total, resident, shared, …
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    resident.checked_mul(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_time_and_memory() {
        let before = cpu_seconds().unwrap();
        let burnt: u64 = (0..2_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        assert!(cpu_seconds().unwrap() > before, "{burnt}");
        let resident = resident_bytes().unwrap();
        assert!((1 << 20..1 << 40).contains(&resident), "{resident}");
    }
}
