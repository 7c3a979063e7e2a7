//! How long a park takes to reconcile.
//!
//! `cargo bench --bench reconcile` prints the median and the slowest of many runs for
//! trees of meters: a grid meter and generators on a bus, feeders behind the bus, tenants
//! behind the feeders; some with tenants that have no meter.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use sunledger::domain::reconcile::{Constraint, Measured, reconcile};

const RUNS: usize = 51;

struct Park {
    measured: Vec<Measured>,
    unmeasured: Vec<Arc<str>>,
    constraints: Vec<Constraint>,
}

/// A tree of three levels, every meter off by up to its uncertainty.
fn park(feeders: usize, tenants: usize, unmeasured_every: usize) -> Park {
    let mut park = Park {
        measured: Vec::new(),
        unmeasured: Vec::new(),
        constraints: Vec::new(),
    };
    let meter = |name: String, value: f64, park: &mut Park| -> Arc<str> {
        let name: Arc<str> = name.into();
        let uncertainty = value.abs() * 0.01 + 0.01;
        let off = ((park.measured.len() * 7_919) % 201) as f64 / 100.0 - 1.0;
        park.measured.push(Measured {
            name: Arc::clone(&name),
            value: value + off * uncertainty,
            uncertainty,
        });
        name
    };
    let total = (feeders * tenants) as f64 * 10.0;
    let mut bus = vec![
        (meter("grid".to_owned(), total * 0.4, &mut park), 1.0),
        (meter("pv".to_owned(), total * 0.6, &mut park), 1.0),
    ];
    for feeder in 0..feeders {
        let name = meter(format!("feeder {feeder}"), tenants as f64 * 10.0, &mut park);
        bus.push((Arc::clone(&name), -1.0));
        let mut terms = vec![(name, 1.0)];
        for tenant in 0..tenants {
            let name = format!("tenant {feeder}.{tenant}");
            let open = unmeasured_every > 0 && tenant == 0 && feeder % unmeasured_every == 0;
            if open {
                let name: Arc<str> = name.into();
                park.unmeasured.push(Arc::clone(&name));
                terms.push((name, -1.0));
            } else {
                terms.push((meter(name, 10.0, &mut park), -1.0));
            }
        }
        park.constraints.push(Constraint {
            name: format!("node {feeder}").into(),
            terms,
            constant: 0.0,
        });
    }
    park.constraints.push(Constraint {
        name: "bus".into(),
        terms: bus,
        constant: 0.0,
    });
    park
}

fn measure(name: &str, park: &Park) {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            let park = black_box(park);
            let found = reconcile(&park.measured, &park.unmeasured, &park.constraints);
            black_box(found.unwrap().suspects());
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{name:<40} {:>4} meters {:>4} nodes {:>8.2} ms, slowest {:>8.2} ms",
        park.measured.len(),
        park.constraints.len(),
        times[RUNS / 2],
        times[RUNS - 1],
    );
}

fn main() {
    measure("a small park", &park(4, 4, 0));
    measure("200 meters", &park(18, 10, 0));
    measure("200 meters, small nodes", &park(66, 2, 0));
    measure("200 meters, tenants without a meter", &park(66, 2, 3));
    measure("1,000 meters", &park(90, 10, 0));
}
