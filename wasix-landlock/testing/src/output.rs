//! The output of programs that a test runs, and of programs that test.

use std::path::Path;
use std::process::Output;
use std::{fs, io};

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

/// Writes a table of results, or compares the committed one with it.
///
/// # Errors
///
/// A file that can't be read or written, and a committed table that differs.
pub fn write_or_compare(path: &Path, text: &str, compare: bool) -> io::Result<()> {
    if !compare {
        return fs::write(path, text);
    }
    if fs::read_to_string(path)? == text {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let error = format!("{name} is not what this run gave:\n{text}");
    Err(io::Error::other(error))
}
