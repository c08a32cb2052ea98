//! Directories of `/proc`, read through descriptors that were opened before a restriction.

use std::{io, os::fd::BorrowedFd};

use rustix::fs::{PROC_SUPER_MAGIC, RawDir, SeekFrom, fstatfs, seek};

use crate::sys;

/// True if a descriptor is of a proc file system.
#[must_use]
pub fn is_on(object: BorrowedFd<'_>) -> bool {
    fstatfs(object).is_ok_and(|found| found.f_type == PROC_SUPER_MAGIC)
}

/// The directory of the calling thread. The first thread of a process has the process's, which the
/// kernel finds in fewer steps; the others can't use that, as it is empty once the first one has ended.
#[must_use]
pub fn of_this_thread() -> &'static str {
    if sys::current_thread() == sys::own_process() {
        "/proc/self"
    } else {
        "/proc/thread-self"
    }
}

/// The numbers that name entries of a directory, in one listing.
///
/// # Errors
///
/// The kernel's error.
pub fn numbers_in(directory: BorrowedFd<'_>) -> io::Result<Vec<i32>> {
    // Room for two thousand threads: a listing that takes several calls can miss some when others
    // vanish in between. On the stack, each page of it would be touched.
    let mut buffer = Vec::<u8>::with_capacity(64 * 1024);
    seek(directory, SeekFrom::Start(0))?;
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    let mut numbers = Vec::new();
    while let Some(entry) = entries.next() {
        let number = entry?
            .file_name()
            .to_str()
            .unwrap_or_default()
            .parse::<i32>();
        numbers.extend(number);
    }
    Ok(numbers)
}
