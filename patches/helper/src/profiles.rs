//! The workspace's profiles, for builds of other workspaces in the same target directory.

use std::fs;
use std::io;
use std::path::Path;

const HEADER: &str = "[profile.release.package]";

/// Returns the part of a manifest that optimizes other people's crates as the workspace at `repository` does, as far as
/// they are in a lock file. A workspace that has this part as well shares what was compiled.
///
/// # Errors
/// A file can't be read, or the workspace's manifest has no such part.
pub fn release_profiles(repository: &Path, lock: &Path) -> io::Result<String> {
    let manifest = fs::read_to_string(repository.join("Cargo.toml"))?;
    let lock = fs::read_to_string(lock)?;
    let Some((_, part)) = manifest.split_once(HEADER) else {
        return Err(io::Error::other(
            "the workspace has no profiles of packages",
        ));
    };
    let lines = part
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    let is_of_others = |line: &&str| {
        let name = line.split(" = ").next().unwrap_or_default();
        !name.starts_with("wasix-landlock") && lock.contains(&format!("name = \"{name}\"\n"))
    };
    let lines: Vec<&str> = lines.filter(is_of_others).collect();
    Ok(format!("{HEADER}\n{}\n", lines.join("\n")))
}
