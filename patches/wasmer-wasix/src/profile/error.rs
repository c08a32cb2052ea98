//! Why a profile can't be used.

use std::path::PathBuf;

use crate::WasiStateCreationError;

/// Why a profile can't be read, written or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The file can't be read.
    #[error("can't read the profile {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no profile: no TOML, a key that isn't known, a value of the wrong type.
    #[error("this is no profile: {0}")]
    Parse(#[from] toml::de::Error),
    /// The profile has no form as text.
    #[error("the profile can't be written: {0}")]
    Write(#[from] toml::ser::Error),
    /// An argument that can't be given to a module.
    #[error("argument {index} {problem}")]
    Argument {
        /// Its place, from 0.
        index: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A variable that can't be given to a module.
    #[error("the environment variable `{}` {problem}", name.escape_debug())]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A protection that doesn't exist, or is named twice.
    #[error("the protection `{name}` {problem}")]
    Protection {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A preopen that can't be made.
    #[error(transparent)]
    Preopen(#[from] WasiStateCreationError),
    /// A limit that makes no sense beside the rest.
    #[error("{0}")]
    Limits(String),
}
