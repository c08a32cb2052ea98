//! Tests that can't run here. libtest has no word for it, so it must not look like success.

use std::io::{self, Write};

use crate::isolated;

/// The name of the file by which a child tells its parent.
const SKIPPED: &str = "wasix-landlock-testing skips: ";
/// The same for what it noted.
const NOTED: &str = "wasix-landlock-testing notes: ";

/// Says that a test is skipped and why. In a child, the parent passes it on.
pub fn skipped(reason: &str) {
    if isolated::is_child() {
        println!("\n{SKIPPED}{reason}");
    } else {
        let name = std::thread::current().name().unwrap_or("?").to_owned();
        write(&name, reason);
    }
}

/// Skips the test from anywhere in its body.
///
/// # Panics
///
/// Outside of [`isolated()`](crate::isolated()), where the test can't be left.
pub fn skip_from_anywhere(reason: &str) -> ! {
    assert!(isolated::is_child(), "only a child can be left: {reason}");
    skipped(reason);
    isolated::end_child()
}

/// Writes a line about a test that is worth keeping, such as what this kernel enforces. In a child,
/// the parent doesn't pass it on.
pub fn note(line: &str) {
    write_line(&format!("NOTE {line}"));
}

/// As [`note`], and in a child the parent passes it on.
pub fn note_from_anywhere(line: &str) {
    if isolated::is_child() {
        println!("\n{NOTED}{line}");
    } else {
        note(line);
    }
}

/// Returns from the test after [`skipped`].
#[macro_export]
macro_rules! skip {
    ($($reason:tt)+) => {{
        $crate::skipped(&format!($($reason)+));
        return;
    }};
}

/// Writes what a child has skipped and noted.
pub(crate) fn pass_on(name: &str, stdout: &str) {
    for line in stdout.lines().filter_map(|line| line.strip_prefix(NOTED)) {
        note(line);
    }
    for reason in stdout.lines().filter_map(|line| line.strip_prefix(SKIPPED)) {
        write(name, reason);
    }
}

fn write(name: &str, reason: &str) {
    write_line(&format!("SKIPPED {name}: {reason}"));
}

/// Writes a line that is seen, whether or not the test fails.
pub(crate) fn write_line(line: &str) {
    // libtest captures what is printed by macro, and shows it for failures only.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
