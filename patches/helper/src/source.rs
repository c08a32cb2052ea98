//! The origin of the published source, and its checks.
//!
//! In this order: a directory that the user names, a vendor directory around the build, cargo's own
//! download cache, and at last cargo itself, which downloads it. Whatever it is, its checksum is pinned.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::Manifest;

/// The variable that names a directory with the sources, by its absolute path, for sealed builds: it holds
/// `NAME-VERSION.crate` files, or the unpacked `NAME-VERSION` or `NAME` folders.
pub const SOURCE_VARIABLE: &str = "WASIX_LANDLOCK_SOURCE_DIR";

/// An error of getting the published source.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The variable is relative: every build script runs in a folder of its own.
    #[error("{SOURCE_VARIABLE} is `{}`: it must be an absolute path", directory.display())]
    Relative {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory that the variable names doesn't hold the crate.
    #[error(
        "{SOURCE_VARIABLE} names {}, which holds neither {crate_name}.crate nor a folder {crate_name}: \
         put the published crate there, or unset the variable to let cargo get it",
        directory.display()
    )]
    NotInDirectory {
        /// The directory.
        directory: PathBuf,
        /// `name-version`.
        crate_name: String,
    },
    /// A source was found that is not the published one.
    #[error(
        "{} is not the published {crate_name}: its SHA-256 is {found}, expected {expected} (`{key}` in the \
         fork's fork.toml); remove it and build again, so that the published one is used, or restore fork.toml",
        path.display()
    )]
    Checksum {
        /// The `.crate` file or the folder.
        path: PathBuf,
        /// `name-version`.
        crate_name: String,
        /// The checksum that was computed.
        found: String,
        /// The checksum that is pinned.
        expected: String,
        /// The key of `fork.toml` that pins it.
        key: &'static str,
    },
    /// Cargo could not get the crate.
    #[error(
        "cargo could not get {crate_name} ({detail}): go online once, or put the published \
         {crate_name}.crate into the project's `vendor` directory, or into any directory whose absolute path \
         is in {SOURCE_VARIABLE}"
    )]
    Download {
        /// `name-version`.
        crate_name: String,
        /// The output of cargo.
        detail: String,
    },
    /// A file can't be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl SourceError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The rule on whether a source has to be the pinned one.
#[derive(Clone, Copy, PartialEq)]
enum Pins {
    Checked,
    Unchecked,
}

/// The published source, found and checked. It holds what was checked: nothing is read a second time.
#[derive(Debug)]
pub enum Upstream {
    /// The contents of a `.crate` file.
    Archive(Vec<u8>),
    /// The files of an unpacked folder, by their path with `/`.
    Folder(BTreeMap<String, Vec<u8>>),
}

impl Upstream {
    /// Finds the source of `manifest`'s crate, as it is pinned. `near` are folders at or below which a build happens; a
    /// `vendor` directory above them is looked at. `scratch` is a path where nothing is: if cargo has to
    /// download the crate, it is run there, below the project if the build is, so that it knows the
    /// project's configuration (a mirror, a proxy).
    ///
    /// # Errors
    /// [`SourceError`]. In a directory that the variable names, or in a vendor directory, a wrong checksum
    /// is never a reason to look on.
    pub fn find(manifest: &Manifest, near: &[&Path], scratch: &Path) -> Result<Self, SourceError> {
        Self::find_with(manifest, Pins::Checked, near, scratch)
    }

    /// Finds the source of `manifest`'s crate in whatever version `manifest` names, in the same places, and
    /// doesn't compare checksums: another version's aren't pinned. What cargo downloads, cargo has checked
    /// against the registry's index. For trying a series on it, never for building.
    ///
    /// # Errors
    /// [`SourceError`], but not [`SourceError::Checksum`].
    pub fn find_unpinned(
        manifest: &Manifest,
        near: &[&Path],
        scratch: &Path,
    ) -> Result<Self, SourceError> {
        Self::find_with(manifest, Pins::Unchecked, near, scratch)
    }

    fn find_with(
        manifest: &Manifest,
        pins: Pins,
        near: &[&Path],
        scratch: &Path,
    ) -> Result<Self, SourceError> {
        if let Some(directory) = std::env::var_os(SOURCE_VARIABLE).filter(|v| !v.is_empty()) {
            let directory = PathBuf::from(directory);
            if directory.is_relative() {
                return Err(SourceError::Relative { directory });
            }
            return Self::in_directory(manifest, pins, &directory)?.ok_or(
                SourceError::NotInDirectory {
                    directory,
                    crate_name: manifest.full_name(),
                },
            );
        }
        for vendor in near
            .iter()
            .flat_map(|path| path.ancestors())
            .map(|folder| folder.join("vendor"))
        {
            if let Some(found) = Self::in_directory(manifest, pins, &vendor)? {
                return Ok(found);
            }
        }
        if let Ok(Some(found)) = Self::in_cargo_cache(manifest, pins) {
            return Ok(found);
        }
        // Also when there was a wrong one: it may be another registry's crate of that name, or another
        // cargo may be writing it just now.
        let detail = download(manifest, scratch)?;
        Self::in_cargo_cache(manifest, pins)?.ok_or_else(|| SourceError::Download {
            crate_name: manifest.full_name(),
            detail,
        })
    }

    /// Looks for the crate in `directory`: packed, or unpacked with or without the version in its name.
    fn in_directory(
        manifest: &Manifest,
        pins: Pins,
        directory: &Path,
    ) -> Result<Option<Self>, SourceError> {
        let archive = directory.join(format!("{}.crate", manifest.full_name()));
        if archive.is_file() {
            return Self::archive(manifest, pins, &archive).map(Some);
        }
        for name in [&manifest.full_name(), &manifest.name] {
            let folder = directory.join(name);
            // A vendored fork has the crate's name and version too; it is told by its own manifest.
            if folder.join("src").is_dir()
                && !folder.join("fork.toml").exists()
                && is_package(manifest, &folder.join("Cargo.toml"))?
            {
                return Self::folder(manifest, pins, &folder).map(Some);
            }
        }
        Ok(None)
    }

    /// Looks through what cargo downloaded, from whichever registry.
    fn in_cargo_cache(manifest: &Manifest, pins: Pins) -> Result<Option<Self>, SourceError> {
        let Some(home) = cargo_home() else {
            return Ok(None);
        };
        let Ok(registries) = std::fs::read_dir(home.join("registry").join("cache")) else {
            return Ok(None);
        };
        let mut wrong = None;
        for registry in registries.flatten() {
            let archive = registry
                .path()
                .join(format!("{}.crate", manifest.full_name()));
            if archive.is_file() {
                match Self::archive(manifest, pins, &archive) {
                    Ok(found) => return Ok(Some(found)),
                    Err(error) => wrong = Some(error),
                }
            }
        }
        wrong.map_or(Ok(None), Err)
    }

    fn archive(manifest: &Manifest, pins: Pins, path: &Path) -> Result<Self, SourceError> {
        let bytes = std::fs::read(path).map_err(SourceError::io(path))?;
        if pins == Pins::Checked {
            let found = hex(&Sha256::digest(&bytes));
            let pin = ("crate-sha256", &*manifest.crate_sha256);
            checked(manifest, path, found, pin)?;
        }
        Ok(Self::Archive(bytes))
    }

    fn folder(manifest: &Manifest, pins: Pins, path: &Path) -> Result<Self, SourceError> {
        let files = source_files(path)?;
        if pins == Pins::Checked {
            let found = digest_of(&files);
            let pin = ("source-sha256", &*manifest.source_sha256);
            checked(manifest, path, found, pin)?;
        }
        Ok(Self::Folder(files))
    }

    /// Unpacks the source into `target`, which must not exist yet.
    ///
    /// # Errors
    /// [`SourceError::Io`].
    pub fn unpack(&self, manifest: &Manifest, target: &Path) -> Result<(), SourceError> {
        match self {
            Self::Folder(files) => {
                for (name, bytes) in files {
                    write_file(&target.join(name), bytes)?;
                }
            }
            Self::Archive(bytes) => {
                let io = || SourceError::io(target);
                let prefix = manifest.full_name();
                let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
                for entry in archive.entries().map_err(io())? {
                    let mut entry = entry.map_err(io())?;
                    if !entry.header().entry_type().is_file() {
                        continue;
                    }
                    let path = entry.path().map_err(io())?.into_owned();
                    let Ok(name) = path.strip_prefix(&prefix) else {
                        continue;
                    };
                    // Cargo and the checksum see to that already, but not for every place of an unpinned one.
                    if !name.components().all(|c| matches!(c, Component::Normal(_))) {
                        let problem = format!("{} reaches outside the crate", path.display());
                        return Err(io()(std::io::Error::other(problem)));
                    }
                    let name = name.to_owned();
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes).map_err(io())?;
                    write_file(&target.join(name), &bytes)?;
                }
            }
        }
        Ok(())
    }
}

fn checked(
    manifest: &Manifest,
    path: &Path,
    found: String,
    (key, expected): (&'static str, &str),
) -> Result<(), SourceError> {
    if found == expected {
        return Ok(());
    }
    Err(SourceError::Checksum {
        path: path.to_owned(),
        crate_name: manifest.full_name(),
        found,
        expected: expected.to_owned(),
        key,
    })
}

/// True if the `Cargo.toml` at `path` is that of `manifest`'s crate in its version.
fn is_package(manifest: &Manifest, path: &Path) -> Result<bool, SourceError> {
    let text = std::fs::read_to_string(path).map_err(SourceError::io(path))?;
    let cargo = text.parse::<toml::Table>().map_err(|source| {
        SourceError::io(path)(std::io::Error::new(std::io::ErrorKind::InvalidData, source))
    })?;
    let field = |name| cargo.get("package")?.get(name)?.as_str();
    Ok(field("name") == Some(&manifest.name) && field("version") == Some(&manifest.version))
}

/// The folders of a crate that are checked, and that patches change.
pub(crate) const SOURCE_FOLDERS: [&str; 2] = ["src", "tests"];

/// SHA-256 over an unpacked crate, in hexadecimal: over each file below `src` and `tests`, in the order
/// of the paths, the path's length, the path, the contents' length, and the contents. What differs between
/// a cache and a vendor directory is left out: cargo's own marker files and manifests at the top, and what
/// `cargo vendor` drops, which is git's own files, `*.orig` and `*.rej`.
///
/// # Errors
/// [`SourceError::Io`].
pub fn source_digest(folder: &Path) -> Result<String, SourceError> {
    Ok(digest_of(&source_files(folder)?))
}

fn digest_of(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut digest = Sha256::new();
    for (name, bytes) in files {
        digest.update((name.len() as u64).to_le_bytes());
        digest.update(name.as_bytes());
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    }
    hex(&digest.finalize())
}

/// The checked files below `src` and `tests`, by their path with `/`.
fn source_files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, SourceError> {
    let mut files = BTreeMap::new();
    let mut folders: Vec<_> = SOURCE_FOLDERS.map(|name| folder.join(name)).into();
    while let Some(current) = folders.pop() {
        if !current.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&current).map_err(SourceError::io(&current))? {
            let entry = entry.map_err(SourceError::io(&current))?;
            let path = entry.path();
            if is_dropped_by_vendoring(&entry.file_name().to_string_lossy()) {
                continue;
            }
            if entry.file_type().map_err(SourceError::io(&path))?.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).map_err(SourceError::io(&path))?;
            let relative = path.strip_prefix(folder).unwrap_or(&path);
            let name: Vec<_> = relative
                .components()
                .map(|part| part.as_os_str().to_string_lossy())
                .collect();
            files.insert(name.join("/"), bytes);
        }
    }
    Ok(files)
}

fn is_dropped_by_vendoring(name: &str) -> bool {
    [".git", ".gitattributes", ".gitignore"].contains(&name)
        || name.ends_with(".orig")
        || name.ends_with(".rej")
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), SourceError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(SourceError::io(parent))?;
    }
    std::fs::write(path, bytes).map_err(SourceError::io(path))
}

/// Cargo's home. Cargo hands it on absolute; a relative one would mean another folder here than there.
fn cargo_home() -> Option<PathBuf> {
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

/// Lets cargo download the crate into its cache, and returns what it said.
fn download(manifest: &Manifest, scratch: &Path) -> Result<String, SourceError> {
    // In a workspace of its own: in the one that is being built, the crate's name means the fork.
    let lone =
        "[package]\nname = \"download\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    write_file(&scratch.join("Cargo.toml"), lone.as_bytes())?;
    write_file(&scratch.join("src").join("lib.rs"), b"")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    if let Some(home) = cargo_home() {
        cargo.env("CARGO_HOME", home);
    }
    let output = cargo
        .args([
            "info",
            "--quiet",
            "--color=never",
            "--registry=crates-io",
            &format!("{}@{}", manifest.name, manifest.version),
        ])
        .current_dir(scratch)
        .output();
    std::fs::remove_dir_all(scratch).map_err(SourceError::io(scratch))?;
    Ok(match output {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said: Vec<_> = said.split_whitespace().collect();
            format!(
                "`cargo info` ended with {}: {}",
                output.status,
                said.join(" ")
            )
        }
        Err(error) => format!("`cargo info` can't be run: {error}"),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
