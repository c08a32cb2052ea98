//! The sources that are tested, laid out as in upstream's repository: `lib/virtual-fs` and `lib/wasix`.
//!
//! The fork is tested flattened: patched source, the fork's own modules and a `Cargo.toml` in one folder. The
//! fork's package itself can't be, because its source lies in the build's output, from where upstream's relative
//! paths to fixtures lead nowhere, and because its build script would make it anew without the placeholders.
//! What is compiled is the same, except that upstream's `lib.rs` is the crate's root instead of included.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use toml::{Table, Value};

/// A crate under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crate {
    /// The package, and the folder of the fork.
    pub name: &'static str,
    /// The folder in upstream's repository.
    folder: &'static str,
}

/// The crates under test. The cheap one comes first.
pub const CRATES: [Crate; 2] = [
    Crate {
        name: "virtual-fs",
        folder: "lib/virtual-fs",
    },
    Crate {
        name: "wasmer-wasix",
        folder: "lib/wasix",
    },
];

/// The columns that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The published source as it is.
    Upstream,
    /// The published source with the patches.
    Fork,
}

impl Column {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Upstream, Self::Fork];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Fork => "fork",
        }
    }
}

/// Fixtures of upstream's tests that the published crates lack. Those that are compiled in have to be
/// there, or nothing compiles: they are empty. Tests that need the content fail, and are listed.
const PLACEHOLDERS: [&str; 6] = [
    "wasmer-test-files/examples/python-0.1.0.wasmer",
    "wasmer-test-files/integration/webc/bash-1.0.16-f097441a-a80b-4e0d-87d7-684918ef4bb6.webc",
    "wasmer-test-files/integration/webc/coreutils-1.0.11-9d7746ca-694f-11ed-b932-dead3543c068.webc",
    "wasmer-test-files/integration/webc/coreutils-1.0.16-e27dbb4f-2ef2-4b44-b46a-ddd86497c6d7.webc",
    "wasmer-test-files/wasix/envvar.wasm",
    "wasmer-test-files/wasix/stdin-hello.wasm",
];

/// The workspace around one column. The crates under test are built as `cargo test` builds them, with checks and
/// without optimisation; what they depend on is shared with every other release build.
const WORKSPACE: &str = r#"[workspace]
resolver = "3"
members = ["lib/*"]

[patch.crates-io]
virtual-fs = { path = "lib/virtual-fs" }

[profile.release.package.virtual-fs]
opt-level = 0
debug-assertions = true
overflow-checks = true

[profile.release.package.wasmer-wasix]
opt-level = 0
debug-assertions = true
overflow-checks = true
"#;

/// One column's sources.
#[derive(Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Lays out `column` in `root`. `repository` is this repository.
    ///
    /// # Errors
    /// The source can't be had, a patch doesn't apply, or a file can't be read or written.
    pub fn make(column: Column, repository: &Path, root: &Path) -> anyhow::Result<Self> {
        for each in CRATES {
            let made = root.join("made").join(each.name);
            remove(&made)?;
            fs::create_dir_all(root.join("made"))?;
            let fork = repository.join("patches").join(each.name);
            let patches = match column {
                Column::Upstream => 0,
                Column::Fork => usize::MAX,
            };
            wasix_landlock_fork::materialize(&fork, &made, patches)?;
            if column == Column::Fork {
                flatten(&fork, &made).with_context(|| format!("{}", fork.display()))?;
            }
            // Cargo builds again what is newer, so that only what differs is written.
            sync(&made, &root.join(each.folder))?;
            remove(&made)?;
        }
        for placeholder in PLACEHOLDERS {
            write(&root.join(placeholder), b"")?;
        }
        let profiles =
            wasix_landlock_fork::release_profiles(repository, &repository.join("Cargo.lock"))?;
        write(
            &root.join("Cargo.toml"),
            format!("{WORKSPACE}\n{profiles}").as_bytes(),
        )?;
        fs::copy(repository.join("Cargo.lock"), root.join("Cargo.lock"))?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The workspace's manifest.
    pub fn manifest(&self) -> PathBuf {
        self.root.join("Cargo.toml")
    }

    /// The folder of `each`.
    pub fn folder(&self, each: Crate) -> PathBuf {
        self.root.join(each.folder)
    }

    /// Returns the path for the output of tests.
    pub fn output(&self) -> PathBuf {
        self.root.join("output")
    }

    /// Fails if cargo locked anything that this repository's lock file doesn't hold in that version.
    ///
    /// # Errors
    /// As said, or a lock file can't be read.
    pub fn check_lock(&self, repository: &Path) -> anyhow::Result<()> {
        let ours = locked(&repository.join("Cargo.lock"))?;
        let theirs = locked(&self.root.join("Cargo.lock"))?;
        let other: Vec<&String> = theirs.difference(&ours).collect();
        ensure!(
            other.is_empty(),
            "not in this repository's Cargo.lock: {other:?}"
        );
        Ok(())
    }
}

/// `name version` of the packages in a lock file.
fn locked(path: &Path) -> anyhow::Result<BTreeSet<String>> {
    let lock: Table = toml::from_str(&fs::read_to_string(path)?)?;
    let packages = lock
        .get("package")
        .and_then(Value::as_array)
        .context("a lock file without packages")?;
    let of = |package: &Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    Ok(packages
        .iter()
        .filter_map(|package| {
            Some(format!(
                "{} {}",
                of(package, "name")?,
                of(package, "version")?
            ))
        })
        .collect())
}

/// Puts the own modules and dependencies of the fork in folder `fork` into the patched source.
fn flatten(fork: &Path, made: &Path) -> anyhow::Result<()> {
    let from = fork.join("src");
    let root = fs::read_to_string(from.join("lib.rs"))?;
    for entry in fs::read_dir(&from)? {
        let entry = entry?;
        if entry.file_name() != "lib.rs" {
            let to = made.join("src").join(entry.file_name());
            ensure!(!to.exists(), "{} is upstream's too", entry.path().display());
            copy(&entry.path(), &to)?;
        }
    }
    // Behind upstream's items, so that upstream's lines keep their numbers.
    let lib = made.join("src/lib.rs");
    let mut text = fs::read_to_string(&lib)?;
    for line in root.lines() {
        if !["//", "#![", "include!("]
            .iter()
            .any(|start| line.starts_with(start))
        {
            text.push_str(line);
            text.push('\n');
        }
    }
    fs::write(&lib, text)?;

    let path = made.join("Cargo.toml");
    let mut manifest: Table = toml::from_str(&fs::read_to_string(&path)?)?;
    let mut own: Table = toml::from_str(&fs::read_to_string(fork.join("Cargo.toml"))?)?;
    for key in ["features", "dependencies", "dev-dependencies", "target"] {
        manifest.remove(key);
        if let Some(mut value) = own.remove(key) {
            make_absolute(&mut value, fork)?;
            manifest.insert(key.to_owned(), value);
        }
    }
    fs::write(&path, toml::to_string(&manifest)?)?;
    Ok(())
}

/// Makes the paths of path dependencies absolute.
fn make_absolute(value: &mut Value, fork: &Path) -> anyhow::Result<()> {
    let Some(table) = value.as_table_mut() else {
        return Ok(());
    };
    for (key, value) in table.iter_mut() {
        match (key.as_str(), value) {
            ("path", Value::String(path)) => {
                let absolute = fork.join(&*path).canonicalize()?;
                *path = absolute
                    .to_str()
                    .context("a path that isn't UTF-8")?
                    .to_owned();
            }
            (_, value) => make_absolute(value, fork)?,
        }
    }
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}", path.display()))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content).with_context(|| format!("{}", path.display()))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !from.is_dir() {
        let content = fs::read(from).with_context(|| format!("{}", from.display()))?;
        return write(to, &content);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Makes folder `to` the same as `from`, without touching files that are.
fn sync(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let there = entry?.path();
        let wanted = from.join(there.file_name().unwrap_or_default());
        if there.is_dir() && !wanted.is_dir() {
            fs::remove_dir_all(&there)?;
        } else if there.is_file() && !wanted.is_file() {
            fs::remove_file(&there)?;
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            sync(&entry.path(), &target)?;
        } else {
            copy(&entry.path(), &target)?;
        }
    }
    Ok(())
}
