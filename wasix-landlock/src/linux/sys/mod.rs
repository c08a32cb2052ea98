//! The system calls that std has no safe form of, and the signal handler.
//!
//! All of this crate's unsafe code is here. Results carry the kernel's error number rather than an
//! `io::Error` where the handler needs them.

mod attempt;
mod descriptors;
mod diag;
mod files;
mod landlock;
mod net;
mod refusal;
mod signal;
mod table;

pub(crate) use attempt::{Attempt, Fifo};
pub use descriptors::take_passed_on;
pub(crate) use descriptors::{Inode, file_system, flags, inode, is_terminal, list_open};
pub(crate) use diag::peer_of;
pub(crate) use files::{
    create_at, exists_at, is_proc, list_directory, may_read, open_at, unlink_at,
};
pub(crate) use landlock::{
    Domain, Handled, abi, add_path_rule, add_port_rule, add_quiet_rule, create_ruleset, errata,
    has_gained_privileges, has_no_new_privileges, log_flags, set_no_new_privileges,
};
pub(crate) use net::{family_and_type, is_unnamed_pair, peer_process};
pub(crate) use refusal::{Refusal, can_refuse, expect, first_not_refused};
pub(crate) use signal::{
    Handler, HandlerError, bit, current_thread, is_only_thread, leads, program_signals, send,
    thread_exists,
};
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
