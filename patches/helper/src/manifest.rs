//! `fork.toml`: what is forked, and how its source is recognised.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::Moved;

/// The contents of a `fork.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// Name of the published crate.
    pub name: String,
    /// The exact version, which is the fork's version too: with another one cargo would only warn that
    /// the patch is unused, and build without it.
    pub version: String,
    /// SHA-256 of the published `.crate` file, in hexadecimal.
    pub crate_sha256: String,
    /// SHA-256 over the unpacked source, as [`crate::source_digest`] computes it, in hexadecimal.
    /// A vendored copy has no `.crate` any more; this recognises it.
    pub source_sha256: String,
    /// The upstream commit that the crate was published from.
    pub upstream_commit: String,
    /// The folder of the crate in upstream's repository.
    pub upstream_path: String,
    /// The Rust version upstream asks for.
    pub rust_version: String,
    /// Upstream's licence (SPDX).
    pub license: String,
    /// A fork of the same version without which this one must not be built: each passes its name on through
    /// the crate `wasix-landlock-pair`.
    pub pair: Option<String>,
    /// The folder of a fork of another version of the crate, from this one's: its patches and its own files serve
    /// this version too.
    pub base: Option<PathBuf>,
    /// The base's patches that this version does without, by their names without number and ending.
    #[serde(default)]
    pub without: Vec<String>,
    /// The lines of the base's published files that stand elsewhere in this version's.
    #[serde(default)]
    pub moved: Vec<Moved>,
}

/// An error of reading a `fork.toml`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The manifest's path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is not what is expected.
    #[error("{} is not a fork manifest: {source}", path.display())]
    Parse {
        /// The manifest's path.
        path: PathBuf,
        /// The problem.
        source: Box<toml::de::Error>,
    },
}

impl Manifest {
    /// Reads `fork.toml` in the folder of a fork.
    ///
    /// # Errors
    /// [`ManifestError::Read`] and [`ManifestError::Parse`].
    pub fn load(fork: &Path) -> Result<Self, ManifestError> {
        let path = fork.join("fork.toml");
        let text = std::fs::read_to_string(&path).map_err(|source| ManifestError::Read {
            path: path.clone(),
            source,
        })?;
        toml::from_str(&text).map_err(|source| ManifestError::Parse {
            path,
            source: Box::new(source),
        })
    }

    /// The folder that holds the series and the fork's own files: the base's, if there is one.
    pub fn home(&self, fork: &Path) -> PathBuf {
        match &self.base {
            Some(base) => fork.join(base),
            None => fork.to_owned(),
        }
    }

    /// `name-version`, as cargo names the folder and the `.crate` file.
    pub fn full_name(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}
