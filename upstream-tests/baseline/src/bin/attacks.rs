//! The attacks on Wasmer as published. Writes `attacks.txt`, or, with `--check`, compares it.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use wasix_landlock_attacks::program::{self, ATTACKS, Column};
use wasix_landlock_attacks::worker::{Fork, Way};

const FORK: Fork = Fork {
    preopen: None,
    insist: |builder, _| Ok(builder),
};

const COLUMN: Column = Column {
    name: "upstream",
    enforced: false,
    planted: false,
};

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ways = [Way::Runner, Way::Mounts, Way::HostTree];
    program::main(&FORK, |arguments| {
        program::to_lines(&[(ATTACKS, &[COLUMN])], arguments, &ways, folder)
    })
}
