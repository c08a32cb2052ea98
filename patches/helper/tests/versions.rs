//! Forks of other versions, which have the series of a base.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use wasix_landlock_fork::{SOURCE_VARIABLE, Series, release_profiles, source_digest};

mod common;
use common::{Folder, fails, forks, forks_program, git, git_is_missing, repository, succeeds};

/// A base with three patches, and a fork of another version.
struct Sample(Folder);

const PATCHES: [(&str, &str); 3] = [
    (
        "0001-first",
        "@@ -3,2 +3,4 @@\n line 3\n+one\n+two\n line 4\n",
    ),
    ("0002-second", "@@ -14,2 +14,1 @@\n line 12\n-line 13\n"),
    (
        "0003-third",
        "@@ -19,2 +19,3 @@\n line 18\n+last\n line 19\n",
    ),
];

fn manifest(more: &str) -> String {
    format!(
        "name = \"sample\"\nversion = \"1.0.0\"\ncrate-sha256 = \"\"\nsource-sha256 = \"\"\nupstream-commit = \"\"\n\
         upstream-path = \"\"\nrust-version = \"1.0\"\nlicense = \"MIT\"\n{more}"
    )
}

fn patch(hunks: &str) -> String {
    format!("Subject: one\n---\n--- a/src/lib.rs\n+++ b/src/lib.rs\n{hunks}")
}

/// The base's published file.
fn published() -> Vec<String> {
    (1..=20).map(|number| format!("line {number}\n")).collect()
}

impl Sample {
    /// `more` is the rest of the version's manifest.
    fn new(more: &str) -> Self {
        let sample = Self(Folder::new());
        for (name, hunks) in PATCHES {
            sample.0.write(&format!("base/{name}.patch"), patch(hunks));
        }
        sample.0.write(
            "base/series",
            PATCHES.map(|(name, _)| format!("{name}.patch\n")).concat(),
        );
        sample.0.write("base/fork.toml", manifest(""));
        sample.0.write(
            "version/fork.toml",
            manifest(&format!("base = \"../base\"\n{more}")),
        );
        sample
    }

    /// The lines that the fork makes of the published ones.
    fn patched(&self, fork: &str, published: &[String]) -> Result<Vec<String>, String> {
        let series = Series::load(&self.0.path(fork)).map_err(|error| error.to_string())?;
        self.0.write("source/src/lib.rs", published.concat());
        series
            .apply(&self.0.path("source"))
            .map_err(|error| error.to_string())?;
        let text = std::fs::read_to_string(self.0.path("source/src/lib.rs")).unwrap();
        Ok(text.split_inclusive('\n').map(str::to_owned).collect())
    }
}

/// The base's published file with three more lines behind the fifth, and without the sixteenth.
fn other() -> Vec<String> {
    let mut lines = published();
    lines.remove(15);
    lines.splice(5..5, ["a\n", "b\n", "c\n"].map(str::to_owned));
    lines
}

const MOVED: &str = "[[moved]]\nfile = \"src/lib.rs\"\nafter = 5\nby = 3\n\
                     [[moved]]\nfile = \"src/lib.rs\"\nafter = 16\nby = -1\n";

#[test]
fn a_series_fits_another_version_at_the_lines_that_its_manifest_names() {
    let sample = Sample::new(MOVED);
    let mut expected = sample.patched("base", &published()).unwrap();
    // The same change as between the published files, behind the two lines of the first patch.
    expected.retain(|line| line != "line 16\n");
    expected.splice(7..7, ["a\n", "b\n", "c\n"].map(str::to_owned));
    assert_eq!(sample.patched("version", &other()).unwrap(), expected);
    // Exactly there, and nowhere else.
    let error = Sample::new("").patched("version", &other()).unwrap_err();
    assert!(
        error.contains("0002-second.patch does not apply"),
        "{error}"
    );
}

#[test]
fn a_patch_in_the_versions_folder_takes_the_place_of_the_bases() {
    let sample = Sample::new(MOVED);
    // One line instead of two, by a name with another number: the base's series may have grown.
    let own = patch("@@ -3,2 +3,3 @@\n line 3\n+mine\n line 4\n");
    sample.0.write("version/0007-first.patch", &own);
    let lines = sample.patched("version", &other()).unwrap();
    assert_eq!(lines[2..5], ["line 3\n", "mine\n", "line 4\n"]);
    assert_eq!(
        lines[lines.len() - 3..],
        ["last\n", "line 19\n", "line 20\n"]
    );

    sample.0.write("version/0008-unknown.patch", &own);
    let error = sample.patched("version", &other()).unwrap_err();
    assert!(
        error.contains("never be applied") && error.contains("unknown"),
        "{error}"
    );
}

#[test]
fn a_version_can_do_without_a_patch() {
    let sample = Sample::new(&format!("without = [\"first\"]\n{MOVED}"));
    let lines = sample.patched("version", &other()).unwrap();
    assert!(!lines.contains(&"one\n".to_owned()));
    assert!(!lines.contains(&"line 13\n".to_owned()));
    assert_eq!(
        lines[lines.len() - 3..],
        ["last\n", "line 19\n", "line 20\n"]
    );

    let sample = Sample::new("without = [\"misspelt\"]\n");
    let error = sample.patched("version", &published()).unwrap_err();
    assert!(error.contains("misspelt"), "{error}");
}

#[test]
fn a_version_has_no_series_of_its_own() {
    let sample = Sample::new("");
    sample.patched("version", &published()).unwrap();
    sample.0.write("version/series", "");
    let error = sample.patched("version", &published()).unwrap_err();
    assert!(error.contains("none of its own"), "{error}");
}

/// A base and another version whose published files differ where the second patch applies.
struct Conflict(Sample);

impl Conflict {
    fn new() -> Self {
        let sample = Sample::new("");
        let mut other = published();
        other[11] = "line twelve\n".to_owned();
        for (fork, version, lines) in [("base", "1.0.0", published()), ("version", "1.1.0", other)]
        {
            let source = format!("sources/sample-{version}");
            let package = format!("[package]\nname = \"sample\"\nversion = \"{version}\"\n");
            sample.0.write(&format!("{source}/Cargo.toml"), &package);
            sample
                .0
                .write(&format!("{source}/src/lib.rs"), lines.concat());
            let digest = source_digest(&sample.0.path(&source)).unwrap();
            let base = if fork == "version" {
                "base = \"../base\"\n"
            } else {
                ""
            };
            let text = manifest(base).replace("1.0.0", version).replace(
                "source-sha256 = \"\"",
                &format!("source-sha256 = {digest:?}"),
            );
            sample.0.write(&format!("{fork}/fork.toml"), &text);
        }
        for (name, hunks) in PATCHES {
            let header = format!(
                "Subject: {}\nDescription: why\nOrigin: vendor\nForwarded: not-yet\nLast-Update: 2026-01-02\n\
                 Drop-When: never",
                &name[5..]
            );
            let text = patch(hunks).replace("Subject: one", &header);
            sample.0.write(&format!("base/{name}.patch"), &text);
        }
        Self(sample)
    }

    fn forks(&self, arguments: &[&str]) -> Command {
        let mut command = forks_program();
        command.env(SOURCE_VARIABLE, self.0.0.path("sources"));
        command.current_dir(self.0.0.path("")).args(arguments);
        command
    }
}

#[test]
fn a_patch_that_does_not_apply_is_resolved_in_git_and_saved_for_that_version_only() {
    if git_is_missing() {
        return;
    }
    let conflict = Conflict::new();
    let error = fails(&mut conflict.forks(&["check", "version"]));
    assert!(
        error.contains("0002-second.patch does not apply"),
        "{error}"
    );

    let said = succeeds(&mut conflict.forks(&["open", "version", "opened"]));
    assert!(said.contains("git rebase --continue"), "{said}");
    let opened = conflict.0.0.path("opened");
    let file = opened.join("src/lib.rs");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once("<<<<<<< ").unwrap();
    let (_, after) = rest.split_once(">>>>>>> ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    std::fs::write(&file, format!("{before}line twelve\n{after}")).unwrap();
    for arguments in [&["add", "--all"][..], &["rebase", "--continue"]] {
        let who = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@localhost",
            "-c",
            "core.editor=true",
        ];
        let output = git(&opened, &[&who[..], arguments].concat());
        assert!(output.status.success(), "{output:?}");
    }
    succeeds(&mut conflict.forks(&["save", "version", "opened"]));
    let folder = std::fs::read_dir(conflict.0.0.path("version")).unwrap();
    let mut names: Vec<_> = folder.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["0002-second.patch", "fork.toml"]);
    succeeds(&mut conflict.forks(&["check", "version"]));
    // The base's are as they were.
    succeeds(&mut conflict.forks(&["check", "base"]));
}

fn versions() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository().join("patches/versions")).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    folders.filter(|path| path.is_dir()).collect()
}

fn copy(from: &Path, to: &Path, keep: impl Fn(&str) -> bool) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_file() && keep(name) {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn what_is_committed_is_what_the_command_makes() {
    let copied = tempfile::tempdir().unwrap();
    let copy_of = |version: &Path| {
        let versions = copied.path().join("versions");
        versions.join(version.file_name().unwrap())
    };
    let bases = forks().map(|fork| {
        let to = copied.path().join(fork.file_name().unwrap());
        copy(&fork, &to, |name| name != "build.rs");
        to
    });
    assert!(versions().len() >= 2);
    for folder in versions() {
        let made = copy_of(&folder);
        for base in &bases {
            let name = base.file_name().unwrap();
            copy(&folder.join(name), &made.join(name), |name| {
                name != "Cargo.toml"
            });
        }
    }
    succeeds(forks_program().arg("renew").args(&bases));
    for folder in versions() {
        let made = copy_of(&folder);
        for base in &bases {
            for file in ["fork.toml", "Cargo.toml"] {
                let file = Path::new(base.file_name().unwrap()).join(file);
                let text = |folder: &Path| std::fs::read_to_string(folder.join(&file)).unwrap();
                assert_eq!(
                    text(&made),
                    text(&folder),
                    "{}",
                    folder.join(&file).display()
                );
            }
        }
    }
}

/// A dependency of the tests on another version would be passed over by the patch.
#[test]
fn the_tests_of_a_version_are_of_that_version() {
    for folder in versions() {
        let Ok(text) = std::fs::read_to_string(folder.join("tests/Cargo.toml")) else {
            continue;
        };
        let tests: toml::Table = text.parse().unwrap();
        let fork = std::fs::read_to_string(folder.join("wasmer-wasix/Cargo.toml")).unwrap();
        let fork: toml::Table = fork.parse().unwrap();
        let wasmer = fork["dependencies"]["wasmer"]["version"].as_str().unwrap();
        let own = format!("={}", fork["package"]["version"].as_str().unwrap());
        assert_eq!(
            tests["package"]["rust-version"],
            fork["package"]["rust-version"]
        );
        assert_eq!(
            tests["dependencies"]["wasmer"]["version"].as_str(),
            Some(wasmer)
        );
        for name in ["wasmer-wasix", "virtual-fs"] {
            assert_eq!(tests["dependencies"][name].as_str(), Some(&*own));
        }
    }
}

#[test]
fn other_workspaces_have_the_workspaces_profiles() {
    let repository = repository();
    for folder in ["shim", "shim/unpatched", "upstream-tests/baseline"] {
        let folder = repository.join(folder);
        let profiles = release_profiles(&repository, &folder.join("Cargo.lock")).unwrap();
        assert!(profiles.lines().count() > 10, "{profiles}");
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains(&profiles),
            "{} lacks this, by which all are built quickly and compared fairly:\n{profiles}",
            folder.join("Cargo.toml").display()
        );
    }
}
