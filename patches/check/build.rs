//! Collects the versions that this repository has forks of, so that there is no list to keep.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let patches = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut forks: Vec<(PathBuf, String)> = vec![(patches.clone(), "patches".to_owned())];
    let versions = patches.join("versions");
    println!("cargo::rerun-if-changed={}", versions.display());
    for entry in fs::read_dir(&versions)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            forks.push((entry.path(), format!("patches/versions/{name}")));
        }
    }
    let mut found = Vec::new();
    for (path, folder) in forks {
        let manifest = path.join("wasmer-wasix/fork.toml");
        println!("cargo::rerun-if-changed={}", manifest.display());
        let text = fs::read_to_string(manifest)?;
        let mut lines = text.lines();
        let version = lines.find_map(|line| line.strip_prefix("version = "));
        let version = version.ok_or("a fork.toml without a version")?;
        found.push(format!("({version}, {folder:?})"));
    }
    found.sort();
    let out = std::env::var("OUT_DIR")?;
    let list = format!("&[{}]", found.join(", "));
    fs::write(Path::new(&out).join("versions.rs"), list)?;
    Ok(())
}
