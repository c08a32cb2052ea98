//! Policies enforced for real, each in a process of its own, and checked by asking the kernel.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[macro_use]
extern crate wasix_landlock_testing;

mod common;
mod crew;

mod bad_input;
mod descriptors;
mod explain;
mod files;
mod foreign_numbers;
mod fuzz;
mod instance;
mod kernels;
mod logging;
mod mode;
mod network;
mod operator;
mod report;
mod rights;
mod second;
mod second_layer;
mod signals;
mod stress;
mod takeover;
mod threads;
