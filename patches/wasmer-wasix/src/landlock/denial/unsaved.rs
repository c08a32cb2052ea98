//! Writes where nothing is preopened: what they make is in memory, and lost at the end.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::denials::DENIALS_KEPT;
use super::nearest::{NearestPreopen, nearest};
use crate::fs::WasiFsRoot;
use virtual_fs::FileSystem as _;

/// The directories whose files nobody expects to stay.
const VOLATILE: [&str; 2] = ["/dev", "/tmp"];

/// A file that a module wrote into memory, or was refused to write, since nothing is preopened at its path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnsavedFile {
    /// The path inside, absolute.
    pub guest: PathBuf,
    /// The preopen that comes nearest.
    pub nearest: Option<NearestPreopen>,
    /// True if the write was refused, by [`UnsavedWrites::Refuse`](crate::landlock::UnsavedWrites::Refuse).
    pub refused: bool,
}

impl fmt::Display for UnsavedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guest = &self.guest;
        if self.refused {
            write!(
                f,
                "the module was refused to write {guest:?}, where nothing is preopened"
            )?;
        } else {
            write!(
                f,
                "the module wrote {guest:?}, where nothing is preopened: the file is in memory and is lost at the end"
            )?;
        }
        if let Some(nearest) = &self.nearest {
            write!(f, "; the nearest preopen is {nearest}")?;
        }
        write!(f, "; preopen its directory for writing to keep it")
    }
}

/// The first [`DENIALS_KEPT`] unsaved files of an environment. All of them are logged at the end.
#[derive(Debug, Default)]
pub(crate) struct UnsavedFiles {
    files: Mutex<Vec<UnsavedFile>>,
    refuses: AtomicBool,
}

impl UnsavedFiles {
    /// Refuses such writes from now on.
    pub(crate) fn refuse(&self) {
        self.refuses.store(true, Ordering::Relaxed);
    }

    /// True if such writes are refused.
    pub(crate) fn refuses(&self) -> bool {
        self.refuses.load(Ordering::Relaxed)
    }

    /// Notes a write that nothing of the host stands behind. True if what it makes would be lost.
    pub(crate) fn note(&self, root: &WasiFsRoot, guest: &Path) -> bool {
        if VOLATILE.iter().any(|volatile| guest.starts_with(volatile)) {
            return false;
        }
        // A file system that the program mounted is where the program wants it.
        let mut above = guest.ancestors().filter(|path| *path != Path::new("/"));
        if above.any(|path| root.root().filesystem_at(path).is_some()) {
            return false;
        }
        let mut files = self.locked();
        if files.len() < DENIALS_KEPT && files.iter().all(|file| file.guest != guest) {
            files.push(UnsavedFile {
                guest: guest.to_owned(),
                nearest: nearest(&root.host_backing(), guest),
                refused: self.refuses(),
            });
        }
        true
    }

    fn locked(&self) -> MutexGuard<'_, Vec<UnsavedFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn so_far(&self) -> Vec<UnsavedFile> {
        self.locked().clone()
    }
}

impl Drop for UnsavedFiles {
    fn drop(&mut self) {
        for file in self.so_far() {
            tracing::warn!(target: "wasix_landlock", guest = ?file.guest, "{file}");
        }
    }
}
