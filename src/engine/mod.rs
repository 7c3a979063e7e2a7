//! Stub.

pub mod book;
