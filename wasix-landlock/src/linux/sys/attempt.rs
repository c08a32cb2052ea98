//! The attempt that shows whether a thread is restricted.

use std::{
    ffi::CString,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use super::check;

/// Something that is allowed before a restriction and denied after it.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// Open a path that isn't granted.
    Open { path: CString, flags: i32 },
    /// Make a fifo, which is never granted.
    MakeFifo { directory: OwnedFd, name: CString },
    /// Nothing could serve as proof.
    Nothing,
}

impl Attempt {
    /// The descriptor that it keeps open.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        match self {
            Self::MakeFifo { directory, .. } => Some(directory.as_raw_fd()),
            Self::Open { .. } | Self::Nothing => None,
        }
    }

    /// Tries it, undoing it where it succeeds. Async-signal-safe: system calls only.
    pub(crate) fn run(&self) -> Result<(), i32> {
        match self {
            Self::Open { path, flags } => {
                // SAFETY: `path` is a valid C string; the rest are integers.
                let fd = check(unsafe {
                    libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), *flags, 0)
                })?;
                // SAFETY: the descriptor was handed out by the call above and goes nowhere else.
                check(unsafe { libc::syscall(libc::SYS_close, fd) }).map(drop)
            }
            Self::MakeFifo { directory, name } => {
                let directory = directory.as_raw_fd();
                // SAFETY: `name` is a valid C string; the rest are integers.
                check(unsafe {
                    libc::syscall(
                        libc::SYS_mknodat,
                        directory,
                        name.as_ptr(),
                        libc::S_IFIFO | 0o600,
                        0,
                    )
                })?;
                // SAFETY: as above.
                check(unsafe { libc::syscall(libc::SYS_unlinkat, directory, name.as_ptr(), 0) })
                    .map(drop)
            }
            Self::Nothing => Ok(()),
        }
    }
}
