//! A host directory as the kernel has it: each call is one system call beneath the directory's descriptor.
//!
//! A path behind a mount is not looked up, remembered or opened by name a second time. The virtual tree only says
//! which mount a path is in ([`FileSystem::host_place`](crate::FileSystem::host_place)); the rest is the kernel's: it
//! resolves the path beneath the directory and answers with its own errors. What a mount allows is checked here, at
//! the one place where all calls pass.
//!
//! A path through another directory is resolved by opening that one, so that nothing that is renamed meanwhile leads out.
//! This takes a descriptor where the kernel's own call by path takes none: with none left, such a call is `EMFILE`.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

mod access;
mod descriptor;
mod entries;
mod node;
mod open;
mod stat;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::beneath::resolve;
use crate::host_backing::HostAccess;
use descriptor::Base;

pub use entries::HostEntry;
pub use node::HostNode;
pub use open::HostOpen;
pub use stat::{HostStat, HostTime, appends};

/// A place on the host: a directory, and a path beneath it that the kernel has yet to resolve.
#[derive(Debug, Clone)]
pub struct HostPlace {
    /// The directory.
    pub directory: HostDirectory,
    /// The path from there; empty for the directory itself.
    pub path: PathBuf,
}

/// The place behind a directory of a tree of mounts.
#[derive(Debug, Clone)]
pub struct PlaceInMount {
    /// The directory on the host.
    pub place: HostPlace,
    /// True if something is mounted below the directory.
    pub has_mounts_below: bool,
}

/// An open directory of the host with what may be done to it, or a single host file.
#[derive(Debug, Clone)]
pub struct HostDirectory {
    base: Arc<Base>,
    access: HostAccess,
    /// The directory that this one was opened in, and the path there.
    above: Option<Arc<HostPlace>>,
}

impl HostDirectory {
    /// The same directory, of which only what `access` allows is ever used.
    #[must_use]
    pub fn limited_to(self, access: HostAccess) -> Self {
        Self {
            access: self.access.intersection(access),
            ..self
        }
    }

    /// The place where this directory was opened, if that was beneath another one, and if it is still there.
    #[must_use]
    pub fn opened_in(&self) -> Option<HostPlace> {
        let above = self.above.as_deref()?;
        let there = above.directory.stat(&above.path, true).ok()?;
        let here = self.stat(Path::new(""), true).ok()?;
        (there.is_same_file(&here)).then(|| above.clone())
    }

    /// The metadata of what `path` names, or of the link itself.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn stat(&self, path: &Path, follow: bool) -> io::Result<HostStat> {
        self.base.stat(path, follow)
    }

    /// Sets the times of what `path` names, or of the link itself.
    ///
    /// # Errors
    /// The kernel's error, and `EACCES` if the mount doesn't allow it.
    pub fn set_times(&self, path: &Path, follow: bool, times: [HostTime; 2]) -> io::Result<()> {
        self.may(self.access.write)?;
        let file = self.base.open(path, path_flags(follow), Mode::empty())?;
        stat::set_times(&file, times, AtFlags::EMPTY_PATH)
    }

    /// The target of a link.
    ///
    /// # Errors
    /// The kernel's error; `EINVAL` if it isn't a link.
    pub fn read_link(&self, path: &Path) -> io::Result<OsString> {
        let link = self.base.open(path, path_flags(false), Mode::empty())?;
        let target = rustix::fs::readlinkat(&link, "", Vec::new());
        // The kernel's answer about a descriptor that is no link is that there is no such name.
        let target = target.map_err(|error| match error {
            Errno::NOENT => Errno::INVAL,
            other => other,
        })?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// The kernel's error, and `EACCES` if the mount doesn't allow it.
    pub fn make_directory(&self, path: &Path) -> io::Result<()> {
        self.change(path, self.access.create, |parent, name| {
            rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777))
        })
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// The kernel's error, and `EACCES` if the mount doesn't allow it.
    pub fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.change(path, self.access.write, |parent, name| {
            rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
        })
    }

    /// Removes a name of a file.
    ///
    /// # Errors
    /// The kernel's error, and `EACCES` if the mount doesn't allow it.
    pub fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(path, self.access.write, |parent, name| {
            rustix::fs::unlinkat(parent, name, AtFlags::empty())
        })
    }

    /// Makes a symbolic link with this target, as it is.
    ///
    /// # Errors
    /// The kernel's error, and `EACCES` if the mount doesn't allow it.
    pub fn make_symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.change(path, self.access.create, |parent, name| {
            rustix::fs::symlinkat(target, parent, name)
        })
    }

    fn may(&self, allowed: bool) -> io::Result<()> {
        access::may(allowed)
    }

    fn change(
        &self,
        path: &Path,
        allowed: bool,
        change: impl Fn(BorrowedFd<'_>, &OsStr) -> Result<(), Errno>,
    ) -> io::Result<()> {
        self.may(allowed)?;
        let (parent, name) = self.base.parent(path)?;
        Ok(change(parent.as_fd(), name)?)
    }
}

impl HostPlace {
    /// The place of `path` seen from here.
    #[must_use]
    pub fn joined(self, path: &str) -> Self {
        let path = match self.path.as_os_str().is_empty() {
            true => PathBuf::from(path),
            false => self.path.join(path),
        };
        Self { path, ..self }
    }

    /// Renames what is here to `target`, over what is there.
    ///
    /// # Errors
    /// The kernel's error; `EXDEV` if the two are on different devices, or if more could be done with it there;
    /// `EACCES` if a mount doesn't allow it.
    pub fn rename(&self, target: &Self) -> io::Result<()> {
        self.directory.may(self.directory.access.write)?;
        target.directory.may(target.directory.access.create)?;
        if !target.directory.access.write {
            // What is replaced is removed.
            let is_there = target.directory.stat(&target.path, false).is_ok();
            target.directory.may(!is_there)?;
        }
        self.may_become(target)?;
        let (from, old) = self.directory.base.parent(&self.path)?;
        if let Some(new) = self.name_beside(target) {
            return Ok(rustix::fs::renameat(from.as_fd(), old, from.as_fd(), new)?);
        }
        let (to, new) = target.directory.base.parent(&target.path)?;
        Ok(rustix::fs::renameat(from.as_fd(), old, to.as_fd(), new)?)
    }

    /// The last name of `target`, if the rest of its path is the same as here.
    fn name_beside<'t>(&self, target: &'t Self) -> Option<&'t OsStr> {
        let (before, _) = resolve::split(&self.path);
        let (same, new) = resolve::split(&target.path);
        let is_beside = before.is_some()
            && before == same
            && Arc::ptr_eq(&self.directory.base, &target.directory.base);
        is_beside.then_some(new)
    }

    /// True if no more can be done with a file at `target` than here, which the kernel asks as well.
    fn may_become(&self, target: &Self) -> io::Result<()> {
        let new = target.directory.access;
        match self.directory.access.intersection(new) == new {
            true => Ok(()),
            false => Err(Errno::XDEV.into()),
        }
    }

    /// Looks for the directory that the path's last name is in, as the kernel does before it looks at a second path.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn look_for_parent(&self) -> io::Result<()> {
        self.directory.base.parent(&self.path).map(drop)
    }

    /// Looks for what a rename would take from here, as the kernel does: a link at the end counts itself.
    ///
    /// # Errors
    /// The kernel's error: `EBUSY` for `.` and `..`, `ENOTDIR` for a slash behind what isn't a directory.
    pub fn look_for_renamed(&self) -> io::Result<()> {
        let (parent, name) = self.directory.base.parent(&self.path)?;
        let trimmed = without_slashes(name);
        if trimmed == "." || trimmed == ".." {
            return Err(Errno::BUSY.into());
        }
        let found = rustix::fs::statat(parent.as_fd(), trimmed, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_directory = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
        match is_directory || trimmed == name {
            true => Ok(()),
            false => Err(Errno::NOTDIR.into()),
        }
    }

    /// Makes `target` another name of the file that is here.
    ///
    /// # Errors
    /// As [`Self::rename`].
    pub fn link(&self, follow: bool, target: &Self) -> io::Result<()> {
        target.directory.may(target.directory.access.create)?;
        let follow = follow || resolve::ends_with_slash(&self.path);
        let flags = path_flags(follow);
        let file = self.directory.base.open(&self.path, flags, Mode::empty())?;
        let (to, new) = target.directory.base.parent(&target.path)?;
        if stat::of_open(file.as_fd())?.file_type.is_dir() {
            return Err(not_for_directories(to.as_fd(), new).into());
        }
        self.may_become(target)?;
        if follow {
            let file = descriptor::proc_path(&file);
            let follow = AtFlags::SYMLINK_FOLLOW;
            return Ok(rustix::fs::linkat(
                rustix::fs::CWD,
                file,
                to.as_fd(),
                new,
                follow,
            )?);
        }
        let (from, old) = self.directory.base.parent(&self.path)?;
        Ok(rustix::fs::linkat(
            from.as_fd(),
            old,
            to.as_fd(),
            new,
            AtFlags::empty(),
        )?)
    }
}

/// The kernel's error for a hard link to a directory: it looks at the new name first, and Landlock would refuse before
/// that.
fn not_for_directories(to: BorrowedFd<'_>, new: &OsStr) -> Errno {
    let trimmed = without_slashes(new);
    match rustix::fs::statat(to, trimmed, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Errno::EXIST,
        Err(Errno::NOENT) if trimmed == new => Errno::PERM,
        Err(error) => error,
    }
}

/// The name without the slashes at its end.
fn without_slashes(name: &OsStr) -> &OsStr {
    let bytes = name.as_bytes();
    let end = bytes.iter().rposition(|byte| *byte != b'/');
    OsStr::from_bytes(&bytes[..end.map_or(0, |end| end + 1)])
}

fn path_flags(follow: bool) -> OFlags {
    match follow {
        true => OFlags::PATH,
        false => OFlags::PATH | OFlags::NOFOLLOW,
    }
}
