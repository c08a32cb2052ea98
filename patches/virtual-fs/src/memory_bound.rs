//! A bound on the memory that files, names and links of a file system in memory take.
//!
//! Each [`mem_fs::FileSystem`](crate::mem_fs::FileSystem) has one of its own until a program sets another limiter.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::FsError;
use crate::limiter::{DynFsMemoryLimiter, FsMemoryLimiter};

/// The bytes that the files of one file system in memory may hold together, unless a limiter is set.
pub const DEFAULT_BYTES: usize = 1 << 30;

/// The number of files, directories and links that one file system in memory may have.
const NODES: usize = 1 << 20;

/// The longest name, as on Linux.
const NAME: usize = 255;

/// The longest target of a link, as on Linux.
const TARGET: usize = 4095;

/// A limiter that lets files grow up to a number of bytes, and answers like a full disk from there on.
///
/// A hole counts as what is in it, since a file in memory has none.
///
/// ```
/// use virtual_fs::FsError;
/// use virtual_fs::limiter::FsMemoryLimiter;
/// use virtual_fs::memory_bound::MemoryBound;
///
/// let bound = MemoryBound::new(100);
/// assert_eq!(bound.on_grow(60), Ok(()));
/// assert_eq!(bound.on_grow(60), Err(FsError::StorageFull));
/// bound.on_shrink(60);
/// assert_eq!(bound.on_grow(100), Ok(()));
/// ```
#[derive(Debug)]
pub struct MemoryBound {
    most: usize,
    used: AtomicUsize,
}

impl MemoryBound {
    /// Allows `most` bytes.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self {
            most,
            used: AtomicUsize::new(0),
        }
    }
}

impl FsMemoryLimiter for MemoryBound {
    fn on_grow(&self, grown_bytes: usize) -> Result<(), FsError> {
        let fits = |used: usize| {
            let sum = used.checked_add(grown_bytes);
            sum.filter(|sum| *sum <= self.most)
        };
        let grown = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        grown.map(drop).map_err(|_| FsError::StorageFull)
    }

    fn on_shrink(&self, shrunk_bytes: usize) {
        let less = |used: usize| Some(used.saturating_sub(shrunk_bytes));
        // The closure always has an answer.
        let _ = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }
}

pub(crate) fn default_bound() -> DynFsMemoryLimiter {
    Arc::new(MemoryBound::new(DEFAULT_BYTES))
}

/// Fails if a file system with so many nodes takes no more of them, or none of this name.
pub(crate) fn may_hold(nodes: usize, name: &OsStr) -> crate::Result<()> {
    if name.len() > NAME {
        return Err(FsError::InvalidInput);
    }
    match nodes < NODES {
        true => Ok(()),
        false => Err(FsError::StorageFull),
    }
}

/// Fails if the target of a link is too long.
pub(crate) fn may_lead_to(target: &Path) -> crate::Result<()> {
    match target.as_os_str().len() <= TARGET {
        true => Ok(()),
        false => Err(FsError::InvalidInput),
    }
}
