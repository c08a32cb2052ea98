//! A server with many sandboxes, unchanged, with and without the operator's variables.

use std::path::Path;
use std::process::{Command, Output};

use crate::{assert_succeeds, example, stderr, stdout};

const SANDBOXES: &str = "20";

fn run(directory: &Path, variable: Option<(&str, &str)>) -> Output {
    let mut command = Command::new(example("sandboxes"));
    command
        .args(["--sandboxes", SANDBOXES, "--seconds", "3", "--directory"])
        .arg(directory)
        .env_remove("WASIX_LANDLOCK")
        .env_remove("WASIX_LANDLOCK_RESERVE")
        .env_remove("WASIX_LANDLOCK_SCOPE");
    if let Some((name, value)) = variable {
        command.env(name, value);
    }
    command.output().unwrap()
}

/// Returns the numbers of the line that begins with this word.
fn numbers(printed: &str, word: &str) -> Vec<usize> {
    let line = printed.lines().find(|line| line.starts_with(word)).unwrap();
    line.split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// Threads and descriptors are as many after as before, and the program got as far as its own files.
#[track_caller]
fn assert_nothing_is_left(printed: &str) {
    let (before, after) = (numbers(printed, "before"), numbers(printed, "after"));
    assert!(after[0] <= before[0], "{printed}");
    assert!(after[1] <= before[1], "{printed}");
    assert!(numbers(printed, "sandboxes")[0] >= 4 * 20, "{printed}");
}

#[test]
fn no_instance_reaches_another_s_files() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), Some(("WASIX_LANDLOCK_SCOPE", "instance")));
    assert_succeeds(&output);
    let printed = stdout(&output);
    assert_nothing_is_left(&printed);
    assert_eq!(numbers(&printed, "crossings"), [0, 0], "{printed}");
}

#[test]
fn a_reserve_leaves_it_to_the_wasi_layer_to_part_the_sandboxes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let output = run(directory.path(), Some(("WASIX_LANDLOCK_RESERVE", path)));
    assert_succeeds(&output);
    let printed = stdout(&output);
    assert_nothing_is_left(&printed);
    let crossings = numbers(&printed, "crossings");
    assert!(crossings[0] == 0 && crossings[1] > 0, "{printed}");
}

#[test]
fn without_either_the_error_names_both() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let output = run(&path, None);
    assert!(!output.status.success());
    let error = stderr(&output);
    let reserve = format!("WASIX_LANDLOCK_RESERVE={} ", path.display());
    assert!(error.contains(&reserve), "{error}");
    assert!(error.contains("WASIX_LANDLOCK_SCOPE=instance "), "{error}");
}
