//! The program, run as a person would run it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod answers;
mod compare;
mod generated;
mod learn;
mod openssl;
mod package;
mod python;
mod run;
mod unenforced;

use std::path::Path;
use std::process::{Command, Output};

use wasix_landlock_testing::output::{assert_succeeds, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wasix-landlock");
const GUEST: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/guests/genrsa.wasm"
);
const COMPILERS: [&str; 2] = ["cranelift", "singlepass"];

/// One of the program's commands, to be run in `directory`.
fn command(directory: &Path, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .arg(name)
        .args(arguments)
        .current_dir(directory)
        .env_remove("WASIX_LANDLOCK")
        .env_remove("RUST_LOG");
    command
}

/// Runs one of the program's commands in `directory`, and returns what it printed.
fn in_directory(directory: &Path, name: &str, arguments: &[&str]) -> Output {
    command(directory, name, arguments).output().unwrap()
}

/// Has the guest try what `attempts` says.
fn probe(directory: &Path, grants: &[&str], attempts: &[&str]) -> Output {
    let arguments = [grants, &[GUEST, "probe"], attempts].concat();
    in_directory(directory, "run", &arguments)
}

/// The results of a probe, one an attempt.
#[track_caller]
fn results(output: &Output) -> Vec<bool> {
    assert_succeeds(output);
    stdout(output)
        .lines()
        .map(|line| line.split_once('\t').unwrap().1 == "ok")
        .collect()
}

fn json(output: &Output) -> serde_json::Value {
    let text = stdout(output);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", stderr(output)))
}
