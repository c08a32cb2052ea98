//! A library that is preloaded into programs that know nothing of these tests.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles the library that opens a forbidden file each time that the program prints, and returns its path in `folder`.
///
/// The environment variable `PROBE_FORBIDDEN` names the file. `PROBE_REPORT` names a file that is there, to which each open
/// adds a line: `opened`, or `refused, error N`.
///
/// # Errors
/// A missing or failing C compiler.
pub fn forbidden_open(folder: &Path) -> io::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("forbidden_open.c");
    let library = folder.join("forbidden_open.so");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([&library, &source])
        .status()
        .map_err(|error| io::Error::new(error.kind(), format!("can't start cc: {error}")))?;
    match status.success() {
        true => Ok(library),
        false => Err(io::Error::other(format!("{}: {status}", source.display()))),
    }
}
