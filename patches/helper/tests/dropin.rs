//! A user of the forks, with cargo: a small application outside the workspace, and two lines.
//!
//! The application is `tests/app`, with a lock file from before the lines. It is built in the workspace's
//! target directory and with the features of the workspace's examples, so that wasmer is compiled once.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tempfile::TempDir;
use wasix_landlock_fork::{SOURCE_VARIABLE, release_profiles};

mod common;
use common::{fails, forks_program, git, git_is_missing, has, repository, succeeds};

const FORKS: [&str; 2] = ["wasmer-wasix", "virtual-fs"];

/// A line that only compiles with the fork.
const NAMES_THE_FORK: &str = "\nconst _: &str = wasmer_wasix::landlock::FORK;\n";

/// One case at a time: each of them is a whole build, and they share a target directory.
fn alone() -> Case {
    static CASES: Mutex<()> = Mutex::new(());
    let guard = CASES.lock().unwrap_or_else(PoisonError::into_inner);
    Case {
        _guard: guard,
        began: Instant::now(),
    }
}

struct Case {
    _guard: MutexGuard<'static, ()>,
    began: Instant,
}

impl Drop for Case {
    fn drop(&mut self) {
        eprintln!("took {} s", self.began.elapsed().as_secs());
    }
}

/// Cargo's directory for what tests write, which is in the target directory.
fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("dropin")
        .join(name)
}

/// A cargo that doesn't know that another cargo runs this test.
fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    command
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .env_remove(SOURCE_VARIABLE);
    command
}

/// The application, in a place of its own.
struct App(TempDir);

impl App {
    /// As it is before anybody knows of the forks.
    fn unpatched() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/app");
        std::fs::create_dir(folder.path().join("src")).unwrap();
        for name in ["Cargo.toml", "Cargo.lock", "build.rs", "src/main.rs"] {
            std::fs::copy(template.join(name), folder.path().join(name)).unwrap();
        }
        let app = Self(folder);
        let profiles = release_profiles(&repository(), &template.join("Cargo.lock")).unwrap();
        app.append("Cargo.toml", &format!("\n{profiles}"));
        app
    }

    /// With a line for each of `forks`; `source` is the value for one of them.
    fn patched(forks: &[&str], source: impl Fn(&str) -> String) -> Self {
        let app = Self::unpatched();
        let lines: Vec<_> = forks
            .iter()
            .map(|fork| format!("{fork} = {}", source(fork)))
            .collect();
        app.append(
            "Cargo.toml",
            &format!("\n[patch.crates-io]\n{}\n", lines.join("\n")),
        );
        app
    }

    /// With both lines, by path.
    fn by_path(repository: &Path) -> Self {
        Self::patched(&FORKS, |fork| path_of(repository, fork))
    }

    fn append(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, before + text).unwrap();
    }

    fn build(&self) -> Command {
        let mut command = cargo(self.0.path());
        command.args(["build", "--release"]);
        command
    }

    /// Builds and runs it: `read` or `refused`.
    fn outcome(&self) -> String {
        succeeds(&mut self.build());
        let mut command = cargo(self.0.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WASIX_LANDLOCK") {
                command.env_remove(name);
            }
        }
        succeeds(command.args(["run", "--release", "--quiet"]))
    }
}

fn path_of(repository: &Path, fork: &str) -> String {
    format!("{{ path = {:?} }}", repository.join("patches").join(fork))
}

/// A copy of what is, or would be, committed. The place is the same each time, so that what was compiled
/// from it is known again.
fn copy_of_the_repository(name: &str) -> PathBuf {
    let copy = scratch(name);
    if copy.exists() {
        std::fs::remove_dir_all(&copy).unwrap();
    }
    let list = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let listed = String::from_utf8(git(&repository(), &list).stdout).unwrap();
    for name in listed.split_terminator('\0') {
        let (from, to) = (repository().join(name), copy.join(name));
        if from.is_file() {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&from, &to).unwrap();
        }
    }
    assert!(copy.join("patches/virtual-fs/fork.toml").exists());
    copy
}

/// Replaces `from` in a file, where it must be.
fn replace(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "no `{from}` in {}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// True if the check of lock files says so.
fn is_patched(app: &App) -> bool {
    let lock = std::fs::read_to_string(app.0.path().join("Cargo.lock")).unwrap();
    let report = wasix_landlock_check::check(&lock).unwrap();
    eprint!("{report}");
    report.is_patched()
}

#[test]
fn the_applications_lock_file_has_the_workspaces_versions() {
    let packages = |path: &Path| -> Vec<(String, String)> {
        let lock: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        let of = |package: &toml::Value, field: &str| package[field].as_str().unwrap().to_owned();
        let packages = lock["package"].as_array().unwrap().iter();
        packages
            .map(|p| (of(p, "name"), of(p, "version")))
            .collect()
    };
    let workspace = packages(&repository().join("Cargo.lock"));
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/app/Cargo.lock");
    for package in packages(&template) {
        assert!(
            package.0 == "dropin-app" || workspace.contains(&package),
            "{package:?} is not in the workspace's lock file: copy that one over {} and run `cargo metadata` \
             beside it",
            template.display()
        );
    }
}

/// The packages of a build, each with its features.
fn features(folder: &Path, arguments: &[&str]) -> BTreeSet<String> {
    let mut command = cargo(folder);
    command.args(["tree", "--locked", "--prefix", "none"]);
    let tree = succeeds(command.args(["--format", "{p} {f}"]).args(arguments));
    let package = |line: &str| line.trim_end_matches(" (*)").replace(" (proc-macro)", "");
    tree.lines().map(package).collect()
}

/// Otherwise each case here, or the baseline, compiles Wasmer again, for a quarter of an hour.
#[test]
fn other_workspaces_ask_for_the_workspaces_features() {
    let app = App::unpatched();
    has_the_workspaces_features(app.0.path());
    has_the_workspaces_features(&repository().join("upstream-tests/baseline"));
}

fn has_the_workspaces_features(folder: &Path) {
    let own = features(folder, &["--edges", "normal,build"]);
    let workspace = features(
        &repository(),
        &["--workspace", "--edges", "normal,build,dev"],
    );
    let is_forked = |package: &&String| {
        [
            "dropin-app ",
            "virtual-fs ",
            "wasix-landlock-baseline ",
            "wasmer-wasix ",
        ]
        .iter()
        .any(|name| package.starts_with(name))
    };
    let others: Vec<&String> = own
        .difference(&workspace)
        .filter(|package| !is_forked(package))
        .collect();
    assert!(
        others.is_empty(),
        "the workspace has no package with these features: {others:?}; ask for the workspace's in {}",
        folder.join("Cargo.toml").display()
    );
    assert!(own.len() > 300, "{own:?}");
}

#[test]
fn without_the_lines_the_application_reads_the_file() {
    let _case = alone();
    let app = App::unpatched();
    assert_eq!(app.outcome(), "read\n");
    assert!(!is_patched(&app));
}

#[test]
fn with_two_lines_by_path_it_is_refused() {
    let _case = alone();
    let app = App::by_path(&repository());
    app.append("src/main.rs", NAMES_THE_FORK);
    assert_eq!(app.outcome(), "refused\n");
    assert!(is_patched(&app));
}

#[test]
fn with_two_lines_by_git_it_is_refused() {
    if git_is_missing() {
        return;
    }
    let _case = alone();
    let repository = copy_of_the_repository("git");
    // The same contents are the same commit.
    let who = ["-c", "user.name=a", "-c", "user.email=a@localhost"];
    for arguments in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "--all"],
        &[
            &who[..],
            &[
                "commit",
                "--quiet",
                "--message=all",
                "--date=2026-01-01T00:00:00Z",
            ],
        ]
        .concat(),
    ] {
        let output = git(&repository, arguments);
        assert!(output.status.success(), "{output:?}");
    }
    let app = App::patched(&FORKS, |_| {
        format!(
            "{{ git = \"file://{}\", version = \"=0.704.2\" }}",
            repository.display()
        )
    });
    app.append("src/main.rs", NAMES_THE_FORK);
    assert_eq!(app.outcome(), "refused\n");
    assert!(is_patched(&app));
}

#[test]
fn with_one_line_the_build_says_which_one_is_missing() {
    let _case = alone();
    for (fork, other) in [(FORKS[0], FORKS[1]), (FORKS[1], FORKS[0])] {
        let app = App::patched(&[fork], |fork| path_of(&repository(), fork));
        let error = fails(&mut app.build());
        let advice = format!("add the line for `{other}` to [patch.crates-io]");
        has(
            &error,
            &[
                &advice,
                &format!("{fork} is patched for Landlock, but {other} is not"),
            ],
        );
        assert!(!is_patched(&app));
    }
}

/// Cargo only warns, and builds without the forks: these two are what notices.
#[test]
fn a_version_that_cargo_passes_over_is_noticed() {
    if git_is_missing() {
        return;
    }
    let _case = alone();
    let repository = copy_of_the_repository("other-version");
    for fork in FORKS {
        let manifest = repository.join("patches").join(fork).join("Cargo.toml");
        replace(
            &manifest,
            "\nversion = \"0.704.2\"",
            "\nversion = \"0.704.3\"",
        );
    }
    let app = App::by_path(&repository);
    let said = succeeds(cargo(app.0.path()).args(["metadata", "--format-version=1"]));
    has(&said, &["was not used in the crate graph"]);
    assert!(!is_patched(&app));

    app.append("src/main.rs", NAMES_THE_FORK);
    has(&fails(&mut app.build()), &["`landlock` in `wasmer_wasix`"]);
}

#[test]
fn a_damaged_patch_or_checksum_stops_the_build_and_is_named() {
    if git_is_missing() {
        return;
    }
    let _case = alone();
    let repository = copy_of_the_repository("damaged");
    let fork = repository.join("patches/virtual-fs");
    let series = std::fs::read_to_string(fork.join("series")).unwrap();
    let patch = series.lines().next().unwrap();
    let text = std::fs::read_to_string(fork.join(patch)).unwrap();
    let context = text.lines().skip_while(|line| !line.starts_with("@@ "));
    let context = context
        .filter(|line| line.starts_with(' '))
        .max_by_key(|line| line.len());
    let context = context.unwrap();
    replace(
        &fork.join(patch),
        &format!("\n{context}\n"),
        &format!("\n{context} damaged\n"),
    );
    let app = App::by_path(&repository);
    let error = fails(&mut app.build());
    has(
        &error,
        &[
            &format!("{patch} does not apply to src/"),
            "no patch was applied",
        ],
    );

    std::fs::write(fork.join(patch), text).unwrap();
    let key = "crate-sha256 = \"";
    let manifest = std::fs::read_to_string(fork.join("fork.toml")).unwrap();
    let (_, pinned) = manifest.split_once(key).unwrap();
    let wrong = if pinned.starts_with('0') { "1" } else { "0" };
    let pinned = format!("{key}{}", &pinned[..1]);
    replace(&fork.join("fork.toml"), &pinned, &format!("{key}{wrong}"));
    let error = fails(app.build().env("CARGO_NET_OFFLINE", "true"));
    has(
        &error,
        &[
            "virtual-fs-0.704.2.crate is not the published virtual-fs-0.704.2",
            "`crate-sha256`",
        ],
    );
}

/// The sources of both forks, as they were downloaded.
fn downloaded(home: &Path) -> Vec<PathBuf> {
    let registries = std::fs::read_dir(home.join("registry/cache")).unwrap();
    let folders = registries.map(|entry| entry.unwrap().path());
    folders
        .flat_map(|folder| FORKS.map(|fork| folder.join(format!("{fork}-0.704.2.crate"))))
        .filter(|path| path.exists())
        .collect()
}

/// Runs with a network only.
#[test]
fn cargo_downloads_the_sources_into_an_empty_home_and_they_serve_offline_from_then_on() {
    let home = tempfile::tempdir().unwrap();
    let check = || {
        let mut command = forks_program();
        command
            .arg("check")
            .args(common::forks())
            .env("CARGO_HOME", home.path());
        command
    };
    let error = fails(check().env("CARGO_NET_OFFLINE", "true"));
    has(
        &error,
        &["cargo could not get wasmer-wasix-0.704.2", SOURCE_VARIABLE],
    );
    succeeds(&mut check());
    assert_eq!(downloaded(home.path()).len(), 2);
    succeeds(check().env("CARGO_NET_OFFLINE", "true"));
}

#[test]
fn a_build_works_offline_from_cargos_cache_and_from_a_named_directory() {
    if git_is_missing() {
        return;
    }
    let _case = alone();
    let repository = copy_of_the_repository("offline");
    let app = App::by_path(&repository);
    // The lock file is brought up to date first: this is about the sources.
    succeeds(cargo(app.0.path()).args(["metadata", "--format-version=1"]));
    let offline = || {
        let mut command = app.build();
        command.arg("--locked").env("CARGO_NET_OFFLINE", "true");
        command
    };
    succeeds(&mut offline());

    // Now from a directory, with another program in cargo's place, so that it can't come from elsewhere.
    let home = tempfile::tempdir().unwrap();
    succeeds(
        forks_program()
            .arg("check")
            .args(common::forks())
            .env("CARGO_HOME", home.path()),
    );
    let sources = tempfile::tempdir().unwrap();
    let error = fails(offline().env(SOURCE_VARIABLE, sources.path()));
    has(&error, &[SOURCE_VARIABLE, "which holds neither"]);
    for archive in downloaded(home.path()) {
        std::fs::copy(&archive, sources.path().join(archive.file_name().unwrap())).unwrap();
    }
    succeeds(offline().env(SOURCE_VARIABLE, sources.path()));
}
