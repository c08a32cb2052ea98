//! The threads of this process, by number.

use std::{fmt, process};

use super::check;

/// The calling thread's number. Async-signal-safe.
pub(crate) fn current_thread() -> i32 {
    rustix::thread::gettid().as_raw_pid()
}

/// A thread's name, the kernel's `comm`: 16 bytes, padded with zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name([u64; 2]);

impl Name {
    /// The calling thread's name. Async-signal-safe.
    pub(super) fn of_this_thread() -> Self {
        let mut name = [0_u64; 2];
        // SAFETY: the kernel writes 16 bytes, which is what `name` has.
        unsafe { libc::syscall(libc::SYS_prctl, libc::PR_GET_NAME, name.as_mut_ptr()) };
        Self(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.iter().flat_map(|half| half.to_ne_bytes());
        let bytes: Vec<u8> = bytes.take_while(|byte| *byte != 0).collect();
        f.write_str(&String::from_utf8_lossy(&bytes))
    }
}

/// True if the process, which is this one, has such a thread; `None` if a filter refuses the question.
pub(crate) fn has_thread(process: i32, tid: i32) -> Option<bool> {
    // SAFETY: takes integers, and sends nothing.
    match check(unsafe { libc::syscall(libc::SYS_tgkill, process, tid, 0) }) {
        Ok(_) => Some(true),
        Err(libc::ESRCH) => Some(false),
        Err(_) => None,
    }
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

/// The number of this process, and of its first thread.
pub(crate) fn own_process() -> i32 {
    i32::try_from(process::id()).unwrap_or(0)
}
