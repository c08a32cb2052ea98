//! Checks that a lock file has the forks of `wasmer-wasix` and `virtual-fs`.
//!
//! Cargo only warns when it passes over a patch, and then builds the published crate, which enforces nothing. [`check`]
//! reads a `Cargo.lock` of any project and returns a [`Report`]: each of the two crates is patched, or it is not and the
//! report has the reason and the lines to write.
#![forbid(unsafe_code)]

mod lock;
mod report;

use lock::{Lock, Package};
pub use report::{Finding, Reason, Report, Status};

/// The crates that are forked. Each enforces nothing without the other.
pub const CRATES: [&str; 2] = ["wasmer-wasix", "virtual-fs"];

/// A package that only the forks depend on.
const MARK: &str = "wasix-landlock-pair";

/// The versions that this repository has forks of, and the folders of those.
pub const VERSIONS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/versions.rs"));

/// An error of reading a lock file.
#[derive(Debug, thiserror::Error)]
#[error("this is not a Cargo.lock: {0}")]
pub struct LockError(#[from] toml::de::Error);

/// Checks the text of a `Cargo.lock`.
///
/// # Errors
/// [`LockError`] if the text is not that of a lock file.
pub fn check(lock: &str) -> Result<Report, LockError> {
    let lock: Lock = toml::from_str(lock)?;
    let mut findings = Vec::new();
    for name in CRATES {
        let found: Vec<&Package> = lock.packages(name).collect();
        if found.is_empty() {
            findings.push(Finding {
                name,
                version: None,
                status: Status::NotPatched(Reason::Absent),
            });
        }
        for package in found {
            findings.push(Finding {
                name,
                version: Some(package.version.clone()),
                status: status(&lock, package),
            });
        }
    }
    let place = lock.unused().find_map(Package::repository);
    let used = CRATES.iter().flat_map(|name| lock.packages(name));
    let place = place.or_else(|| {
        used.filter(|package| package.is_fork())
            .find_map(Package::repository)
    });
    Ok(Report { findings, place })
}

fn status(lock: &Lock, package: &Package) -> Status {
    if package.is_fork() {
        return Status::Patched {
            source: package.source.clone(),
        };
    }
    if !package.is_from_a_registry() {
        return Status::NotPatched(Reason::AnotherFork {
            source: package.source.clone(),
        });
    }
    let unused = lock.unused().filter(|unused| unused.name == package.name);
    let patches: Vec<String> = unused.map(|unused| unused.version.clone()).collect();
    Status::NotPatched(
        if !VERSIONS
            .iter()
            .any(|(version, _)| *version == package.version)
        {
            Reason::NoFork { patches }
        } else if patches.is_empty() {
            Reason::NoLine
        } else {
            Reason::OtherVersion { patches }
        },
    )
}
