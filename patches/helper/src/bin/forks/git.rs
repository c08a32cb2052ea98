//! Runs git.

use std::path::Path;
use std::process::Command;

use crate::Result;

/// Settings of a user that would get in the way. The attributes could convert line ends.
const SETTINGS: [&str; 8] = [
    "core.autocrlf=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.hooksPath=/dev/null",
    "core.fileMode=false",
    "commit.gpgSign=false",
    "diff.orderFile=/dev/null",
    "diff.suppressBlankEmpty=false",
];

/// Runs git in the repository `directory`, and returns what it printed.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> Result<String> {
    run(directory, arguments, |_| {})
}

/// The same with nothing of a user's configuration.
pub(crate) fn git_unconfigured(directory: &Path, arguments: &[&str]) -> Result<String> {
    run(directory, arguments, |command| {
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    })
}

fn run(directory: &Path, arguments: &[&str], prepare: impl Fn(&mut Command)) -> Result<String> {
    let mut command = Command::new("git");
    // A git hook's variables would lead to the repository that the hook belongs to, and so would looking
    // for one in the folders above.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    let directory = std::path::absolute(directory)?;
    if let Some(above) = directory.parent() {
        command.env("GIT_CEILING_DIRECTORIES", above.canonicalize()?);
    }
    prepare(&mut command);
    command.arg("-C").arg(&directory);
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    let output = command
        .args(arguments)
        .output()
        .map_err(|error| format!("git can't be run: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("git {}: {said}", arguments.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
