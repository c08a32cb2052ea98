//! The short form, for whoever asks for it.
#![forbid(unsafe_code)]

use std::process::Command;

/// Set to 1, has the test fetch PostgreSQL and compile it.
const ASKED: &str = "WASIX_LANDLOCK_POSTGRES";

#[test]
fn the_short_form_passes() {
    if std::env::var_os(ASKED).is_none_or(|value| value != "1") {
        println!(
            "SKIPPED PostgreSQL: it is fetched, and compiled for up to minutes; set {ASKED}=1, or run \
             `cargo run --release -p wasix-landlock-postgres -- --short`"
        );
        return;
    }
    let program = env!("CARGO_BIN_EXE_wasix-landlock-postgres");
    let output = Command::new(program).arg("--short").output();
    let output = output.expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
