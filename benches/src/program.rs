//! The samples that programs of other workspaces print.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Runs one process, and reads what it measured: the name of each operation and what it took. `progress` is told
/// how many there are so far.
///
/// # Errors
/// A process that fails, or that measured more or less than `expected`.
pub fn take_sample(
    mut command: Command,
    expected: usize,
    progress: impl Fn(usize),
) -> anyhow::Result<Vec<(String, f64)>> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start {command:?}"))?;
    let mut taken: Vec<(String, f64)> = Vec::new();
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        taken.push(serde_json::from_str(&line?)?);
        progress(taken.len());
    }
    let status = child.wait()?;
    ensure!(status.success(), "{command:?} failed: {status}");
    ensure!(
        taken.len() == expected,
        "a sample of {command:?} is not whole"
    );
    Ok(taken)
}

/// Empties a directory, but for the entry `kept`.
///
/// # Errors
/// An error of the file system.
pub fn empty(directory: &Path, kept: &str) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name() == kept {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
