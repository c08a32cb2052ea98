//! The system calls that neither std nor rustix has a safe form of, and the signal handler.
//!
//! All of this crate's unsafe code is here. Results carry the kernel's error number rather than an
//! `io::Error` where the handler needs them.

mod landlock;
mod probe;
mod signal;
mod table;
mod thread;

pub(crate) use landlock::{Domain, has_no_new_privileges, set_no_new_privileges};
pub use landlock::{abi, errata, has_gained_privileges, log_flags};
pub use probe::{Fifo, Probe};
pub(crate) use signal::{Handler, bit, program_signals, send};
pub(crate) use table::{ABANDONED, Call, GONE, Round, State, Table, Visit};
pub(crate) use thread::{Name, current_thread, has_thread, is_only_thread, own_process};

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

/// Returns a system call's result, or the error number.
fn check(returned: libc::c_long) -> Result<libc::c_long, i32> {
    if returned < 0 {
        // Reading errno allocates nothing, so that the signal handler may come through here.
        Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
    } else {
        Ok(returned)
    }
}

/// Asks whether the effective user may read what an `O_PATH` descriptor stands for; for a directory,
/// list and pass it. Landlock doesn't mediate this call, so it asks the permission bits.
///
/// # Errors
///
/// The kernel's error number: `EACCES` where the user may not.
pub fn may_read(object: BorrowedFd<'_>, directory: bool) -> Result<(), i32> {
    let mode = if directory {
        libc::R_OK | libc::X_OK
    } else {
        libc::R_OK
    };
    // rustix and glibc would emulate AT_EACCESS where faccessat2 is filtered, and have no
    // AT_EMPTY_PATH then: hence the system call itself. It is older (5.8) than Landlock (5.13).
    // SAFETY: the path is a valid, empty C string; the rest are integers.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_faccessat2,
            object.as_raw_fd(),
            c"".as_ptr(),
            mode,
            libc::AT_EACCESS | libc::AT_EMPTY_PATH,
        )
    };
    check(returned).map(drop)
}
