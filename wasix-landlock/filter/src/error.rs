//! Errors of names and of filters.

use std::io;

use crate::Protection;

/// A protection that doesn't exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{value}` is not a protection; use one of {}",
    Protection::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ")
)]
pub struct ProtectionError {
    /// The value that was given.
    pub value: String,
}

/// An error of putting threads under a filter. No thread is under it.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// A thread is under a filter of its own, so that another can't be put on all threads at once.
    #[error("thread {tid} has a seccomp filter of its own")]
    Diverges {
        /// The thread.
        tid: i32,
    },

    /// The kernel refused the filter.
    #[error("the kernel rejected the seccomp filter: {source}")]
    Rejected {
        /// The kernel's error.
        source: io::Error,
    },
}
