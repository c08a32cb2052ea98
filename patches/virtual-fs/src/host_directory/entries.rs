//! Listings.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType as HostType, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::{HostDirectory, stat};
use crate::FileType;

/// The bytes of entries that the kernel gives at once, as the C library asks for them.
const BUFFER: usize = 32 * 1024;

/// An entry of a host directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// The name.
    pub name: OsString,
    /// The kind of file; a link is itself.
    pub file_type: FileType,
    /// The inode's number.
    pub inode: u64,
}

impl HostDirectory {
    /// The entries of the directory `path`, `.` and `..` among them, in the host's order.
    ///
    /// # Errors
    /// The kernel's error, and `EACCES` if the mount doesn't allow it.
    pub fn list(&self, path: &Path) -> io::Result<Vec<HostEntry>> {
        self.may(self.access.read)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = self.base.open(path, flags, Mode::empty())?;
        let mut buffer = Vec::with_capacity(BUFFER);
        let mut listing = RawDir::new(&directory, buffer.spare_capacity_mut());
        let mut entries = Vec::new();
        while let Some(entry) = listing.next() {
            let entry = match entry {
                // It was removed meanwhile.
                Err(Errno::NOENT) => break,
                entry => entry?,
            };
            let name = entry.file_name();
            let file_type = match entry.file_type() {
                HostType::Unknown => {
                    stat::of(directory.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)?.file_type
                }
                known => stat::kind_of(known),
            };
            entries.push(HostEntry {
                name: OsStr::from_bytes(name.to_bytes()).to_owned(),
                file_type,
                inode: entry.ino(),
            });
        }
        match entries.is_empty() {
            // It was removed: there is always a `.` otherwise.
            true => Err(Errno::NOENT.into()),
            false => Ok(entries),
        }
    }
}
