//! Grants on the command line.

mod flag;
mod given;
mod mapping;

pub use flag::flag;
pub use given::{Given, Leads};
