//! All modules of the suite, with every compiler, against the committed table.
#![forbid(unsafe_code)]

#[test]
fn the_table_is_what_a_run_gives() {
    let program = env!("CARGO_BIN_EXE_wasix-landlock-conformance");
    wasix_landlock_testing::succeeds(program, &["--check"]);
}
