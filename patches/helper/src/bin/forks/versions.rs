//! Forks of other versions: `forks new` starts them, `forks check` looks at each.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::Table;
use wasix_landlock_fork::{
    Manifest, Moved, Patch, Series, Trial, Upstream, materialize, slug, source_digest,
};

use crate::git::git;
use crate::package::{self, field, read_table};
use crate::{Result, Scratch, commit, open_new};

/// The way from the folder of a version's fork to the folder that all forks are in.
const UP: &str = "../../..";

/// Starts the forks of Wasmer `version`, or renews what is generated of them: the manifests.
pub(crate) fn start(version: &str, forks: &[PathBuf]) -> Result<()> {
    let crates = crate_version(version)?;
    let mut failing = 0;
    for base in forks {
        failing += start_one(version, &crates, base)?;
    }
    if failing > 0 {
        return Err(format!(
            "{failing} patches don't apply to {version}: `forks open` each of these forks, resolve what git can't \
             place, and `forks save`, which writes the patches that differ into its folder"
        )
        .into());
    }
    Ok(())
}

/// The version of Wasmer's crates for WASI that belongs to a version of Wasmer: 0.705.0 to 7.5.0.
fn crate_version(version: &str) -> Result<String> {
    let numbers: Vec<u32> = version.split('.').map_while(|n| n.parse().ok()).collect();
    match numbers[..] {
        [major, minor, patch] if version.split('.').count() == 3 => {
            Ok(format!("0.{}.{patch}", major * 100 + minor))
        }
        _ => Err(format!("`{version}` is not a version of Wasmer, such as 7.5.0").into()),
    }
}

/// Writes the manifests of one fork, and returns the number of patches that don't apply.
fn start_one(version: &str, crates: &str, base: &Path) -> Result<usize> {
    let scratch = Scratch::new()?;
    let (ours, theirs) = (scratch.0.join("base"), scratch.0.join("version"));
    let of_base = materialize(base, &ours, 0)?;
    let folder = beside(base)?.0.join(version).join(&of_base.name);
    let mut manifest = Manifest {
        version: crates.to_owned(),
        base: Some(Path::new(UP).join(&of_base.name)),
        ..of_base
    };
    let published = publish(&mut manifest, &scratch, &theirs)?;
    let wasmer = field(&published, &["dependencies", "wasmer", "version"]);
    if wasmer.is_some_and(|wasmer| wasmer != format!("={version}")) {
        return Err(format!("{} belongs to Wasmer {wasmer:?}", manifest.full_name()).into());
    }
    if folder.join("fork.toml").exists() {
        manifest.without = Manifest::load(&folder)?.without;
    }
    let series = Series::load(base)?;
    manifest.moved = moved(&series, &ours, &theirs, &scratch.0.join("diff"))?;
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("fork.toml"), text_of(&manifest)?)?;
    let package = package::generate(base, &ours, &theirs, &to_base(&manifest))?;
    std::fs::write(folder.join("Cargo.toml"), package)?;
    keep_what_matters(&folder, &mut manifest)?;

    let located = Series::load(&folder)?;
    if located.fits(&theirs).is_ok() {
        let count = located.patches.len();
        println!("{}: {count} patches apply exactly", folder.display());
        return Ok(0);
    }
    println!("{}: not all patches apply", folder.display());
    let mut trial = Trial::new(&ours, &theirs);
    let mut failing = 0;
    for patch in &series.patches {
        let outcome = trial.patch(patch)?;
        if !outcome.applies() {
            failing += 1;
            println!("{outcome}");
        }
    }
    Ok(failing.max(1))
}

/// Gets the published crate into `folder`, pins it, and returns its `Cargo.toml`.
fn publish(manifest: &mut Manifest, scratch: &Scratch, folder: &Path) -> Result<Table> {
    let found = Upstream::find_unpinned(manifest, &[], &scratch.0.join("download"))?;
    let Upstream::Archive(archive) = &found else {
        return Err(
            "a new version is pinned from a .crate file, not from an unpacked folder".into(),
        );
    };
    let digest = Sha256::digest(archive);
    manifest.crate_sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    found.unpack(manifest, folder)?;
    manifest.source_sha256 = source_digest(folder)?;
    let published = read_table(&folder.join("Cargo.toml"))?;
    let of_package = |name| field(&published, &["package", name]).map(str::to_owned);
    manifest.rust_version = of_package("rust-version").unwrap_or_default();
    manifest.license = of_package("license").ok_or("the crate has no licence")?;
    let origin = std::fs::read_to_string(folder.join(".cargo_vcs_info.json"))?;
    let value = |key: &str| {
        let (_, rest) = origin.split_once(&format!("\"{key}\""))?;
        rest.split('"').nth(1).map(str::to_owned)
    };
    manifest.upstream_commit = value("sha1").ok_or("the crate doesn't say its commit")?;
    manifest.upstream_path = value("path_in_vcs").unwrap_or_default();
    Ok(published)
}

/// The lines of the patched files that stand elsewhere in the other version.
fn moved(series: &Series, ours: &Path, theirs: &Path, scratch: &Path) -> Result<Vec<Moved>> {
    let files: BTreeSet<&Path> = series.patches.iter().flat_map(|p| p.files()).collect();
    std::fs::create_dir(scratch)?;
    git(scratch, &["init", "--quiet"])?;
    for source in [ours, theirs] {
        for file in &files {
            let (from, to) = (source.join(file), scratch.join(file));
            if from.exists() {
                std::fs::create_dir_all(to.parent().unwrap_or(scratch))?;
                std::fs::copy(from, to)?;
            }
        }
        if source == ours {
            commit(scratch, "base")?;
        }
    }
    let diff = [
        "diff",
        "--unified=0",
        "--no-color",
        "--no-ext-diff",
        "--text",
    ];
    let diff = git(
        scratch,
        &[&diff[..], &["--diff-algorithm=histogram"]].concat(),
    )?;
    let mut file = PathBuf::new();
    let mut found = Vec::new();
    for line in diff.lines() {
        if let Some(name) = line.strip_prefix("--- a/") {
            file = PathBuf::from(name);
        }
        let Some((old, new)) = hunk_ranges(line) else {
            continue;
        };
        if old.1 != new.1 {
            let after = if old.1 == 0 { old.0 } else { old.0 - 1 + old.1 };
            let by = isize::try_from(new.1)? - isize::try_from(old.1)?;
            let file = file.clone();
            found.push(Moved { file, after, by });
        }
    }
    Ok(found)
}

/// The start and the length of both sides of a hunk, if the line is a hunk's head.
fn hunk_ranges(line: &str) -> Option<((usize, usize), (usize, usize))> {
    let (old, rest) = line.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let range = |text: &str| {
        let (start, count) = text.split_once(',').unwrap_or((text, "1"));
        Some((start.parse().ok()?, count.parse().ok()?))
    };
    Some((range(old)?, range(new)?))
}

/// Drops what moves no patch, so that the manifest says no more than it has to.
fn keep_what_matters(folder: &Path, manifest: &mut Manifest) -> Result<()> {
    let path = folder.join("fork.toml");
    let places = || -> Result<_> { Ok(Series::load(folder)?.places()) };
    let Ok(wanted) = places() else {
        return Ok(());
    };
    let mut at = 0;
    while at < manifest.moved.len() {
        let dropped = manifest.moved.remove(at);
        std::fs::write(&path, text_of(manifest)?)?;
        if places().ok().as_ref() != Some(&wanted) {
            manifest.moved.insert(at, dropped);
            at += 1;
        }
    }
    std::fs::write(&path, text_of(manifest)?)?;
    Ok(())
}

fn to_base(manifest: &Manifest) -> String {
    format!("{UP}/{}", manifest.name)
}

/// A `fork.toml`.
fn text_of(manifest: &Manifest) -> Result<String> {
    let mut text = format!(
        "# Written by `forks new` and `forks renew`. The patches and the fork's own files are the base's; what differs is here.\n\
         name = {:?}\nversion = {:?}\ncrate-sha256 = {:?}\nsource-sha256 = {:?}\nupstream-commit = {:?}\n\
         upstream-path = {:?}\nrust-version = {:?}\nlicense = {:?}\nbase = {:?}\n",
        manifest.name,
        manifest.version,
        manifest.crate_sha256,
        manifest.source_sha256,
        manifest.upstream_commit,
        manifest.upstream_path,
        manifest.rust_version,
        manifest.license,
        to_base(manifest),
    );
    if let Some(pair) = &manifest.pair {
        writeln!(
            text,
            "# Without it nothing could be enforced.\npair = {pair:?}"
        )?;
    }
    if !manifest.without.is_empty() {
        writeln!(
            text,
            "# Upstream has them.\nwithout = {:?}",
            manifest.without
        )?;
    }
    for Moved { file, after, by } in &manifest.moved {
        let file = file.display().to_string();
        write!(
            text,
            "\n[[moved]]\nfile = {file:?}\nafter = {after}\nby = {by}\n"
        )?;
    }
    Ok(text)
}

/// Renews the manifests of all versions that are there.
pub(crate) fn renew(forks: &[PathBuf]) -> Result<()> {
    let mut versions = BTreeSet::new();
    for fork in forks {
        let folders = of(fork)?;
        let folders = folders.iter().filter_map(|fork| fork.parent()?.file_name());
        versions.extend(folders.map(|version| version.to_string_lossy().into_owned()));
    }
    versions
        .iter()
        .try_for_each(|version| start(version, forks))
}

/// The forks of other versions that have this one as their base.
pub(crate) fn of(base: &Path) -> Result<Vec<PathBuf>> {
    let (versions, name) = beside(base)?;
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(&versions) else {
        return Ok(found);
    };
    for entry in entries {
        let fork = entry?.path().join(&name);
        if fork.join("fork.toml").exists() {
            found.push(fork);
        }
    }
    found.sort();
    Ok(found)
}

/// The folder of all versions, and the name that the fork's folder has in each.
fn beside(base: &Path) -> Result<(PathBuf, OsString)> {
    let base = match base.file_name() {
        Some(_) => base.to_owned(),
        None => base.canonicalize()?,
    };
    let name = base.file_name().ok_or("the fork's folder has no name")?;
    Ok((base.with_file_name("versions"), name.to_owned()))
}

/// Compares the package of a version's fork with what it has to be.
pub(crate) fn check_package(fork: &Path, manifest: &Manifest, source: &Path) -> Result<()> {
    let scratch = Scratch::new()?;
    let (home, ours) = (manifest.home(fork), scratch.0.join("base"));
    materialize(&home, &ours, 0)?;
    if !source.join("Cargo.toml").exists() || !ours.join("Cargo.toml").exists() {
        println!(
            "{}: its Cargo.toml is not compared, since the published one isn't in a vendored source",
            fork.display()
        );
        return Ok(());
    }
    let generated = package::generate(&home, &ours, source, &to_base(manifest))?;
    if std::fs::read_to_string(fork.join("Cargo.toml"))? != generated {
        return Err(format!(
            "{}: not what the published manifest and the base's make: run `forks renew`",
            fork.join("Cargo.toml").display()
        )
        .into());
    }
    Ok(())
}

/// Makes `directory` a repository of the base's series on this version, by a rebase, which stops where git can't place a
/// patch.
pub(crate) fn open_on(fork: &Path, manifest: &Manifest, directory: &Path) -> Result<()> {
    open_new(&manifest.home(fork), directory)?;
    git(directory, &["tag", "base", "upstream"])?;
    git(directory, &["checkout", "--quiet", "-b", "version", "base"])?;
    git(directory, &["rm", "--quiet", "-r", "--force", "."])?;
    let scratch = Scratch::new()?;
    let found = Upstream::find(manifest, &[fork], &scratch.0.join("download"))?;
    found.unpack(manifest, directory)?;
    commit(directory, &manifest.full_name())?;
    git(directory, &["tag", "--force", "upstream"])?;
    let onto = ["rebase", "--quiet", "--onto", "upstream", "base", "patches"];
    if let Err(stopped) = git(directory, &onto) {
        println!(
            "{stopped}\nin {}: resolve it and `git rebase --continue`, until none is left; then `forks save`",
            directory.display()
        );
        return Ok(());
    }
    println!("git placed all patches: `forks save`");
    Ok(())
}

/// The patches that say something else than the base's, under the base's names.
pub(crate) fn differing(
    fork: &Path,
    manifest: &Manifest,
    written: Vec<(String, String)>,
) -> Result<Vec<(String, String)>> {
    let base = Series::load(&manifest.home(fork))?;
    let mut left: Vec<&Patch> = base.patches.iter().collect();
    let mut found = Vec::new();
    for (name, text) in written {
        let at = left
            .iter()
            .position(|patch| slug(&patch.name) == slug(&name));
        let at = at.ok_or_else(|| {
            format!("{name}: the base has no patch of that name, once; a new one belongs into the base's series")
        })?;
        let of_base = left.remove(at);
        if !Patch::parse(&name, &text)?.says_the_same_as(of_base) {
            found.push((of_base.name.clone(), text));
        }
    }
    left.retain(|patch| {
        !manifest
            .without
            .iter()
            .any(|name| name == slug(&patch.name))
    });
    if let Some(patch) = left.first() {
        return Err(format!(
            "no commit is the base's {}: if this version does without, list {:?} as `without` in {}",
            patch.name,
            slug(&patch.name),
            fork.join("fork.toml").display()
        )
        .into());
    }
    Ok(found)
}
