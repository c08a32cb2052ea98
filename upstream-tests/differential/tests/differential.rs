//! The kept cases and some generated ones, against the list of known differences.
#![forbid(unsafe_code)]

use std::process::Command;

fn differential(arguments: &[&str]) {
    let program = env!("CARGO_BIN_EXE_wasix-landlock-differential");
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    // Open faults, and skipped cases with the reason.
    println!("{text}");
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_kept_cases_differ_as_the_list_says_and_no_more() {
    differential(&["cases"]);
}

#[test]
fn generated_sequences_differ_as_the_list_says_and_no_more() {
    // The same ones each time, so that the test fails for a change and not by chance: `fuzz` finds what is new.
    differential(&["seeds", "0", "200"]);
}
