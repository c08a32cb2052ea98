//! The programs, and what each has to do.

mod clang;
mod cpython;
mod openssl;
mod sqlite;
mod yowasp;

use std::path::PathBuf;

use crate::column::{Column, Place};
use crate::steps::Step;

pub use sqlite::module as sqlite_module;

/// A program from a registry.
pub struct Program {
    pub name: &'static str,
    /// The origin, for the table.
    pub package: &'static str,
    /// True if all of the program's steps take seconds.
    pub small: bool,
    /// The reason why wasmtime can't run the program, if there is one.
    pub not_on_wasmtime: Option<&'static str>,
    /// Gets what it consists of.
    pub get: fn() -> anyhow::Result<Vec<PathBuf>>,
    /// Runs its steps. The paths are what `get` returned.
    pub steps: fn(&Place<'_>, &[PathBuf]) -> anyhow::Result<Vec<Step>>,
}

impl Program {
    /// The reason why a runtime can't run the program, if there is one.
    pub fn not_on(&self, column: &Column) -> Option<&'static str> {
        match column {
            Column::Wasmtime(_) => self.not_on_wasmtime,
            _ => None,
        }
    }
}

/// All programs.
pub const PROGRAMS: [Program; 6] = [
    openssl::PROGRAM,
    sqlite::PROGRAM,
    cpython::PROGRAM,
    yowasp::YOSYS,
    yowasp::NEXTPNR,
    clang::PROGRAM,
];
