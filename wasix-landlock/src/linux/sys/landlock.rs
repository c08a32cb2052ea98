//! Landlock's own system calls, as far as the `landlock` crate hides what is needed of them.

use std::{os::fd::RawFd, ptr};

use super::check;

/// `LANDLOCK_CREATE_RULESET_VERSION` in `linux/landlock.h`.
const CREATE_RULESET_VERSION: u32 = 1 << 0;
/// `LANDLOCK_CREATE_RULESET_ERRATA` in `linux/landlock.h`.
const CREATE_RULESET_ERRATA: u32 = 1 << 1;
/// `LANDLOCK_RESTRICT_SELF_TSYNC` in `linux/landlock.h`, since ABI 8: restricts every thread of
/// the process.
pub(crate) const RESTRICT_SELF_TSYNC: u32 = 1 << 3;

/// The kernel's Landlock ABI. The crate tells no ABI above the ones it knows.
pub(crate) fn abi() -> Result<u32, i32> {
    ask(CREATE_RULESET_VERSION)
}

/// The bit mask of errata that are fixed in this kernel; `None` if it doesn't tell.
pub(crate) fn errata() -> Option<u32> {
    ask(CREATE_RULESET_ERRATA).ok()
}

fn ask(flag: u32) -> Result<u32, i32> {
    // SAFETY: with one of these flags the kernel takes no attribute: a null pointer of size 0 is
    // what it asks for.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            ptr::null::<libc::c_void>(),
            0_usize,
            flag,
        )
    };
    check(answer).map(|answer| u32::try_from(answer).unwrap_or(0))
}

/// Restricts the calling thread, or all with [`RESTRICT_SELF_TSYNC`]. Async-signal-safe.
pub(crate) fn restrict_self(ruleset: RawFd, flags: u32) -> Result<(), i32> {
    // SAFETY: takes two integers; one that is no ruleset's descriptor is refused.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset, flags) }).map(drop)
}

/// Whether the calling thread has `PR_SET_NO_NEW_PRIVS`.
pub(crate) fn has_no_new_privileges() -> bool {
    // SAFETY: takes integers; the unused ones have to be zero.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_prctl,
            libc::PR_GET_NO_NEW_PRIVS,
            0_usize,
            0_usize,
            0_usize,
            0_usize,
        )
    };
    returned == 1
}

/// Sets `PR_SET_NO_NEW_PRIVS` on the calling thread, which Landlock asks of a process without
/// `CAP_SYS_ADMIN`. Async-signal-safe.
pub(crate) fn set_no_new_privileges() -> Result<(), i32> {
    // SAFETY: takes integers; the unused ones have to be zero.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_prctl,
            libc::PR_SET_NO_NEW_PRIVS,
            1_usize,
            0_usize,
            0_usize,
            0_usize,
        )
    };
    check(returned).map(drop)
}
