#![doc = include_str!("../docs/architecture.md")]

pub mod domain;

pub mod wire;

pub mod engine;

pub mod store;
pub mod sys;

pub mod broker;
pub mod simulate;
pub mod sink;
pub mod source;
pub mod web;

pub mod report;

pub mod config;

pub mod app;
pub mod cli;
