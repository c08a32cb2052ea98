//! The attempt that shows whether a thread is restricted.

use std::{
    ffi::CString,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use super::{check, current_thread};

/// Something that is allowed before a restriction and denied after it.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// Open a path that isn't granted.
    Open { path: CString, flags: i32 },
    /// Make a fifo, which is never granted.
    MakeFifo(Fifo),
    /// Nothing could serve as proof.
    Nothing,
}

/// A fifo of each thread's own, as threads try at the same time.
#[derive(Debug)]
pub(crate) struct Fifo {
    directory: OwnedFd,
    /// A name that begins alike for every thread, and has room for a thread's number.
    name: Name,
    /// The number's place in it.
    number: usize,
}

/// A C string.
type Name = [u8; 48];

/// The digits of the highest number that a thread can have.
const DIGITS: usize = 10;

impl Attempt {
    /// The descriptor that it keeps open.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        match self {
            Self::MakeFifo(fifo) => Some(fifo.directory.as_raw_fd()),
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
            Self::MakeFifo(fifo) => fifo.make(),
            Self::Nothing => Ok(()),
        }
    }
}

impl Fifo {
    /// A fifo whose name begins with `prefix`, of which as much is taken as there is room for.
    pub(crate) fn new(directory: OwnedFd, prefix: &str) -> Self {
        let mut name = [0; size_of::<Name>()];
        // The last byte stays zero.
        let number = prefix.len().min(name.len() - DIGITS - 1);
        for (place, byte) in name.iter_mut().take(number).zip(prefix.bytes()) {
            *place = byte;
        }
        Self {
            directory,
            name,
            number,
        }
    }

    /// The directory that the fifos would be in.
    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    fn make(&self) -> Result<(), i32> {
        let directory = self.directory.as_raw_fd();
        let name = self.name(current_thread());
        let mode = libc::S_IFIFO | 0o600;
        // SAFETY: `name` ends with a zero; the rest are integers.
        check(unsafe { libc::syscall(libc::SYS_mknodat, directory, name.as_ptr(), mode, 0) })?;
        // SAFETY: as above.
        check(unsafe { libc::syscall(libc::SYS_unlinkat, directory, name.as_ptr(), 0) }).map(drop)
    }

    /// A thread's own name.
    ///
    /// A handler that interrupts another one on a signal stack of 8 KiB has little of it left, so
    /// that this makes do without the heap and without iterators, which take stack unless optimized.
    fn name(&self, tid: i32) -> Name {
        let mut name = self.name;
        let mut rest = tid.unsigned_abs();
        let mut place = self.number + DIGITS;
        while place > self.number {
            place -= 1;
            if let Some(digit) = name.get_mut(place) {
                *digit = b'0' + (rest % 10) as u8;
            }
            rest /= 10;
        }
        name
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_a_name_of_its_own() {
        let root = || std::fs::File::open("/").unwrap().into();
        let fifo = Fifo::new(root(), ".probe-");
        let name = |tid| {
            let name = fifo.name(tid);
            let end = name.iter().position(|byte| *byte == 0).unwrap();
            String::from_utf8(name[..end].to_vec()).unwrap()
        };
        assert_eq!(name(17), ".probe-0000000017");
        assert_eq!(name(i32::MAX), ".probe-2147483647");
        let long = Fifo::new(root(), &"x".repeat(100)).name(1);
        assert_eq!(long.last(), Some(&0));
        assert!(long.starts_with(b"xxx") && long.ends_with(b"x0000000001\0"));
    }
}
