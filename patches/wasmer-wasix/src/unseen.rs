//! What the table of inodes doesn't know and the host alone decides: it is changed there, and not looked at first.
//!
//! A path that a module removes, renames or makes is otherwise looked up on the host, entered in the table, looked at
//! once more, and changed. Where nothing of it is known here, the host's own answer to the change is the whole
//! answer. `None` always means that the caller has to look.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::path::{Path, PathBuf};

use virtual_fs::FileSystem as _;
use virtual_mio::block_on;
use wasmer_wasix_types::wasi::{Errno, Fd as WasiFd};

use crate::fs::{Kind, WasiFs, WasiInodes, fs_error_into_wasi_err, link_error_into_wasi_err};

impl WasiFs {
    /// Where `path` is in the tree, if it has no inode yet, stands for nothing that only this process knows, and
    /// the host answers for it.
    fn unseen(&self, inodes: &WasiInodes, base: WasiFd, path: &str) -> Option<PathBuf> {
        let last = path.rsplit('/').next()?;
        if matches!(last, "" | "." | "..") {
            return None;
        }
        let parent = self.get_parent_inode_at_path(inodes, base, Path::new(path), true);
        let (parent, name) = parent.ok()?;
        let place = match &*parent.read() {
            Kind::Dir { entries, path, .. } if !entries.contains_key(&name) => path.join(&name),
            _ => return None,
        };
        let is_known = self.ephemeral_symlink_at(&place).is_some();
        (!is_known && self.root_fs.is_host_path(&place)).then_some(place)
    }

    /// Removes a file that has no inode yet.
    pub(crate) fn remove_unseen_file(
        &self,
        inodes: &WasiInodes,
        base: WasiFd,
        path: &str,
    ) -> Option<Result<(), Errno>> {
        let place = self.unseen(inodes, base, path)?;
        Some(
            self.root_fs
                .remove_file(&place)
                .map_err(fs_error_into_wasi_err),
        )
    }

    /// Makes a directory where nothing has an inode yet.
    pub(crate) fn make_unseen_directory(
        &self,
        inodes: &WasiInodes,
        base: WasiFd,
        path: &str,
    ) -> Option<Result<(), Errno>> {
        let place = self.unseen(inodes, base, path)?;
        Some(
            self.root_fs
                .create_dir(&place)
                .map_err(fs_error_into_wasi_err),
        )
    }

    /// Renames what has no inode yet to where nothing has one. The host renames at once: there is nothing to wait for.
    pub(crate) fn rename_unseen(
        &self,
        inodes: &WasiInodes,
        (from_base, from): (WasiFd, &str),
        (to_base, to): (WasiFd, &str),
    ) -> Option<Result<(), Errno>> {
        let from = self.unseen(inodes, from_base, from)?;
        let to = self.unseen(inodes, to_base, to)?;
        let renamed = block_on(self.root_fs.rename(&from, &to));
        Some(renamed.map_err(link_error_into_wasi_err))
    }
}
