//! Errors of [`Prepared::enforce`](crate::Prepared::enforce).

use std::{fmt, io, path::PathBuf, time::Duration};

use crate::{Access, Protection};

/// An error of enforcing a policy.
///
/// `restricted` counts the threads that had been restricted by then. That can't be undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnforceError {
    /// Another policy restricted this process since this one was prepared, and doesn't grant what
    /// this one asks for.
    #[error(
        "{preopen}: {path:?} ({asked}) is not within what this process was restricted to \
         meanwhile: {reason}; name every preopen in the first build, reserve the path there, or use \
         a process per policy"
    )]
    NotWithinEnforced {
        /// The builder call and the guest path, or the reason of a runtime path.
        preopen: String,
        /// The host path.
        path: PathBuf,
        /// The access that was asked for.
        asked: Access,
        /// The missing grant, in words.
        reason: String,
    },

    /// Another policy restricted this process since this one was prepared, without a protection
    /// that this one requires.
    #[error(
        "this process was restricted meanwhile without `{protection}`, which this policy requires; \
         require it in the first policy, or name it optional"
    )]
    NotInEnforced {
        /// The protection.
        protection: Protection,
    },

    /// Another policy restricted this process since this one was prepared, and doesn't grant the
    /// ports that this one asks for.
    #[error(
        "{} is not within what this process was restricted to meanwhile; grant it in the first \
         policy, or use a process per policy",
        ports.join(", ")
    )]
    PortsNotWithinEnforced {
        /// The ports that aren't granted, in words.
        ports: Vec<String>,
    },

    /// Descriptors are open that the policy refuses, see [`Inherited::Refuse`](crate::Inherited).
    #[error(
        "descriptors are open that no restriction touches: {}; close them before, or allow them",
        refused.join(", ")
    )]
    DescriptorsOpen {
        /// Each one's number, what it leads to, its kind, and how it leads out.
        refused: Vec<String>,
    },

    /// An io_uring is open or mapped, see [`Inherited::RefuseRings`](crate::Inherited). Nothing was
    /// restricted.
    #[error(
        "an io_uring may open files with the rights that this process had before: {}; close it before \
         the build, or let it pass by `Inherited::Report`",
        refused.join(", ")
    )]
    RingsOpen {
        /// Each one's number or inode.
        refused: Vec<String>,
    },

    /// The open descriptors can't be listed.
    #[error(
        "what is open can't be listed in /proc: {source}; mount /proc, or only report what is open"
    )]
    Descriptors {
        /// The kernel's error.
        source: io::Error,
    },

    /// A thread is under a seccomp filter of its own, so that the process's filter can't be put on
    /// all threads at once. None was.
    #[error(
        "thread {tid} is under a seccomp filter of its own, so that the second layer can't be put \
         on every thread; enforce before starting it"
    )]
    FilterDiverges {
        /// The thread.
        tid: i32,
    },

    /// The kernel refused the filter. No thread is under it.
    #[error("the kernel took no seccomp filter: {source}")]
    Filter {
        /// The kernel's error.
        source: io::Error,
    },

    /// The filter is there, and a system call that it must refuse isn't refused.
    #[error(
        "thread {tid} is under the filter and {probe} is not refused: `{protection}` doesn't hold{}",
        Partly(*restricted)
    )]
    NotFiltered {
        /// The thread.
        tid: i32,
        /// The protection.
        protection: Protection,
        /// The system call that was tried.
        probe: &'static str,
        /// Threads restricted by then.
        restricted: usize,
    },

    /// An earlier policy failed when some threads were restricted already.
    #[error("an earlier policy was enforced on a part of the threads only; end this process")]
    PartlyRestricted,

    /// There are instances in this process, which a restriction of the whole process would narrow.
    #[error(
        "{instances} instances run in this process, which would be restricted as well: wait for them \
         to end, or build in an instance or a worker"
    )]
    InstancesRunning {
        /// The number of instances.
        instances: usize,
    },

    /// The process was restricted as a whole since the policy was prepared, or the calling thread
    /// belongs to an instance already.
    #[error(
        "this thread is restricted already, by another instance or with the whole process: give each \
         instance a thread of its own"
    )]
    ScopeTaken,

    /// Sixteen Landlock layers are on this process already, the kernel's limit (`E2BIG`).
    #[error(
        "thread {tid} is under 16 Landlock layers already, the kernel's limit; start this process \
         under fewer{}",
        Partly(*restricted)
    )]
    TooManyLayers {
        /// The thread.
        tid: i32,
        /// Threads restricted by then.
        restricted: usize,
    },

    /// The kernel refused to restrict a thread.
    #[error("thread {tid} could not be restricted: {call}: {source}{}", Partly(*restricted))]
    Restrict {
        /// The thread.
        tid: i32,
        /// The call that failed.
        call: &'static str,
        /// The kernel's error.
        source: io::Error,
        /// Threads restricted by then.
        restricted: usize,
    },

    /// The kernel said that a thread is restricted, and an open that must fail didn't.
    #[error(
        "thread {tid} was restricted and {probe} is still allowed: the restriction doesn't hold{}",
        Partly(*restricted)
    )]
    NotRestricted {
        /// The thread.
        tid: i32,
        /// The attempt.
        probe: String,
        /// Threads restricted by then.
        restricted: usize,
    },

    /// A thread did not run the handler before the deadline.
    #[error(
        "thread {tid} (`{name}`, state {state}) was not reached within {deadline:?}: {reason}{}",
        Partly(*restricted)
    )]
    ThreadNotReached {
        /// The thread.
        tid: i32,
        /// The name, the kernel's `comm`.
        name: String,
        /// The state, a letter as `ps(1)` shows it.
        state: char,
        /// The reason, such as that the thread blocks the signal, and what to do.
        reason: &'static str,
        /// The time for which this crate waited.
        deadline: Duration,
        /// Threads restricted by then.
        restricted: usize,
    },

    /// A thread takes none of the signals with which it could be restricted. Of a thread that was
    /// there before the build, this is found out before anything is restricted.
    #[error(
        "thread {tid} (`{name}`, state {state}) can't be restricted: {reason}{}",
        Partly(*restricted)
    )]
    ThreadUnreachable {
        /// The thread.
        tid: i32,
        /// The thread's name, the kernel's `comm`.
        name: String,
        /// The thread's state, a letter as `ps(1)` shows it.
        state: char,
        /// The reason, and what to do.
        reason: &'static str,
        /// Threads restricted by then.
        restricted: usize,
    },

    /// Threads kept appearing until the deadline.
    #[error(
        "threads kept being started for {deadline:?} ({rounds} rounds), so that not every one was \
         reached; enforce before starting them{}",
        Partly(*restricted)
    )]
    NotSettled {
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
        "nothing can serve as proof: every place tried is denied already or granted by the policy; \
         grant less than `/`, or start this process under a wider restriction"
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
        "no real-time signal is free to reach the threads with; leave one at its default, and let no \
         thread block it or wait for it"
    )]
    NoFreeSignal,

    /// The handler could not be installed.
    #[error("signal {signal} can't be handled: {source}")]
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
            Self::TooManyLayers { restricted, .. }
            | Self::Restrict { restricted, .. }
            | Self::NotRestricted { restricted, .. }
            | Self::ThreadNotReached { restricted, .. }
            | Self::ThreadUnreachable { restricted, .. }
            | Self::NotSettled { restricted, .. }
            | Self::NotFiltered { restricted, .. }
            | Self::Tasks { restricted, .. } => *restricted > 0,
            Self::NotWithinEnforced { .. }
            | Self::NotInEnforced { .. }
            | Self::PortsNotWithinEnforced { .. }
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

/// The end of a message: what can't be undone.
struct Partly(usize);

impl fmt::Display for Partly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(
                "; 1 thread is restricted already, which can't be undone: end this process",
            ),
            n => write!(
                f,
                "; {n} threads are restricted already, which can't be undone: end this process"
            ),
        }
    }
}
