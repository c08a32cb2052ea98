//! Opening files and directories.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{HostDirectory, HostNode, stat};

/// The way in which a file is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostOpen {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Each write goes to the end.
    pub append: bool,
    /// Drops what is in the file.
    pub truncate: bool,
    /// A missing file is made.
    pub create: bool,
    /// The file must not be there yet.
    pub exclusive: bool,
    /// The file has to be a directory.
    pub directory: bool,
    /// A link at the end of the path is followed.
    pub follow: bool,
    /// Each write waits for the data to be on the disk.
    pub data_sync: bool,
    /// Each write waits for the data and the metadata to be on the disk.
    pub sync: bool,
}

impl HostOpen {
    /// Never waits for the other end of a fifo: whoever has to, does it where that can be interrupted.
    fn flags(self) -> OFlags {
        let mut flags = OFlags::NOCTTY | OFlags::NONBLOCK;
        flags |= match (self.read, self.write) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            (_, false) => OFlags::RDONLY,
        };
        let further = [
            (self.append, OFlags::APPEND),
            (self.truncate, OFlags::TRUNC),
            (self.create, OFlags::CREATE),
            (self.create && self.exclusive, OFlags::EXCL),
            (self.directory, OFlags::DIRECTORY),
            (!self.follow, OFlags::NOFOLLOW),
            (self.data_sync, OFlags::DSYNC),
            (self.sync, OFlags::SYNC),
        ];
        for (wanted, flag) in further {
            flags.set(flag, flags.contains(flag) || wanted);
        }
        flags
    }
}

impl HostDirectory {
    /// Opens a file or a directory.
    ///
    /// A fifo without another end is `ENXIO` for writing, and is opened at once for reading.
    ///
    /// # Errors
    /// The kernel's error, and `EACCES` if the mount doesn't allow it.
    pub fn open(&self, path: &Path, how: HostOpen) -> io::Result<HostNode> {
        let file = self.open_file(path, how)?;
        let found = stat::of_open(file.as_fd())?;
        if found.file_type.is_dir() {
            let directory = self.opened(path, file);
            return Ok(HostNode::directory(directory));
        }
        Ok(HostNode::file(
            file.into(),
            found.file_type,
            self.access,
            how,
        ))
    }

    fn open_file(&self, path: &Path, how: HostOpen) -> io::Result<OwnedFd> {
        if how.directory {
            return self.open_directory(path, how);
        }
        let writes = how.write || how.truncate;
        self.may((!how.read || self.access.read) && (!writes || self.access.write))?;
        let flags = how.flags();
        if how.create && self.may(self.access.create).is_err() {
            // What is there already may still be opened.
            let flags = flags.difference(OFlags::CREATE | OFlags::EXCL);
            if how.exclusive {
                return Err(Errno::ACCESS.into());
            }
            let opened = self.base.open(path, flags, Mode::empty());
            return opened.map_err(|error| match error.raw_os_error() {
                Some(code) if code == Errno::NOENT.raw_os_error() => Errno::ACCESS.into(),
                _ => error,
            });
        }
        let mode = match how.create {
            true => Mode::from_raw_mode(0o666),
            false => Mode::empty(),
        };
        match self.base.open(path, flags, mode) {
            // What can't be listed can still be gone through.
            Err(error)
                if !writes
                    && !how.create
                    && error.raw_os_error() == Some(Errno::ACCESS.raw_os_error()) =>
            {
                self.open_directory(path, how).map_err(|_| error)
            }
            opened => opened,
        }
    }

    /// Opens a directory, to be listed if that is allowed, and to go on from in any case.
    fn open_directory(&self, path: &Path, how: HostOpen) -> io::Result<OwnedFd> {
        let mut flags = HostOpen {
            read: true,
            write: how.write,
            create: how.create,
            directory: true,
            follow: how.follow,
            ..HostOpen::default()
        }
        .flags();
        if self.may(self.access.read).is_ok() {
            match self.base.open(path, flags, Mode::empty()) {
                Err(error) if error.raw_os_error() == Some(Errno::ACCESS.raw_os_error()) => {}
                opened => return opened,
            }
        }
        flags &= OFlags::DIRECTORY | OFlags::NOFOLLOW;
        self.base.open(path, flags | OFlags::PATH, Mode::empty())
    }
}
