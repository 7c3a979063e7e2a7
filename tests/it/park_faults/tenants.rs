//! Tenants whose meters measure: a power, a register, a voltage and a frequency each.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sunledger::config::{self, Setup};
use sunledger::simulate::rehearsal::register::Register;
use sunledger::simulate::rehearsal::unit::{self, Unit};
use sunledger::simulate::rehearsal::{self, At, Endpoint, Rehearsal, Settings};

use super::{anywhere, head};
use crate::support::daemon::Daemon;

const TIMEOUT: Duration = Duration::from_secs(2);
/// A count is 10 mWh.
pub const COUNTS_PER_WH: f64 = 100.0;
/// Tenants, by what their meters do.
pub const METERS: [&str; 5] = ["honest", "silent", "begins-anew", "rolls-over", "spikes"];

fn text(dir: &Path, port: u16) -> String {
    let mut text = head(dir);
    text.push_str(&format!(
        "[bus.main.tcp]\nhost = \"127.0.0.1\"\nport = {port}\ntimeout = \"2s\"\n"
    ));
    for (unit, id) in (1..).zip(METERS) {
        text.push_str(&format!(
            r#"
[[meter]]
id = "{id}"
role = "tenant"
bus = "main"
unit = {unit}
period = "200ms"
rated = "50kW"
[[meter.point]]
quantity = "power"
address = 0
type = "i32"
unit = "W"
not_available = [0x7FFFFFFF]
[[meter.point]]
quantity = "energy_import"
address = 2
type = "u32"
scale = 0.01
unit = "Wh"
not_available = [0xFFFFFFFF]
[[meter.point]]
quantity = "voltage_l1"
address = 4
type = "u16"
scale = 0.1
unit = "V"
not_available = [0xFFFF]
[[meter.point]]
quantity = "frequency"
address = 5
type = "f32"
unit = "Hz"
"#
        ));
    }
    text
}

/// The registers of a configuration.
fn units(setup: &Setup) -> Vec<Unit> {
    let polls = setup.buses[0].polls.iter();
    let of = |poll: &sunledger::source::modbus::Poll| {
        let meter = &setup.park.meters[poll.meter];
        let points = poll.points.iter();
        let registers = points.map(|(point, layout)| Register::new(&meter.points[*point], layout));
        let one = unit::Meter {
            id: meter.id.clone(),
            role: meter.role,
            rated: meter.rated.map(|power| power.as_watts()),
            registers: registers.collect(),
            constants: Vec::new(),
        };
        Unit {
            id: poll.unit,
            meters: vec![one],
        }
    };
    polls.map(of).collect()
}

/// The park and its daemon.
pub async fn start(dir: &Path) -> (Rehearsal, Daemon) {
    let config = dir.join("park.toml");
    std::fs::write(&config, text(dir, 502)).unwrap();
    let setup = config::load(&config).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    let mut settings = Settings::encoding(At::Tcp(anywhere()), TIMEOUT);
    settings.encodes = false;
    settings.buses[0].units = units(&setup);
    let park = rehearsal::start(settings).await.unwrap();
    let Some(Endpoint::Socket(socket)) = park.endpoint("main") else {
        panic!("it has a socket")
    };
    std::fs::write(&config, text(dir, socket.port())).unwrap();
    let daemon = Daemon::run(&config).await;
    (park, daemon)
}

/// What flowed to a tenant until a moment, Wh.
pub fn flowed(park: &Rehearsal, meter: &str, until: Timestamp) -> f64 {
    let flowed = park.flowed(until);
    let one = flowed.iter().find(|one| &*one.meter == meter);
    one.unwrap().wh
}
