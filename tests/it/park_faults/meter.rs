//! Meters whose words say where they are from.

use std::fmt::Write as _;

/// A meter whose words say where they are from: two values in four registers.
#[derive(Debug, Clone)]
pub struct Meter {
    pub id: String,
    /// Place of its bus.
    pub bus: usize,
    pub unit: u8,
    pub fc: u8,
    pub address: u16,
}

impl Meter {
    pub fn new(bus: usize, unit: u8, fc: u8, address: u16) -> Self {
        let id = format!("m-{bus}-{unit}-{fc}-{address}");
        Self {
            id,
            bus,
            unit,
            fc,
            address,
        }
    }

    pub fn toml(&self, bus: &str, period_ms: u64) -> String {
        let (id, unit, fc) = (&self.id, self.unit, self.fc);
        let mut text = format!(
            "[[meter]]\nid = \"{id}\"\nrole = \"monitor\"\nbus = \"{bus}\"\nunit = {unit}\n\
             period = \"{period_ms}ms\"\n"
        );
        for (quantity, address) in [
            ("voltage_l1", self.address),
            ("voltage_l2", self.address + 2),
        ] {
            let _ = write!(
                text,
                "[[meter.point]]\nquantity = \"{quantity}\"\nfc = {fc}\naddress = {address}\n\
                 type = \"u32\"\nunit = \"V\"\n"
            );
        }
        text
    }
}

/// Neighbours of one shape on each of so many units, and one by another function code.
pub fn neighbours(units: u8) -> Vec<Meter> {
    let of = |unit| [(3, 0), (3, 100), (4, 100)].map(|(fc, at)| Meter::new(0, unit, fc, at));
    (1..=units).flat_map(of).collect()
}
