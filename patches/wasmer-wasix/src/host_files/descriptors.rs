//! Calls on what is open.

use std::io;
use std::path::Path;

use virtual_fs::host_directory::{HostDirectory, HostEntry, HostNode};
use wasmer_wasix_types::wasi::{Errno, Fdflags, Filestat, Filetype, Fstflags};

use super::{OnHost, filestat_of, filetype_of, times_of, with_node};
use crate::fs::{Fd, WasiFs};
use crate::landlock::Operation;
use crate::listing::Entry;

impl WasiFs {
    /// Does something with the host's file or directory that a descriptor stands for.
    fn on_descriptor<T>(
        &self,
        operation: Operation,
        fd: &Fd,
        of_node: impl FnOnce(&HostNode) -> io::Result<T>,
        of_directory: impl FnOnce(&HostDirectory) -> io::Result<T>,
    ) -> OnHost<T> {
        let done = match self.place_of(fd) {
            Some(place) => of_directory(&place.directory),
            None => with_node(fd, of_node)?,
        };
        Some(done.map_err(|error| self.host_error(operation, (fd, ""), error)))
    }

    pub(crate) fn host_filestat(&self, fd: &Fd) -> OnHost<Filestat> {
        if fd.is_stdio {
            return super::stdio::filestat(fd);
        }
        let stat = self.on_descriptor(Operation::Look, fd, HostNode::stat, |directory| {
            directory.stat(Path::new(""), true)
        })?;
        Some(stat.map(|stat| filestat_of(&stat)))
    }

    /// The kind of what is open, if that is the host's.
    pub(crate) fn host_filetype(&self, fd: &Fd) -> Option<Filetype> {
        with_node(fd, |node| filetype_of(&node.file_type()))
    }

    pub(crate) fn host_set_times_of(
        &self,
        fd: &Fd,
        (atime, mtime): (u64, u64),
        flags: Fstflags,
    ) -> OnHost<()> {
        let times = times_of(atime, mtime, flags);
        self.on_descriptor(
            Operation::SetTimes,
            fd,
            |node| node.set_host_times(times),
            |directory| directory.set_own_times(times),
        )
    }

    pub(crate) fn host_sync(&self, fd: &Fd, data_only: bool) -> OnHost<()> {
        self.on_descriptor(
            Operation::Write,
            fd,
            |node| node.sync(data_only),
            |directory| directory.sync(data_only),
        )
    }

    /// Sets the size; what the file grows by is counted first.
    pub(crate) fn host_set_size(&self, fd: &Fd, size: u64) -> OnHost<()> {
        let before = with_node(fd, HostNode::stat)?.map_or(0, |stat| stat.size);
        if let Err(errno) = self.meter.grow(size.saturating_sub(before)) {
            return Some(Err(errno));
        }
        let set = with_node(fd, |node| node.set_size(size))?;
        Some(set.map_err(crate::host_errno::of_files))
    }

    /// Has the host keep room; what the file grows by is counted first.
    pub(crate) fn host_allocate(&self, fd: &Fd, offset: u64, length: u64) -> OnHost<()> {
        let before = with_node(fd, HostNode::stat)?.map_or(0, |stat| stat.size);
        let Some(end) = offset.checked_add(length) else {
            return Some(Err(Errno::Fbig));
        };
        if let Err(errno) = self.meter.grow(end.saturating_sub(before)) {
            return Some(Err(errno));
        }
        let allocated = with_node(fd, |node| node.allocate(offset, length))?;
        Some(allocated.map_err(crate::host_errno::of_files))
    }

    /// Has the host append each write, or not, as the descriptor's flags say.
    pub(crate) fn host_set_flags(&self, fd: &Fd, flags: Fdflags) -> OnHost<()> {
        let set = with_node(fd, |node| node.set_append(flags.contains(Fdflags::APPEND)))?;
        Some(set.map_err(crate::host_errno::of_files))
    }

    /// The entries of a directory, sorted by name. What is mounted in it shows in the virtual tree's own listing.
    pub(crate) fn host_list(&self, fd: &Fd) -> OnHost<Vec<Entry>> {
        let is_own = match &*fd.inode.kind.read().ok()? {
            crate::fs::Kind::Dir { path, .. } => !self.root_fs.root().has_mounts_below(path),
            _ => true,
        };
        if !is_own {
            return None;
        }
        let list = |directory: &HostDirectory| directory.list(Path::new(""));
        let of_node = |node: &HostNode| match node.as_directory() {
            Some(directory) => list(directory),
            None => Err(io::ErrorKind::NotADirectory.into()),
        };
        let listed = self.on_descriptor(Operation::List, fd, of_node, list)?;
        if listed.is_ok() {
            self.root_fs.note_listed(fd);
        }
        Some(listed.map(sorted))
    }
}

fn sorted(listed: Vec<HostEntry>) -> Vec<Entry> {
    let own = listed.iter().find(|entry| entry.name == ".");
    let own = own.map_or(0, |entry| entry.inode);
    let mut entries: Vec<Entry> = listed
        .into_iter()
        .map(|entry| {
            // What is above isn't the module's to know.
            let inode = if entry.name == ".." { own } else { entry.inode };
            let name = match entry.name.into_string() {
                Ok(name) => name,
                Err(name) => name.to_string_lossy().into_owned(),
            };
            (name, filetype_of(&entry.file_type), inode)
        })
        .collect();
    entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    entries
}
