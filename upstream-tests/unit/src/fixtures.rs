//! Upstream's fixture programs for WASI: Rust sources that say in comments how they are run and what must come out.
//!
//! The published crate holds the harness that builds, runs and judges them (`tests/wasm_tests`), but none of the
//! programs. They come from a checkout of upstream that the user names, and are put where the harness looks for
//! them. It is not modified: what it needs besides is given to it by its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::layout::{Crate, Layout};
use crate::run::Test;

/// Upstream's test program, and its folder below `tests`.
pub const HARNESS: &str = "wasm_tests";

/// The folders of programs that can be compiled for [`TARGET`].
const GROUPS: [&str; 2] = ["wasi_fyi", "wasi_wast"];

/// The target that the programs are compiled for.
const TARGET: &str = "wasm32-wasip1";

/// The harness lists nothing unless its home has this; it is for programs that other compilers build.
const SYSROOT: &str = ".wasixcc/sysroot-v2026-05-12.1";

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    group: &'static str,
    /// The name of the source without `.rs`.
    name: String,
    /// True if the source asks for features that only a nightly compiler has.
    nightly: bool,
}

/// The tests of a checkout that run, and those that can't.
#[derive(Debug)]
pub struct Fixtures {
    folder: PathBuf,
    /// The programs that can be compiled.
    programs: Vec<Program>,
    /// The lines `SKIPPED …` for the others.
    pub skipped: Vec<String>,
}

/// The compilers that the harness would call.
#[derive(Debug)]
pub struct Compilers {
    /// The tools that are missing to compile with `rustc`.
    stable: Option<String>,
    /// The tools that are missing to compile with the nightly toolchain.
    nightly: Option<String>,
}

impl Compilers {
    /// Asks them for the standard library of [`TARGET`].
    pub fn find() -> Self {
        let install = format!("rustup target add {TARGET}");
        let nightly = format!("{install} --toolchain nightly");
        let stable = Command::new("rustc");
        let mut on_nightly = Command::new("rustup");
        on_nightly.args(["run", "nightly", "rustc"]);
        Self {
            stable: missing(stable, "rustc").map(|what| format!("{what}: {install}")),
            nightly: missing(on_nightly, "the nightly toolchain")
                .map(|what| format!("{what}: {nightly}")),
        }
    }

    fn missing(&self, nightly: bool) -> Option<&str> {
        if nightly {
            self.nightly.as_deref()
        } else {
            self.stable.as_deref()
        }
    }
}

/// Returns the parts that `compiler`, which is called `name`, lacks to compile for [`TARGET`].
fn missing(mut compiler: Command, name: &str) -> Option<String> {
    compiler.args(["--print", "target-libdir", "--target", TARGET]);
    let output = match compiler.output() {
        Ok(output) => output,
        Err(error) => return Some(format!("{name} can't be run ({error})")),
    };
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let has_std = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with("libstd-");
    let there = output.status.success()
        && fs::read_dir(folder)
            .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(has_std)));
    (!there).then(|| format!("{name} has no standard library for {TARGET}"))
}

/// The lines `SKIPPED …` of a run without a checkout.
pub fn without_checkout() -> Vec<String> {
    GROUPS
        .iter()
        .map(|group| {
            format!(
                "SKIPPED upstream's fixture programs {group}, all: they aren't published; \
                 name a checkout of upstream with --checkout PATH"
            )
        })
        .collect()
}

impl Fixtures {
    /// Finds the programs in `checkout`.
    ///
    /// # Errors
    /// A group is missing, empty or can't be read.
    pub fn find(checkout: &Path, compilers: &Compilers) -> anyhow::Result<Self> {
        let folder = checkout.join("lib/wasix/tests").join(HARNESS);
        let mut programs = Vec::new();
        let mut skipped = BTreeMap::<(&str, &str), usize>::new();
        for group in GROUPS {
            let path = folder.join(group);
            let entries = fs::read_dir(&path)
                .with_context(|| format!("{}: a checkout of upstream has these", path.display()))?;
            let mut empty = true;
            for entry in entries {
                let source = entry?.path();
                if source.extension().is_none_or(|extension| extension != "rs") {
                    continue;
                }
                empty = false;
                let text =
                    fs::read_to_string(&source).with_context(|| format!("{}", source.display()))?;
                let name = source.file_stem().and_then(|name| name.to_str());
                let program = Program {
                    group,
                    name: name.context("a name that isn't UTF-8")?.to_owned(),
                    // As the harness decides it.
                    nightly: text.contains("#![feature("),
                };
                match compilers.missing(program.nightly) {
                    Some(reason) => *skipped.entry((group, reason)).or_default() += 1,
                    None => programs.push(program),
                }
            }
            ensure!(!empty, "{} holds no programs", path.display());
        }
        programs.sort();
        let skipped = skipped
            .into_iter()
            .map(|((group, reason), count)| {
                format!("SKIPPED upstream's fixture programs {group}, {count}: {reason}")
            })
            .collect();
        Ok(Self {
            folder,
            programs,
            skipped,
        })
    }

    /// Returns the number of programs that can be compiled.
    pub fn count(&self) -> usize {
        self.programs.len()
    }

    /// Puts the programs where the harness in `layout` looks for them, and gives the environment that it needs.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub fn put(
        &self,
        layout: &Layout,
        each: Crate,
    ) -> anyhow::Result<Vec<(&'static str, OsString)>> {
        let tests = layout.folder(each).join("tests").join(HARNESS);
        for group in GROUPS {
            copy_tree(&self.folder.join(group), &tests.join(group))?;
        }
        // A home of its own also keeps compiled modules apart from the user's, and from the other column's.
        let home = layout.output().join("home");
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        fs::create_dir_all(home.join(SYSROOT))?;
        let mut variables = vec![("HOME", home.into_os_string())];
        let user = std::env::home_dir().context("no home directory")?;
        for (name, folder) in [("RUSTUP_HOME", ".rustup"), ("CARGO_HOME", ".cargo")] {
            let value = std::env::var_os(name).unwrap_or_else(|| user.join(folder).into());
            variables.push((name, value));
        }
        Ok(variables)
    }

    /// True if the harness in the checkout is the published one, if there is one: else it is another version's.
    pub fn is_of(&self, layout: &Layout, each: Crate) -> bool {
        let published = layout.folder(each).join("tests").join(HARNESS);
        ["mod.rs", "runner.rs", "error.rs"].iter().all(|file| {
            let theirs = fs::read(self.folder.join(file));
            theirs.is_err() || theirs.ok() == fs::read(published.join(file)).ok()
        })
    }

    /// Returns the harness's tests to run: those of the programs that can be compiled, built for [`TARGET`].
    /// The harness would build the same ones with a compiler for WASIX, too.
    ///
    /// # Errors
    /// A program has no test.
    pub fn tests(&self, all: &BTreeMap<Test, bool>) -> anyhow::Result<Vec<Test>> {
        let mut tests = Vec::new();
        for program in &self.programs {
            // `wasm/GROUP/PROGRAM/CONFIGURATION/[FILE SYSTEM/]wasip1/COMPILER`
            let start = format!("wasm/{}/{}/", program.group, program.name);
            let before = tests.len();
            let mut any = false;
            for (_, name) in all.keys().filter(|(_, name)| name.starts_with(&start)) {
                any = true;
                if name[start.len()..].split('/').any(|part| part == "wasip1") {
                    tests.push((HARNESS.to_owned(), name.clone()));
                }
            }
            ensure!(any, "the harness has no test {start}…");
            if tests.len() == before {
                println!("{start}…: not for {TARGET}");
            }
        }
        Ok(tests)
    }
}

/// Makes `to` a copy of folder `from`. Links stay links.
fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&from, &to)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&from)?, &to)?;
        } else {
            fs::copy(&from, &to).with_context(|| format!("{}", from.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::{Compilers, Fixtures};

    fn checkout(sources: &[(&str, &str)]) -> anyhow::Result<TempDir> {
        let checkout = tempfile::tempdir()?;
        let tests = checkout.path().join("lib/wasix/tests/wasm_tests");
        for (path, text) in sources {
            let path = tests.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(path, text)?;
        }
        Ok(checkout)
    }

    const SOURCES: [(&str, &str); 4] = [
        ("wasi_fyi/a.rs", ""),
        ("wasi_fyi/b.rs", "#![feature(wasi_ext)]"),
        ("wasi_fyi/b.stdout", ""),
        ("wasi_wast/c.rs", ""),
    ];

    #[test]
    fn what_no_compiler_is_there_for_is_skipped_and_counted() -> anyhow::Result<()> {
        let checkout = checkout(&SOURCES)?;
        let find = |stable: Option<&str>, nightly: Option<&str>| {
            let [stable, nightly] = [stable, nightly].map(|reason| reason.map(str::to_owned));
            let found = Fixtures::find(checkout.path(), &Compilers { stable, nightly })?;
            anyhow::Ok((found.count(), found.skipped))
        };
        assert_eq!(find(None, None)?, (3, Vec::new()));
        let line = "SKIPPED upstream's fixture programs";
        assert_eq!(
            find(None, Some("old"))?,
            (2, vec![format!("{line} wasi_fyi, 1: old")])
        );
        assert_eq!(
            find(Some("none"), Some("none"))?,
            (
                0,
                vec![
                    format!("{line} wasi_fyi, 2: none"),
                    format!("{line} wasi_wast, 1: none")
                ]
            )
        );
        Ok(())
    }

    #[test]
    fn a_checkout_without_programs_is_an_error() -> anyhow::Result<()> {
        let compilers = Compilers {
            stable: None,
            nightly: None,
        };
        for sources in [&SOURCES[2..], &SOURCES[..3]] {
            let checkout = checkout(sources)?;
            assert!(
                Fixtures::find(checkout.path(), &compilers).is_err(),
                "{sources:?}"
            );
        }
        Ok(())
    }
}
