//! The system calls that std has no safe form of, and the signal handler.
//!
//! All of this crate's unsafe code is here. Results carry the kernel's error number rather than an
//! `io::Error` where the handler needs them.

mod attempt;
mod files;
mod landlock;
mod signal;
mod table;

pub(crate) use attempt::Attempt;
pub(crate) use files::{create_at, list_directory, may_read, open_at, unlink_at};
pub(crate) use landlock::{
    RESTRICT_SELF_TSYNC, abi, errata, has_no_new_privileges, restrict_self, set_no_new_privileges,
};
pub(crate) use signal::{Handler, HandlerError, current_thread, send, thread_exists};
pub(crate) use table::{Call, Round, State, Table, Visit};

use std::io;

/// A system call's result: what it returned, or the error number.
fn check(returned: libc::c_long) -> Result<libc::c_long, i32> {
    if returned < 0 {
        // Reading errno allocates nothing, so that the signal handler may come through here.
        Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
    } else {
        Ok(returned)
    }
}
