//! The signal that reaches a thread, and its handler.

use std::{io, mem, process, ptr};

use super::{check, table};

/// A handler on a real-time signal that nobody used.
///
/// It stays when this is dropped; [`Handler::restore`] takes it back.
#[derive(Debug)]
pub(crate) struct Handler {
    signal: i32,
}

/// Why there is no handler.
#[derive(Debug)]
pub(crate) enum HandlerError {
    /// Every real-time signal is in use.
    NoneFree,
    /// A call failed.
    Install { signal: i32, source: io::Error },
}

impl Handler {
    /// Finds a real-time signal with the default disposition, from the last one down since
    /// libraries take theirs from the first one up, and puts the handler on it.
    pub(crate) fn install() -> Result<Self, HandlerError> {
        for signal in (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev() {
            let failed = |source| HandlerError::Install { signal, source };
            if set_action(signal, None).map_err(failed)?.sa_sigaction != libc::SIG_DFL {
                continue;
            }
            let previous = set_action(signal, Some(&action())).map_err(failed)?;
            if previous.sa_sigaction == libc::SIG_DFL {
                return Ok(Self { signal });
            }
            // Another thread took it between the two calls: give it back.
            set_action(signal, Some(&previous)).map_err(failed)?;
        }
        Err(HandlerError::NoneFree)
    }

    pub(crate) fn signal(&self) -> i32 {
        self.signal
    }

    /// Puts the default disposition back. It ends the process when the signal is still under way
    /// to a thread, so every thread that was signalled must have answered or ended.
    pub(crate) fn restore(self) -> io::Result<()> {
        // SAFETY: all-zero is a valid `sigaction`, and means the default disposition.
        let default: libc::sigaction = unsafe { mem::zeroed() };
        set_action(self.signal, Some(&default)).map(drop)
    }
}

fn action() -> libc::sigaction {
    // SAFETY: all-zero is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = on_signal as *const () as usize;
    // Restart what can be restarted, and don't run on a stack that a runtime has made small.
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK | libc::SA_SIGINFO;
    // SAFETY: fills a mask that this function owns: no other handler interrupts this one.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    action
}

/// Sets a signal's action if there is a new one, and returns the one before.
fn set_action(signal: i32, new: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    // SAFETY: all-zero is a valid `sigaction`.
    let mut old: libc::sigaction = unsafe { mem::zeroed() };
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `new` is null or a valid action, `old` is one to write to. The only handler that
    // this crate puts in is `on_signal`, which is async-signal-safe.
    let returned = unsafe { libc::sigaction(signal, new, &raw mut old) };
    check(returned.into())
        .map(|_| old)
        .map_err(io::Error::from_raw_os_error)
}

extern "C" fn on_signal(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: errno is the interrupted thread's own, which goes on as if nothing had happened.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        table::visit_published();
        *errno = saved;
    }
}

/// The calling thread's number. Async-signal-safe.
pub(crate) fn current_thread() -> i32 {
    // SAFETY: takes nothing and can't fail.
    let tid = unsafe { libc::syscall(libc::SYS_gettid) };
    i32::try_from(tid).unwrap_or(0)
}

/// The calling thread's name, the kernel's `comm`: 16 bytes, padded with zeros. Async-signal-safe.
pub(super) fn thread_name() -> [u64; 2] {
    let mut name = [0_u64; 2];
    // SAFETY: the kernel writes 16 bytes, which is what `name` has.
    unsafe { libc::syscall(libc::SYS_prctl, libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

/// Sends a signal to a thread of this process.
pub(crate) fn send(tid: i32, signal: i32) -> Result<(), i32> {
    let pid = i32::try_from(process::id()).unwrap_or(0);
    // SAFETY: takes integers. A real-time signal that has a handler interrupts the thread and
    // nothing else.
    check(unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) }).map(drop)
}

/// Whether this process has such a thread.
pub(crate) fn thread_exists(tid: i32) -> bool {
    send(tid, 0) != Err(libc::ESRCH)
}
