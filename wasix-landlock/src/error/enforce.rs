//! Errors of [`Prepared::enforce`](crate::Prepared::enforce).

use std::{fmt, io, time::Duration};

#[cfg(target_os = "linux")]
use wasix_landlock_filter::FilterError;
#[cfg(target_os = "linux")]
use wasix_landlock_threads::RestrictError;
use wasix_landlock_threads::ThreadError;

use super::NotWithin;
use crate::names::list;

/// An error of enforcing a policy.
///
/// `restricted` counts the threads that had been restricted by then, which can't be undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnforceError {
    /// Another policy restricted this process since this one was prepared, and this one doesn't lie
    /// within that.
    #[error(transparent)]
    NotWithin(#[from] NotWithin),

    /// Descriptors are open that the policy refuses, see [`Inherited::Refuse`](crate::Inherited).
    #[error(
        "these open descriptors would stay usable: {}; close them before the build, or allow them \
         in `Inherited::Refuse`",
        list(refused, ", ")
    )]
    DescriptorsOpen {
        /// The number, target, kind and way out of each descriptor.
        refused: Vec<String>,
    },

    /// An io_uring is open or mapped, see [`Inherited::RefuseRings`](crate::Inherited). Nothing was
    /// restricted.
    #[error(
        "an io_uring keeps the rights that this process had before: {}; close it before the build, \
         or accept it with `Inherited::Report`",
        list(refused, ", ")
    )]
    RingsOpen {
        /// The number or inode of each io_uring.
        refused: Vec<String>,
    },

    /// The open descriptors can't be listed.
    #[error(
        "the open descriptors can't be listed in /proc: {source}; mount /proc, or accept them \
         with `Inherited::Report`"
    )]
    Descriptors {
        /// The kernel's error.
        source: io::Error,
    },

    /// A thread is under a seccomp filter of its own, so that the process's filter can't be put on
    /// all threads at once. None was.
    #[error(
        "thread {tid} has a seccomp filter of its own, so the second layer can't be put on every \
         thread; enforce the policy before this thread starts"
    )]
    FilterDiverges {
        /// The thread.
        tid: i32,
    },

    /// The kernel refused the filter. No thread is under it.
    #[error(
        "the kernel rejected the seccomp filter: {source}; make the protections of the second \
         layer optional, or turn them off"
    )]
    Filter {
        /// The kernel's error.
        source: io::Error,
    },

    /// An earlier policy failed when some threads were restricted already.
    #[error("an earlier policy restricted only some of the threads; end this process")]
    PartlyRestricted,

    /// There are instances in this process, which a restriction of the whole process would narrow.
    #[error(
        "{instances} instances run in this process and would be restricted as well; wait for them to end, or \
         build in an instance or a worker"
    )]
    InstancesRunning {
        /// The number of instances.
        instances: usize,
    },

    /// The process was restricted as a whole since the policy was prepared, or the calling thread
    /// belongs to an instance already.
    #[error(
        "this thread is restricted already, by another instance or with the whole process; give each \
         instance a thread of its own"
    )]
    ScopeTaken,

    /// A thread isn't known to be restricted.
    #[error("thread {tid} {problem}{}", Partly(*restricted))]
    Thread {
        /// The thread.
        tid: i32,
        /// The problem.
        #[source]
        problem: ThreadError,
        /// Threads restricted by then.
        restricted: usize,
    },

    /// Threads kept appearing until the deadline.
    #[error(
        "new threads kept starting for {deadline:?} ({rounds} rounds), so some threads were not \
         reached; enforce the policy before they start{}",
        Partly(*restricted)
    )]
    ThreadsKeptStarting {
        /// The time for which this crate waited.
        deadline: Duration,
        /// The number of times the threads were listed.
        rounds: usize,
        /// Threads restricted by then.
        restricted: usize,
    },

    /// Nothing that this process can do now would be denied afterwards, so nothing can prove the
    /// restriction.
    #[error(
        "the restriction can't be proved: every path tried is denied already or granted by the \
         policy; grant less than `/`, or start this process under a weaker restriction"
    )]
    NoProbe,

    /// The kernel is short of what the proof of a restriction needs, such as a free descriptor.
    /// Nothing was restricted.
    #[error(
        "the restriction can't be proved: {source}; free descriptors or memory before the build"
    )]
    Probe {
        /// The kernel's error.
        source: io::Error,
    },

    /// Every real-time signal has a handler, or is blocked or awaited by some thread.
    #[error(
        "no real-time signal is free to reach the threads; leave one at its default action, and \
         let no thread block it or wait for it"
    )]
    NoFreeSignal,

    /// The handler could not be installed.
    #[error(
        "no handler can be installed for signal {signal}: {source}; leave a real-time signal at \
         its default action"
    )]
    Signal {
        /// The signal.
        signal: i32,
        /// The kernel's error.
        source: io::Error,
    },

    /// The threads of this process can't be listed.
    #[error("the threads can't be listed in /proc/self/task: {source}; mount /proc{}", Partly(*restricted))]
    Tasks {
        /// The kernel's error.
        source: io::Error,
        /// Threads restricted by then.
        restricted: usize,
    },
}

impl EnforceError {
    /// True if some threads are restricted while others may not be. The process can't be brought
    /// back from that, and should end.
    #[must_use]
    pub const fn process_must_end(&self) -> bool {
        match self {
            Self::PartlyRestricted => true,
            Self::Thread { restricted, .. }
            | Self::ThreadsKeptStarting { restricted, .. }
            | Self::Tasks { restricted, .. } => *restricted > 0,
            Self::NotWithin(_)
            | Self::DescriptorsOpen { .. }
            | Self::RingsOpen { .. }
            | Self::Descriptors { .. }
            | Self::FilterDiverges { .. }
            | Self::Filter { .. }
            | Self::InstancesRunning { .. }
            | Self::ScopeTaken
            | Self::NoProbe
            | Self::Probe { .. }
            | Self::NoFreeSignal
            | Self::Signal { .. } => false,
        }
    }
}

#[cfg(target_os = "linux")]
impl EnforceError {
    /// The error of restricting threads, when so many are restricted.
    pub(crate) fn of_threads(error: RestrictError, restricted: usize) -> Self {
        match error {
            RestrictError::Thread { tid, problem } => Self::Thread {
                tid,
                problem,
                restricted,
            },
            RestrictError::ThreadsKeptStarting { deadline, rounds } => Self::ThreadsKeptStarting {
                deadline,
                rounds,
                restricted,
            },
            RestrictError::NoFreeSignal => Self::NoFreeSignal,
            RestrictError::Signal { signal, source } => Self::Signal { signal, source },
            RestrictError::Tasks { source } => Self::Tasks { source, restricted },
            RestrictError::Filter(FilterError::Diverges { tid }) => Self::FilterDiverges { tid },
            RestrictError::Filter(FilterError::Rejected { source }) => Self::Filter { source },
        }
    }
}

/// The end of a message: what can't be undone.
struct Partly(usize);

impl fmt::Display for Partly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = match self.0 {
            0 => return Ok(()),
            1 => "1 thread is".to_owned(),
            n => format!("{n} threads are"),
        };
        write!(
            f,
            "; {threads} restricted already, which can't be undone: end this process"
        )
    }
}
