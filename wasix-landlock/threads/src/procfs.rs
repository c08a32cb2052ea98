//! Directories of `/proc`, read through descriptors that were opened before a restriction.

use std::{io, mem::MaybeUninit, os::fd::BorrowedFd};

use rustix::fs::{PROC_SUPER_MAGIC, RawDir, SeekFrom, fstatfs, seek};

/// True if a descriptor is of a proc file system.
#[must_use]
pub fn is_on(object: BorrowedFd<'_>) -> bool {
    fstatfs(object).is_ok_and(|found| found.f_type == PROC_SUPER_MAGIC)
}

/// The numbers that name entries of a directory, in one listing.
///
/// # Errors
///
/// The kernel's error.
pub fn numbers_in(directory: BorrowedFd<'_>) -> io::Result<Vec<i32>> {
    // Room for two thousand threads: a listing that takes several calls can miss some when others
    // vanish in between.
    let mut buffer = [const { MaybeUninit::uninit() }; 64 * 1024];
    seek(directory, SeekFrom::Start(0))?;
    let mut entries = RawDir::new(directory, &mut buffer);
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
