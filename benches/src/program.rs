//! Programs of other workspaces: building them, and the samples that they print.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Builds the program `benches` of the workspace in `folder`, optimised, and returns where it is.
///
/// # Errors
/// If it can't be built.
pub fn build_program(folder: &Path, options: &[&str]) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--bin", "benches"])
        .args(["--message-format", "json"])
        .args(options)
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(
        output.status.success(),
        "can't build `benches` of {}: {}",
        folder.display(),
        output.status
    );
    let messages = String::from_utf8(output.stdout)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "benches")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo named no program")
}

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
/// What the file system says.
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
