//! Real programs from the registries: getting them, running them, and killing them at random.
//!
//! This library is compiled with the forks and, in the workspace `upstream-tests/baseline`, with Wasmer as published.
#![forbid(unsafe_code)]

mod build;
pub mod c;
mod circuit;
pub mod kill_at_random;
pub mod packages;
pub mod runner;
mod same_chance;

pub use build::build_program;
pub use circuit::netlist;
