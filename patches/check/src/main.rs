//! Checks lock files: exits with 0 if each one has the forks, with 1 if one hasn't, with 2 if one can't be read.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: wasix-landlock-check [CARGO_LOCK]...    the lock files, or the folders of them; else ./Cargo.lock";

fn main() -> ExitCode {
    let mut paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if paths
        .iter()
        .any(|path| path.to_string_lossy().starts_with('-'))
    {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    if paths.is_empty() {
        paths.push(PathBuf::from("Cargo.lock"));
    }
    let mut all = true;
    for mut path in paths {
        if path.is_dir() {
            path.push("Cargo.lock");
        }
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        let report = text
            .and_then(|text| wasix_landlock_check::check(&text).map_err(|error| error.to_string()));
        match report {
            Ok(report) => {
                print!("{}: {report}", path.display());
                all &= report.is_patched();
            }
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                return ExitCode::from(2);
            }
        }
    }
    if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
