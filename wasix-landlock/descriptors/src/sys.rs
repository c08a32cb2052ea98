//! Descriptors that are known by their number.
//!
//! All of this crate's unsafe code is here.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fstat, readlinkat_raw},
    io::{Errno, FdFlags, fcntl_getfd},
    ioctl::{Opcode, Updater, ioctl, opcode},
    path::DecInt,
};

use wasix_landlock_threads::procfs;

use crate::{DescriptorReport, kind::is_same};

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
    let taken = Open::list()?.numbers.into_iter().filter(|number| {
        *number > DescriptorReport::LAST_STREAM
            && !kept.contains(number)
            && matches!(flags(*number), Ok((_, true)))
    });
    Ok(taken
        // SAFETY: the descriptor is open, and the caller vouches that nothing owns it.
        .map(|number| unsafe { OwnedFd::from_raw_fd(number) })
        .collect())
}

/// Asks about a descriptor by its number.
pub(crate) fn ask<'a, T>(number: RawFd, question: impl FnOnce(BorrowedFd<'a>) -> T) -> T {
    // SAFETY: the questions of this crate change nothing and keep nothing. Where another thread has
    // closed the descriptor meanwhile, the answer is an error, or about the file that has the number
    // now.
    question(unsafe { BorrowedFd::borrow_raw(number) })
}

/// The descriptors that are open.
pub(crate) struct Open {
    /// The place where the kernel lists them.
    directory: File,
    /// Their numbers, lowest first, without that of `directory`.
    pub(crate) numbers: Vec<RawFd>,
    /// Room for the longest target.
    target: Box<[u8]>,
}

impl Open {
    pub(crate) fn list() -> io::Result<Self> {
        let directory = File::open(format!("{}/fd", place_of_table()))?;
        if !procfs::is_on(directory.as_fd()) {
            return Err(io::Error::other("what is mounted on /proc isn't procfs"));
        }
        let mut numbers = procfs::numbers_in(directory.as_fd())?;
        numbers.retain(|number| *number != directory.as_raw_fd());
        numbers.sort_unstable();
        let target = [0; libc::PATH_MAX as usize].into();
        Ok(Self {
            directory,
            numbers,
            target,
        })
    }

    /// The kernel's name of the file behind a descriptor.
    pub(crate) fn target(&mut self, number: RawFd) -> io::Result<String> {
        let length = readlinkat_raw(&self.directory, DecInt::new(number), &mut self.target[..])?;
        Ok(String::from_utf8_lossy(&self.target[..length]).into_owned())
    }
}

/// The directory of the process, as [`procfs::of_this_thread`] names it for the first thread.
const PROCESS: &str = "/proc/self";

/// The directory of `/proc` that shows the calling thread's table of descriptors: the process's, if that shows the same
/// one. In a new thread's own the kernel makes each entry first, which takes as long as all questions about it.
fn place_of_table() -> &'static str {
    let own = procfs::of_this_thread();
    if own == PROCESS {
        return own;
    }
    match io::pipe() {
        Ok((reader, _writer)) if is_in_table_of_process(reader.as_fd()) => PROCESS,
        _ => own,
    }
}

/// True if the process's first thread has this descriptor in its table. Asked about a pipe that this thread has just
/// made: then both have the same table, as nothing else is the same pipe.
fn is_in_table_of_process(made: BorrowedFd<'_>) -> bool {
    let shown = rustix::fs::stat(format!("{PROCESS}/fd/{}", made.as_raw_fd()));
    let same = shown.and_then(|shown| Ok(is_same(&shown, &fstat(made)?)));
    same.unwrap_or(false)
}

/// `struct procmap_query` in `linux/fs.h`.
#[repr(C)]
#[derive(Default)]
struct MappingQuery {
    size: u64,
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    mapping_flags: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    device_major: u32,
    device_minor: u32,
    name_size: u32,
    build_id_size: u32,
    name: u64,
    build_id: u64,
}

/// `PROCMAP_QUERY` in `linux/fs.h`, since Linux 6.11.
const QUERY: Opcode = opcode::read_write::<MappingQuery>(b'f', 17);
/// `PROCMAP_QUERY_COVERING_OR_NEXT_VMA` and `PROCMAP_QUERY_FILE_BACKED_VMA` in `linux/fs.h`.
const NEXT_OF_A_FILE: u64 = 0x10 | 0x20;

/// A mapping of a file.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) end: u64,
    pub(crate) inode: u64,
    /// True if the file is on a file system without a device.
    pub(crate) is_without_device: bool,
    /// The kernel's name of the file, if it was asked for.
    pub(crate) name: Vec<u8>,
}

/// The first mapping of a file that ends above this address, by a process's `maps`; `None` if there is
/// none. The name is asked for if it has to fit into `longest` bytes other than 0.
///
/// # Errors
///
/// The kernel's error: `ENAMETOOLONG`, or others where it doesn't have this call.
pub(crate) fn mapping(
    maps: &File,
    address: u64,
    longest: usize,
) -> rustix::io::Result<Option<Mapping>> {
    // With room for the zero at the end.
    let mut name = vec![0; if longest == 0 { 0 } else { longest + 1 }];
    let mut query = MappingQuery {
        size: size_of::<MappingQuery>() as u64,
        flags: NEXT_OF_A_FILE,
        address,
        name_size: u32::try_from(name.len()).unwrap_or(0),
        name: if name.is_empty() {
            0
        } else {
            name.as_mut_ptr().expose_provenance() as u64
        },
        ..MappingQuery::default()
    };
    // SAFETY: the structure is the one of this call. It names the buffer, which outlives the call, and
    // its size; both are 0 where there is none.
    let asked = unsafe { ioctl(maps, Updater::<QUERY, _>::new(&mut query)) };
    match asked {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error),
    }
    // The size that comes back counts the zero.
    name.truncate((query.name_size as usize).saturating_sub(1));
    Ok(Some(Mapping {
        end: query.end,
        inode: query.inode,
        is_without_device: query.device_major == 0,
        name,
    }))
}

/// Returns the flags of a descriptor's file, and true if the descriptor is passed on to a program that
/// is executed.
pub(crate) fn flags(number: RawFd) -> io::Result<(OFlags, bool)> {
    let flags = ask(number, fcntl_getfd)?;
    let file = ask(number, fcntl_getfl)?;
    Ok((file, !flags.contains(FdFlags::CLOEXEC)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_passed_on_is_taken_but_for_what_is_kept_and_the_streams() {
        let own = File::open("/proc/self/exe").unwrap();
        let mut kept: BTreeSet<RawFd> = Open::list().unwrap().numbers.into_iter().collect();
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
