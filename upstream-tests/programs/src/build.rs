//! Programs of other workspaces.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Builds the program `name` of the workspace in `folder`, optimised, and returns where it is.
///
/// # Errors
/// If it can't be built.
pub fn build_program(folder: &Path, name: &str, options: &[&str]) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--bin", name])
        .args(["--message-format", "json"])
        .args(options)
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(
        output.status.success(),
        "can't build `{name}` of {}: {}",
        folder.display(),
        output.status
    );
    let messages = String::from_utf8(output.stdout)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo named no program")
}
