//! The signal that reaches a thread, and its handler.

use std::{
    io, mem, ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{check, table, thread::own_process};
use crate::RestrictError;

/// A handler on a real-time signal.
///
/// The handler stays when this is dropped; [`Handler::restore`] takes it back.
#[derive(Debug)]
pub(crate) struct Handler {
    signal: i32,
    /// The number of this process, which takes a system call to ask for.
    process: i32,
    /// The action before, for a signal of the C library's.
    library: Option<Action>,
}

/// The signal with which the C library has every thread change its user (`SIGSETXID`). glibc lets no
/// program block it, wait for it or handle it, and keeps it unblocked in its own helper threads.
const LIBRARY_SIGNAL: i32 = 33;

/// The signals that are the program's, from the last one down, since libraries take theirs from the
/// first one up.
pub(crate) fn program_signals() -> impl Iterator<Item = i32> {
    (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev()
}

/// A signal's bit in a mask, as the kernel and `/proc` have it.
pub(crate) const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

impl Handler {
    /// Puts the handler on the first of [`program_signals`] that `usable` lets pass and nobody has
    /// taken.
    pub(crate) fn install(usable: impl Fn(i32) -> bool) -> Result<Self, RestrictError> {
        for signal in program_signals().filter(|signal| usable(*signal)) {
            let failed = |source| RestrictError::Signal { signal, source };
            if set_action(signal, None).map_err(failed)?.sa_sigaction != libc::SIG_DFL {
                continue;
            }
            let previous = set_action(signal, Some(&action())).map_err(failed)?;
            if previous.sa_sigaction == libc::SIG_DFL {
                return Ok(Self {
                    signal,
                    process: own_process(),
                    library: None,
                });
            }
            // Another thread took it between the two calls: give it back.
            set_action(signal, Some(&previous)).map_err(failed)?;
        }
        Err(RestrictError::NoFreeSignal)
    }

    /// Puts the handler before the C library's own, which gets every signal that isn't this
    /// crate's; `None` where the C library isn't glibc, or has no handler there.
    pub(crate) fn before_library() -> Option<Self> {
        // The layout of `Action` is that of these architectures.
        let known = cfg!(all(
            target_env = "gnu",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ));
        let before = known
            .then(|| set_raw_action(LIBRARY_SIGNAL, None))?
            .ok()
            .filter(|before| ![libc::SIG_DFL, libc::SIG_IGN].contains(&before.handler))?;
        NEXT.store(before.handler, Ordering::SeqCst);
        let own = Action {
            handler: on_signal as *const () as usize,
            flags: before.flags | u64::from(SIGNAL_FLAGS.cast_unsigned()),
            mask: u64::MAX,
            // Where the kernel needs one, glibc's own returns from a handler as well as any.
            ..before
        };
        set_raw_action(LIBRARY_SIGNAL, Some(&own)).ok()?;
        Some(Self {
            signal: LIBRARY_SIGNAL,
            process: own_process(),
            library: Some(before),
        })
    }

    /// True if the C library's handler comes after this one.
    pub(crate) const fn is_before_library(&self) -> bool {
        self.library.is_some()
    }

    pub(crate) fn signal(&self) -> i32 {
        self.signal
    }

    /// Puts back the action before, unless another handler has taken the signal meanwhile.
    ///
    /// `unanswered` says that the signal may be under way to a thread. The default disposition would
    /// end the process then, so that the handler stays; the C library's handler ignores it.
    pub(crate) fn restore(&self, unanswered: bool) -> io::Result<()> {
        if let Some(before) = &self.library {
            return set_raw_action(self.signal, Some(before)).map(drop);
        }
        if unanswered {
            return Ok(());
        }
        // SAFETY: all-zero is a valid `sigaction`, and means the default disposition.
        let default: libc::sigaction = unsafe { mem::zeroed() };
        let current = set_action(self.signal, Some(&default))?;
        if current.sa_sigaction != action().sa_sigaction {
            set_action(self.signal, Some(&current))?;
        }
        Ok(())
    }
}

/// Restarts what can be restarted, and leaves a stack that a runtime has made small.
const SIGNAL_FLAGS: i32 = libc::SA_RESTART | libc::SA_ONSTACK | libc::SA_SIGINFO;

fn action() -> libc::sigaction {
    // SAFETY: all-zero is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = on_signal as *const () as usize;
    action.sa_flags = SIGNAL_FLAGS;
    // No other handler interrupts this one: a signal stack may have no room for both. sigfillset(3)
    // would leave out the C library's own.
    // SAFETY: any bits are a valid mask, which this function owns.
    unsafe { (&raw mut action.sa_mask).write_bytes(0xff, 1) };
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

/// The kernel's `struct sigaction` on `x86_64` and `aarch64` (`asm/signal.h`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// As [`set_action`], for the signals that the C library doesn't let a program handle.
fn set_raw_action(signal: i32, new: Option<&Action>) -> io::Result<Action> {
    let mut old = Action::default();
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `new` is null or a valid action, `old` is one to write to, and the size is that of
    // their mask. The handlers that are put in are `on_signal` and what the kernel had before.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            new,
            &raw mut old,
            size_of::<u64>(),
        )
    };
    check(returned)
        .map(|_| old)
        .map_err(io::Error::from_raw_os_error)
}

/// The C library's handler of [`LIBRARY_SIGNAL`], while this crate's stands before it.
static NEXT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_signal(
    signal: i32,
    information: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: errno is the interrupted thread's own, which goes on as if nothing had happened.
    let saved = unsafe { *libc::__errno_location() };
    // SAFETY: the kernel hands a handler with SA_SIGINFO a valid structure.
    if unsafe { is_own(information) } {
        table::visit_published();
    } else if signal == LIBRARY_SIGNAL {
        let next = NEXT.load(Ordering::SeqCst);
        if next != 0 {
            // SAFETY: the kernel had this address as the handler of this signal, with SA_SIGINFO as
            // glibc sets it.
            let next: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { mem::transmute(next) };
            next(signal, information, context);
        }
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = saved };
}

/// The head of the kernel's `siginfo_t` for a queued signal, padded to its size.
#[repr(C)]
struct Queued {
    signal: i32,
    errno: i32,
    code: i32,
    _padding: i32,
    pid: i32,
    uid: u32,
    value: usize,
    rest: [u64; 12],
}

const _: () = assert!(size_of::<Queued>() == size_of::<libc::siginfo_t>());

/// The value that comes with this crate's own signals.
fn own_value() -> usize {
    // Whose address this is nobody else can mean by it.
    (&raw const NEXT).addr()
}

/// True if a signal was sent by [`send`].
///
/// # Safety
///
/// `information` is what the kernel gave a handler.
unsafe fn is_own(information: *const libc::siginfo_t) -> bool {
    // SAFETY: the structure is valid, and as large as this view of it; every field of the view may
    // hold any value.
    let queued = unsafe { &*information.cast::<Queued>() };
    queued.code == libc::SI_QUEUE && queued.value == own_value()
}

/// Sends the handler's signal to a thread of this process.
pub(crate) fn send(tid: i32, handler: &Handler) -> Result<(), i32> {
    let information = Queued {
        signal: handler.signal,
        errno: 0,
        code: libc::SI_QUEUE,
        _padding: 0,
        pid: handler.process,
        uid: 0,
        value: own_value(),
        rest: [0; 12],
    };
    // SAFETY: the structure outlives the call, and is what its code says. A signal that has a
    // handler interrupts the thread and nothing else.
    check(unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            handler.process,
            tid,
            handler.signal,
            &raw const information,
        )
    })
    .map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    extern "C" fn of_the_program(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

    /// In one test, as signals belong to the whole process.
    #[test]
    fn what_others_do_with_the_signals_stays() {
        let handler = Handler::install(|_| true).unwrap();
        let signal = handler.signal();
        assert_eq!(
            set_action(signal, None).unwrap().sa_sigaction,
            on_signal as *const () as usize
        );
        handler.restore(false).unwrap();
        assert_eq!(
            set_action(signal, None).unwrap().sa_sigaction,
            libc::SIG_DFL
        );

        // The program takes the signal while this crate has its handler on it.
        let handler = Handler::install(|_| true).unwrap();
        let mut own = action();
        own.sa_sigaction = of_the_program as *const () as usize;
        set_action(handler.signal(), Some(&own)).unwrap();
        handler.restore(false).unwrap();
        assert_eq!(
            set_action(handler.signal(), None).unwrap().sa_sigaction,
            own.sa_sigaction
        );
        // And a signal that has a handler isn't taken.
        let other = Handler::install(|_| true).unwrap();
        assert_ne!(other.signal(), handler.signal());
        other.restore(false).unwrap();

        let Some(handler) = Handler::before_library() else {
            return;
        };
        let with_own = set_raw_action(LIBRARY_SIGNAL, None).unwrap();
        assert_eq!(with_own.handler, on_signal as *const () as usize);
        // Even while the signal may be under way, the C library has its handler back.
        handler.restore(true).unwrap();
        let after = set_raw_action(LIBRARY_SIGNAL, None).unwrap();
        assert_ne!(after.handler, with_own.handler);
        assert!(![libc::SIG_DFL, libc::SIG_IGN].contains(&after.handler));
    }
}
