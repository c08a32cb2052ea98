//! The kept cases and some generated ones, against the list of known differences.
#![forbid(unsafe_code)]

fn differential(arguments: &[&str]) {
    wasix_landlock_testing::succeeds(env!("CARGO_BIN_EXE_wasix-landlock-differential"), arguments);
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
