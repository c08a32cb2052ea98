//! The two real forks: their patches, their manifests, and that nothing of upstream's is committed.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use toml::Table;
use wasix_landlock_fork::{Manifest, Series, materialize, source_digest};

mod common;
use common::{
    fails, forks, forks_program, git, git_is_missing, has, repository, shim_s_fork, succeeds,
};

/// The published source of a fork's crate.
struct Published {
    folder: TempDir,
    manifest: Manifest,
}

impl Published {
    fn of(fork: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = materialize(fork, &folder.path().join("source"), 0).unwrap();
        Self { folder, manifest }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("source")
    }
}

fn table(path: &Path) -> Table {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap()
}

fn subtable(table: &Table, name: &str) -> Table {
    match table.get(name) {
        Some(value) => value.as_table().unwrap().clone(),
        None => Table::new(),
    }
}

/// The contents of the series and the patches.
fn patch_files(fork: &Path) -> BTreeMap<String, String> {
    std::fs::read_dir(fork)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.ends_with("series") || path.extension().is_some_and(|e| e == "patch"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// A copy of what `forks` needs of a fork.
fn copy_of(fork: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let manifest = std::fs::read_to_string(fork.join("fork.toml")).unwrap();
    let files = patch_files(fork).into_iter();
    for (name, text) in files.chain([("fork.toml".to_owned(), manifest)]) {
        std::fs::write(copy.path().join(name), text).unwrap();
    }
    for file in wasix_landlock_fork::files_below(&fork.join("src")).unwrap() {
        let to = copy.path().join(file.strip_prefix(fork).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&file, to).unwrap();
    }
    copy
}

#[test]
fn every_patch_is_headed_and_applies() {
    let said = succeeds(forks_program().arg("check").args(forks()));
    for fork in forks() {
        let patches = Series::load(&fork).unwrap().patches.len();
        let line = format!("{}: {patches} patches apply exactly", fork.display());
        has(&said, &[&line]);
    }
}

#[test]
fn check_fails_on_a_patch_that_does_not_name_what_it_calls() {
    let fork = &forks()[1];
    let patches = Series::load(fork).unwrap().patches;
    let calling = patches.iter().find(|patch| patch.calls().count() == 1);
    let calling = calling.expect("a patch calls the fork's own code");
    let module = calling.calls().next().unwrap();
    let line = format!("Calls: {module}\n");
    let good = std::fs::read_to_string(fork.join(&calling.name)).unwrap();
    let changes = [
        (good.replace(&line, ""), format!("own module `{module}`")),
        (
            good.replace(&line, "Calls: nothing_like_it\n"),
            "`nothing_like_it`, which is no module".to_owned(),
        ),
    ];
    for (changed, problem) in changes {
        assert_ne!(changed, good);
        let copy = copy_of(fork);
        std::fs::write(copy.path().join(&calling.name), changed).unwrap();
        let error = fails(forks_program().arg("check").arg(copy.path()));
        has(&error, &[&calling.name, &problem]);
    }
}

#[test]
fn check_fails_on_a_patch_with_a_poor_header_or_wide_context_or_a_wrong_line() {
    let fork = &forks()[1];
    let first = Series::load(fork).unwrap().patches.remove(0);
    let (first, header) = (first.name, first.header);
    let good = std::fs::read_to_string(fork.join(&first)).unwrap();
    let number = good.find("@@ -").unwrap() + "@@ -".len();
    let (head, tail) = good.split_at(number);
    let changes = [
        (
            good.replace("Drop-When: ", "Drop-If: "),
            "the header lacks `Drop-When:`",
        ),
        (
            good.replace("Forwarded: not-yet", "Forwarded:"),
            "the header lacks `Forwarded:`",
        ),
        (format!("{head}1{tail}"), "disagrees"),
        (
            format!("{header}\n---\n--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,2 +1,3 @@\n a\n b\n+c\n"),
            "more than one line of context",
        ),
    ];
    for (changed, problem) in changes {
        assert_ne!(changed, good);
        let copy = copy_of(fork);
        std::fs::write(copy.path().join(&first), changed).unwrap();
        let error = fails(forks_program().arg("check").arg(copy.path()));
        has(&error, &[&first, problem]);
    }
}

#[test]
fn saving_what_was_opened_gives_the_same_bytes() {
    if git_is_missing() {
        return;
    }
    for fork in forks() {
        let copy = copy_of(&fork);
        let scratch = tempfile::tempdir().unwrap();
        let opened = scratch.path().join("opened");
        succeeds(forks_program().arg("open").arg(copy.path()).arg(&opened));
        // What isn't written again would be missed.
        for name in patch_files(&fork).keys() {
            std::fs::remove_file(copy.path().join(name)).unwrap();
        }
        succeeds(forks_program().arg("save").arg(copy.path()).arg(&opened));
        assert_eq!(patch_files(copy.path()), patch_files(&fork));
    }
}

#[test]
fn an_edit_is_saved_as_a_patch_and_nothing_else_is() {
    if git_is_missing() {
        return;
    }
    let fork = &forks()[1];
    let copy = copy_of(fork);
    let before = patch_files(copy.path());
    let scratch = tempfile::tempdir().unwrap();
    let opened = scratch.path().join("opened");
    succeeds(forks_program().arg("open").arg(copy.path()).arg(&opened));
    let save = || {
        let mut command = forks_program();
        command.arg("save").arg(copy.path()).arg(&opened);
        command
    };
    let edit = |from: &str, to: &str| {
        let path = opened.join("src/lib.rs");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    let commit = |message: &str| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@localhost"];
        let commit = ["commit", "--quiet", "--all", "--message", message];
        let output = git(&opened, &[&who[..], &commit[..]].concat());
        assert!(output.status.success(), "{output:?}");
    };

    edit("pub mod arc_file;\n", "pub mod arc_file; // edited\n");
    has(&fails(&mut save()), &["uncommitted changes"]);
    commit("Subject: without the other fields");
    has(&fails(&mut save()), &["the header lacks `Description:`"]);
    assert_eq!(
        patch_files(copy.path()),
        before,
        "a refused save has written"
    );

    let fields =
        "Description: b\nOrigin: vendor\nForwarded: no\nLast-Update: 2026-01-01\nDrop-When: never";
    let output = git(&opened, &["reset", "--quiet", "--soft", "HEAD^"]);
    assert!(output.status.success(), "{output:?}");
    commit(&format!("Subject: edit a `file`, once\n{fields}"));
    succeeds(&mut save());
    let after = patch_files(copy.path());
    let name = format!("{:04}-edit-a-file-once.patch", before.len());
    assert_eq!(after.len(), before.len() + 1);
    has(&after[&name], &[fields, "\n+pub mod arc_file; // edited\n"]);
    assert_eq!(after["series"], format!("{}{name}\n", before["series"]));

    // One fork's commits are not another's, and none at all are not a series.
    let other = copy_of(&forks()[0]);
    let error = fails(forks_program().arg("save").arg(other.path()).arg(&opened));
    has(
        &error,
        &["was opened from virtual-fs-", "forks wasmer-wasix-"],
    );
    let output = git(&opened, &["reset", "--quiet", "--hard", "upstream"]);
    assert!(output.status.success(), "{output:?}");
    has(&fails(&mut save()), &["has no commit"]);
    assert_eq!(
        patch_files(copy.path()),
        after,
        "a refused save has written"
    );
}

/// A hook's variables, and a repository around the folder, lead elsewhere.
#[test]
fn another_repository_is_left_alone() {
    if git_is_missing() {
        return;
    }
    let outer = tempfile::tempdir().unwrap();
    let output = git(outer.path(), &["init", "--quiet"]);
    assert!(output.status.success(), "{output:?}");
    let copy = copy_of(&forks()[1]);
    let opened = outer.path().join("opened");
    let mut open = forks_program();
    open.arg("open").arg(copy.path()).arg(&opened);
    open.env("GIT_DIR", outer.path().join(".git"));
    succeeds(&mut open);
    let commits = git(outer.path(), &["rev-list", "--all", "--count"]).stdout;
    assert_eq!(String::from_utf8(commits).unwrap().trim(), "0");
    let plain = outer.path().join("plain");
    std::fs::create_dir(&plain).unwrap();
    let error = fails(forks_program().arg("save").arg(copy.path()).arg(&plain));
    has(&error, &["not a git repository"]);
}

#[test]
fn an_unpacked_copy_of_the_published_source_is_recognised() {
    for fork in forks() {
        let published = Published::of(&fork);
        let digest = source_digest(&published.path()).unwrap();
        assert_eq!(
            published.manifest.source_sha256,
            digest,
            "put it into {} as `source-sha256`; `forks digest` computes the same",
            fork.join("fork.toml").display()
        );
        let said = succeeds(forks_program().arg("digest").arg(&fork));
        assert_eq!(said.trim(), digest);
    }
}

/// The dependencies for some targets only, without those for development.
fn for_users(package: &Table) -> Table {
    let mut targets = subtable(package, "target");
    for (_, target) in targets.iter_mut() {
        target.as_table_mut().unwrap().remove("dev-dependencies");
    }
    targets.retain(|_, target| !target.as_table().unwrap().is_empty());
    targets
}

/// The dependencies for development, by target (none for all targets) and name.
fn for_development(package: &Table) -> BTreeMap<(String, String), toml::Value> {
    let mut found = BTreeMap::new();
    let mut add = |target: &str, table: &Table| {
        for (name, value) in subtable(table, "dev-dependencies") {
            found.insert((target.to_owned(), name), value);
        }
    };
    add("", package);
    for (target, table) in subtable(package, "target") {
        add(&target, table.as_table().unwrap());
    }
    found
}

#[test]
fn a_forks_package_is_upstreams_plus_what_is_known() {
    let own = |text: &str| text.parse::<Table>().unwrap();
    for fork in forks() {
        let published = Published::of(&fork);
        let upstream = table(&published.path().join("Cargo.toml"));
        let ours = table(&fork.join("Cargo.toml"));
        let name = &published.manifest.name;

        for field in ["name", "version", "edition", "rust-version", "license"] {
            assert_eq!(
                ours["package"][field], upstream["package"][field],
                "{name}: {field}"
            );
        }
        assert_eq!(
            ours["package"]["version"].as_str(),
            Some(&*published.manifest.version)
        );
        assert_eq!(
            ours["package"]["rust-version"].as_str(),
            Some(&*published.manifest.rust_version)
        );
        assert_eq!(
            ours["package"]["license"].as_str(),
            Some(&*published.manifest.license)
        );
        assert_eq!(ours["lib"]["name"], upstream["lib"]["name"]);
        for kind in ["crate-type", "proc-macro"] {
            assert_eq!(
                ours["lib"].get(kind),
                upstream["lib"].get(kind),
                "{name}: lib.{kind}"
            );
        }

        let mut dependencies = subtable(&upstream, "dependencies");
        dependencies.extend(own(&format!(
            "wasix-landlock-pair = {{ path = \"../pair\", features = [\"{name}\"] }}"
        )));
        if name == "wasmer-wasix" {
            dependencies.extend(own("wasix-landlock = { path = \"../../wasix-landlock\" }"));
            dependencies.extend(own("wasix-landlock-profile = { path = \"../../profile\" }"));
            // Files in memory are counted.
            dependencies.extend(own(
                "virtual-fs = { version = \"0.704.2\", default-features = false, features = [\"tracking\", \"webc-fs\"] }",
            ));
        }
        let mut build = subtable(&upstream, "build-dependencies");
        build.extend(own("wasix-landlock-fork = { path = \"../helper\" }"));
        assert_eq!(subtable(&ours, "dependencies"), dependencies, "{name}");
        assert_eq!(subtable(&ours, "build-dependencies"), build, "{name}");
        let mut features = subtable(&upstream, "features");
        features.extend(own(match &**name {
            "wasmer-wasix" => {
                "landlock-kernel-alone = [\"virtual-fs/landlock-kernel-alone\"]\n\
                 host-interrupt = [\"wasmer/experimental-host-interrupt\"]"
            }
            _ => "landlock-kernel-alone = []",
        }));
        assert_eq!(subtable(&ours, "features"), features, "{name}");
        let mut users = for_users(&upstream);
        if name == "virtual-fs" {
            // Tokio has the first one anyway.
            users.extend(own(
                "['cfg(target_os = \"linux\")'.dependencies]\n\
                 mio = { version = \"1\", default-features = false, features = [\"os-ext\", \"os-poll\"] }\n\
                 rustix = { version = \"1\", features = [\"fs\"] }",
            ));
        } else {
            // Wasmer's compilers have it anyway: an instance compiles on a pool of its own.
            let place = "cfg(not(target_arch = \"wasm32\"))";
            let of_upstream = users
                .get_mut(place)
                .and_then(|it| it.get_mut("dependencies"));
            let of_upstream = of_upstream.and_then(|it| it.as_table_mut()).unwrap();
            of_upstream.extend(own("rayon = { version = \"1.7.0\" }"));
        }
        assert_eq!(for_users(&ours), users, "{name}");
        // What the fork's own tests need on top reaches nobody.
        let development = for_development(&ours);
        for (place, value) in for_development(&upstream) {
            assert_eq!(development.get(&place), Some(&value), "{name}: {place:?}");
        }
    }
}

#[test]
fn the_shim_s_fork_is_upstreams_package_without_tests() {
    let fork = shim_s_fork();
    let published = Published::of(&fork);
    assert_eq!(
        published.manifest.source_sha256,
        source_digest(&published.path()).unwrap()
    );
    let upstream = table(&published.path().join("Cargo.toml"));
    let ours = table(&fork.join("Cargo.toml"));
    for field in ["name", "version", "edition", "license"] {
        assert_eq!(
            ours["package"][field], upstream["package"][field],
            "{field}"
        );
    }
    assert_eq!(ours["lib"]["name"], upstream["lib"]["name"]);
    for part in ["dependencies", "features"] {
        assert_eq!(subtable(&ours, part), subtable(&upstream, part), "{part}");
    }
    assert_eq!(for_users(&ours), for_users(&upstream));
    // Upstream's are for a build script that isn't published.
    let build = "wasix-landlock-fork = { path = \"../helper\" }".parse::<Table>();
    assert_eq!(subtable(&ours, "build-dependencies"), build.unwrap());
    succeeds(forks_program().arg("check").arg(&fork));
}

/// The source is included without upstream's inner attributes, so the fork's `lib.rs` has to carry them.
#[test]
fn a_forks_root_carries_upstreams_inner_attributes() {
    for fork in forks() {
        let published = Published::of(&fork);
        let upstream = std::fs::read_to_string(published.path().join("src/lib.rs")).unwrap();
        let ours = std::fs::read_to_string(fork.join("src/lib.rs")).unwrap();
        let attributes: Vec<_> = upstream
            .lines()
            .filter(|line| line.starts_with("#!["))
            .collect();
        assert!(!attributes.is_empty());
        for attribute in attributes {
            // Lints can stand together.
            let needed = attribute
                .strip_prefix("#![allow(")
                .and_then(|rest| rest.strip_suffix(")]"));
            let needed = needed.unwrap_or(attribute);
            assert!(ours.contains(needed), "{}: no {attribute}", fork.display());
        }
    }
}

/// Lines that say something, with their number.
fn telling_lines(text: &str) -> Vec<(usize, &str)> {
    let numbered = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim()));
    numbered
        .filter(|(_, line)| line.chars().filter(|c| c.is_alphanumeric()).count() >= 6)
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Finds the line in `text` at which a run of lines begins that is one of `runs`.
fn copied_run(text: &str, runs: &HashSet<Vec<String>>) -> Option<usize> {
    let lines = telling_lines(text);
    lines.windows(RUN).find_map(|window| {
        let run: Vec<_> = window.iter().map(|(_, line)| (*line).to_owned()).collect();
        runs.contains(&run).then_some(window[0].0)
    })
}

/// As many telling lines as make a copy.
const RUN: usize = 12;

#[test]
fn no_source_of_upstreams_is_committed() {
    let mut runs = HashSet::new();
    let mut one_of_theirs = None;
    for fork in forks().into_iter().chain([shim_s_fork()]) {
        let published = Published::of(&fork);
        for file in rust_files(&published.path()) {
            let text = std::fs::read_to_string(file).unwrap();
            for window in telling_lines(&text).windows(RUN) {
                runs.insert(window.iter().map(|(_, line)| (*line).to_owned()).collect());
            }
            one_of_theirs = Some(text)
                .filter(|text| text.lines().count() > 100)
                .or(one_of_theirs);
        }
    }
    // The search finds what it is for.
    let theirs = one_of_theirs.unwrap();
    assert!(copied_run(&format!("fn ours() {{}}\n{theirs}"), &runs).is_some());

    let ours = rust_files(&repository().join("patches"));
    assert!(
        ours.iter()
            .any(|file| file.ends_with("virtual-fs/src/lib.rs"))
    );
    for file in ours {
        let text = std::fs::read_to_string(&file).unwrap();
        if let Some(line) = copied_run(&text, &runs) {
            panic!(
                "{}, line {line}: {RUN} lines are upstream's",
                file.display()
            );
        }
    }
}
