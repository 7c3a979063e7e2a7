//! A scripted park, healthy and with one fault at a time.

mod day;
mod faults;
mod laws;
mod park;
mod script;
mod states;
mod table;
mod wiring;
