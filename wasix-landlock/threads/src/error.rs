//! Errors of restricting threads.

use std::{io, time::Duration};

use wasix_landlock_filter::{FilterError, Protection};

/// An error of restricting threads.
#[derive(Debug, thiserror::Error)]
pub enum RestrictError {
    /// A thread isn't known to be restricted.
    #[error("thread {tid} {problem}")]
    Thread {
        /// The thread.
        tid: i32,
        /// The problem.
        #[source]
        problem: ThreadError,
    },

    /// Threads kept appearing until the deadline.
    #[error("new threads kept starting for {deadline:?} ({rounds} rounds)")]
    ThreadsKeptStarting {
        /// The time for which this crate waited.
        deadline: Duration,
        /// The number of times the threads were listed.
        rounds: usize,
    },

    /// Every real-time signal has a handler, or is blocked or awaited by some thread.
    #[error("no real-time signal is free to reach the threads")]
    NoFreeSignal,

    /// The handler could not be installed, or not be taken back.
    #[error("the handler of signal {signal} can't be set: {source}")]
    Signal {
        /// The signal.
        signal: i32,
        /// The kernel's error.
        source: io::Error,
    },

    /// The threads of this process can't be listed.
    #[error("the threads can't be listed in /proc/self/task: {source}")]
    Tasks {
        /// The kernel's error.
        source: io::Error,
    },

    /// The threads can't be put under the filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
}

#[cfg(target_os = "linux")]
impl RestrictError {
    /// The problem of a thread.
    pub(crate) const fn of_thread(tid: i32, problem: ThreadError) -> Self {
        Self::Thread { tid, problem }
    }

    /// The thread that the error is about.
    pub(crate) const fn thread(&self) -> Option<i32> {
        match self {
            Self::Thread { tid, .. } => Some(*tid),
            _ => None,
        }
    }
}

/// The problem of a thread, in [`RestrictError::Thread`] and in [`EnforceError::Thread`].
///
/// [`EnforceError::Thread`]: ../wasix_landlock/enum.EnforceError.html#variant.Thread
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThreadError {
    /// Sixteen Landlock layers are on this process already, the kernel's limit (`E2BIG`).
    #[error(
        "is under 16 Landlock layers already, the kernel's limit; start this process under fewer"
    )]
    TooManyLayers,

    /// The kernel refused to restrict the thread.
    #[error("could not be restricted: {call}: {source}")]
    Restrict {
        /// The call that failed.
        call: &'static str,
        /// The kernel's error.
        source: io::Error,
    },

    /// The kernel said that the thread is restricted, and the probe that must fail didn't.
    #[error(
        "was restricted, but {probe} is still allowed: the kernel doesn't enforce the \
         restriction; run no module in this process"
    )]
    NotRestricted {
        /// The probe.
        probe: String,
    },

    /// The filter is there, and a system call that it must refuse isn't refused.
    #[error(
        "has the filter, but {call} is not refused: the kernel doesn't enforce `{protection}`; \
         run no module in this process"
    )]
    NotFiltered {
        /// The protection.
        protection: Protection,
        /// The system call that was tried.
        call: &'static str,
    },

    /// The thread did not run the handler before the deadline.
    #[error("(`{name}`, state {state}) was not reached within {deadline:?}: {reason}")]
    NotReached {
        /// The thread's name, the kernel's `comm`.
        name: String,
        /// The thread's state, a letter as `ps(1)` shows it.
        state: char,
        /// The reason, such as that the thread blocks the signal, and what to do.
        reason: &'static str,
        /// The time for which this crate waited.
        deadline: Duration,
    },

    /// The thread takes none of the signals with which it could be restricted. Of a thread that was
    /// there before the build, this is found out before anything is restricted.
    #[error("(`{name}`, state {state}) can't be restricted: {reason}")]
    Unreachable {
        /// The thread's name, the kernel's `comm`.
        name: String,
        /// The thread's state, a letter as `ps(1)` shows it.
        state: char,
        /// The reason, and what to do.
        reason: &'static str,
    },
}
