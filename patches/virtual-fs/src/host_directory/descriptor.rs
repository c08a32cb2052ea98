//! The directory that paths are resolved from.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::{HostDirectory, HostPlace, HostStat, HostTime, stat};
use crate::beneath::{Beneath, resolve};
use crate::host_backing::HostAccess;

/// A directory, or a single file with nothing around it.
#[derive(Debug)]
pub(super) enum Base {
    Directory {
        descriptor: Arc<OwnedFd>,
        /// True if no path leads out. The host's root has no outside.
        confined: bool,
    },
    File(PathBuf),
}

/// The directory that a path is in.
pub(super) enum Parent<'a> {
    Base(BorrowedFd<'a>),
    Opened(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Base(base) => *base,
            Self::Opened(directory) => directory.as_fd(),
        }
    }
}

impl HostDirectory {
    /// The host directory `path`, with everything allowed in it.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn open_root(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        Ok(Self::of(Arc::new(descriptor), path != Path::new("/")))
    }

    /// The root of a host file system, with everything allowed in it. Its paths are resolved from the same descriptor.
    ///
    /// # Errors
    /// The kernel's error.
    pub(crate) fn of_root(path: &Path, beneath: &Beneath) -> io::Result<Self> {
        match beneath.descriptor() {
            Some(descriptor) => Ok(Self::of(descriptor, path != Path::new("/"))),
            None => Self::open_root(path),
        }
    }

    /// The single host file `path`, which is looked up anew at each call.
    #[must_use]
    pub fn single_file(path: &Path, access: HostAccess) -> Self {
        Self {
            base: Arc::new(Base::File(path.to_owned())),
            access,
            above: None,
        }
    }

    /// The place of the directory `path` of a file system whose root this is.
    #[must_use]
    pub fn at(&self, path: &Path) -> Option<HostPlace> {
        let directory = if path == Path::new("/") {
            self.clone()
        } else {
            let path = crate::host_fs::normalize_path(path);
            let inside = path.strip_prefix("/").unwrap_or(&path);
            match is_empty(inside) {
                true => self.clone(),
                false => self.narrowed_to(inside).ok()?,
            }
        };
        let path = PathBuf::new();
        Some(HostPlace { directory, path })
    }

    /// The directory `path` beneath this one, out of which no path leads any more.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn narrowed_to(&self, path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let descriptor = self.base.open(path, flags, Mode::empty())?;
        Ok(Self {
            access: self.access,
            ..Self::of(Arc::new(descriptor), true)
        })
    }

    fn of(descriptor: Arc<OwnedFd>, confined: bool) -> Self {
        Self {
            base: Arc::new(Base::Directory {
                descriptor,
                confined,
            }),
            access: HostAccess::ALL,
            above: None,
        }
    }

    /// Waits until what was made, renamed and removed in the directory is on the disk.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn sync(&self, data_only: bool) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = self.base.open(Path::new(""), flags, Mode::empty())?;
        Ok(match data_only {
            true => rustix::fs::fdatasync(directory),
            false => rustix::fs::fsync(directory),
        }?)
    }

    /// Sets the directory's own times.
    ///
    /// # Errors
    /// The kernel's error, and `EACCES` if the mount doesn't allow it.
    pub fn set_own_times(&self, times: [HostTime; 2]) -> io::Result<()> {
        self.set_times(Path::new(""), true, times)
    }

    /// A directory that was opened as `path` from this one.
    pub(super) fn opened(&self, path: &Path, descriptor: OwnedFd) -> Self {
        let above = match &self.above {
            Some(above) => HostPlace {
                directory: above.directory.clone(),
                path: above.path.join(path),
            },
            None => HostPlace {
                directory: self.clone(),
                path: path.to_owned(),
            },
        };
        Self {
            above: Some(Arc::new(above)),
            access: self.access,
            ..Self::of(Arc::new(descriptor), true)
        }
    }
}

impl Base {
    /// Opens `path`; the base itself if that is empty.
    pub(super) fn open(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        match self {
            Self::Directory {
                descriptor,
                confined,
            } => {
                let opened =
                    resolve::open(descriptor.as_fd(), or_here(path), flags, mode, *confined);
                Ok(opened.map_err(leads_out)?)
            }
            Self::File(file) => {
                if !is_empty(path) {
                    return Err(Errno::NOTDIR.into());
                }
                if flags.contains(OFlags::CREATE | OFlags::EXCL) {
                    return Err(Errno::EXIST.into());
                }
                // It was made when it was granted: a new one in its place would have no rule.
                let flags = flags.difference(OFlags::CREATE) | OFlags::CLOEXEC;
                Ok(rustix::fs::openat(CWD, file, flags, Mode::empty())?)
            }
        }
    }

    pub(super) fn stat(&self, path: &Path, follow: bool) -> io::Result<HostStat> {
        if let Self::Directory { descriptor, .. } = self
            && let Some(found) = stat_here(descriptor.as_fd(), path, follow)?
        {
            return Ok(found);
        }
        let file = self.open(path, super::path_flags(follow), Mode::empty())?;
        stat::of_open(file.as_fd())
    }

    /// The directory that `path` is in, and its name there.
    pub(super) fn parent<'p>(&self, path: &'p Path) -> io::Result<(Parent<'_>, &'p OsStr)> {
        let Self::Directory {
            descriptor,
            confined,
        } = self
        else {
            let error = match is_empty(path) {
                true => Errno::ACCESS,
                false => Errno::NOTDIR,
            };
            return Err(error.into());
        };
        let (parent, name) =
            resolve::parent(descriptor.as_fd(), or_here(path), *confined).map_err(leads_out)?;
        let parent = match parent {
            Some(parent) => Parent::Opened(parent),
            None => Parent::Base(descriptor.as_fd()),
        };
        Ok((parent, name))
    }
}

/// The entry directly in the directory, by one call: a name by itself leads nowhere else as long as no link is followed.
fn stat_here(directory: BorrowedFd<'_>, path: &Path, follow: bool) -> io::Result<Option<HostStat>> {
    if is_empty(path) {
        return stat::of_open(directory).map(Some);
    }
    let name = path.as_os_str().as_bytes();
    if name.contains(&b'/') || name == b".." {
        return Ok(None);
    }
    let found = stat::of(directory, path, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok((!follow || !found.file_type.is_symlink()).then_some(found))
}

/// A path that leads out is refused like one that isn't permitted.
fn leads_out(error: Errno) -> Errno {
    match error {
        Errno::XDEV => Errno::PERM,
        other => other,
    }
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

fn or_here(path: &Path) -> &Path {
    if is_empty(path) { Path::new(".") } else { path }
}

/// A path that leads to an open descriptor.
pub(super) fn proc_path(descriptor: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_raw_fd())
}
