//! A process for each request, without anything that restricts it.

use std::process::{Command, Stdio};

use anyhow::ensure;

/// Runs a program, and returns what it printed.
///
/// # Errors
/// A program that can't be started, or that fails.
pub fn output_of(mut command: Command) -> anyhow::Result<Vec<u8>> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    Ok(output.stdout)
}
