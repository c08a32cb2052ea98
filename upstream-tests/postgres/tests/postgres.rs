//! The short form, for whoever asks for it.
#![forbid(unsafe_code)]

/// Set to 1, has the test fetch PostgreSQL and compile it.
const ASKED: &str = "WASIX_LANDLOCK_POSTGRES";

#[test]
fn the_short_form_passes() {
    if std::env::var_os(ASKED).is_none_or(|value| value != "1") {
        wasix_landlock_testing::skip!(
            "PostgreSQL is fetched, and compiled for up to minutes; set {ASKED}=1, or run \
             `cargo run --release -p wasix-landlock-postgres -- --short`"
        );
    }
    let program = env!("CARGO_BIN_EXE_wasix-landlock-postgres");
    wasix_landlock_testing::succeeds(program, &["--short"]);
}
