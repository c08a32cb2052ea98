//! The ways in which a host directory comes to a module.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Way {
    /// The fork's `WasiEnvBuilder::preopen`, without a virtual root.
    Preopen,
    /// Upstream's `.fs(host file system)`, with a preopen by alias.
    Fs,
    /// `WasiRunner::with_mount`, of a host file system.
    Mount,
    /// `WasiRunner::with_mapped_directories`, as the command line does it.
    Mapped,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Preopen, Self::Fs, Self::Mount, Self::Mapped];

    /// The name, as in cases and lists.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preopen => "preopen",
            Self::Fs => "fs",
            Self::Mount => "mount",
            Self::Mapped => "mapped",
        }
    }

    /// The way of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|way| way.name() == name)
            .with_context(|| format!("`{name}` is no way in"))
    }

    /// The root in memory that the module's tree has.
    #[must_use]
    pub const fn has_memory_root(self) -> bool {
        matches!(self, Self::Mount | Self::Mapped)
    }
}
