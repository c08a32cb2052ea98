//! The attacks on the fork without its user-space checks: with the kernel, and, to show that it is the kernel
//! that holds them, without. Writes the files in `kernel-alone/`, or, with `--check`, compares them.
#![forbid(unsafe_code)]

// As shipped.
#[path = "../enforced.rs"]
mod enforced;

use std::path::Path;
use std::process::ExitCode;

use wasix_landlock_attacks::program::{self, ATTACKS, Column, SELFTESTS, Suite};
use wasix_landlock_attacks::worker::Way;

const COLUMNS: [Column; 2] = [
    Column {
        name: "nothing",
        enforced: false,
        planted: true,
    },
    Column {
        name: "kernel alone",
        enforced: true,
        planted: true,
    },
];

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernel-alone");
    // The selftests say what a kernel has to do.
    let suites: [(Suite, &[Column]); 2] = [(ATTACKS, &COLUMNS), (SELFTESTS, &COLUMNS[1..])];
    program::main(&enforced::FORK, |arguments| {
        program::to_lines(&suites, arguments, &Way::ALL, &folder)
    })
}
