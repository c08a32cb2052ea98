//! Workers, each a process: what they reach, and how they end.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod artifacts;
mod common;
mod ends;
mod forks;
mod guests;
mod inherits;
mod limits;
mod parents;
mod pool;
mod ports;
mod taken_over;
mod tenants;
