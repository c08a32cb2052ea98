//! The programs that are measured: one for each patch, with all that come before it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use wasix_landlock_programs::build_program;

use crate::cut::{Fork, put, with_absolute_paths};

/// The patches that make operations faster, in the order in which they are added: a patch of `virtual-fs` before
/// the one of `wasmer-wasix` that calls it. The third is why nothing may be seen of it.
const FASTER: [(&str, &str, &str); 8] = [
    (
        VIRTUAL_FS,
        "Read and write host files at an offset, without tokio",
        CALLED,
    ),
    (WASIX, "Read and write files on the module's thread", ""),
    (
        VIRTUAL_FS,
        "List a directory without reading each entry's metadata",
        CALLED,
    ),
    (WASIX, "Read a directory once per listing", ""),
    (VIRTUAL_FS, "Find a mount without copying the path", ""),
    (
        VIRTUAL_FS,
        "Return the host directory behind a path",
        CALLED,
    ),
    (WASIX, "Let the kernel answer calls on host files", ""),
    (
        WASIX,
        "Check for signals once per call, and for the end without a lock",
        "",
    ),
];
const VIRTUAL_FS: &str = "virtual-fs";
const WASIX: &str = "wasmer-wasix";
const CALLED: &str = "adds what the next patch calls";

/// One program, and what is measured of it.
pub struct Variant {
    /// The column: the patch that it has more than the one before.
    pub column: String,
    /// The patch; none in the first variant, which has only those that fix something.
    pub patch: Option<Patch>,
    counts: [usize; 2],
}

/// A patch, as it is shown.
pub struct Patch {
    /// The name of what is patched.
    pub fork: &'static str,
    /// The patch's number in the series, from 1 on.
    pub number: usize,
    /// The effect of the patch.
    pub subject: &'static str,
    /// The file's name.
    pub file: String,
    /// The reason for which the patch may show no effect.
    pub silent: &'static str,
}

/// The column of the program without any of the faster ways.
pub const FIXED: &str = "fixed";

/// The variants, each with one patch more than the one before.
pub struct Variants {
    forks: [Fork; 2],
    /// In that order.
    pub all: Vec<Variant>,
}

impl Variants {
    /// From the series as they are.
    ///
    /// # Errors
    /// If a series can't be read, or lacks one of the patches.
    pub fn load() -> anyhow::Result<Self> {
        let forks = [Fork::load(VIRTUAL_FS)?, Fork::load(WASIX)?];
        let mut patches = Vec::new();
        for (name, subject, silent) in FASTER {
            let which = usize::from(name == WASIX);
            let series = &forks[which].patches;
            let at = series
                .iter()
                .position(|patch| patch.field("Subject") == Some(subject));
            let at =
                at.with_context(|| format!("no patch of {name} has the subject `{subject}`"))?;
            let patch = Patch {
                fork: name,
                number: at + 1,
                subject,
                file: series[at].name.clone(),
                silent,
            };
            patches.push((which, patch));
        }
        let first = |which| {
            let numbers = patches.iter().filter(|(of, _)| *of == which);
            numbers
                .map(|(_, patch)| patch.number - 1)
                .min()
                .unwrap_or_default()
        };
        let mut counts = [first(0), first(1)];
        let mut all = vec![Variant {
            column: FIXED.to_owned(),
            patch: None,
            counts,
        }];
        for (which, patch) in patches {
            counts[which] = patch.number;
            all.push(Variant {
                column: format!("{} {}", patch.fork, patch.number),
                patch: Some(patch),
                counts,
            });
        }
        Ok(Self { forks, all })
    }

    /// Builds the program of a variant, and returns where it is. What is built is kept in `folder`, and what has
    /// not changed isn't built again. Dependencies are those of `target`, cargo's directory.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn build(
        &self,
        variant: &Variant,
        folder: &Path,
        target: &Path,
    ) -> anyhow::Result<PathBuf> {
        let baseline = crate::baseline()?;
        let mut patched = String::new();
        let mut name = String::new();
        for (fork, count) in self.forks.iter().zip(variant.counts) {
            let source = folder.join("source").join(format!("{}-{count}", fork.name));
            fork.cut(count, &source)?;
            patched += &format!("{} = {{ path = \"{}\" }}\n", fork.name, source.display());
            name += &format!(
                "{}{}-{count}",
                if name.is_empty() { "" } else { "-" },
                fork.name
            );
        }
        let manifest = fs::read_to_string(baseline.join("Cargo.toml"))?;
        let manifest = with_absolute_paths(&manifest, &baseline)?;
        let manifest = manifest.replace("default-run = \"wasix-landlock-baseline\"\n", "");
        let manifest = format!(
            "{manifest}\n[[bin]]\nname = \"benches\"\npath = \"{}/src/bin/benches.rs\"\n\n[patch.crates-io]\n{patched}",
            baseline.display()
        );
        let workspace = folder.join("workspace").join(&name);
        // Cargo takes out of the lock file what this program doesn't need; it adds and changes nothing.
        let lock = fs::read_to_string(baseline.join("../../Cargo.lock"))?;
        let mut files = BTreeMap::from([
            (PathBuf::from("Cargo.toml"), manifest),
            (PathBuf::from("Cargo.lock.whole"), lock.clone()),
        ]);
        let own = fs::read_to_string(workspace.join("Cargo.lock"));
        let is_same =
            fs::read_to_string(workspace.join("Cargo.lock.whole")).is_ok_and(|l| l == lock);
        files.insert(
            "Cargo.lock".into(),
            own.ok().filter(|_| is_same).unwrap_or(lock),
        );
        put(&workspace, &files)?;
        let built = build_program(
            &workspace,
            "benches",
            &["--target-dir", crate::text(target)?],
        )?;
        keep(&built, folder, &name)
    }
}

/// Copies a program to where the next one doesn't take its place, and returns where that is.
///
/// # Errors
/// An error of the file system.
pub fn keep(built: &Path, folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let kept = folder.join("binaries").join(name);
    fs::create_dir_all(folder.join("binaries"))?;
    fs::copy(built, &kept).with_context(|| kept.display().to_string())?;
    Ok(kept)
}
