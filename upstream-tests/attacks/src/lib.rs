//! Attempts to leave what was granted, from inside a module, and what came of each.
//!
//! A case is text (`cases/`): what is granted, and what the module and the host do. Three programs run the
//! same cases: the fork as shipped, the fork without the user-space checks (`src/bin/kernel-alone.rs`, in a build
//! of its own, since cargo unifies features), and Wasmer as published (`upstream-tests/baseline`, a workspace of
//! its own). What is reached is not asked of the module or of the runtime: the directories
//! are compared with what they were, and everything that the module has seen is searched for what only
//! stands outside.
#![forbid(unsafe_code)]

pub mod case;
pub mod errno;
pub mod fuzz;
pub mod guest;
pub mod module;
pub mod program;
pub mod run;
pub mod swap;
pub mod tree;
pub mod worker;
