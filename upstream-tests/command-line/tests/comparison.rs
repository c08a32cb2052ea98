//! The comparison sees what it is there for. `wasmer` is a shell script here.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

fn compare(case: &str, upstream: &str, fork: &str) -> Output {
    let built = tempfile::tempdir().unwrap();
    for (name, script) in [("upstream", upstream), ("fork", fork)] {
        let bin = built.path().join("7.4.2").join(name).join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("wasmer"), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(bin.join("wasmer"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    Command::new(env!("CARGO_BIN_EXE_wasix-landlock-command-line"))
        .args(["--case", case, "--built"])
        .arg(built.path())
        .output()
        .unwrap()
}

#[track_caller]
fn assert_wrong(output: &Output, what: &str) {
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains(what), "{printed}");
}

#[test]
fn a_program_that_is_not_restricted_is_seen() {
    let output = compare("nothing mapped", "echo done", "echo done");
    assert_wrong(&output, r#"the forks: the forbidden open gave {"opened"}"#);
}

#[test]
fn a_program_that_is_never_asked_is_seen() {
    let output = compare("nothing mapped", "exit 0", "exit 0");
    assert_wrong(&output, "the forks: the forbidden open gave {}");
}

#[test]
fn what_differs_is_seen() {
    for other in [
        "echo other",
        "echo done; echo told >&2",
        "echo done; exit 3",
    ] {
        let output = compare("without WASI", "echo done", other);
        assert_wrong(&output, "with the forks: Outcome");
    }
    let output = compare("without WASI", "echo done", "echo done; echo more > file");
    assert_wrong(&output, "/work/file is not left the same");
}

#[test]
fn what_is_the_same_is_not_wrong() {
    let output = compare("without WASI", "echo done", "echo done");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(
        printed.contains("a module without WASI: as it must be"),
        "{printed}"
    );
}

#[test]
fn a_case_that_is_not_there_is_an_error() {
    assert_eq!(
        compare("nonsense", "exit 0", "exit 0").status.code(),
        Some(1)
    );
}
