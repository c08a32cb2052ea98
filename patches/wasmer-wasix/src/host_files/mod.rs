//! Calls on files of the host: the kernel answers them, and nothing that it answered is kept for the next call.
//!
//! The virtual tree says which mount a path is in (`walk`); the rest is one system call beneath the mount's directory.
//! An open file or directory is the host's own, whatever becomes of its name. Each function here answers `None` for what
//! isn't on the host, which is the caller's to do. What the host refuses is noted here, for all calls.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

mod current;
mod descriptors;
mod open;
mod paths;
mod stdio;
mod transfer;
mod walk;

pub(crate) use open::{Opening, open};
pub(crate) use transfer::{read, write};

use std::io;
use std::path::Path;

use virtual_fs::VirtualFile;
use virtual_fs::host_directory::{HostNode, HostPlace, HostStat, HostTime};
use wasmer_wasix_types::wasi::{Errno, Filestat, Filetype, Fstflags};

use crate::fs::{Fd, Kind, VirtualFileLock, WasiFs};
use crate::landlock::Operation;

/// The outcome of a call on the host's files; nothing if it isn't one.
pub(crate) type OnHost<T> = Option<Result<T, Errno>>;

/// Does something with the host's open file or directory behind a descriptor, if there is one.
fn with_node<T>(fd: &Fd, act: impl FnOnce(&HostNode) -> T) -> Option<T> {
    let file = fd.inode.host.as_ref()?.read().ok()?;
    file.host_node().map(act)
}

/// True if the file is one of the host's. Nothing of it waits here to be written.
pub(crate) fn is_on_host(file: &VirtualFileLock) -> bool {
    file.read().is_ok_and(|file| file.host_node().is_some())
}

/// True if the file is one of the host's that has no offsets: a fifo, a device or a directory.
pub(crate) fn has_no_offset(file: &dyn VirtualFile) -> bool {
    let node = file.host_node();
    node.is_some_and(|node| !node.file_type().is_file())
}

impl WasiFs {
    /// The host's directory that a descriptor of the virtual tree stands for.
    fn place_of(&self, fd: &Fd) -> Option<HostPlace> {
        if cfg!(landlock_kernel_alone) {
            return None;
        }
        match &*fd.inode.kind.read().ok()? {
            Kind::Dir { path, .. } => self.place_in_mount(path),
            _ => None,
        }
    }

    fn place_in_mount(&self, path: &Path) -> Option<HostPlace> {
        let found = self.root_fs.root().place_in_mount(path)?;
        Some(found.place)
    }

    /// The host's error as the module sees it; what is refused is noted.
    fn host_error(
        &self,
        operation: Operation,
        (base, path): (&Fd, &str),
        error: io::Error,
    ) -> Errno {
        let errno = crate::host_errno::of_files(error);
        if matches!(errno, Errno::Access | Errno::Perm | Errno::Xdev) {
            self.root_fs.note_refused(operation, base, Path::new(path));
        }
        errno
    }
}

fn filetype_of(kind: &virtual_fs::FileType) -> Filetype {
    if kind.is_dir() {
        Filetype::Directory
    } else if kind.is_file() {
        Filetype::RegularFile
    } else if kind.is_symlink() {
        Filetype::SymbolicLink
    } else if kind.is_char_device() {
        Filetype::CharacterDevice
    } else if kind.is_block_device() {
        Filetype::BlockDevice
    } else if kind.is_socket() {
        Filetype::SocketStream
    } else {
        // WASI has none for a fifo.
        Filetype::Unknown
    }
}

fn filestat_of(stat: &HostStat) -> Filestat {
    Filestat {
        st_dev: stat.device,
        st_ino: stat.inode,
        st_filetype: filetype_of(&stat.file_type),
        st_nlink: stat.links,
        st_size: stat.size,
        st_atim: stat.accessed,
        st_mtim: stat.modified,
        st_ctim: stat.changed,
    }
}

/// The times that a call sets: of the last access, and of the last change.
fn times_of(atime: u64, mtime: u64, flags: Fstflags) -> [HostTime; 2] {
    let time = |at, set, now| {
        if flags.contains(now) {
            HostTime::Now
        } else if flags.contains(set) {
            HostTime::At(at)
        } else {
            HostTime::Keep
        }
    };
    [
        time(atime, Fstflags::SET_ATIM, Fstflags::SET_ATIM_NOW),
        time(mtime, Fstflags::SET_MTIM, Fstflags::SET_MTIM_NOW),
    ]
}
