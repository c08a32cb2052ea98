//! The tests' shared parts.
#![allow(dead_code, reason = "each test program uses its part of this")]
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Says that this machine has no git.
pub const WITHOUT_GIT: &str = "WASIX_LANDLOCK_TESTS_WITHOUT_GIT";

/// A folder with files, which goes when it is dropped.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, makes the folders that it is in, and returns its path.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        path
    }
}

/// The repository that this package is in.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"))
        .canonicalize()
        .unwrap();
    here.ancestors().nth(2).unwrap().to_owned()
}

/// The folders of the two forks.
pub fn forks() -> [PathBuf; 2] {
    ["wasmer-wasix", "virtual-fs"].map(|name| repository().join("patches").join(name))
}

/// The folder of the fork that only the shim uses.
pub fn shim_s_fork() -> PathBuf {
    repository().join("patches/containerd-shimkit")
}

/// True if git can't be run. That is a failure, unless it was said before that there is none.
pub fn git_is_missing() -> bool {
    let missing = Command::new("git").arg("--version").output().is_err();
    if missing {
        assert!(
            std::env::var_os(WITHOUT_GIT).is_some(),
            "git can't be run, and this test needs it: install it, or set {WITHOUT_GIT} to skip the test"
        );
        eprintln!("skipped: git can't be run, and {WITHOUT_GIT} is set");
    }
    missing
}

/// Runs git in `folder` with nothing of a user's configuration.
pub fn git(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("git")
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(arguments)
        .output()
        .unwrap()
}

/// The difference between the folders `a` and `b` in `folder`.
pub fn git_difference(folder: &Path, context: &str) -> String {
    let arguments = [
        "diff",
        "--no-index",
        "--no-prefix",
        "--text",
        "--no-color",
        context,
        "a",
        "b",
    ];
    let output = git(folder, &arguments);
    assert!(
        output.status.code().is_some_and(|code| code < 2),
        "{output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The `forks` program, with nothing that says where a source is.
pub fn forks_program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forks"));
    command.env_remove(wasix_landlock_fork::SOURCE_VARIABLE);
    command
}

/// Everything that a program said, if it ended well.
#[track_caller]
pub fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = said(&output);
    assert!(
        output.status.success(),
        "{command:?}: {}: {said}",
        output.status
    );
    said
}

/// Everything that a program said, if it ended with an error.
#[track_caller]
pub fn fails(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = said(&output);
    assert!(!output.status.success(), "{command:?} succeeded: {said}");
    said
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Panics unless `text` has each of `pieces` in it.
#[track_caller]
pub fn has(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "no `{piece}` in: {text}");
    }
}
