//! Paths as WASI resolves them: beneath a directory, by the kernel.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

/// The reason for which a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The kernel's answer.
    Kernel(Errno),
    /// The path leads out of the directory, which WASI calls `notcapable`.
    Leaves,
    /// No descriptor has this name.
    Closed,
}

/// The outcome of a native call.
pub type Answer<T = ()> = Result<T, Refusal>;

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Kernel(errno)
    }
}

impl Refusal {
    /// WASI's name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Kernel(errno) => crate::errno::name(errno),
            Self::Leaves => "notcapable".to_owned(),
            Self::Closed => "badf".to_owned(),
        }
    }
}

/// Opens beneath `directory`.
///
/// # Errors
/// If the kernel refuses.
pub fn open(
    directory: BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
    resolve: ResolveFlags,
) -> Answer<OwnedFd> {
    let mode = if flags.contains(OFlags::CREATE) {
        Mode::from_raw_mode(0o666)
    } else {
        Mode::empty()
    };
    let flags = flags | OFlags::CLOEXEC;
    loop {
        match openat2(
            directory,
            path,
            flags,
            mode,
            resolve | ResolveFlags::BENEATH,
        ) {
            Ok(fd) => return Ok(fd),
            // The kernel could not rule out that a concurrent rename led out.
            Err(Errno::AGAIN) if !flags.contains(OFlags::NONBLOCK) => {}
            Err(Errno::XDEV) => return Err(Refusal::Leaves),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The object that a path names, opened for nothing but its metadata.
///
/// # Errors
/// If the kernel refuses.
pub fn look_up(directory: BorrowedFd<'_>, path: &str, follow: bool) -> Answer<OwnedFd> {
    let flags = if follow {
        OFlags::PATH
    } else {
        OFlags::PATH | OFlags::NOFOLLOW
    };
    open(directory, path, flags, ResolveFlags::empty())
}

/// A name in a directory, for the calls that take no `RESOLVE_BENEATH`.
#[derive(Debug)]
pub struct Place {
    /// The directory.
    pub parent: OwnedFd,
    /// The last component, with the slashes behind it.
    pub name: String,
}

impl Place {
    /// Resolves all but the last component.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn find(directory: BorrowedFd<'_>, path: &str) -> Answer<Self> {
        if path.is_empty() {
            return Err(Errno::NOENT.into());
        }
        if path.starts_with('/') {
            return Err(Refusal::Leaves);
        }
        let trimmed = path.trim_end_matches('/');
        let start = trimmed.rfind('/').map_or(0, |slash| slash + 1);
        let (above, name) = path.split_at(start);
        if trimmed[start..] == *".." {
            drop(look_up(directory, path, true)?);
        }
        let above = if above.is_empty() { "." } else { above };
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        Ok(Self {
            parent: open(directory, above, flags, ResolveFlags::empty())?,
            name: name.to_owned(),
        })
    }

    /// The directory, borrowed.
    #[must_use]
    pub fn parent(&self) -> BorrowedFd<'_> {
        self.parent.as_fd()
    }
}
