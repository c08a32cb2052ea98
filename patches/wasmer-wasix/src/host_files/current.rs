//! The current directory, and programs that are looked for by their paths.

use std::collections::VecDeque;

use wasmer_wasix_types::wasi::{Errno, Filetype};

use super::{OnHost, with_node};
use crate::VIRTUAL_ROOT_FD;
use crate::fs::{Fd, MAX_SYMLINKS, WasiFs, WasiInodes};

impl WasiFs {
    /// The root of the virtual tree, whatever the module has made of its descriptors.
    fn virtual_root(&self) -> Fd {
        Self::virtual_root_fd(self.root_inode.clone())
    }

    /// The path of a directory of the host as it is without links, from the root of the virtual tree.
    pub(crate) fn host_real_directory(&self, inodes: &WasiInodes, path: &str) -> OnHost<String> {
        let root = self.virtual_root();
        // It has to be a directory that may be gone through.
        match self.host_stat(inodes, &root, &format!("{path}/."), true)? {
            Ok(_) => Some(self.without_links(inodes, &root, path)),
            Err(errno) => Some(Err(errno)),
        }
    }

    fn without_links(&self, inodes: &WasiInodes, root: &Fd, path: &str) -> Result<String, Errno> {
        let mut rest: VecDeque<String> = path.split('/').map(str::to_owned).collect();
        let (mut real, mut links) = (Vec::<String>::new(), 0);
        while let Some(name) = rest.pop_front() {
            match &*name {
                "" | "." => continue,
                ".." => {
                    real.pop();
                    continue;
                }
                _ => real.push(name),
            }
            let Some(target) = self.target_at(inodes, root, &joined(&real))? else {
                continue;
            };
            links += 1;
            if links > MAX_SYMLINKS {
                return Err(Errno::Loop);
            }
            real.pop();
            if target.starts_with('/') {
                real.clear();
            }
            for name in target.rsplit('/') {
                rest.push_front(name.to_owned());
            }
        }
        Ok(joined(&real))
    }

    /// The target of a link, on the host or in the virtual tree.
    fn target_at(
        &self,
        inodes: &WasiInodes,
        root: &Fd,
        path: &str,
    ) -> Result<Option<String>, Errno> {
        match self.host_read_link(inodes, root, path) {
            Some(Ok(target)) => String::from_utf8(target)
                .map(Some)
                .map_err(|_| Errno::Ilseq),
            Some(Err(Errno::Inval)) => Ok(None),
            Some(Err(errno)) => Err(errno),
            None => {
                let found = self.get_inode_at_path(inodes, VIRTUAL_ROOT_FD, path, false)?;
                self.target_of(&found).ok_or(Errno::Noent)
            }
        }
    }

    /// The path of an open directory of the host, if it still has the name by which it was opened.
    pub(crate) fn host_path_of_directory(&self, inodes: &WasiInodes, fd: &Fd) -> OnHost<String> {
        let node = with_node(fd, |node| (node.as_directory().is_some(), node.stat()))?;
        let stat = match node {
            (false, _) => return Some(Err(Errno::Notdir)),
            (true, Ok(stat)) => super::filestat_of(&stat),
            (true, Err(error)) => return Some(Err(crate::host_errno::of_files(error))),
        };
        let path = self.guest_path(fd, "");
        let root = self.virtual_root();
        let there = match self.host_stat(inodes, &root, path.to_str()?, true)? {
            Ok(there) => there,
            Err(errno) => return Some(Err(errno)),
        };
        if (there.st_dev, there.st_ino) != (stat.st_dev, stat.st_ino) {
            return Some(Err(Errno::Noent));
        }
        self.host_real_directory(inodes, path.to_str()?)
    }

    /// Looks for a program that a module starts.
    pub(crate) fn look_for_program(&self, inodes: &WasiInodes, path: &str) -> Result<(), Errno> {
        let root = self.virtual_root();
        match self.host_stat(inodes, &root, path, true) {
            // Directories are not executed.
            Some(Ok(found)) if found.st_filetype == Filetype::Directory => Err(Errno::Access),
            Some(found) => found.map(drop),
            None => self
                .get_inode_at_path(inodes, VIRTUAL_ROOT_FD, path, true)
                .map(drop),
        }
    }

    /// The current directory, if it is the host's and still there.
    pub(crate) fn host_current_directory(&self, inodes: &WasiInodes) -> OnHost<String> {
        let path = self.current_dir.lock().ok()?.clone();
        let root = self.virtual_root();
        Some(match self.host_stat(inodes, &root, &path, true)? {
            Ok(found) if found.st_filetype != Filetype::Directory => Err(Errno::Noent),
            found => found.map(|_| path),
        })
    }
}

fn joined(names: &[String]) -> String {
    format!("/{}", names.join("/"))
}
