//! The attempt that shows whether a thread is restricted.

use std::{
    ffi::{CStr, CString},
    fmt,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, mknodat, openat, unlinkat},
    io::Errno,
};

use super::current_thread;

/// An attempt that is allowed before a restriction and denied after it.
#[derive(Debug)]
pub enum Probe {
    /// Open a path that isn't granted.
    Open {
        /// The path.
        path: CString,
        /// The flags of the open.
        flags: OFlags,
    },
    /// Make a fifo, which is never granted.
    MakeFifo(Fifo),
    /// Nothing could serve as proof.
    Nothing,
}

/// A fifo of each thread's own, as threads try at the same time.
#[derive(Debug)]
pub struct Fifo {
    directory: OwnedFd,
    /// A name that begins alike for every thread, and has room for a thread's number.
    name: Name,
    /// The place of the number in the name.
    number: usize,
}

/// A C string.
type Name = [u8; 48];

/// The digits of the highest number that a thread can have.
const DIGITS: usize = 10;

impl Probe {
    /// The descriptor that the probe keeps open.
    #[must_use]
    pub fn descriptor(&self) -> Option<RawFd> {
        match self {
            Self::MakeFifo(fifo) => Some(fifo.directory.as_raw_fd()),
            Self::Open { .. } | Self::Nothing => None,
        }
    }

    /// Runs the probe in the calling thread, undoing it where it succeeds. Async-signal-safe: system calls only.
    ///
    /// # Errors
    ///
    /// The kernel's error number, `EACCES` under the restriction.
    pub fn run(&self) -> Result<(), i32> {
        let result = match self {
            Self::Open { path, flags } => {
                openat(CWD, path.as_c_str(), *flags, Mode::empty()).map(drop)
            }
            Self::MakeFifo(fifo) => fifo.make(),
            Self::Nothing => Ok(()),
        };
        result.map_err(Errno::raw_os_error)
    }

    /// True if the calling thread is denied what the probe tries.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.run() == Err(libc::EACCES)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, .. } => write!(f, "opening {}", path.to_string_lossy()),
            Self::MakeFifo(_) => f.write_str("making a fifo"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

impl Fifo {
    /// A fifo whose name begins with `prefix`, of which as much is taken as there is room for.
    #[must_use]
    pub fn new(directory: OwnedFd, prefix: &str) -> Self {
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
    #[must_use]
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    fn make(&self) -> rustix::io::Result<()> {
        let name = self.name(current_thread());
        let name = CStr::from_bytes_until_nul(&name).unwrap_or_default();
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(&self.directory, name, FileType::Fifo, mode, 0)?;
        unlinkat(&self.directory, name, AtFlags::empty())
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
            let name = CStr::from_bytes_until_nul(&name).unwrap();
            name.to_str().unwrap().to_owned()
        };
        assert_eq!(name(17), ".probe-0000000017");
        assert_eq!(name(i32::MAX), ".probe-2147483647");
        let long = Fifo::new(root(), &"x".repeat(100)).name(1);
        assert_eq!(long.last(), Some(&0));
        assert!(long.starts_with(b"xxx") && long.ends_with(b"x0000000001\0"));
    }
}
