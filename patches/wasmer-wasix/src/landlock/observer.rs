//! The observer of a root: what is denied, what is used, and what is written into memory.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use virtual_fs::{FileSystem, FsError, HostBacking};

use super::backings::{absolute_path, innermost};
use super::denial::log::DenialLog;
use super::denial::unsaved::UnsavedFiles;
use super::learn::learning::Learning;
use crate::fs::WasiFsRoot;

/// The observations of one environment's calls.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    /// The calls that were refused.
    pub(crate) denials: DenialLog,
    /// The receiver of successful calls, if they are learned from.
    pub(crate) learning: OnceLock<Learning>,
    /// The files that are written where nothing is preopened.
    pub(crate) unsaved: UnsavedFiles,
    /// The host paths behind the tree when they were first asked for.
    backings: OnceLock<Vec<HostBacking>>,
}

/// The observer of a root and of all its clones.
pub(crate) type SharedObserver = Arc<Observer>;

impl Observer {
    /// True if something of the host stands behind a path.
    pub(crate) fn covers(&self, root: &WasiFsRoot, guest: &Path) -> bool {
        if self.covered_first(root, guest) {
            return true;
        }
        // What is mounted later isn't among them.
        self.denials.count_examined();
        innermost(&root.host_backing(), guest).is_some()
    }

    /// Notes a file of the virtual tree that was opened to be written, if it is in memory only.
    pub(crate) fn note_written(&self, root: &WasiFsRoot, guest: &Path) {
        if !self.covered_first(root, guest) {
            self.unsaved.note(root, guest);
        }
    }

    /// Fails if the module may not write a path, since nothing is preopened there.
    ///
    /// # Errors
    /// [`FsError::PermissionDenied`], if such writes are refused.
    pub(crate) fn may_write(&self, root: &WasiFsRoot, guest: &Path) -> virtual_fs::Result<()> {
        let is_lost = || !self.covered_first(root, guest) && self.unsaved.note(root, guest);
        if self.unsaved.refuses() && is_lost() {
            return Err(FsError::PermissionDenied);
        }
        Ok(())
    }

    /// True if something of the host stood behind a path when that was first asked for.
    fn covered_first(&self, root: &WasiFsRoot, guest: &Path) -> bool {
        let backings = self.backings.get_or_init(|| root.host_backing());
        innermost(backings, guest).is_some()
    }

    /// Returns the host path to which a path that leads out of the directory `base` would lead.
    pub(crate) fn outside(&self, base: &Path, path: &str) -> Option<PathBuf> {
        let backings = self.backings.get()?;
        let base = innermost(backings, base)?.below(base)?.host;
        Some(absolute_path(&base, path))
    }
}
