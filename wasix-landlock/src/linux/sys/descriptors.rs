//! Descriptors that are known by their number.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io, mem,
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::fs::OpenOptionsExt,
    },
};

use super::{
    check,
    files::{is_proc, list_directory},
};
use crate::DescriptorReport;

/// The place where the kernel lists the calling thread's descriptors. The main thread's listing, which
/// `/proc/self` has, is empty once that thread has ended.
const LISTING: &str = "/proc/thread-self/fd";

/// Takes ownership of the descriptors that came with the process: those that a program which is
/// executed would get too, other than the standard streams and `kept`. Rust opens none like that.
///
/// Drop them to close what a careless parent has passed on.
///
/// ```no_run
/// use std::collections::BTreeSet;
/// use wasix_landlock::{Inherited, Policy, take_passed_on};
///
/// // The service manager passes a socket as number 3, which the program takes over elsewhere.
/// let kept = BTreeSet::from([3]);
/// // SAFETY: the first thing in `main`, so that nothing else owns a descriptor yet.
/// drop(unsafe { take_passed_on(&kept) }?);
/// let policy = Policy::default().inherited(Inherited::Refuse { allowed: kept });
/// # drop(policy);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Code without `unsafe` can't call it:
///
/// ```compile_fail,E0133
/// let taken = wasix_landlock::take_passed_on(&std::collections::BTreeSet::new());
/// ```
///
/// # Safety
///
/// Nothing in this process may own or use one of these descriptors, a library in C included. Its
/// number is given to whatever is opened next, which would be read, written and closed in its
/// place. The safe moment is the beginning of `main`.
///
/// # Errors
///
/// The kernel's error when `/proc` can't be read. No descriptor is taken then.
pub unsafe fn take_passed_on(kept: &BTreeSet<RawFd>) -> io::Result<Vec<OwnedFd>> {
    let taken = list_open()?.into_iter().filter(|number| {
        *number > DescriptorReport::LAST_STREAM
            && !kept.contains(number)
            && matches!(flags(*number), Ok((_, true)))
    });
    Ok(taken
        // SAFETY: the descriptor is open, and the caller vouches that nothing owns it.
        .map(|number| unsafe { OwnedFd::from_raw_fd(number) })
        .collect())
}

/// The descriptors that are open, lowest first.
pub(crate) fn list_open() -> io::Result<Vec<RawFd>> {
    let directory: File = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open(LISTING)?;
    if !is_proc(directory.as_fd()) {
        return Err(io::Error::other("what is mounted on /proc isn't procfs"));
    }
    let mut numbers: Vec<RawFd> = list_directory(directory.as_fd())?
        .into_iter()
        .filter_map(|name| String::from_utf8(name).ok()?.parse().ok())
        .filter(|number| *number != directory.as_raw_fd())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// A descriptor's flags: those of the file (`F_GETFL`), and whether it is passed on to a program
/// that is executed.
pub(crate) fn flags(number: RawFd) -> io::Result<(i32, bool)> {
    let ask = |command| {
        // SAFETY: takes integers, and only asks.
        check(unsafe { libc::fcntl(number, command) }.into()).map_err(io::Error::from_raw_os_error)
    };
    let descriptor = i32::try_from(ask(libc::F_GETFD)?).unwrap_or(0);
    let file = i32::try_from(ask(libc::F_GETFL)?).unwrap_or(0);
    Ok((file, descriptor & libc::FD_CLOEXEC == 0))
}

/// The kernel's record of what a descriptor stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inode {
    /// The type bits of its mode (`S_IFMT`).
    pub(crate) file_type: u32,
    /// The number.
    pub(crate) number: u64,
    /// The device that it is, if it is one.
    pub(crate) device: u64,
}

/// Asks for what a descriptor stands for.
pub(crate) fn inode(number: RawFd) -> io::Result<Inode> {
    // SAFETY: all-zero is a valid `stat`.
    let mut found: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes to the structure, which is this function's.
    check(unsafe { libc::fstat(number, &raw mut found) }.into())
        .map_err(io::Error::from_raw_os_error)?;
    Ok(Inode {
        file_type: found.st_mode & libc::S_IFMT,
        number: found.st_ino,
        device: found.st_rdev,
    })
}

/// The number of the file system that a descriptor's file is on, as `linux/magic.h` has it.
pub(crate) fn file_system(number: RawFd) -> io::Result<u32> {
    // SAFETY: all-zero is a valid `statfs`.
    let mut found: libc::statfs = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes to the structure, which is this function's.
    check(unsafe { libc::fstatfs(number, &raw mut found) }.into())
        .map_err(io::Error::from_raw_os_error)?;
    // Each C library has a type of its own for it.
    Ok(u32::try_from(found.f_type).unwrap_or(0))
}

/// True if a descriptor is a terminal.
pub(crate) fn is_terminal(number: RawFd) -> bool {
    // SAFETY: takes an integer; libc passes a structure of its own to the kernel.
    unsafe { libc::isatty(number) == 1 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_passed_on_is_taken_but_for_what_is_kept_and_the_streams() {
        let own = File::open("/proc/self/exe").unwrap();
        let mut kept: BTreeSet<RawFd> = list_open().unwrap().into_iter().collect();
        // Numbers that no other test of this process gets meanwhile, as the kernel hands out the lowest.
        let duplicate = |least: RawFd| {
            // SAFETY: takes integers. What it returns is owned by nothing yet.
            unsafe { libc::fcntl(own.as_raw_fd(), libc::F_DUPFD, least) }
        };
        let [first, second] = [500, 600].map(duplicate);
        kept.insert(second);
        // SAFETY: all but `first` is kept, and nothing owns that one.
        let taken = unsafe { take_passed_on(&kept) }.unwrap();
        assert_eq!(
            taken.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>(),
            [first]
        );
        drop(taken);
        assert!(flags(first).is_err());
        for open in [second, own.as_raw_fd(), 0, 1, 2] {
            assert!(flags(open).is_ok(), "{open}");
        }
    }
}
