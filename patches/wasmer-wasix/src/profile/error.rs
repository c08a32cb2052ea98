//! Errors of profiles.

use std::path::PathBuf;

use crate::WasiStateCreationError;

/// An error of reading, writing or applying a profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The file can't be read.
    #[error("can't read the profile {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
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
        /// The place, from 0.
        index: usize,
        /// The problem.
        problem: &'static str,
    },
    /// A variable that can't be given to a module.
    #[error("the environment variable `{}` {problem}", name.escape_debug())]
    Variable {
        /// The name.
        name: String,
        /// The problem.
        problem: &'static str,
    },
    /// A protection that doesn't exist, or is named twice.
    #[error("the protection `{name}` {problem}")]
    Protection {
        /// The name.
        name: String,
        /// The problem.
        problem: &'static str,
    },
    /// A preopen that can't be made.
    #[error(transparent)]
    Preopen(#[from] WasiStateCreationError),
    /// A limit that makes no sense beside the rest.
    #[error("{0}")]
    Limits(String),
}
