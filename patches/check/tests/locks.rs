//! Lock files as cargo makes them, from projects with and without the lines.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use wasix_landlock_check::{CRATES, Finding, Reason, Report, Status, VERSIONS, check};

/// The version that the application's lock file has.
const LOCKED: &str = "0.704.2";

fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"))
        .canonicalize()
        .unwrap();
    here.ancestors().nth(2).unwrap().to_owned()
}

/// An application with a lock file from before anybody knew of the forks.
struct App(TempDir);

impl App {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let template = repository().join("patches/helper/tests/app");
        std::fs::create_dir(folder.path().join("src")).unwrap();
        for name in ["Cargo.toml", "Cargo.lock", "src/main.rs"] {
            std::fs::copy(template.join(name), folder.path().join(name)).unwrap();
        }
        Self(folder)
    }

    fn append(&self, text: &str) {
        let path = self.0.path().join("Cargo.toml");
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{before}\n{text}\n")).unwrap();
    }

    /// A line for each of the crates.
    fn patch(&self, line: impl Fn(&str) -> String) {
        let lines = CRATES.map(|name| format!("{name} = {{ {} }}", line(name)));
        self.append(&format!("[patch.crates-io]\n{}", lines.join("\n")));
    }

    /// Has cargo bring the lock file up to date, and returns it; or what cargo said.
    fn lock(&self) -> Result<String, String> {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--quiet", "--format-version=1"])
            .current_dir(self.0.path())
            .output()
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8(output.stderr).unwrap());
        }
        Ok(std::fs::read_to_string(self.0.path().join("Cargo.lock")).unwrap())
    }

    fn report(&self) -> Report {
        check(&self.lock().unwrap()).unwrap()
    }
}

fn path_of(folder: &str, name: &str) -> String {
    format!("path = {:?}", repository().join(folder).join(name))
}

fn folder_of(version: &str) -> &'static str {
    let mut versions = VERSIONS.iter();
    versions.find(|(offered, _)| *offered == version).unwrap().1
}

fn reasons(report: &Report) -> Vec<(&str, Option<&str>, &Reason)> {
    let not = report.findings.iter().filter_map(|finding| match finding {
        Finding {
            name,
            version,
            status: Status::NotPatched(reason),
        } => Some((*name, version.as_deref(), reason)),
        _ => None,
    });
    not.collect()
}

#[test]
fn both_by_path_are_patched() {
    let app = App::new();
    app.patch(|name| path_of(folder_of(LOCKED), name));
    let report = app.report();
    assert!(report.is_patched(), "{report}");
    assert!(report.lines().is_empty());
    assert!(
        report
            .to_string()
            .contains("wasmer-wasix 0.704.2: patched, from a path")
    );
}

/// A repository with all files that are committed, or would be.
fn copy_in_git() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let git = |folder: &Path, arguments: &[&str]| {
        let mut command = Command::new("git");
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .current_dir(folder)
            .args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    for name in git(&repository(), &listed).split_terminator('\0') {
        let (from, to) = (repository().join(name), copy.path().join(name));
        if from.is_file() {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
        }
    }
    git(copy.path(), &["init", "--quiet", "--initial-branch=main"]);
    git(copy.path(), &["add", "--all"]);
    let who = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@localhost",
        "commit",
        "--quiet",
        "--message=all",
    ];
    git(copy.path(), &who);
    copy
}

#[test]
fn both_by_git_are_patched_and_one_repository_has_several_versions() {
    let copy = copy_in_git();
    let git = format!("git = \"file://{}\"", copy.path().display());
    let app = App::new();
    app.patch(|_| format!("{git}, version = \"={LOCKED}\""));
    let report = app.report();
    assert!(report.is_patched(), "{report}");
    assert!(report.to_string().contains("patched, from git+file://"));

    // Cargo itself refuses a line that doesn't say which one.
    let app = App::new();
    app.patch(|_| git.clone());
    assert!(app.lock().unwrap_err().contains("more than one candidate"));

    // For another version it only warns.
    let app = App::new();
    app.patch(|_| format!("{git}, version = \"=0.705.0\""));
    let report = app.report();
    let patches = vec!["0.705.0".to_owned()];
    let other = Reason::OtherVersion { patches };
    let expected = CRATES.map(|name| (name, Some(LOCKED), &other));
    assert_eq!(reasons(&report), expected);
    assert!(!report.is_patched());
    // The lines are right as they stand.
    let app = App::new();
    app.append(&format!("[patch.crates-io]\n{}", report.lines().join("\n")));
    assert!(app.report().is_patched());
}

#[test]
fn a_patch_by_path_for_another_version_is_unused() {
    let app = App::new();
    app.patch(|name| path_of(folder_of("0.705.0"), name));
    let report = app.report();
    let patches = vec!["0.705.0".to_owned()];
    let other = Reason::OtherVersion { patches };
    assert_eq!(
        reasons(&report),
        CRATES.map(|name| (name, Some(LOCKED), &other))
    );
    let text = report.to_string();
    for part in [
        "NOT patched",
        "not patched because the patch is for 0.705.0",
        "virtual-fs = { git = \"URL OF THE REPOSITORY\", version = \"=0.704.2\" }",
        "path = \"…/patches/wasmer-wasix\"",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}

#[test]
fn without_lines_nothing_is_patched_and_with_one_line_half_is() {
    let app = App::new();
    let report = app.report();
    assert_eq!(
        reasons(&report),
        CRATES.map(|name| (name, Some(LOCKED), &Reason::NoLine))
    );

    let line = format!(
        "virtual-fs = {{ {} }}",
        path_of(folder_of(LOCKED), "virtual-fs")
    );
    app.append(&format!("[patch.crates-io]\n{line}"));
    let report = app.report();
    assert_eq!(
        reasons(&report),
        [("wasmer-wasix", Some(LOCKED), &Reason::NoLine)]
    );
    assert!(!report.is_patched());
}

#[test]
fn a_project_without_wasmer_is_not_patched() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    std::fs::write(folder.path().join("src/lib.rs"), "").unwrap();
    let manifest =
        "[package]\nname = \"none\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    let report = App(folder).report();
    assert_eq!(
        reasons(&report),
        CRATES.map(|name| (name, None, &Reason::Absent))
    );
    assert!(report.lines().is_empty());
}

/// Runs with a network only: the application's lock file doesn't have the other version. Cargo takes two versions of
/// Wasmer if their major numbers differ.
#[test]
fn each_of_several_versions_has_to_be_patched() {
    let app = App::new();
    app.append("[dependencies.older]\npackage = \"wasmer-wasix\"\nversion = \"=0.600.1\"");
    app.patch(|name| path_of(folder_of(LOCKED), name));
    let lock = match app.lock() {
        Ok(lock) => lock,
        Err(error) => {
            let unreachable = ["download", "resolve host", "network", "offline"];
            assert!(
                unreachable.iter().any(|word| error.contains(word)),
                "{error}"
            );
            println!(
                "SKIPPED each_of_several_versions_has_to_be_patched: cargo can't get wasmer-wasix 0.600.1"
            );
            return;
        }
    };
    let report = check(&lock).unwrap();
    assert_eq!(report.findings.len(), 4, "{report}");
    let none = Reason::NoFork {
        patches: Vec::new(),
    };
    assert_eq!(
        reasons(&report),
        CRATES.map(|name| (name, Some("0.600.1"), &none)),
        "{report}"
    );
    assert!(!report.is_patched());
}

#[test]
fn what_is_not_ours_or_has_no_fork_is_named() {
    let lock = |source: &str, version: &str| {
        let entry =
            |name| format!("[[package]]\nname = {name:?}\nversion = {version:?}\n{source}\n");
        check(&CRATES.map(entry).concat()).unwrap()
    };
    let report = lock("", LOCKED);
    assert_eq!(
        reasons(&report),
        CRATES.map(|name| (name, Some(LOCKED), &Reason::AnotherFork { source: None }))
    );

    let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let report = lock(registry, "0.704.1").to_string();
    assert!(
        report.contains("0.704.1 has no fork, but 0.704.2 has: `cargo update"),
        "{report}"
    );
    let report = lock(registry, "0.600.1").to_string();
    assert!(report.contains("raise the requirements"), "{report}");
    check("no lock file").unwrap_err();
}

#[test]
fn the_program_exits_with_the_answer() {
    let app = App::new();
    let run = |path: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_wasix-landlock-check"))
            .arg(path)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, text) = run(app.0.path());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("Cargo.lock: NOT patched"), "{text}");
    app.patch(|name| path_of(folder_of(LOCKED), name));
    app.lock().unwrap();
    assert_eq!(run(&app.0.path().join("Cargo.lock")).0, Some(0));
    assert_eq!(run(Path::new("/nowhere")).0, Some(2));
}
