//! Files that a module writes where nothing is preopened. They are in memory, and lost at the end.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::denials::DENIALS_KEPT;
use super::nearest::{NearestPreopen, nearest};
use crate::fs::WasiFsRoot;
use virtual_fs::FileSystem as _;

/// The directories whose files nobody expects to stay.
const VOLATILE: [&str; 2] = ["/dev", "/tmp"];

/// A file that a module wrote into memory, since nothing is preopened at its path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnsavedFile {
    /// The path inside, absolute.
    pub guest: PathBuf,
    /// The preopen that comes nearest.
    pub nearest: Option<NearestPreopen>,
}

impl fmt::Display for UnsavedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the module wrote {:?}, where nothing is preopened: the file is in memory and is lost at the end",
            self.guest
        )?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; the nearest preopen is {nearest}")?;
        }
        write!(f, "; preopen its directory for writing to keep it")
    }
}

/// The first [`DENIALS_KEPT`] unsaved files of an environment. All of them are logged at the end.
#[derive(Debug, Default)]
pub(crate) struct UnsavedFiles(Mutex<Vec<UnsavedFile>>);

impl UnsavedFiles {
    /// Notes a file of the virtual tree that was opened to be written, and that nothing of the host stands behind.
    pub(crate) fn note(&self, root: &WasiFsRoot, guest: &Path) {
        if VOLATILE.iter().any(|volatile| guest.starts_with(volatile)) {
            return;
        }
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if files.len() >= DENIALS_KEPT || files.iter().any(|file| file.guest == guest) {
            return;
        }
        // A file system that the program mounted is where the program wants it.
        let mut above = guest.ancestors().filter(|path| *path != Path::new("/"));
        if above.any(|path| root.root().filesystem_at(path).is_some()) {
            return;
        }
        files.push(UnsavedFile {
            guest: guest.to_owned(),
            nearest: nearest(&root.host_backing(), guest),
        });
    }

    pub(crate) fn so_far(&self) -> Vec<UnsavedFile> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.clone()
    }
}

impl Drop for UnsavedFiles {
    fn drop(&mut self) {
        for file in self.so_far() {
            tracing::warn!(target: "wasix_landlock", guest = ?file.guest, "{file}");
        }
    }
}
