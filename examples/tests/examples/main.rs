//! The examples, run as a person would run them.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod custom_fs;
mod genrsa;
mod metrics;
mod multi_tenant;
mod plugin_host;
mod sandboxes;
mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use wasix_landlock_testing::output::{assert_succeeds, stderr, stdout};

/// An example's program, which cargo builds beside this test.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(name);
    assert!(program.exists(), "{} is missing", program.display());
    program
}

/// Runs an example in `directory` and returns what it printed.
fn in_directory(directory: &Path, name: &str, arguments: &[&str]) -> Output {
    Command::new(example(name))
        .args(arguments)
        .current_dir(directory)
        .env_remove("WASIX_LANDLOCK")
        .output()
        .unwrap()
}

const COMPILERS: [&str; 2] = ["cranelift", "singlepass"];
