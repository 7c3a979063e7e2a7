//! Every mapping there is. Its facts are the systems' own documentation.

use super::{Fields, Key, Mapped, Mapping, NOTHING};
use crate::wire::mqtt::moment::Format;

const fn key(name: &'static str, example: &'static str) -> Key {
    Key {
        name,
        example,
        default: None,
    }
}

const fn known(name: &'static str, default: &'static str) -> Key {
    Key {
        name,
        example: default,
        default: Some(default),
    }
}

type Heard = &'static [(&'static str, &'static [&'static str])];

/// What every device of the kind has.
const fn usual(quantity: &'static str, unit: &'static str, heard: Heard) -> Mapped {
    Mapped {
        quantity,
        unit,
        scale: 1.0,
        heard,
        usual: true,
    }
}

/// What some have: named in `only`.
const fn seldom(quantity: &'static str, unit: &'static str, heard: Heard) -> Mapped {
    Mapped {
        quantity,
        unit,
        scale: 1.0,
        heard,
        usual: false,
    }
}

/// The other direction is positive there.
const fn turned(quantity: &'static str, unit: &'static str, heard: Heard) -> Mapped {
    Mapped {
        quantity,
        unit,
        scale: -1.0,
        heard,
        usual: true,
    }
}

/// Every mapping, those of one system together.
#[rustfmt::skip]
pub(in super::super) const MAPPINGS: &[Mapping] = &[
    // Scalars on single-phase meters, lists by phase on others.
    Mapping {
        name: "tasmota",
        keys: &[key("device", "pump1")],
        points: &[
            usual("power", "W", &[("tele/{device}/SENSOR", &["/ENERGY/Power/*"])]),
            usual("energy_import", "kWh", &[("tele/{device}/SENSOR", &["/ENERGY/Total/*"])]),
            usual("voltage_l1", "V", &[("tele/{device}/SENSOR", &["/ENERGY/Voltage/0", "/ENERGY/Voltage"])]),
            usual("current_l1", "A", &[("tele/{device}/SENSOR", &["/ENERGY/Current/0", "/ENERGY/Current"])]),
            seldom("energy_export", "kWh", &[("tele/{device}/SENSOR", &["/ENERGY/ExportActive/*"])]),
            seldom("power_l1", "W", &[("tele/{device}/SENSOR", &["/ENERGY/Power/0", "/ENERGY/Power"])]),
            seldom("power_l2", "W", &[("tele/{device}/SENSOR", &["/ENERGY/Power/1"])]),
            seldom("power_l3", "W", &[("tele/{device}/SENSOR", &["/ENERGY/Power/2"])]),
            seldom("voltage_l2", "V", &[("tele/{device}/SENSOR", &["/ENERGY/Voltage/1"])]),
            seldom("voltage_l3", "V", &[("tele/{device}/SENSOR", &["/ENERGY/Voltage/2"])]),
            seldom("current_l2", "A", &[("tele/{device}/SENSOR", &["/ENERGY/Current/1"])]),
            seldom("current_l3", "A", &[("tele/{device}/SENSOR", &["/ENERGY/Current/2"])]),
            seldom("power_factor", "", &[("tele/{device}/SENSOR", &["/ENERGY/Factor"])]),
            seldom("frequency", "Hz", &[("tele/{device}/SENSOR", &["/ENERGY/Frequency"])]),
        ],
        presence: &[("tele/{device}/LWT", None, "Online", "Offline")],
        ..NOTHING
    },
    // A temperature in Fahrenheit is none here.
    Mapping {
        name: "tasmota-probe",
        keys: &[key("device", "tank"), known("probe", "DS18B20")],
        points: &[usual("temp", "degC", &[("tele/{device}/SENSOR", &["/{probe}/Temperature"])])],
        presence: &[("tele/{device}/LWT", None, "Online", "Offline")],
        well: Some(("/TempUnit", &["C"])),
        ..NOTHING
    },
    // `energy` there counts watt-minutes since the start and is no register.
    Mapping {
        name: "shelly-gen1",
        keys: &[key("device", "shellyem3-A4CF12345678"), known("phase", "0")],
        points: &[
            usual("power", "W", &[("shellies/{device}/emeter/{phase}/power", &[])]),
            usual("energy_import", "Wh", &[("shellies/{device}/emeter/{phase}/total", &[])]),
            usual("energy_export", "Wh", &[("shellies/{device}/emeter/{phase}/total_returned", &[])]),
            usual("voltage_l1", "V", &[("shellies/{device}/emeter/{phase}/voltage", &[])]),
            seldom("current_l1", "A", &[("shellies/{device}/emeter/{phase}/current", &[])]),
            seldom("power_factor", "", &[("shellies/{device}/emeter/{phase}/pf", &[])]),
        ],
        presence: &[("shellies/{device}/online", None, "true", "false")],
        ..NOTHING
    },
    // Notifications name the component and leave out what did not change; status
    // topics, where they are enabled, say all of one component.
    Mapping {
        name: "shelly-gen2",
        kind: Some(("component", "em:")),
        keys: &[key("device", "shellypro3em-a0b1c2d3e4f5"), known("component", "em:0")],
        points: &[
            usual("power", "W", &[("{device}/events/rpc", &["/params/em:{n}/total_act_power"]), ("{device}/status/em:{n}", &["/total_act_power"])]),
            usual("energy_import", "Wh", &[("{device}/events/rpc", &["/params/emdata:{n}/total_act"]), ("{device}/status/emdata:{n}", &["/total_act"])]),
            usual("energy_export", "Wh", &[("{device}/events/rpc", &["/params/emdata:{n}/total_act_ret"]), ("{device}/status/emdata:{n}", &["/total_act_ret"])]),
            usual("power_l1", "W", &[("{device}/events/rpc", &["/params/em:{n}/a_act_power"]), ("{device}/status/em:{n}", &["/a_act_power"])]),
            usual("power_l2", "W", &[("{device}/events/rpc", &["/params/em:{n}/b_act_power"]), ("{device}/status/em:{n}", &["/b_act_power"])]),
            usual("power_l3", "W", &[("{device}/events/rpc", &["/params/em:{n}/c_act_power"]), ("{device}/status/em:{n}", &["/c_act_power"])]),
            usual("voltage_l1", "V", &[("{device}/events/rpc", &["/params/em:{n}/a_voltage"]), ("{device}/status/em:{n}", &["/a_voltage"])]),
            usual("voltage_l2", "V", &[("{device}/events/rpc", &["/params/em:{n}/b_voltage"]), ("{device}/status/em:{n}", &["/b_voltage"])]),
            usual("voltage_l3", "V", &[("{device}/events/rpc", &["/params/em:{n}/c_voltage"]), ("{device}/status/em:{n}", &["/c_voltage"])]),
            usual("current_l1", "A", &[("{device}/events/rpc", &["/params/em:{n}/a_current"]), ("{device}/status/em:{n}", &["/a_current"])]),
            usual("current_l2", "A", &[("{device}/events/rpc", &["/params/em:{n}/b_current"]), ("{device}/status/em:{n}", &["/b_current"])]),
            usual("current_l3", "A", &[("{device}/events/rpc", &["/params/em:{n}/c_current"]), ("{device}/status/em:{n}", &["/c_current"])]),
            seldom("frequency", "Hz", &[("{device}/events/rpc", &["/params/em:{n}/a_freq"]), ("{device}/status/em:{n}", &["/a_freq"])]),
        ],
        ..GEN2
    },
    Mapping {
        name: "shelly-gen2",
        kind: Some(("component", "switch:")),
        keys: &[key("device", "shellypro1pm-a0b1c2"), known("component", "em:0")],
        points: &[
            usual("power", "W", &[("{device}/events/rpc", &["/params/switch:{n}/apower"]), ("{device}/status/switch:{n}", &["/apower"])]),
            usual("energy_import", "Wh", &[("{device}/events/rpc", &["/params/switch:{n}/aenergy/total"]), ("{device}/status/switch:{n}", &["/aenergy/total"])]),
            usual("voltage_l1", "V", &[("{device}/events/rpc", &["/params/switch:{n}/voltage"]), ("{device}/status/switch:{n}", &["/voltage"])]),
            usual("current_l1", "A", &[("{device}/events/rpc", &["/params/switch:{n}/current"]), ("{device}/status/switch:{n}", &["/current"])]),
            seldom("power_factor", "", &[("{device}/events/rpc", &["/params/switch:{n}/pf"]), ("{device}/status/switch:{n}", &["/pf"])]),
            seldom("frequency", "Hz", &[("{device}/events/rpc", &["/params/switch:{n}/freq"]), ("{device}/status/switch:{n}", &["/freq"])]),
        ],
        ..GEN2
    },
    // The unit of energy is kWh; a friendly name may hold slashes.
    Mapping {
        name: "zigbee2mqtt",
        keys: &[key("device", "pump-plug"), known("base", "zigbee2mqtt")],
        points: &[
            usual("power", "W", &[("{base}/{device}", &["/power"])]),
            usual("energy_import", "kWh", &[("{base}/{device}", &["/energy"])]),
            seldom("voltage_l1", "V", &[("{base}/{device}", &["/voltage"])]),
            seldom("current_l1", "A", &[("{base}/{device}", &["/current"])]),
            seldom("temp", "degC", &[("{base}/{device}", &["/temperature"])]),
            seldom("humidity", "%", &[("{base}/{device}", &["/humidity"])]),
        ],
        presence: &[
            ("{base}/{device}/availability", Some("/state"), "online", "offline"),
            ("{base}/bridge/state", Some("/state"), "online", "offline"),
        ],
        partial: true,
        ..NOTHING
    },
    // Field names are those of the driver; a meter that complains says no number.
    Mapping {
        name: "wmbusmeters",
        kind: Some(("driver", "kamheat")),
        keys: WMBUS_KEYS,
        points: &[
            usual("heat_energy", "kWh", &[("{base}/{device}", &["/total_energy_consumption_kwh"])]),
            usual("volume", "m3", &[("{base}/{device}", &["/total_volume_m3"])]),
            usual("flow", "m3/h", &[("{base}/{device}", &["/volume_flow_m3h"])]),
            usual("temp_supply", "degC", &[("{base}/{device}", &["/t1_temperature_c"])]),
            usual("temp_return", "degC", &[("{base}/{device}", &["/t2_temperature_c"])]),
        ],
        ..WMBUS
    },
    Mapping {
        name: "wmbusmeters",
        kind: Some(("driver", "ultraheat")),
        keys: WMBUS_KEYS,
        points: &[
            usual("heat_energy", "kWh", &[("{base}/{device}", &["/heat_kwh"])]),
            usual("heat_power", "kW", &[("{base}/{device}", &["/power_kw"])]),
            usual("volume", "m3", &[("{base}/{device}", &["/volume_m3"])]),
            usual("flow", "m3/h", &[("{base}/{device}", &["/flow_m3h"])]),
            usual("temp_supply", "degC", &[("{base}/{device}", &["/flow_c"])]),
            usual("temp_return", "degC", &[("{base}/{device}", &["/return_c"])]),
        ],
        ..WMBUS
    },
    Mapping {
        name: "wmbusmeters",
        kind: Some(("driver", "c5isf")),
        keys: WMBUS_KEYS,
        points: &[
            usual("heat_energy", "kWh", &[("{base}/{device}", &["/total_energy_consumption_kwh"])]),
            usual("heat_power", "kW", &[("{base}/{device}", &["/power_kw"])]),
            usual("volume", "m3", &[("{base}/{device}", &["/total_volume_m3"])]),
            usual("flow", "m3/h", &[("{base}/{device}", &["/volume_flow_m3h"])]),
            usual("temp_supply", "degC", &[("{base}/{device}", &["/flow_temperature_c"])]),
            usual("temp_return", "degC", &[("{base}/{device}", &["/return_temperature_c"])]),
        ],
        ..WMBUS
    },
    Mapping {
        name: "victron",
        kind: Some(("service", "grid/")),
        keys: VICTRON_KEYS,
        points: &[
            usual("power", "W", &[("N/{portal}/{service}/Ac/Power", &["/value"])]),
            usual("energy_import", "kWh", &[("N/{portal}/{service}/Ac/Energy/Forward", &["/value"])]),
            usual("energy_export", "kWh", &[("N/{portal}/{service}/Ac/Energy/Reverse", &["/value"])]),
            usual("power_l1", "W", &[("N/{portal}/{service}/Ac/L1/Power", &["/value"])]),
            seldom("power_l2", "W", &[("N/{portal}/{service}/Ac/L2/Power", &["/value"])]),
            seldom("power_l3", "W", &[("N/{portal}/{service}/Ac/L3/Power", &["/value"])]),
            seldom("voltage_l1", "V", &[("N/{portal}/{service}/Ac/L1/Voltage", &["/value"])]),
            seldom("current_l1", "A", &[("N/{portal}/{service}/Ac/L1/Current", &["/value"])]),
        ],
        ..VICTRON
    },
    Mapping {
        name: "victron",
        kind: Some(("service", "pvinverter/")),
        keys: VICTRON_KEYS,
        points: &[
            usual("power", "W", &[("N/{portal}/{service}/Ac/Power", &["/value"])]),
            usual("energy", "kWh", &[("N/{portal}/{service}/Ac/Energy/Forward", &["/value"])]),
        ],
        ..VICTRON
    },
    // Charging is positive there, discharge is here.
    Mapping {
        name: "victron",
        kind: Some(("service", "battery/")),
        keys: VICTRON_KEYS,
        points: &[
            turned("power", "W", &[("N/{portal}/{service}/Dc/0/Power", &["/value"])]),
            usual("soc", "%", &[("N/{portal}/{service}/Soc", &["/value"])]),
        ],
        ..VICTRON
    },
    Mapping {
        name: "victron",
        kind: Some(("service", "system/")),
        keys: VICTRON_KEYS,
        points: &[
            turned("power", "W", &[("N/{portal}/{service}/Dc/Battery/Power", &["/value"])]),
            usual("soc", "%", &[("N/{portal}/{service}/Dc/Battery/Soc", &["/value"])]),
        ],
        ..VICTRON
    },
    Mapping {
        name: "esphome",
        keys: &[key("device", "boiler-room")],
        fields: Some(Fields { topic: "{device}/sensor/{field}/state", places: &[], errors: &[] }),
        presence: &[("{device}/status", None, "online", "offline")],
        ..NOTHING
    },
    // One topic for all groups, in two formats; a tag that failed is in its errors.
    Mapping {
        name: "neuron",
        keys: &[key("device", "mqtt1"), known("topic", "/neuron/{device}"), known("node", ""), known("group", "")],
        fields: Some(Fields {
            topic: "{topic}",
            places: &["/values/{field}", "/tags[name={field}]/value"],
            errors: &["/errors/{field}", "/tags[name={field}]/error"],
        }),
        only: &[("/node", "node"), ("/group", "group")],
        clock: Some(("/timestamp", Format::UnixMillis)),
        partial: true,
        ..NOTHING
    },
    // `object` is there where the device profile has a codec. A frame that several
    // gateways heard comes once or twice under one identity.
    Mapping {
        name: "chirpstack",
        keys: &[key("device", "a84041ffff123456"), known("application", "+")],
        fields: Some(Fields {
            topic: "application/{application}/device/{device}/event/up",
            places: &["/object/{field}"],
            errors: &[],
        }),
        clock: Some(("/time", Format::Rfc3339)),
        identity: Some("/deduplicationId"),
        partial: true,
        ..NOTHING
    },
    // Its topics are those of the node, and its points name their metrics.
    Mapping {
        name: "sparkplug",
        keys: &[key("group", "park"), key("edge", "edge1"), known("device", "")],
        ..NOTHING
    },
];

const GEN2: Mapping = Mapping {
    presence: &[("{device}/online", None, "true", "false")],
    clock: Some(("/params/ts", Format::UnixSeconds)),
    partial: true,
    ..NOTHING
};

const WMBUS_KEYS: &[Key] = &[
    key("device", "72345678"),
    key("driver", "kamheat"),
    known("base", "wmbusmeters"),
];

const WMBUS: Mapping = Mapping {
    only: &[("/meter", "driver")],
    well: Some(("/status", &["OK"])),
    clock: Some(("/timestamp", Format::Rfc3339)),
    ..NOTHING
};

const VICTRON_KEYS: &[Key] = &[key("portal", "c0619ab1234c"), key("service", "grid/30")];

const VICTRON: Mapping = Mapping {
    keep_talking: Some("R/{portal}/keepalive"),
    ..NOTHING
};
