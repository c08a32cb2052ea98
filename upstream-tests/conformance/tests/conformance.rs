//! All modules of the suite, with every compiler, against the committed table.
#![forbid(unsafe_code)]

use std::process::Command;

#[test]
fn the_table_is_what_a_run_gives() {
    let program = env!("CARGO_BIN_EXE_wasix-landlock-conformance");
    let output = Command::new(program).arg("--check").output();
    let output = output.expect("the harness starts");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
