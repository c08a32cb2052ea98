//! The small programs, and a few kills.
#![forbid(unsafe_code)]

fn programs(arguments: &[&str]) {
    wasix_landlock_testing::succeeds(env!("CARGO_BIN_EXE_wasix-landlock-programs"), arguments);
}

#[test]
fn small_programs_do_on_the_fork_what_they_do_on_wasmtime() {
    programs(&["--short"]);
}

#[test]
fn no_committed_row_is_lost_when_sqlite_is_killed() {
    programs(&["durability", "5"]);
}
