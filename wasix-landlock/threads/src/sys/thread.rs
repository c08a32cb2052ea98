//! The threads of this process, by number.

use std::process;

use super::check;

/// The calling thread's number. Async-signal-safe.
pub(crate) fn current_thread() -> i32 {
    rustix::thread::gettid().as_raw_pid()
}

/// The calling thread's name, the kernel's `comm`: 16 bytes, padded with zeros. Async-signal-safe.
pub(super) fn thread_name() -> [u64; 2] {
    let mut name = [0_u64; 2];
    // SAFETY: the kernel writes 16 bytes, which is what `name` has.
    unsafe { libc::syscall(libc::SYS_prctl, libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

/// True if this process has such a thread.
pub(crate) fn thread_exists(tid: i32) -> bool {
    // SAFETY: takes integers, and sends nothing.
    let asked = unsafe { libc::syscall(libc::SYS_tgkill, own_process(), tid, 0) };
    check(asked) != Err(libc::ESRCH)
}

/// True if this is the number of the process's first thread.
pub(crate) fn leads(tid: i32) -> bool {
    tid == own_process()
}

/// True if the calling thread is the only one of its process; `None` if a filter refuses the
/// question.
pub(crate) fn is_only_thread() -> Option<bool> {
    // Of a process with one thread this asks nothing, and the kernel refuses it to any other, see
    // unshare(2).
    // SAFETY: takes an integer, and changes nothing either way.
    match check(unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_THREAD) }) {
        Ok(_) => Some(true),
        Err(libc::EINVAL) => Some(false),
        Err(_) => None,
    }
}

/// The number of this process.
pub(super) fn own_process() -> i32 {
    i32::try_from(process::id()).unwrap_or(0)
}
