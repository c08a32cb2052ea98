//! The small programs, and a few kills.
#![forbid(unsafe_code)]

use std::process::Command;

fn programs(arguments: &[&str]) {
    let program = env!("CARGO_BIN_EXE_wasix-landlock-programs");
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines().filter(|line| line.starts_with("SKIPPED")) {
        wasix_landlock_testing::note(line);
    }
    println!("{text}");
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn small_programs_do_on_the_fork_what_they_do_on_wasmtime() {
    programs(&["--short"]);
}

#[test]
fn no_committed_row_is_lost_when_sqlite_is_killed() {
    programs(&["durability", "5"]);
}
