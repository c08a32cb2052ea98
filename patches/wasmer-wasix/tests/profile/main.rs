//! The grants of a profile, and the limits that end a module.
#![cfg(all(target_os = "linux", feature = "sys", feature = "host-fs"))]

#[macro_use]
extern crate wasix_landlock_testing;

#[macro_use]
mod common;

mod builder;
mod given;
mod groups;
mod limits;
mod threads;
