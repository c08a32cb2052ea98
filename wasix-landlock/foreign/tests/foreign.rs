//! The situations that take no other build, as far as this machine has them.

#![forbid(unsafe_code)]

#[test]
fn it_is_enforced_or_refused_in_processes_that_we_did_not_make() {
    let program = env!("CARGO_BIN_EXE_wasix-landlock-foreign");
    wasix_landlock_testing::succeeds(program, &["--short", "--check"]);
}
