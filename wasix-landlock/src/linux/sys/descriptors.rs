//! Descriptors that are known by their number.

use std::{io, mem};

use super::check;

/// Takes a descriptor that nothing of Rust owns, and closes it.
pub(crate) fn close(number: i32) -> io::Result<()> {
    // SAFETY: the application named it as one that nothing owns, see `Inherited`.
    check(unsafe { libc::close(number) }.into())
        .map(drop)
        .map_err(io::Error::from_raw_os_error)
}

/// A descriptor's flags: those of the file (`F_GETFL`), and whether it is passed on to a program
/// that is executed.
pub(crate) fn flags(number: i32) -> io::Result<(i32, bool)> {
    let ask = |command| {
        // SAFETY: takes integers, and only asks.
        check(unsafe { libc::fcntl(number, command) }.into()).map_err(io::Error::from_raw_os_error)
    };
    let descriptor = i32::try_from(ask(libc::F_GETFD)?).unwrap_or(0);
    let file = i32::try_from(ask(libc::F_GETFL)?).unwrap_or(0);
    Ok((file, descriptor & libc::FD_CLOEXEC == 0))
}

/// The type bits of what a descriptor stands for (`S_IFMT`).
pub(crate) fn file_type(number: i32) -> io::Result<u32> {
    // SAFETY: all-zero is a valid `stat`.
    let mut found: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes to the structure, which is this function's.
    check(unsafe { libc::fstat(number, &raw mut found) }.into())
        .map_err(io::Error::from_raw_os_error)?;
    Ok(found.st_mode & libc::S_IFMT)
}
