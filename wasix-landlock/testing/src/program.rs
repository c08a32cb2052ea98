//! Programs of this repository, run by a test to their end.

use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::skip::write_line;

/// Runs a program, and passes on what it says it has skipped.
///
/// # Panics
///
/// If the program can't be started or fails, with its output.
#[track_caller]
pub fn succeeds(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("can't start {program}: {error}"));
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let lines = out.lines().chain(err.lines());
    for line in lines.filter(|line| line.starts_with("SKIPPED ")) {
        write_line(line);
    }
    println!("{out}");
    assert!(output.status.success(), "{out}{err}");
}

/// Waits for a child's end. A child that takes longer than `timeout` is killed, and has none.
///
/// # Errors
///
/// If the child can't be killed.
pub fn end_within(child: &mut Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let ended = wait(child, timeout);
    if ended.is_none() {
        child.kill()?;
        child.wait()?;
    }
    Ok(ended)
}

/// Waits for the child's end; `None` when it takes too long.
pub(crate) fn wait(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + timeout;
    while Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}
