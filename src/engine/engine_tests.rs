//! The engine over time: a meter unplugged, a restart, a day.
