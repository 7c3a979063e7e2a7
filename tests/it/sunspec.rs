//! Register images of SunSpec devices, walked and read.
//!
//! Each file of `tests/fixtures/sunspec` is a device: its registers, who it is, its
//! models, and what meters behind it measure: a number, `null` where the device says
//! that it has none, `"no model"` where it has no place for it, and for counters the
//! energy in milliwatt-hours.

use std::collections::BTreeSet;
use std::fs;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use sunledger::domain::meter::{Quantity, Role, Sense};
use sunledger::domain::quality::Reason;
use sunledger::domain::snapshot::Value;
use sunledger::source::modbus::discover::{Failed, Reader, discover};
use sunledger::wire::modbus::timing::Timing;
use sunledger::wire::plan::{Limits, MAX_REGISTERS, Span, plan};
use sunledger::wire::register::{Layout, Number};
use sunledger::wire::sunspec::{
    Asked, Chain, Identity, MODELS, Missing, Options, Ratios, Said, Served, Walk, serve,
};
use tokio_modbus::client::{Context, tcp};
use tokio_modbus::prelude::{Reader as _, Slave, SlaveContext as _};

use crate::support::pymodbus::Pymodbus;

#[derive(Deserialize, Default)]
struct Image {
    base: u16,
    identity: Names,
    chain: Vec<(u16, u16, u16)>,
    registers: Vec<u16>,
    meters: Vec<Meter>,
}

#[derive(Deserialize, Default)]
struct Names {
    manufacturer: String,
    model: String,
    version: String,
    serial: String,
}

#[derive(Deserialize)]
struct Meter {
    role: String,
    options: Json,
    values: serde_json::Map<String, Json>,
}

impl Image {
    fn read(&self, address: u16, count: u16) -> Option<&[u16]> {
        let from = usize::from(address.checked_sub(self.base)?);
        self.registers.get(from..from + usize::from(count))
    }

    fn walk(&self) -> Chain {
        let mut walk = Walk::new();
        while let Some(ask) = walk.next_request() {
            match self.read(ask.address, ask.count) {
                Some(words) => walk.hear(Said::Words(words)),
                None => walk.hear(Said::Refused),
            }
        }
        walk.finish().unwrap()
    }

    /// The same registers, some of them changed.
    fn with(&self, changes: &[(u16, &[u16])]) -> Self {
        let mut registers = self.registers.clone();
        for (address, words) in changes {
            let from = usize::from(address - self.base);
            registers[from..from + words.len()].copy_from_slice(words);
        }
        Self {
            base: self.base,
            registers,
            ..Self::default()
        }
    }
}

impl Meter {
    fn quantities(&self) -> Vec<&'static Quantity> {
        let named = |name: &String| Quantity::named(name).unwrap();
        self.values.keys().map(named).collect()
    }

    fn options(&self) -> Options {
        let positive = self.options["positive"]
            .as_str()
            .map(|positive| match positive {
                "import" => Sense::Import,
                _ => Sense::Export,
            });
        let ratio = |of: &str| self.options[of].as_i64().unwrap_or(1).into();
        let instance = self.options["instance"].as_u64().unwrap_or(1);
        Options {
            positive,
            invert: self.options["invert"].as_bool().unwrap_or(false),
            ratios: Ratios {
                power: (ratio("power"), 1),
                voltage: (ratio("voltage"), 1),
                current: (ratio("current"), 1),
            },
            most: None,
            instance: instance.try_into().unwrap(),
        }
    }

    fn serve(&self, chain: &Chain) -> Vec<Result<Served, Missing>> {
        let role = Role::named(&self.role).unwrap();
        serve(
            chain,
            role,
            &self.quantities(),
            &self.options(),
            MAX_REGISTERS,
        )
    }
}

fn images() -> Vec<(String, Image)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sunspec");
    let mut images: Vec<(String, Image)> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            (name, serde_json::from_str(&text).unwrap())
        })
        .collect();
    images.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(images.len() >= 12);
    images
}

/// What a device says of a point.
type Answer = Result<Value, Reason>;

/// What an image has for these layouts, each out of one request of a plan.
fn values(layouts: &[Layout], mut image: impl FnMut(u16, u16) -> Vec<u16>) -> Vec<Answer> {
    let mut values = vec![Err(Reason::Config); layouts.len()];
    let spans: Vec<Span> = layouts.iter().map(Layout::span).collect();
    for request in plan(&spans, &Limits::default(), &[], &Timing::NETWORK) {
        let words = image(request.address, request.count);
        for point in request.points {
            values[point] = layouts[point].value(request.address, &words, &[]);
        }
    }
    values
}

/// Whether a value is what a file says it is.
fn is(said: Answer, expected: &Json) -> bool {
    match (said, expected) {
        (Err(Reason::NotAvailable), Json::Null) => true,
        (Ok(Value::Analog(value)), Json::Number(number)) => Some(value) == number.as_f64(),
        (Ok(Value::Scaled { count, unit, .. }), Json::Object(energy)) => {
            Some(unit.energy(count.into()).0) == energy["mwh"].as_i64()
        }
        _ => false,
    }
}

#[test]
fn every_image_is_walked_and_read_as_it_was_made() {
    let mut read = BTreeSet::new();
    for (name, image) in images() {
        let chain = image.walk();
        let models: Vec<_> = chain
            .models
            .iter()
            .map(|m| (m.id, m.address, m.length))
            .collect();
        assert_eq!((chain.base, &models), (image.base, &image.chain), "{name}");
        let Names {
            manufacturer,
            model,
            version,
            serial,
        } = &image.identity;
        let expected = Identity {
            manufacturer: manufacturer.clone(),
            model: model.clone(),
            version: version.clone(),
            serial: serial.clone(),
        };
        assert_eq!(chain.identity, expected, "{name}");
        assert!(chain.marked_end, "{name}");
        for meter in &image.meters {
            let served = meter.serve(&chain);
            let layouts: Vec<Layout> = served.iter().flatten().map(|s| s.layout.clone()).collect();
            let mut said = values(&layouts, |at, count| {
                image.read(at, count).unwrap().to_vec()
            })
            .into_iter();
            for ((quantity, expected), served) in meter.values.iter().zip(served) {
                let which = format!("{name}, {} {}: {quantity}", meter.role, meter.options);
                match served {
                    Err(missing) => assert_eq!(
                        (missing, expected),
                        (Missing::NoModel, &Json::from("no model")),
                        "{which}"
                    ),
                    Ok(served) => {
                        let said = said.next().unwrap();
                        assert!(
                            is(said, expected),
                            "{which}: {expected} {said:?} {served:?}"
                        );
                        if said.is_ok() {
                            read.insert((served.model, served.point));
                        }
                    }
                }
            }
        }
    }
    // Every row of the tables was read to a number in some image.
    for model in MODELS {
        let parts = model.group.iter().flat_map(|group| group.points);
        for point in model.points.iter().chain(parts) {
            let was_read = |id| read.contains(&(id, point.name));
            assert!(
                model.ids.clone().any(was_read),
                "{:?} {}",
                model.ids,
                point.name
            );
        }
    }
}

/// The patterns that say that a point is not implemented.
fn not_implemented(served: &Served) -> Vec<Vec<u16>> {
    match served.layout.field.number {
        Number::I16 => vec![vec![0x8000]],
        Number::U16 => vec![vec![0xFFFF]],
        Number::U32 if served.point == "Hz" => vec![vec![0xFFFF, 0xFFFF]],
        Number::U32 => vec![vec![0, 0]],
        Number::U64 => vec![vec![0xFFFF; 4]],
        Number::F32 => vec![vec![0x7FC0, 0], vec![0xFFC0, 1], vec![0x7F80, 0]],
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_implemented_is_a_gap_and_so_is_a_bad_scale_factor() {
    use Reason::{NotAvailable, OutOfRange};
    for (name, image) in images() {
        let chain = image.walk();
        let meters = image.meters.iter();
        for served in meters.flat_map(|meter| meter.serve(&chain)).flatten() {
            let which = format!("{name}: {} of {}", served.point, served.model);
            let layout = &served.layout;
            let span = layout.span();
            let with = |changes: &[(u16, &[u16])]| {
                let image = image.with(changes);
                layout.value(
                    span.address,
                    image.read(span.address, span.count).unwrap(),
                    &[],
                )
            };
            let extra = layout.extra.clone().unwrap_or_default();
            // Any of the terms of a sum that is missing makes the sum missing.
            let terms = extra.also.iter().map(|term| term.field);
            let one = vec![1; layout.words().into()];
            let mut there: Vec<(u16, &[u16])> = Vec::new();
            for field in terms.chain([layout.field]) {
                for words in not_implemented(&served) {
                    let said = with(&[(field.address, &words)]);
                    assert_eq!(said, Err(NotAvailable), "{which} {words:04X?}");
                }
                there.push((field.address, &one));
            }
            let Some(exponent) = extra.exponent else {
                continue;
            };
            #[rustfmt::skip]
            let cases = [
                (0x8000,  Some(NotAvailable)), (11, Some(OutOfRange)), (0xFFF5, Some(OutOfRange)),
                (0x7FFF, Some(OutOfRange)), (0xFFF6, None), (0, None),
            ];
            for (factor, reason) in cases {
                let said =
                    with(&[there.as_slice(), &[(exponent.field.address, &[factor])]].concat());
                assert_eq!(said.err(), reason, "{which} with a factor of {factor:04X}");
            }
        }
    }
}

/// The device changes its scale factor between any two requests, and with it its
/// numbers: 25 kW stay 25 kW.
#[test]
fn a_scale_factor_that_moves_between_two_requests_tears_nothing() {
    let images = images();
    let (_, image) = images
        .iter()
        .find(|(name, _)| name == "inverter-103")
        .unwrap();
    let chain = image.walk();
    let at = chain.models.iter().find(|m| m.id == 103).unwrap().address;
    let quantities = ["power", "energy_export"].map(|name| Quantity::named(name).unwrap());
    let pv = Role::named("pv").unwrap();
    let served = serve(&chain, pv, &quantities, &Options::default(), MAX_REGISTERS);
    let layouts: Vec<Layout> = served.into_iter().map(|s| s.unwrap().layout).collect();
    let other = image.with(&[(at + 14, &[25_000, 0]), (at + 24, &[9, 10_176, 0])]);
    let image = image.with(&[(at + 14, &[2_500, 1]), (at + 24, &[0, 60_000, 1])]);
    for start in 0..2 {
        let mut turn = start;
        let said = values(&layouts, |from, count| {
            turn += 1;
            let image = if turn % 2 == 0 { &image } else { &other };
            image.read(from, count).unwrap().to_vec()
        });
        assert_eq!(said[0], Ok(Value::Analog(25_000.0)));
        let Ok(Value::Scaled { count, unit, bits }) = said[1] else {
            panic!("{:?}", said[1]);
        };
        assert_eq!(unit.energy(count.into()).as_watt_hours(), 600_000.0);
        assert_eq!(bits, 32);
    }
}

/// A client that is not ours either.
struct Client(Context);

impl Reader for Client {
    type Failure = String;

    async fn read(
        &mut self,
        unit: u8,
        fc: u8,
        address: u16,
        count: u16,
    ) -> Result<Vec<u16>, String> {
        assert_eq!(fc, 3);
        self.0.set_slave(Slave(unit));
        let answer = self.0.read_holding_registers(address, count).await;
        let words = answer.map_err(|error| error.to_string())?;
        words.map_err(|exception| exception.to_string())
    }

    fn failed(_: &String) -> Failed {
        Failed::Refused
    }
}

/// Every image behind one server that is not ours, each a unit with its models at one
/// of three bases; what a unit does not have is refused.
fn serve_images() -> (Pymodbus, Vec<(u8, Image)>) {
    let images = images().into_iter().map(|(_, image)| image);
    let images: Vec<(u8, Image)> = (1..).zip(images).collect();
    let mut units = json!({});
    for (unit, image) in &images {
        let base = image.base.to_string();
        units[unit.to_string()] = json!({ "holding": { base: image.registers } });
    }
    (Pymodbus::serve(&units), images)
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_pymodbus_serves_are_discovered_and_read() {
    let (server, images) = serve_images();
    let address = ([127, 0, 0, 1], server.port).into();
    let mut client = Client(tcp::connect(address).await.unwrap());
    for (unit, image) in &images {
        let chain = discover(&mut client, *unit).await.unwrap();
        assert_eq!(chain, image.walk(), "unit {unit}");
        for meter in &image.meters {
            for (served, expected) in meter.serve(&chain).into_iter().zip(meter.values.values()) {
                let Ok(Served { layout, point, .. }) = served else {
                    continue;
                };
                let span = layout.span();
                let words = client.read(*unit, span.fc, span.address, span.count).await;
                let said = layout.value(span.address, &words.unwrap(), &[]);
                assert!(
                    is(said, expected),
                    "unit {unit}, {point}: {said:?}, not {expected}"
                );
            }
        }
    }
}

/// The worker walks every unit at its first poll, and says of each point what the image
/// says: a value, or that there is none.
#[tokio::test(flavor = "multi_thread")]
async fn the_worker_finds_the_points_of_its_meters_by_itself() {
    let (server, images) = serve_images();
    let mut polls = Vec::new();
    let mut expected = Vec::new();
    for (unit, image) in &images {
        for meter in &image.meters {
            let mut poll = crate::modbus::poll(expected.len(), *unit, 60_000, &[]);
            poll.sunspec = Some(Asked {
                role: Role::named(&meter.role).unwrap(),
                points: meter.quantities().into_iter().enumerate().collect(),
                options: meter.options(),
            });
            polls.push(poll);
            expected.push(meter.values.values().cloned().map(Some).collect::<Vec<_>>());
        }
    }
    let settings = crate::modbus::settings(server.port, 10_000, polls);
    let mut source = crate::modbus::Source::start(settings);
    while expected.iter().flatten().any(Option::is_some) {
        let heard = source.next().await;
        for (point, said) in heard.values {
            let (meter, detail) = (heard.meter, &heard.detail);
            let Some(expected) = expected[meter][point].take() else {
                panic!("meter {meter} says {point} twice: {said:?}");
            };
            let missing = expected == "no model" && said == Err(Reason::NotAvailable);
            let fits = missing || is(said, &expected);
            assert!(
                fits,
                "meter {meter}, {point}: {said:?}, not {expected}; {detail:?}"
            );
            let told = detail.as_deref().unwrap_or_default();
            assert!(!missing || told.contains("no SunSpec model"), "{told}");
        }
    }
    source.stop.cancel();
    source.task.await.unwrap();
}
