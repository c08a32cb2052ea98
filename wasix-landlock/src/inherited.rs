//! The open descriptors when a policy is enforced.

use std::collections::BTreeSet;

/// The policy's treatment of descriptors that are open when it is enforced.
///
/// No restriction touches an open descriptor: code that takes the process over can go on reading a file that the program
/// had open. Some descriptors give more than themselves: an io_uring opens files with the rights that were registered in
/// it, and the process at the other end of a unix socket can hand over any file. The report names each of these as a
/// [`WayOut`](crate::WayOut), and warns.
///
/// What is mapped isn't looked at, but for io_urings, nor are the descriptors of a thread that has a table of its own
/// (`CLONE_FILES`). `take_passed_on` hands out the descriptors that came with the process and have no owner yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inherited {
    /// An error that names each io_uring, with or without a descriptor; everything else stays open, and the report lists
    /// it. An io_uring may open files with the rights of whoever made it, which the kernel doesn't show. A program that
    /// needs one makes it afterwards, or says [`Inherited::Report`].
    #[default]
    RefuseRings,
    /// Everything stays open, and the report lists it.
    Report,
    /// An error that names them, before anything is restricted, unless each one is in this set or of a kind that gives no
    /// way out: pipes, event counters, epoll, timers, signal queues, rulesets and `/dev/null`. The standard streams may
    /// besides be files, terminals and sockets.
    ///
    /// An io_uring without a descriptor, which is mapped or has a kernel thread that polls it, is refused as well. One
    /// that is neither can't be seen; [`Protection::IoUring`](crate::Protection::IoUring) keeps it from being used.
    ///
    /// A socket pair has to be in the set even when both ends are in this process: the kernel doesn't tell whether a
    /// forked process has a copy of an end. A tokio runtime makes such a pair for signals. So enforce the policy before
    /// starting the runtime, or add what the runtime has opened to the set:
    ///
    /// ```
    /// use wasix_landlock::{DescriptorKind, DescriptorsReport, Inherited};
    ///
    /// # #[cfg(target_os = "linux")] {
    /// // Before anything else was forked or opened, so that the pairs are the runtime's.
    /// let open = DescriptorsReport::now()?;
    /// let pairs = open.listed.iter().filter(|open| open.kind == DescriptorKind::SocketPair);
    /// let allowed = pairs.map(|pair| pair.number).collect();
    /// let inherited = Inherited::Refuse { allowed };
    /// # drop(inherited);
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    Refuse {
        /// Descriptors that may be open.
        allowed: BTreeSet<i32>,
    },
}

#[cfg(target_os = "linux")]
impl Inherited {
    /// True if everything is refused that isn't allowed.
    pub(crate) const fn refuses_by_kind(&self) -> bool {
        matches!(self, Self::Refuse { .. })
    }
}
