//! How an allocation is written.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::columns::{Side, columns};
use crate::domain::allocate::Allocation;
use crate::domain::quality::Quality;
use crate::domain::units::MilliwattHours;

/// An allocation with the energies that went in.
pub struct Line {
    /// Of the interval.
    pub name: String,
    /// What was generated.
    pub generation: MilliwattHours,
    /// What each tenant used.
    pub used: Vec<MilliwattHours>,
    /// What each has of it.
    pub found: Allocation,
}

/// The sums of all intervals: a ratio of a period is one of sums.
pub fn total(tenants: &[Arc<str>], lines: &[Line]) -> Line {
    let sum = |of: &dyn Fn(&Line) -> Option<MilliwattHours>| lines.iter().filter_map(of).sum();
    let by_tenant = |of: fn(&Line) -> &Vec<MilliwattHours>| -> Vec<MilliwattHours> {
        (0..tenants.len())
            .map(|place| sum(&|line| of(line).get(place).copied()))
            .collect()
    };
    let worst = lines.iter().map(|line| line.found.quality);
    Line {
        name: "total".to_owned(),
        generation: sum(&|line| Some(line.generation)),
        used: by_tenant(|line| &line.used),
        found: Allocation {
            local: by_tenant(|line| &line.found.local),
            grid: by_tenant(|line| &line.found.grid),
            export: sum(&|line| Some(line.found.export)),
            quality: worst.fold(Quality::Good, Quality::worst),
        },
    }
}

impl Line {
    /// Name, consumption, local and grid share of each tenant.
    fn rows<'a>(
        &'a self,
        tenants: &'a [Arc<str>],
    ) -> impl Iterator<Item = (&'a Arc<str>, [MilliwattHours; 3])> {
        let shares = self.found.local.iter().zip(&self.found.grid);
        let all = tenants.iter().zip(&self.used).zip(shares);
        all.map(|((name, used), (local, grid))| (name, [*used, *local, *grid]))
    }

    /// For programs.
    pub fn json(&self, tenants: &[Arc<str>]) -> Value {
        let tenants = self.rows(tenants).map(|(name, [used, local, grid])| {
            json!({
                "name": name,
                "consumption_kwh": used.to_kwh_string(),
                "local_wh": local.to_wh_string(),
                "local_kwh": local.to_kwh_string(),
                "grid_wh": grid.to_wh_string(),
                "grid_kwh": grid.to_kwh_string(),
            })
        });
        json!({
            "name": self.name,
            "generation_kwh": self.generation.to_kwh_string(),
            "export_wh": self.found.export.to_wh_string(),
            "export_kwh": self.found.export.to_kwh_string(),
            "quality": self.found.quality.name(),
            "tenants": tenants.collect::<Vec<_>>(),
        })
    }

    /// For people.
    pub fn text(&self, tenants: &[Arc<str>]) -> String {
        let head = ["", "CONSUMPTION", "LOCAL", "GRID"].map(str::to_owned);
        let mut rows = vec![head.to_vec()];
        rows.extend(self.rows(tenants).map(|(name, energies)| {
            let cells = energies.map(MilliwattHours::to_kwh_string);
            [vec![name.to_string()], cells.to_vec()].concat()
        }));
        let name = if self.name.is_empty() {
            "interval"
        } else {
            &self.name
        };
        format!(
            "{name}: generation {} kWh, export {} kWh; in kWh:\n{}",
            self.generation.to_kwh_string(),
            self.found.export.to_kwh_string(),
            columns(&rows, &[Side::Left, Side::Right, Side::Right, Side::Right])
        )
    }
}
