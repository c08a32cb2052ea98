//! Daemons, waiting for signals, and timers with a helper thread.

use std::{io, mem, ptr, sync::OnceLock};

use super::check;

/// Forks and returns in the child only. The parent runs the body, which gets the child's number, and ends.
pub(crate) fn continue_in_child(parent: impl FnOnce(i32)) -> io::Result<()> {
    // SAFETY: the callers have one thread, so that the child may do what it likes.
    let child = unsafe { libc::fork() };
    check(child.into())?;
    if child != 0 {
        parent(child);
        // SAFETY: ends the parent, without running what was registered for its end.
        unsafe { libc::_exit(0) };
    }
    Ok(())
}

/// Waits until a child has ended, and has the kernel forget it.
pub(crate) fn wait_for_child(child: i32) -> io::Result<()> {
    // SAFETY: how it ended isn't asked for.
    check(unsafe { libc::waitpid(child, ptr::null_mut(), 0) }.into())
}

/// Has every descriptor but the standard streams closed in programs that are executed later.
pub(crate) fn pass_on_streams_only() -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: takes integers, and closes nothing in this process.
    check(unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, flags) })
}

pub(crate) fn new_session() -> io::Result<()> {
    // SAFETY: takes nothing.
    check(unsafe { libc::setsid() }.into())
}

fn set_of(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: all-zero is a valid set.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the set is this function's own.
    unsafe { libc::sigemptyset(&raw mut set) };
    for signal in signals {
        // SAFETY: as above; a number that is no signal is refused.
        unsafe { libc::sigaddset(&raw mut set, *signal) };
    }
    set
}

/// Waits in `sigwait(3)`.
pub(crate) fn wait_for_signal(signals: &[i32]) -> io::Result<i32> {
    let set = set_of(signals);
    let mut signal = 0;
    // SAFETY: both outlive the call.
    match unsafe { libc::sigwait(&raw const set, &raw mut signal) } {
        0 => Ok(signal),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

pub(crate) fn last_real_time_signal() -> i32 {
    libc::SIGRTMAX()
}

/// Sets how many descriptors this process may have open: so many, or as many as may be set.
pub(crate) fn limit_descriptors_for_now(count: Option<u64>) -> io::Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes to a limit of this function.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }.into())?;
    limit.rlim_cur = count.unwrap_or(limit.rlim_max).min(limit.rlim_max);
    // SAFETY: the pointer is to a limit that outlives the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }.into())
}

/// `struct sigevent` of the C library, for `SIGEV_THREAD`: the `libc` crate has no such form.
#[repr(C)]
struct ThreadEvent {
    value: *mut libc::c_void,
    signal: i32,
    notify: i32,
    function: extern "C" fn(*mut libc::c_void),
    attributes: *mut libc::c_void,
    rest: [u64; 4],
}

static ON_TIMER: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

extern "C" fn on_timer(_: *mut libc::c_void) {
    if let Some(body) = ON_TIMER.get() {
        body();
    }
}

/// A timer whose end the C library's helper thread waits for, which starts a thread for it then.
pub(crate) struct HelperTimer(libc::timer_t);

impl HelperTimer {
    pub(crate) fn new(body: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        if ON_TIMER.set(Box::new(body)).is_err() {
            return Err(io::Error::other("there is one timer only"));
        }
        let mut event = ThreadEvent {
            value: ptr::null_mut(),
            signal: 0,
            notify: libc::SIGEV_THREAD,
            function: on_timer,
            attributes: ptr::null_mut(),
            rest: [0; 4],
        };
        let mut timer: libc::timer_t = ptr::null_mut();
        // SAFETY: the event has the C library's layout and outlives the call, which writes the timer.
        let made = unsafe {
            libc::timer_create(
                libc::CLOCK_MONOTONIC,
                (&raw mut event).cast(),
                &raw mut timer,
            )
        };
        check(made.into()).map(|()| Self(timer))
    }

    /// Has it end once, at once.
    pub(crate) fn fire(&self) -> io::Result<()> {
        // SAFETY: all-zero is a valid time.
        let mut time: libc::itimerspec = unsafe { mem::zeroed() };
        time.it_value.tv_nsec = 1;
        // SAFETY: the time outlives the call, and the old one isn't asked for.
        let set = unsafe { libc::timer_settime(self.0, 0, &raw const time, ptr::null_mut()) };
        check(set.into())
    }
}
