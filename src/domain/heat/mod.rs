//! Heat as physics: properties of fluids and heat from flow and temperatures.

pub mod water;
