//! The kernel enforces the preopens that a WASI builder records: in a process of its own, each test builds an
//! environment, and then asks the kernel as a runtime with a bug would, and the module's calls as well.
#![cfg(all(target_os = "linux", feature = "sys", feature = "host-fs"))]

#[macro_use]
extern crate wasix_landlock_testing;

#[macro_use]
mod common;

mod audit;
mod build_errors;
mod clocks;
mod current_directory;
mod denials;
mod directories;
mod early_wasi;
mod entry_points;
mod file_io;
mod file_names;
mod files;
mod host_answers;
mod host_errors;
mod instances;
mod kernel_denials;
mod learned_profile;
mod learning;
mod links;
mod listings;
mod mode;
mod no_openat2;
mod operator;
mod outside;
mod packages;
mod poster;
mod recorded;
mod runner;
mod runtime_paths;
mod second_build;
mod second_layer;
mod shared_files;
mod takeover;
mod unsaved_files;
mod unused_files;
mod waiting;
mod wrappers;
