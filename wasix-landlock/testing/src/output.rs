//! The output of programs that a test runs.

use std::process::Output;

/// Standard output as text.
#[must_use]
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error as text.
#[must_use]
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks that a program succeeded.
///
/// # Panics
///
/// If the program failed, with its output.
#[track_caller]
pub fn assert_succeeds(output: &Output) {
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        stdout(output),
        stderr(output)
    );
}
