//! The models: which register of each holds which quantity.
//!
//! Offsets count from the register that holds the model's id. A row is a point that
//! is a quantity of ours; states, ratings, settings and registers of the makers are
//! stepped over.

use super::model::Kind::{self, Acc32, Enum16, Float32, Int16, Uint16, Uint32, Uint64};
use super::model::Scale::{self, By, One, Tens};
use super::model::{Group, Model, Point};

const fn p(
    name: &'static str,
    offset: u16,
    kind: Kind,
    scale: Scale,
    unit: &'static str,
    quantity: &'static str,
) -> Point {
    Point {
        name,
        offset,
        kind,
        scale,
        unit,
        quantity,
    }
}

const fn plain(
    ids: std::ops::RangeInclusive<u16>,
    name: &'static str,
    points: &'static [Point],
) -> Model {
    Model {
        ids,
        name,
        points,
        group: None,
    }
}

/// Every model there is a use for, and those that a battery inverter lists beside
/// them.
#[rustfmt::skip]
pub const MODELS: &[Model] = &[
    plain(1..=1,     "common",                  &[]),
    plain(101..=103, "inverter",                INVERTER),
    plain(111..=113, "inverter, float",         INVERTER_FLOAT),
    Model { ids: 160..=160, name: "inputs of an inverter", points: &[], group: Some(INPUTS) },
    plain(201..=204, "meter",                   METER),
    plain(211..=214, "meter, float",            METER_FLOAT),
    plain(307..=307, "weather",                 WEATHER),
    plain(308..=308, "small weather",           SMALL_WEATHER),
    plain(701..=701, "DER, alternating current", DER_AC),
    plain(702..=702, "DER, ratings",            &[]),
    plain(703..=703, "DER, enter service",      &[]),
    plain(704..=704, "DER, controls",           &[]),
    plain(713..=713, "DER, storage",            DER_STORAGE),
    Model { ids: 714..=714, name: "DER, direct current", points: DER_DC, group: Some(PORTS) },
    plain(802..=802, "battery",                 BATTERY),
];

/// Models 101 (one phase), 102 (split phase) and 103 (three phases).
#[rustfmt::skip]
const INVERTER: &[Point] = &[
    p("AphA",    3,   Uint16,  By(6),    "A",    "current_l1"),
    p("AphB",    4,   Uint16,  By(6),    "A",    "current_l2"),
    p("AphC",    5,   Uint16,  By(6),    "A",    "current_l3"),
    p("PPVphAB", 7,   Uint16,  By(13),   "V",    "voltage_l12"),
    p("PPVphBC", 8,   Uint16,  By(13),   "V",    "voltage_l23"),
    p("PPVphCA", 9,   Uint16,  By(13),   "V",    "voltage_l31"),
    p("PhVphA",  10,  Uint16,  By(13),   "V",    "voltage_l1"),
    p("PhVphB",  11,  Uint16,  By(13),   "V",    "voltage_l2"),
    p("PhVphC",  12,  Uint16,  By(13),   "V",    "voltage_l3"),
    p("W",       14,  Int16,   By(15),   "W",    "power"),
    p("Hz",      16,  Uint16,  By(17),   "Hz",   "frequency"),
    p("VA",      18,  Int16,   By(19),   "VA",   "apparent_power"),
    p("VAr",     20,  Int16,   By(21),   "var",  "reactive_power"),
    p("PF",      22,  Int16,   By(23),   "%",    "power_factor"),
    p("WH",      24,  Acc32,   By(26),   "Wh",   "energy_export"),
    p("DCA",     27,  Uint16,  By(28),   "A",    "dc_current"),
    p("DCV",     29,  Uint16,  By(30),   "V",    "dc_voltage"),
    p("DCW",     31,  Int16,   By(32),   "W",    "dc_power"),
    p("TmpCab",  33,  Int16,   By(37),   "degC", "temp_cabinet"),
    p("St",      38,  Enum16,  One,      "",     "status"),
];

/// Models 111, 112 and 113: as 101 to 103, in floats.
#[rustfmt::skip]
const INVERTER_FLOAT: &[Point] = &[
    p("AphA",    4,   Float32, One,      "A",    "current_l1"),
    p("AphB",    6,   Float32, One,      "A",    "current_l2"),
    p("AphC",    8,   Float32, One,      "A",    "current_l3"),
    p("PPVphAB", 10,  Float32, One,      "V",    "voltage_l12"),
    p("PPVphBC", 12,  Float32, One,      "V",    "voltage_l23"),
    p("PPVphCA", 14,  Float32, One,      "V",    "voltage_l31"),
    p("PhVphA",  16,  Float32, One,      "V",    "voltage_l1"),
    p("PhVphB",  18,  Float32, One,      "V",    "voltage_l2"),
    p("PhVphC",  20,  Float32, One,      "V",    "voltage_l3"),
    p("W",       22,  Float32, One,      "W",    "power"),
    p("Hz",      24,  Float32, One,      "Hz",   "frequency"),
    p("VA",      26,  Float32, One,      "VA",   "apparent_power"),
    p("VAr",     28,  Float32, One,      "var",  "reactive_power"),
    p("PF",      30,  Float32, One,      "%",    "power_factor"),
    p("WH",      32,  Float32, One,      "Wh",   "energy_export"),
    p("DCA",     34,  Float32, One,      "A",    "dc_current"),
    p("DCV",     36,  Float32, One,      "V",    "dc_voltage"),
    p("DCW",     38,  Float32, One,      "W",    "dc_power"),
    p("TmpCab",  40,  Float32, One,      "degC", "temp_cabinet"),
    p("St",      48,  Enum16,  One,      "",     "status"),
];

/// Models 201 (one phase), 202 (split phase), 203 (star) and 204 (delta).
#[rustfmt::skip]
const METER: &[Point] = &[
    p("AphA",    3,   Int16,   By(6),    "A",    "current_l1"),
    p("AphB",    4,   Int16,   By(6),    "A",    "current_l2"),
    p("AphC",    5,   Int16,   By(6),    "A",    "current_l3"),
    p("PhVphA",  8,   Int16,   By(15),   "V",    "voltage_l1"),
    p("PhVphB",  9,   Int16,   By(15),   "V",    "voltage_l2"),
    p("PhVphC",  10,  Int16,   By(15),   "V",    "voltage_l3"),
    p("PhVphAB", 12,  Int16,   By(15),   "V",    "voltage_l12"),
    p("PhVphBC", 13,  Int16,   By(15),   "V",    "voltage_l23"),
    p("PhVphCA", 14,  Int16,   By(15),   "V",    "voltage_l31"),
    p("Hz",      16,  Int16,   By(17),   "Hz",   "frequency"),
    p("W",       18,  Int16,   By(22),   "W",    "power"),
    p("WphA",    19,  Int16,   By(22),   "W",    "power_l1"),
    p("WphB",    20,  Int16,   By(22),   "W",    "power_l2"),
    p("WphC",    21,  Int16,   By(22),   "W",    "power_l3"),
    p("VA",      23,  Int16,   By(27),   "VA",   "apparent_power"),
    p("VAphA",   24,  Int16,   By(27),   "VA",   "apparent_power_l1"),
    p("VAphB",   25,  Int16,   By(27),   "VA",   "apparent_power_l2"),
    p("VAphC",   26,  Int16,   By(27),   "VA",   "apparent_power_l3"),
    p("VAR",     28,  Int16,   By(32),   "var",  "reactive_power"),
    p("VARphA",  29,  Int16,   By(32),   "var",  "reactive_power_l1"),
    p("VARphB",  30,  Int16,   By(32),   "var",  "reactive_power_l2"),
    p("VARphC",  31,  Int16,   By(32),   "var",  "reactive_power_l3"),
    p("PF",      33,  Int16,   By(37),   "%",    "power_factor"),
    p("PFphA",   34,  Int16,   By(37),   "%",    "power_factor_l1"),
    p("PFphB",   35,  Int16,   By(37),   "%",    "power_factor_l2"),
    p("PFphC",   36,  Int16,   By(37),   "%",    "power_factor_l3"),
    p("TotWhExp",38,  Acc32,   By(54),   "Wh",   "energy_export"),
    p("TotWhImp",46,  Acc32,   By(54),   "Wh",   "energy_import"),
];

/// Models 211 to 214: as 201 to 204, in floats.
#[rustfmt::skip]
const METER_FLOAT: &[Point] = &[
    p("AphA",    4,   Float32, One,      "A",    "current_l1"),
    p("AphB",    6,   Float32, One,      "A",    "current_l2"),
    p("AphC",    8,   Float32, One,      "A",    "current_l3"),
    p("PhVphA",  12,  Float32, One,      "V",    "voltage_l1"),
    p("PhVphB",  14,  Float32, One,      "V",    "voltage_l2"),
    p("PhVphC",  16,  Float32, One,      "V",    "voltage_l3"),
    p("PPVphAB", 20,  Float32, One,      "V",    "voltage_l12"),
    p("PPVphBC", 22,  Float32, One,      "V",    "voltage_l23"),
    p("PPVphCA", 24,  Float32, One,      "V",    "voltage_l31"),
    p("Hz",      26,  Float32, One,      "Hz",   "frequency"),
    p("W",       28,  Float32, One,      "W",    "power"),
    p("WphA",    30,  Float32, One,      "W",    "power_l1"),
    p("WphB",    32,  Float32, One,      "W",    "power_l2"),
    p("WphC",    34,  Float32, One,      "W",    "power_l3"),
    p("VA",      36,  Float32, One,      "VA",   "apparent_power"),
    p("VAphA",   38,  Float32, One,      "VA",   "apparent_power_l1"),
    p("VAphB",   40,  Float32, One,      "VA",   "apparent_power_l2"),
    p("VAphC",   42,  Float32, One,      "VA",   "apparent_power_l3"),
    p("VAR",     44,  Float32, One,      "var",  "reactive_power"),
    p("VARphA",  46,  Float32, One,      "var",  "reactive_power_l1"),
    p("VARphB",  48,  Float32, One,      "var",  "reactive_power_l2"),
    p("VARphC",  50,  Float32, One,      "var",  "reactive_power_l3"),
    p("PF",      52,  Float32, One,      "",     "power_factor"),
    p("PFphA",   54,  Float32, One,      "",     "power_factor_l1"),
    p("PFphB",   56,  Float32, One,      "",     "power_factor_l2"),
    p("PFphC",   58,  Float32, One,      "",     "power_factor_l3"),
    p("TotWhExp",60,  Float32, One,      "Wh",   "energy_export"),
    p("TotWhImp",68,  Float32, One,      "Wh",   "energy_import"),
];

/// Model 307.
#[rustfmt::skip]
const WEATHER: &[Point] = &[
    p("TmpAmb",  2,   Int16,   Tens(-1), "degC", "temp"),
    p("RH",      3,   Int16,   One,      "%",    "humidity"),
    p("Pres",    4,   Int16,   One,      "hPa",  "pressure"),
    p("WndSpd",  5,   Int16,   One,      "m/s",  "wind"),
];

/// Model 308.
#[rustfmt::skip]
const SMALL_WEATHER: &[Point] = &[
    p("GHI",     2,   Uint16,  One,      "W/m2", "ghi"),
    p("TmpBOM",  3,   Int16,   Tens(-1), "degC", "temp_module"),
    p("TmpAmb",  4,   Int16,   Tens(-1), "degC", "temp"),
    p("WndSpd",  5,   Uint16,  One,      "m/s",  "wind"),
];

/// Model 701: alternating current of a distributed energy resource.
#[rustfmt::skip]
const DER_AC: &[Point] = &[
    p("InvSt",   4,   Enum16,  One,      "",     "status"),
    p("W",       10,  Int16,   By(116),  "W",    "power"),
    p("VA",      11,  Int16,   By(118),  "VA",   "apparent_power"),
    p("Var",     12,  Int16,   By(119),  "var",  "reactive_power"),
    p("PF",      13,  Int16,   By(117),  "",     "power_factor"),
    p("Hz",      17,  Uint32,  By(115),  "Hz",   "frequency"),
    p("TotWhInj",19,  Uint64,  By(120),  "Wh",   "energy_export"),
    p("TotWhAbs",23,  Uint64,  By(120),  "Wh",   "energy_import"),
    p("TmpCab",  36,  Int16,   By(122),  "degC", "temp_cabinet"),
    p("WL1",     41,  Int16,   By(116),  "W",    "power_l1"),
    p("VAL1",    42,  Int16,   By(118),  "VA",   "apparent_power_l1"),
    p("VarL1",   43,  Int16,   By(119),  "var",  "reactive_power_l1"),
    p("PFL1",    44,  Int16,   By(117),  "",     "power_factor_l1"),
    p("AL1",     45,  Int16,   By(113),  "A",    "current_l1"),
    p("VL1L2",   46,  Uint16,  By(114),  "V",    "voltage_l12"),
    p("VL1",     47,  Uint16,  By(114),  "V",    "voltage_l1"),
    p("WL2",     64,  Int16,   By(116),  "W",    "power_l2"),
    p("VAL2",    65,  Int16,   By(118),  "VA",   "apparent_power_l2"),
    p("VarL2",   66,  Int16,   By(119),  "var",  "reactive_power_l2"),
    p("PFL2",    67,  Int16,   By(117),  "",     "power_factor_l2"),
    p("AL2",     68,  Int16,   By(113),  "A",    "current_l2"),
    p("VL2L3",   69,  Uint16,  By(114),  "V",    "voltage_l23"),
    p("VL2",     70,  Uint16,  By(114),  "V",    "voltage_l2"),
    p("WL3",     87,  Int16,   By(116),  "W",    "power_l3"),
    p("VAL3",    88,  Int16,   By(118),  "VA",   "apparent_power_l3"),
    p("VarL3",   89,  Int16,   By(119),  "var",  "reactive_power_l3"),
    p("PFL3",    90,  Int16,   By(117),  "",     "power_factor_l3"),
    p("AL3",     91,  Int16,   By(113),  "A",    "current_l3"),
    p("VL3L1",   92,  Uint16,  By(114),  "V",    "voltage_l31"),
    p("VL3",     93,  Uint16,  By(114),  "V",    "voltage_l3"),
];

/// Model 713.
#[rustfmt::skip]
const DER_STORAGE: &[Point] = &[
    p("SoC",     4,   Uint16,  By(8),    "%",    "soc"),
    p("SoH",     5,   Uint16,  By(8),    "%",    "soh"),
];

/// Model 714, the sums over its ports.
#[rustfmt::skip]
const DER_DC: &[Point] = &[
    p("DCA",     5,   Int16,   By(15),   "A",    "dc_current"),
    p("DCW",     6,   Int16,   By(17),   "W",    "dc_power"),
];

/// Model 802.
#[rustfmt::skip]
const BATTERY: &[Point] = &[
    p("SoC",     11,  Uint16,  By(56),   "%",    "soc"),
    p("SoH",     13,  Uint16,  By(58),   "%",    "soh"),
    p("State",   22,  Enum16,  One,      "",     "status"),
    p("V",       34,  Uint16,  By(59),   "V",    "dc_voltage"),
    p("A",       44,  Int16,   By(61),   "A",    "dc_current"),
    p("W",       47,  Int16,   By(63),   "W",    "power"),
];

/// Model 160: an input of an inverter, with its tracker.
const INPUTS: Group = Group {
    number_at: 8,
    first: 10,
    stride: 20,
    kind_at: None,
    points: &[p("DCW", 11, Uint16, By(4), "W", "dc_power")],
};

/// A port of model 714 that an electrical storage is behind.
pub const STORAGE_PORT: u16 = 1;

/// Model 714: a port for direct current. What it puts in counts as export.
#[rustfmt::skip]
const PORTS: Group = Group {
    number_at: 4,
    first: 20,
    stride: 25,
    kind_at: Some(0),
    points: &[
        p("DCW",     12, Int16,  By(17), "W",  "power"),
        p("DCWhInj", 13, Uint64, By(18), "Wh", "energy_export"),
        p("DCWhAbs", 17, Uint64, By(18), "Wh", "energy_import"),
    ],
};
