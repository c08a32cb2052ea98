//! The parts of a `Cargo.lock` that say where a package comes from.

use serde::Deserialize;

use crate::{CRATES, MARK};

/// A lock file.
#[derive(Debug, Deserialize)]
pub(crate) struct Lock {
    #[serde(default)]
    package: Vec<Package>,
    #[serde(default)]
    patch: Patch,
}

#[derive(Debug, Default, Deserialize)]
struct Patch {
    #[serde(default)]
    unused: Vec<Package>,
}

/// A package of a lock file.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// None for a path.
    pub(crate) source: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Lock {
    pub(crate) fn packages(&self, name: &str) -> impl Iterator<Item = &Package> {
        self.package
            .iter()
            .filter(move |package| package.name == name)
    }

    /// The patches of the two crates that cargo has passed over.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &Package> {
        let unused = self.patch.unused.iter();
        unused.filter(|package| CRATES.contains(&package.name.as_str()))
    }
}

impl Package {
    /// True for a fork of this repository, wherever that is.
    pub(crate) fn is_fork(&self) -> bool {
        let mut dependencies = self.dependencies.iter();
        !self.is_from_a_registry()
            && dependencies.any(|dependency| dependency.split(' ').next() == Some(MARK))
    }

    pub(crate) fn is_from_a_registry(&self) -> bool {
        let source = self.source.as_deref().unwrap_or_default();
        ["registry+", "sparse+"]
            .iter()
            .any(|kind| source.starts_with(kind))
    }

    /// The address of the git repository that the package comes from.
    pub(crate) fn repository(&self) -> Option<String> {
        let address = self.source.as_deref()?.strip_prefix("git+")?;
        address.split(['?', '#']).next().map(str::to_owned)
    }
}
