//! Threads that are hard to reach, and what they say about themselves.

use std::{fs, io, os::fd::AsFd, time::Duration};

use crate::sys;

/// The calling thread's number.
#[must_use]
pub fn current() -> i32 {
    sys::current_thread()
}

/// The numbers of all threads.
///
/// # Panics
///
/// When `/proc` can't be read.
#[must_use]
pub fn all() -> Vec<i32> {
    fs::read_dir("/proc/self/task")
        .expect("/proc/self/task can be listed")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// Returns a thread's `no_new_privs`: the flag that every thread has that restricts itself or is started by a restricted
/// one. Returns `None` if the thread has ended, as one of a list may at any time: a compiler's threads, for example.
///
/// # Panics
///
/// When `/proc` can't be read.
#[must_use]
pub fn no_new_privs(tid: i32) -> Option<bool> {
    match fs::read_to_string(format!("/proc/self/task/{tid}/status")) {
        Ok(status) => Some(status.lines().any(|line| line == "NoNewPrivs:\t1")),
        // No such file at its open, no such process at a read.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => None,
        Err(error) => panic!("the status of thread {tid} can't be read: {error}"),
    }
}

/// Blocks every signal in the calling thread, as far as the C library lets a program.
///
/// # Panics
///
/// When the kernel refuses.
pub fn block_all_signals() {
    sys::mask_all_signals(true).expect("a thread may mask signals");
}

/// Blocks these signals in the calling thread, the C library's own as well.
///
/// # Panics
///
/// When the kernel refuses.
pub fn block_signals(signals: impl IntoIterator<Item = i32>) {
    let mask = signals.into_iter().map(|signal| 1 << (signal - 1)).sum();
    sys::block_signals(mask).expect("a thread may mask signals");
}

/// Blocks every signal in the calling thread, the C library's own as well.
///
/// # Panics
///
/// When the kernel refuses.
pub fn block_even_the_librarys_signals() {
    block_signals(1..=64);
}

/// Blocks a signal in the calling thread and waits for it. Returns what came.
///
/// # Errors
///
/// The kernel's error.
pub fn wait_for_signal(signal: i32, ready: impl FnOnce()) -> io::Result<i32> {
    sys::wait_for_signal(signal, ready)
}

/// Sends a signal to a thread of this process.
///
/// # Errors
///
/// The kernel's error.
pub fn signal(tid: i32, signal: i32) -> io::Result<()> {
    sys::signal_thread(tid, signal)
}

/// Gives the calling thread a table of descriptors of its own, with what is open now.
///
/// # Errors
///
/// The kernel's error.
pub fn separate_descriptors() -> io::Result<()> {
    sys::separate_descriptors()
}

/// Sets this process's group to the one that it has. The C library does so in every thread, by a
/// signal of its own.
///
/// # Errors
///
/// The kernel's error.
pub fn set_group_again() -> io::Result<()> {
    sys::set_group_again()
}

/// Waits until the kernel shows a thread in a state, a letter of proc_pid_stat(5).
///
/// # Panics
///
/// When the thread isn't there.
pub fn wait_for_state(tid: i32, state: char) {
    let shown = || {
        let stat = fs::read_to_string(format!("/proc/self/task/{tid}/stat"));
        stat.expect("the thread is there")
            .contains(&format!(") {state} "))
    };
    while !shown() {
        std::thread::yield_now();
    }
}

/// Waits in `poll(2)`, which no kernel restarts after a signal.
///
/// # Errors
///
/// What the kernel said, such as that it was interrupted.
pub fn poll(time: Duration) -> io::Result<()> {
    sys::poll_nothing(time)
}

/// Waits in `epoll_wait(2)`, which no kernel restarts after a signal, until something can be read.
///
/// # Errors
///
/// What the kernel said, such as that it was interrupted.
pub fn epoll(readable: &impl AsFd) -> io::Result<()> {
    sys::epoll(readable.as_fd())
}

/// Waits in a system call that no signal ends but a deadly one, until something can be read: as
/// the parent of a `vfork(2)`.
///
/// # Errors
///
/// What the kernel said.
pub fn wait_uninterruptibly(readable: &impl AsFd) -> io::Result<()> {
    sys::wait_as_vfork_does(readable.as_fd())
}

/// Real-time signals that have a handler or are ignored.
#[must_use]
pub fn real_time_signals_in_use() -> Vec<i32> {
    sys::real_time_signals_in_use()
}

/// Takes every real-time signal, by ignoring it.
pub fn ignore_all_real_time_signals() {
    sys::ignore_all_real_time_signals();
}

/// Ends the main thread alone. Never returns, and never lets the process end by itself.
///
/// # Panics
///
/// When called from another thread.
pub fn end_main_thread() -> ! {
    assert_eq!(u32::try_from(current()), Ok(std::process::id()));
    sys::end_thread()
}
