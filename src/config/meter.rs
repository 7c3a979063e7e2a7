//! Meters and sensors: what each measures and how its bytes become values.

use std::sync::Arc;
use std::time::Duration;

use super::check::name;
use super::endpoint::{Known, known};
use super::read::{Table, closest, list};
use super::units;
use crate::domain::meter::{
    Carrier, Freshness, HeatFromFlow, Meter, Nature, Pipe, Point, PointIndex, QUANTITIES, Quantity,
    ROLES, RegisterKind, Role,
};
use crate::domain::units::{CountUnit, Power};
use crate::source::{modbus, mqtt};
use crate::wire::register::{Decode, Layout, Number, Order};

/// Periods without a value after which it is stale, where nothing is declared.
const STALE_PERIODS: u32 = 3;
/// The least staleness that is assumed: a lost answer and its repetition.
const LEAST_STALE: Duration = Duration::from_secs(5);

/// Types of a register, with their number and how many counts they hold.
#[rustfmt::skip]
const TYPES: &[(&str, Number, Option<i128>)] = &[
    ("u16", Number::U16, Some(1 << 16)), ("i16", Number::I16, Some(1 << 16)),
    ("u32", Number::U32, Some(1 << 32)), ("i32", Number::I32, Some(1 << 32)),
    ("u64", Number::U64, None), ("i64", Number::I64, None),
    ("f32", Number::F32, None), ("f64", Number::F64, None),
    ("bit", Number::U16, None),
];

/// What all meters and sensors come to.
#[derive(Default)]
pub struct Read {
    /// Meters and sensors, in the order of the file.
    pub meters: Vec<Meter>,
    /// Polls by bus.
    pub polls: Vec<(String, modbus::Poll)>,
    /// Subscriptions by broker.
    pub subscriptions: Vec<(String, mqtt::Subscription)>,
    /// Every id so far, also of meters with a mistake elsewhere.
    ids: Vec<String>,
}

/// Reads every `[[meter]]` and `[[sensor]]`.
pub fn all(root: &Table<'_>, buses: &Known, brokers: &Known) -> Read {
    let mut read = Read::default();
    if root.has("meter") {
        for table in root.tables("meter") {
            meter(&table, buses, &mut read);
            table.finish();
        }
    }
    if root.has("sensor") {
        for table in root.tables("sensor") {
            sensor(&table, brokers, &mut read);
            table.finish();
        }
    }
    if read.meters.is_empty() && !root.has("meter") && !root.has("sensor") {
        root.problem("meter", "is missing", "add a [[meter]] for each meter");
    }
    read
}

/// What meters and sensors have in common. A meter whose id or role is wrong is read
/// to its end, for the mistakes that are in the rest of it.
struct Common {
    id: Option<Arc<str>>,
    role: Option<&'static Role>,
    invert: bool,
    multiplier: f64,
    rated: Option<Power>,
    heat_from_flow: Option<HeatFromFlow>,
    /// Whether `heat` stands there and means nothing.
    heat_is_wrong: bool,
}

fn common(table: &Table<'_>, ids: &mut Vec<String>) -> Common {
    table.required("id", "pcc");
    let id = table.parsed("id", "pcc", name);
    if let Some(id) = &id {
        if ids.contains(id) {
            table.problem(
                "id",
                format!("`{id}` is taken"),
                "each meter and sensor has its own",
            );
        }
        ids.push(id.clone());
    }
    table.required("role", "grid");
    let role = table.parsed("role", "grid", |text| {
        Role::named(text).ok_or_else(|| {
            let names: Vec<&str> = ROLES.iter().map(|role| role.name).collect();
            let remedy = match closest(text, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "one of {}",
                    list(names.iter().map(|name| format!("`{name}`")))
                ),
            };
            (format!("`{text}` is not a role"), remedy)
        })
    });
    table.text("name", "Grid connection");
    let invert = table.flag("invert").unwrap_or(false);
    let multiplier = table.number("multiplier").unwrap_or(1.0);
    if multiplier <= 0.0 {
        table.problem(
            "multiplier",
            format!("{multiplier} is not above zero"),
            "CT × VT ratio; to turn the direction set `invert = true`",
        );
    }
    let rated = table.parsed("rated", "2MW", |text| {
        units::measure(text, "W")
            .filter(|watts| *watts > 0.0)
            .and_then(|watts| Power::from_watts(watts).ok())
            .ok_or_else(|| {
                (
                    format!("`{text}` is not a power"),
                    "such as \"2MW\"".to_owned(),
                )
            })
    });
    let heat = if table.has("heat") {
        table.table("heat")
    } else {
        None
    };
    let heat_from_flow = heat.and_then(|heat| heat_from_flow(&heat));
    Common {
        id: id.map(Arc::from),
        role,
        invert,
        multiplier: if multiplier > 0.0 { multiplier } else { 1.0 },
        rated,
        heat_from_flow,
        heat_is_wrong: table.has("heat") && heat_from_flow.is_none(),
    }
}

fn heat_from_flow(table: &Table<'_>) -> Option<HeatFromFlow> {
    table.required("fluid", "water");
    let fluid = table.parsed("fluid", "water", |text| {
        if text == "water" {
            Ok(())
        } else {
            Err((
                format!("heat of `{text}` cannot be computed by this version"),
                "`water`, or a meter that computes the heat itself".to_owned(),
            ))
        }
    });
    let pressure_pa = if table.has("pressure") {
        table.parsed("pressure", "6bar", |text| {
            units::measure(text, "Pa")
                .filter(|pa| *pa >= 1e4 && *pa <= 1e8)
                .ok_or_else(|| {
                    (
                        format!("`{text}` is not an absolute pressure of water"),
                        "such as \"6bar\"; absolute is gauge plus 1.01325 bar".to_owned(),
                    )
                })
        })
    } else {
        Some(1.6e6)
    };
    table.required("flow_sensor", "return");
    let flow_sensor = table.parsed("flow_sensor", "return", |text| match text {
        "supply" => Ok(Pipe::Supply),
        "return" => Ok(Pipe::Return),
        other => Err((
            format!("`{other}` is not a pipe"),
            "`supply` or `return`: the pipe that the flow sensor sits in".to_owned(),
        )),
    });
    table.finish();
    fluid?;
    Some(HeatFromFlow {
        pressure_pa: pressure_pa?,
        flow_sensor: flow_sensor?,
    })
}

/// The quantity of a point, turned for a meter installed the other way round.
fn quantity(table: &Table<'_>, invert: bool) -> Option<&'static Quantity> {
    table.required("quantity", "power");
    let quantity = table.parsed("quantity", "power", |text| {
        Quantity::named(text).ok_or_else(|| {
            let names: Vec<&str> = QUANTITIES.iter().map(|quantity| quantity.name).collect();
            let remedy = match closest(text, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "one of those in docs/schema.md, such as `power` or `energy_import`".to_owned()
                }
            };
            (format!("`{text}` is not a quantity"), remedy)
        })
    })?;
    Some(match quantity.name {
        "energy_import" if invert => Quantity::named("energy_export").unwrap_or(quantity),
        "energy_export" if invert => Quantity::named("energy_import").unwrap_or(quantity),
        _ => quantity,
    })
}

/// What a point says of its raw numbers, whatever it measures.
struct Raw<'a> {
    scale: f64,
    offset: f64,
    unit: Option<&'a str>,
}

fn raw<'a>(table: &Table<'a>, quantity: Option<&Quantity>) -> Raw<'a> {
    let example = quantity.map_or("W", |quantity| quantity.unit);
    Raw {
        scale: table.number("scale").unwrap_or(1.0),
        offset: table.number("offset").unwrap_or(0.0),
        unit: table.text("unit", example),
    }
}

/// How raw numbers of a point become values.
fn decode(
    table: &Table<'_>,
    quantity: &'static Quantity,
    raw: &Raw<'_>,
    common: &Common,
    number: Number,
    modulus: Option<i128>,
) -> Option<(Decode, Option<RegisterKind>)> {
    let &Raw { scale, offset, .. } = raw;
    let unit = raw.unit.unwrap_or(quantity.unit);
    let remedy = || {
        let names = units::names(quantity.unit);
        format!(
            "one of {}",
            list(names.iter().map(|name| format!("\"{name}\"")))
        )
    };
    let ratio = if quantity.scales_with_ratio {
        common.multiplier
    } else {
        1.0
    };
    if quantity.nature == Nature::Register {
        let float = matches!(number, Number::F32 | Number::F64);
        let digits = if float {
            None
        } else {
            table.integer("digits", 3, 18)
        };
        if offset != 0.0 {
            table.problem("offset", "a counting register has no offset", "remove it");
        }
        let Some(energy) = units::energy(unit) else {
            table.problem(
                "unit",
                format!("`{unit}` is not a unit of {}", quantity.name),
                remedy(),
            );
            return None;
        };
        if scale <= 0.0 {
            table.problem(
                "scale",
                format!("{scale} is not above zero"),
                "what one count is in `unit`",
            );
            return None;
        }
        if float {
            let mwh_per_unit = ratio_of(energy) * scale * ratio;
            let kind = RegisterKind {
                unit: CountUnit::MILLIWATT_HOUR,
                modulus: None,
            };
            return Some((Decode::CountFloat { mwh_per_unit }, Some(kind)));
        }
        let Some(unit) = units::count_unit(unit, scale, ratio) else {
            table.problem(
                "scale",
                "is too large or too fine for an exact count",
                "fewer decimals",
            );
            return None;
        };
        let modulus = digits
            .and_then(|digits| 10_i128.checked_pow(u32::try_from(digits).ok()?))
            .or(modulus);
        return Some((Decode::Count, Some(RegisterKind { unit, modulus })));
    }
    let Some((factor, shift)) = units::conversion(unit, quantity.unit) else {
        table.problem(
            "unit",
            format!("`{unit}` is not a unit of {}", quantity.name),
            remedy(),
        );
        return None;
    };
    if scale == 0.0 {
        table.problem(
            "scale",
            "0 makes every value the offset",
            "what one count is in `unit`",
        );
    }
    let turned = common.invert && matches!(quantity.unit, "W" | "var");
    let sign = if turned { -ratio } else { ratio };
    Some((
        Decode::Analog {
            scale: scale * factor * sign,
            offset: (offset * factor + shift) * sign,
        },
        None,
    ))
}

fn ratio_of(energy: (i128, i128)) -> f64 {
    let float =
        |value: i128| crate::domain::units::to_f64(i64::try_from(value).unwrap_or(i64::MAX));
    float(energy.0) / float(energy.1)
}

fn duplicate(
    table: &Table<'_>,
    measured: &mut Vec<&'static str>,
    quantity: Option<&Quantity>,
) -> bool {
    let Some(quantity) = quantity else {
        return false;
    };
    let taken = measured.contains(&quantity.name);
    measured.push(quantity.name);
    if taken {
        table.problem(
            "quantity",
            format!("`{}` is measured twice by this meter", quantity.name),
            "one point for each quantity",
        );
    }
    taken
}

fn meter(table: &Table<'_>, buses: &Known, read: &mut Read) {
    let common = common(table, &mut read.ids);
    if table.has("template") {
        table.problem(
            "template",
            "device templates are not part of this version",
            "list the registers as [[meter.point]]",
        );
    }
    table.required("bus", "main");
    let bus = table.parsed("bus", "main", |text| known(text, buses, "bus"));
    let unit = if table.has("unit") {
        table.integer("unit", 0, 255)
    } else {
        Some(1)
    };
    let period = table
        .duration("period", "1s")
        .unwrap_or(Duration::from_secs(1));
    if period < Duration::from_millis(100) {
        table.problem("period", "is below 100 ms", "at least \"100ms\"");
    }
    let stale_after = table
        .duration("stale_after", "5s")
        .unwrap_or((period * STALE_PERIODS).max(LEAST_STALE));
    if stale_after < period {
        table.problem(
            "stale_after",
            format!("{stale_after:?} is shorter than the period of {period:?}"),
            "at least the period, or every balance has a gap",
        );
    }
    let point_tables = table.tables("point");
    if point_tables.is_empty() && !table.has("template") {
        table.problem(
            "point",
            "is missing",
            "add a [[meter.point]] for each register",
        );
    }
    let mut measured = Vec::new();
    let mut points: Vec<Point> = Vec::new();
    let mut layouts: Vec<(PointIndex, Layout)> = Vec::new();
    for point in &point_tables {
        let quantity = quantity(point, common.invert);
        let twice = duplicate(point, &mut measured, quantity);
        if let Some((quantity, layout, register)) = layout(point, quantity, &common)
            && !twice
        {
            layouts.push((points.len(), layout));
            points.push(Point { quantity, register });
        }
        point.finish();
    }
    let whole = points.len() == point_tables.len() && !common.heat_is_wrong;
    let (Some(id), Some(role)) = (common.id, common.role) else {
        return;
    };
    let meter = Meter {
        id,
        role,
        points,
        freshness: Freshness::Within(stale_after),
        period,
        rated: common.rated,
        heat_from_flow: common.heat_from_flow,
    };
    if whole {
        fits_role(table, &meter);
    }
    if let (Some(bus), Some(unit)) = (bus, unit.and_then(|unit| u8::try_from(unit).ok())) {
        let poll = modbus::Poll {
            meter: read.meters.len(),
            unit,
            period,
            points: layouts,
        };
        read.polls.push((bus, poll));
    }
    read.meters.push(meter);
}

fn layout(
    table: &Table<'_>,
    quantity: Option<&'static Quantity>,
    common: &Common,
) -> Option<(&'static Quantity, Layout, Option<RegisterKind>)> {
    let raw = raw(table, quantity);
    let fc = if table.has("fc") {
        table.integer("fc", 1, 4)
    } else {
        Some(3)
    };
    let address = table.required_integer("address", 0, 65_535);
    let bit = fc.is_some_and(|fc| fc <= 2);
    let example = if bit { "bit" } else { "f32" };
    if !bit {
        table.required("type", example);
    }
    let kind = if bit && !table.has("type") {
        Some(("bit", Number::U16, None))
    } else {
        table.parsed("type", example, |text| {
            TYPES
                .iter()
                .find(|row| row.0 == text)
                .copied()
                .ok_or_else(|| {
                    let names = list(TYPES.iter().map(|row| format!("`{}`", row.0)));
                    (format!("`{text}` is not a type"), format!("one of {names}"))
                })
        })
    };
    let order = if table.has("order") {
        table.parsed("order", "big", |text| match text {
            "big" => Ok(Order::Big),
            "little" => Ok(Order::Little),
            other => Err((
                format!("`{other}` is not a word order"),
                "`big` (high word first) or `little`".to_owned(),
            )),
        })
    } else {
        Some(Order::Big)
    };
    if let Some((name, ..)) = kind
        && (name == "bit") != bit
    {
        table.problem(
            "type",
            format!(
                "`{name}` does not go with function code {}",
                fc.unwrap_or(3)
            ),
            "`bit` goes with fc 1 and 2, numbers go with fc 3 and 4",
        );
    }
    let (Some(quantity), Some((_, number, modulus))) = (quantity, kind) else {
        // Whether it belongs here depends on what is wrong.
        let _ = table.has("digits");
        return None;
    };
    let (decode, register) = decode(table, quantity, &raw, common, number, modulus)?;
    let (address, order, fc) = (
        u16::try_from(address?).ok()?,
        order?,
        u8::try_from(fc?).ok()?,
    );
    let layout = Layout {
        fc,
        address,
        number,
        order,
        decode,
    };
    if u32::from(address) + u32::from(layout.words()) > 65_536 {
        table.problem(
            "address",
            format!("{address} and the registers of this type end behind 65535"),
            "addresses are zero-based: the number in the manual less 1, 30001 or 40001",
        );
    }
    Some((quantity, layout, register))
}

fn sensor(table: &Table<'_>, brokers: &Known, read: &mut Read) {
    let common = common(table, &mut read.ids);
    table.required("broker", "park");
    let broker = table.parsed("broker", "park", |text| known(text, brokers, "broker"));
    table.required("topic", "park/dni");
    let topic = table.parsed("topic", "park/dni", |text| {
        if text.is_empty() || text.contains(['+', '#', '\0']) || text.len() > 65_535 {
            Err((
                format!("`{text}` is not the topic of one sensor"),
                "a topic without `+` and `#`".to_owned(),
            ))
        } else {
            Ok(text.to_owned())
        }
    });
    let every = table.duration("expect_every", "5s");
    let on_change = table.flag("on_change").unwrap_or(false);
    let freshness = match (every, on_change) {
        (Some(every), false) => Freshness::Within((every * STALE_PERIODS).max(LEAST_STALE)),
        (None, true) => Freshness::UntilChanged,
        (Some(_), true) => {
            table.problem(
                "on_change",
                "stands beside `expect_every`",
                "keep one of them",
            );
            Freshness::UntilChanged
        }
        (None, false) => {
            if !table.has("expect_every") {
                table.problem(
                    "expect_every",
                    "is missing",
                    "how often the sensor speaks, such as \"5s\", or `on_change = true`",
                );
            }
            Freshness::UntilChanged
        }
    };
    let several = if table.has("point") {
        table.tables("point")
    } else {
        Vec::new()
    };
    let mut measured = Vec::new();
    let mut whole = !common.heat_is_wrong;
    let mut points: Vec<Point> = Vec::new();
    let mut decodes = Vec::new();
    let mut one = |point: &Table<'_>| {
        let pointer = point.parsed("pointer", "/value", |text| {
            if text.starts_with('/') || text.is_empty() {
                Ok(text.to_owned())
            } else {
                Err((
                    format!("`{text}` is not a JSON pointer"),
                    format!("it begins with a slash: \"/{text}\""),
                ))
            }
        });
        let quantity = quantity(point, common.invert);
        let twice = duplicate(point, &mut measured, quantity);
        let raw = raw(point, quantity);
        let decoded = quantity.and_then(|quantity| {
            let (decode, register) = decode(point, quantity, &raw, &common, Number::F64, None)?;
            Some((quantity, decode, register))
        });
        match decoded {
            Some((quantity, decode, register)) if !twice => {
                decodes.push((points.len(), pointer, decode));
                points.push(Point { quantity, register });
            }
            _ => whole = false,
        }
    };
    if several.is_empty() {
        one(table);
    } else {
        for point in &several {
            one(point);
            point.finish();
        }
    }
    let (Some(id), Some(role)) = (common.id, common.role) else {
        return;
    };
    let meter = Meter {
        id,
        role,
        points,
        freshness,
        period: every.unwrap_or(Duration::from_secs(3_600)),
        rated: common.rated,
        heat_from_flow: common.heat_from_flow,
    };
    if whole {
        fits_role(table, &meter);
    }
    if let (Some(broker), Some(topic)) = (broker, topic) {
        let meter = read.meters.len();
        read.subscriptions.push((
            broker,
            mqtt::Subscription {
                meter,
                topic,
                points: decodes,
                retained_ok: on_change,
            },
        ));
    }
    read.meters.push(meter);
}

/// Whether a meter measures what its role needs.
fn fits_role(table: &Table<'_>, meter: &Meter) {
    if meter.points.is_empty() {
        return;
    }
    if let Some(_settings) = meter.heat_from_flow {
        for needed in ["flow", "temp_supply", "temp_return"] {
            if meter.point(needed).is_none() {
                table.problem(
                    "heat",
                    format!("heat from flow and temperatures needs `{needed}`"),
                    format!("a point with quantity `{needed}`"),
                );
            }
        }
        if meter.role.heat.is_none() {
            table.problem(
                "heat",
                format!("role `{}` stands in no heat balance", meter.role.name),
                "remove it, or choose a heat role",
            );
        }
    }
    let stands = meter.role.electricity.is_some() || meter.role.heat.is_some();
    let says = [Carrier::Electricity, Carrier::Heat]
        .into_iter()
        .any(|carrier| {
            meter.role.term(carrier).is_some()
                && (meter.power_point(carrier).is_some()
                    || meter.register(carrier, true).is_some()
                    || (carrier == Carrier::Heat && meter.heat_from_flow.is_some()))
        });
    if stands && !says {
        let needs = if meter.role.electricity.is_some() {
            "a point `power`, and `energy_import` or `energy_export` where the meter has registers"
        } else {
            "a point `heat_power` or `heat_energy`, or `heat = { fluid = \"water\", … }` with flow and temperatures"
        };
        table.problem(
            "",
            format!(
                "role `{}` stands in a balance, and nothing says its power or energy",
                meter.role.name
            ),
            needs,
        );
    }
    if meter.role.name == "grid" && meter.point("energy").is_some() {
        table.problem(
            "point",
            "`energy` at the grid connection does not say which direction",
            "`energy_import` and `energy_export`",
        );
    }
}
