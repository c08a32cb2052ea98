//! All cases against the committed tables, and a host that swaps what a module uses.
#![forbid(unsafe_code)]

fn attacks(arguments: &[&str]) {
    wasix_landlock_testing::succeeds(env!("CARGO_BIN_EXE_wasix-landlock-attacks"), arguments);
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
