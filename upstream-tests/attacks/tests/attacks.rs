//! All cases against the committed tables, and a host that swaps what a module uses.
#![forbid(unsafe_code)]

use std::process::Command;

fn attacks(arguments: &[&str]) {
    let program = env!("CARGO_BIN_EXE_wasix-landlock-attacks");
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("the program starts");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_tables_are_what_a_run_gives() {
    attacks(&["--check"]);
}

#[test]
fn nothing_outside_is_reached_while_the_host_swaps() {
    attacks(&["swap", "20000"]);
}

#[test]
fn nothing_outside_is_reached_while_the_host_swaps_and_the_kernel_is_not_there() {
    attacks(&["swap", "20000", "off"]);
}

#[test]
fn calls_at_random_reach_nothing_outside_and_work_inside_as_without_the_kernel() {
    // From the same seed each time, so that it fails for a change and not by chance: what is new, a long run finds.
    attacks(&["fuzz", "25", "0"]);
}
