//! Real programs from the registries: getting them, running them, and killing them at random.
#![forbid(unsafe_code)]

pub mod kill_at_random;
