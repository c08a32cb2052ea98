//! One error type per operation, under one root.

mod enforce;
mod open_files;
mod prepare;
mod within;

pub use enforce::EnforceError;
pub use open_files::OpenFilesLimit;
pub use prepare::{PathError, PrepareError, Unavailable};
pub use within::NotWithin;

use std::path::PathBuf;

use crate::{MODE_VARIABLE, RESERVE_VARIABLE, SCOPE_VARIABLE};

/// An error of [`Policy::enforce`](crate::Policy::enforce).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing was restricted.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// Restricting failed.
    #[error(transparent)]
    Enforce(#[from] EnforceError),
}

/// A mode that doesn't exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{value}` is not a mode; set {MODE_VARIABLE} to `enforce`, `best-effort` or `off`, or unset it"
)]
pub struct ModeError {
    /// The value that was given.
    pub value: String,
}

/// An operator's variable that can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// [`RESERVE_VARIABLE`] names something that isn't an absolute path.
    #[error(
        "{path:?} in {RESERVE_VARIABLE} is not an absolute path; name existing paths with colons between them, or unset \
         the variable"
    )]
    Reserve {
        /// The path that was given.
        path: PathBuf,
    },
    /// [`SCOPE_VARIABLE`] names something else than a scope.
    #[error(
        "`{value}` is not a scope; set {SCOPE_VARIABLE} to `process` or `instance`, or unset it"
    )]
    Scope {
        /// The value that was given.
        value: String,
    },
}
