//! The fork as shipped, with and without the kernel, and the table of all columns.
#![forbid(unsafe_code)]

mod enforced;
mod table;

use std::process::ExitCode;

use wasix_landlock_attacks::program;

fn main() -> ExitCode {
    program::main(&enforced::FORK, table::run)
}
