//! The situations that take no other build, as far as this machine has them.

#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    process::Command,
};

#[test]
fn it_is_enforced_or_refused_in_processes_that_we_did_not_make() {
    let program = env!("CARGO_BIN_EXE_wasix-landlock-foreign");
    let output = Command::new(program).args(["--short", "--check"]).output();
    let output = output.expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    for line in errors.lines().filter(|line| line.starts_with("SKIPPED ")) {
        // libtest captures what is printed by macro, and shows it for failures only.
        let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
    }
    assert!(
        output.status.success(),
        "{}{errors}",
        String::from_utf8_lossy(&output.stdout)
    );
}
