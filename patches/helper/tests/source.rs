//! The places in which the source is looked for, in their order; only the published source is taken.
//!
//! The crate here is made up, so that each place can hold it or a wrong one.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};
use wasix_landlock_fork::{SOURCE_VARIABLE, source_digest};

mod common;
use common::{Folder, fails, forks_program, has, succeeds};

const FILES: [(&str, &str); 5] = [
    (
        "Cargo.toml",
        "[package]\nname = \"sample\"\nversion = \"1.0.0\"\n[dependencies.other]\nversion = \"2.0.0\"\n",
    ),
    ("src/lib.rs", "//! A sample.\npub fn one() {}\n"),
    ("src/deep/two.rs", "pub fn two() {}\n"),
    ("tests/three.rs", "#[test]\nfn three() {}\n"),
    ("tests/.gitignore", "*.out\n"),
];

/// A project with a fork of `sample` 1.0.0 in it, and an empty home and cargo home. The published crate is
/// in none of the places where it is looked for.
struct Project {
    folder: Folder,
    archive: Vec<u8>,
}

impl Project {
    fn new() -> Self {
        let folder = Folder::new();
        let archive = archive(&FILES);
        unpack(&folder.path("published"), &FILES);
        let project = Self { folder, archive };
        project.write_fork(
            &hex(&Sha256::digest(&project.archive)),
            &source_digest(&project.folder.path("published")).unwrap(),
        );
        for home in ["home", "cargo-home"] {
            std::fs::create_dir(project.folder.path(home)).unwrap();
        }
        project
    }

    fn write_fork(&self, crate_sha256: &str, source_sha256: &str) {
        let put = |name, text: &str| {
            let name = format!("project/forks/sample/{name}");
            self.folder.write(&name, text);
        };
        let manifest = format!(
            "name = \"sample\"\nversion = \"1.0.0\"\ncrate-sha256 = \"{crate_sha256}\"\n\
             source-sha256 = \"{source_sha256}\"\nupstream-commit = \"0\"\nupstream-path = \"lib\"\n\
             rust-version = \"1.95\"\nlicense = \"MIT\"\n"
        );
        put("fork.toml", &manifest);
        put("series", "0001-a.patch\n");
        let patch = "Subject: a\nDescription: a\nOrigin: vendor\nForwarded: no\nLast-Update: 2026-01-01\n\
                     Drop-When: never\n---\n--- a/src/deep/two.rs\n+++ b/src/deep/two.rs\n\
                     @@ -1 +1 @@\n-pub fn two() {}\n+pub fn zwei() {}\n";
        put("0001-a.patch", patch);
    }

    /// `forks check` of the fork, offline; it gets the source and applies the series.
    fn check(&self) -> Command {
        let mut command = forks_program();
        command
            .arg("check")
            .arg(self.folder.path("project/forks/sample"))
            .env("HOME", self.folder.path("home"))
            .env("CARGO_HOME", self.folder.path("cargo-home"))
            .env("CARGO_NET_OFFLINE", "true");
        command
    }

    /// The same with the variable.
    fn check_with(&self, directory: &str) -> Command {
        let mut command = self.check();
        command.env(SOURCE_VARIABLE, self.folder.path(directory));
        command
    }
}

const DONE: &str = "1 patches apply exactly";
const CACHED: &str = "cargo-home/registry/cache/registry-0123/sample-1.0.0.crate";

fn unpack(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        let path = format!("sample-1.0.0/{name}");
        archive
            .append_data(&mut header, path, text.as_bytes())
            .unwrap();
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&archive.into_inner().unwrap()).unwrap();
    packed.finish().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn without_any_source_the_error_says_what_to_do() {
    let project = Project::new();
    let error = fails(&mut project.check());
    has(
        &error,
        &[
            "cargo could not get sample-1.0.0 (`cargo info` ended with exit status: 101: error:",
            "go online once, or put the published sample-1.0.0.crate into the project's `vendor` directory",
            SOURCE_VARIABLE,
        ],
    );
    let error = fails(project.check().env("CARGO", "/nowhere/cargo"));
    has(
        &error,
        &["cargo could not get sample-1.0.0 (`cargo info` can't be run"],
    );
}

#[test]
fn the_variable_names_a_directory_with_the_packed_crate() {
    let project = Project::new();
    project
        .folder
        .write("sources/sample-1.0.0.crate", &project.archive);
    has(&succeeds(&mut project.check_with("sources")), &[DONE]);
}

#[test]
fn the_variable_names_a_directory_with_the_unpacked_crate() {
    for name in ["sample-1.0.0", "sample"] {
        let project = Project::new();
        unpack(&project.folder.path("sources").join(name), &FILES);
        has(&succeeds(&mut project.check_with("sources")), &[DONE]);
    }
}

/// `cargo vendor` drops git's files and adds its own.
#[test]
fn a_copy_that_cargo_vendored_is_the_published_one() {
    let project = Project::new();
    unpack(&project.folder.path("sources/sample"), &FILES[..4]);
    project
        .folder
        .write("sources/sample/.cargo-checksum.json", b"{}");
    has(&succeeds(&mut project.check_with("sources")), &[DONE]);
}

#[test]
fn a_directory_without_the_crate_is_named() {
    let project = Project::new();
    // All other places have it; but it was said where to look.
    project.folder.write(CACHED, &project.archive);
    project
        .folder
        .write("project/vendor/sample-1.0.0.crate", &project.archive);
    std::fs::create_dir(project.folder.path("sources")).unwrap();
    let missing = [
        SOURCE_VARIABLE,
        "/sources, which holds neither sample-1.0.0.crate nor a folder sample-1.0.0",
        "unset the variable to let cargo get it",
    ];
    has(&fails(&mut project.check_with("sources")), &missing);

    // Neither another version, of which a dependency happens to have the number, nor the fork itself.
    let other = [(
        "Cargo.toml",
        "[package]\nname = \"sample\"\nversion = \"1.0.1\"\n[dependencies.a]\nversion = \"1.0.0\"\n",
    )];
    unpack(&project.folder.path("sources/sample"), &FILES);
    unpack(&project.folder.path("sources/sample"), &other);
    has(&fails(&mut project.check_with("sources")), &missing);
    unpack(&project.folder.path("sources/sample"), &FILES);
    project.folder.write("sources/sample/fork.toml", b"");
    has(&fails(&mut project.check_with("sources")), &missing);

    let error = fails(project.check().env(SOURCE_VARIABLE, "sources"));
    has(
        &error,
        &[SOURCE_VARIABLE, "`sources`", "it must be an absolute path"],
    );
}

#[test]
fn a_packed_crate_with_another_checksum_is_refused() {
    let project = Project::new();
    let mut wrong = project.archive.clone();
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    project.folder.write("sources/sample-1.0.0.crate", &wrong);
    let expected = hex(&Sha256::digest(&project.archive));
    let error = fails(&mut project.check_with("sources"));
    has(
        &error,
        &[
            "/sources/sample-1.0.0.crate is not the published sample-1.0.0",
            &format!("its SHA-256 is {}", hex(&Sha256::digest(&wrong))),
            &format!("expected {expected} (`crate-sha256` in the fork's fork.toml)"),
            "remove it and build again",
        ],
    );
    // The manifest can be the wrong one as well.
    project
        .folder
        .write("sources/sample-1.0.0.crate", &project.archive);
    succeeds(&mut project.check_with("sources"));
    project.write_fork(&"0".repeat(64), &"0".repeat(64));
    has(
        &fails(&mut project.check_with("sources")),
        &["`crate-sha256`"],
    );
}

#[test]
fn an_unpacked_crate_that_differs_in_anything_is_refused() {
    let changes: [(&str, &str); 4] = [
        ("src/lib.rs", "//! A sample!\npub fn one() {}\n"),
        ("src/deep/two.rs", ""),
        ("src/deep/four.rs", ""),
        ("tests/three.rs", "#[test]\nfn three() {} \n"),
    ];
    for change in changes {
        let project = Project::new();
        unpack(&project.folder.path("sources/sample"), &FILES);
        unpack(&project.folder.path("sources/sample"), &[change]);
        let error = fails(&mut project.check_with("sources"));
        has(
            &error,
            &[
                "/sources/sample is not the published sample-1.0.0",
                "`source-sha256`",
            ],
        );
    }
    let project = Project::new();
    unpack(&project.folder.path("sources/sample"), &FILES[..3]);
    let error = fails(&mut project.check_with("sources"));
    has(
        &error,
        &["/sources/sample is not the published sample-1.0.0"],
    );
}

/// The digest goes by paths too: moving text from one file to the next is a change.
#[test]
fn the_digest_tells_files_apart() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, files: &[(&str, &str)]| {
        unpack(&folder.path().join(name), files);
        source_digest(&folder.path().join(name)).unwrap()
    };
    let digests = [
        of("1", &[("src/a", "xy"), ("src/b", "")]),
        of("2", &[("src/a", "x"), ("src/b", "y")]),
        of("3", &[("src/a", "xy")]),
        of("4", &[("src/c", "xy"), ("src/b", "")]),
        of("5", &[("tests/a", "xy"), ("tests/b", "")]),
    ];
    let different: std::collections::BTreeSet<_> = digests.iter().collect();
    assert_eq!(different.len(), digests.len());
    assert_eq!(
        digests[0],
        of("6", &[("src/b", ""), ("src/a", "xy"), ("Cargo.toml", "")])
    );
}

#[test]
fn a_vendor_directory_above_the_fork_is_used_before_cargos_cache() {
    for vendor in ["project/vendor", "vendor", "project/forks/vendor"] {
        let project = Project::new();
        project
            .folder
            .write(&format!("{vendor}/sample-1.0.0.crate"), &project.archive);
        project.folder.write(CACHED, b"wrong");
        has(&succeeds(&mut project.check()), &[DONE]);
    }
    let project = Project::new();
    unpack(&project.folder.path("project/vendor/sample"), &FILES);
    has(&succeeds(&mut project.check()), &[DONE]);
    project
        .folder
        .write("project/vendor/sample/src/lib.rs", b"changed");
    project.folder.write(CACHED, &project.archive);
    let error = fails(&mut project.check());
    has(
        &error,
        &["project/vendor/sample is not the published sample-1.0.0"],
    );
}

#[test]
fn cargos_cache_is_used_offline_from_whichever_registry() {
    let project = Project::new();
    project.folder.write(CACHED, &project.archive);
    has(&succeeds(&mut project.check()), &[DONE]);
    // Another registry may have another crate of that name and version.
    for other in ["a-first", "z-last"] {
        let path = format!("cargo-home/registry/cache/{other}/sample-1.0.0.crate");
        project.folder.write(&path, b"another crate");
        has(&succeeds(&mut project.check()), &[DONE]);
    }
    project.folder.write(CACHED, b"wrong");
    let error = fails(&mut project.check());
    has(
        &error,
        &["sample-1.0.0.crate is not the published sample-1.0.0"],
    );
}

#[test]
fn without_a_cargo_home_it_is_the_one_in_the_home_directory() {
    let project = Project::new();
    project.folder.write(
        "home/.cargo/registry/cache/registry-0123/sample-1.0.0.crate",
        &project.archive,
    );
    has(&succeeds(project.check().env_remove("CARGO_HOME")), &[DONE]);
    has(&succeeds(project.check().env("CARGO_HOME", "")), &[DONE]);
    has(
        &succeeds(project.check().env("CARGO_HOME", "relative")),
        &[DONE],
    );
    fails(&mut project.check());
}

/// A stand-in for cargo, which puts the crate where cargo does and says how it was called.
#[cfg(unix)]
#[test]
fn at_last_the_cargo_of_the_build_downloads_it() {
    use std::os::unix::fs::PermissionsExt;

    let project = Project::new();
    let published = project.folder.write("published.crate", &project.archive);
    let program = project.folder.write(
        "cargo",
        format!(
            "#!/bin/sh\n\
             echo \"$@\" > {0}/called\n\
             test -f Cargo.toml || exit 9\n\
             mkdir -p \"$CARGO_HOME/registry/cache/r\"\n\
             cp {1} \"$CARGO_HOME/registry/cache/r/sample-1.0.0.crate\"\n",
            project.folder.path("").display(),
            published.display()
        )
        .as_bytes(),
    );
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    // A wrong one in the cache is no reason not to ask.
    project.folder.write(CACHED, b"being written just now");
    has(&succeeds(project.check().env("CARGO", &program)), &[DONE]);
    let called = std::fs::read_to_string(project.folder.path("called")).unwrap();
    has(&called, &["info", "--registry=crates-io", "sample@1.0.0"]);
}

#[test]
fn the_patched_source_is_made_whole_or_not_at_all() {
    let project = Project::new();
    unpack(&project.folder.path("project/vendor/sample"), &FILES);
    let fork = project.folder.path("project/forks/sample");
    let out = project.folder.path("out");
    std::fs::create_dir(&out).unwrap();
    let made = || wasix_landlock_fork::make(&fork, &out).map_err(|error| error.to_string());
    if std::env::var_os(SOURCE_VARIABLE).is_some() {
        panic!("unset {SOURCE_VARIABLE} for the tests: this one can't do it itself");
    }

    made().unwrap();
    let read = |name| std::fs::read_to_string(out.join("upstream").join(name)).unwrap();
    assert_eq!(read("src/lib.rs"), "\npub fn one() {}\n");
    assert_eq!(read("src/deep/two.rs"), "pub fn zwei() {}\n");

    // A source that is there already is not kept beside an error.
    let patch = project.folder.path("project/forks/sample/0001-a.patch");
    let good = std::fs::read_to_string(&patch).unwrap();
    std::fs::write(&patch, good.replace("-pub fn two() {}", "-pub fn too() {}")).unwrap();
    let error = made().unwrap_err();
    has(
        &error,
        &[
            "0001-a.patch does not apply to src/deep/two.rs, line 1",
            "expected `pub fn too() {}`, found `pub fn two() {}`",
            "no patch was applied",
            "sample-1.0.0",
        ],
    );
    assert!(!out.join("upstream").exists());

    std::fs::remove_file(&patch).unwrap();
    std::fs::write(fork.join("series"), "\n").unwrap();
    has(&made().unwrap_err(), &["series lists no patch"]);
    assert!(!out.join("upstream").exists());
}
