//! The open descriptors in a report.

#[cfg(target_os = "linux")]
use std::collections::BTreeSet;
use std::{fmt, io};

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
use crate::Census;

/// The descriptors that were open when a policy was enforced.
///
/// A restriction doesn't touch them. A directory is of no use for opening files beneath it that aren't granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DescriptorsReport {
    /// The descriptors, lowest first, without this crate's own. Of more than 256, the ways out come first.
    pub listed: Vec<DescriptorReport>,
    /// The number of open descriptors that aren't listed.
    pub unlisted: usize,
}

/// A descriptor that was open, in a [`DescriptorsReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DescriptorReport {
    /// The number.
    pub number: i32,
    /// The kind.
    pub kind: DescriptorKind,
    /// The target in `/proc/self/fd`, such as a path or `socket:[1234]`.
    pub target: String,
    /// True if the descriptor can be read from.
    pub read: bool,
    /// True if the descriptor can be written to.
    pub write: bool,
    /// True if an executed program inherits the descriptor. Rust opens none like that.
    pub passed_on: bool,
    /// The way in which the descriptor leads to more than itself, past the restriction; `None` if it doesn't.
    #[serde(default)]
    pub way_out: Option<WayOut>,
}

/// The kind of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DescriptorKind {
    /// A regular file, a memory file included.
    File,
    /// A file of a file system that is an interface of the kernel, such as `/proc`.
    KernelFile,
    /// A directory.
    Directory,
    /// A name alone (`O_PATH`), of a file of any kind.
    NameOnly,
    /// A TCP, UDP or other stream or datagram socket of the internet protocols.
    Socket,
    /// A unix socket whose other end isn't open in this process, as far as the kernel tells (`unix_diag`).
    UnixSocket,
    /// A unix socket of an unnamed pair that this process made and has both ends of. A forked process may have a copy.
    SocketPair,
    /// A socket of another kind, such as netlink, packet, vsock or raw.
    OtherSocket,
    /// A pipe without a name.
    Pipe,
    /// A named pipe.
    Fifo,
    /// `/dev/null`.
    Null,
    /// A terminal.
    Terminal,
    /// Another character or block device.
    Device,
    /// An event counter (`eventfd`).
    EventCounter,
    /// An `epoll` instance.
    Epoll,
    /// A timer (`timerfd`).
    Timer,
    /// A queue of signals (`signalfd`).
    SignalQueue,
    /// A list of watched files (`inotify`).
    Watch,
    /// A process (`pidfd`).
    Process,
    /// A namespace.
    Namespace,
    /// An io_uring.
    #[serde(rename = "io_uring")]
    Ring,
    /// A Landlock ruleset, which only takes rights away from whoever is restricted with it.
    Ruleset,
    /// Anything else, such as a bpf map, a performance event, `userfaultfd`, `fanotify`, or a virtual machine.
    Other,
}

/// The way in which a descriptor that was open before leads past the restriction, to more than itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WayOut {
    /// An io_uring runs operations with the rights that were registered in it, for whoever submits them.
    Ring,
    /// A kernel thread polls the io_uring, with the rights of its maker and without a call that a filter could refuse.
    PolledRing,
    /// Another process may have the other end of the socket, and can hand over open files.
    HandsOverFiles,
    /// A device or terminal takes any command that it took before.
    TakesCommands,
    /// The descriptor is an interface of the kernel's, beyond what the policy restricts.
    KernelInterface,
    /// A namespace can be entered.
    Namespace,
    /// This crate doesn't know the kind, so nothing can be said.
    Unknown,
}

impl DescriptorsReport {
    /// Lists the open descriptors, and leaves them open.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// for open in wasix_landlock::DescriptorsReport::now()?.listed {
    ///     println!("{open}");
    /// }
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The kernel's error when `/proc` can't be read; on anything but Linux, [`io::ErrorKind::Unsupported`].
    pub fn now() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        let report = Census::now(&BTreeSet::new()).map(Census::into_report);
        #[cfg(not(target_os = "linux"))]
        let report = Err(io::ErrorKind::Unsupported.into());
        report
    }
}

impl fmt::Display for DescriptorsReport {
    /// Lists neither the standard streams nor what the process made for itself, unless they give a way out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for descriptor in &self.listed {
            if descriptor.matters() {
                writeln!(f, "  {descriptor}")?;
            }
        }
        if self.unlisted > 0 {
            writeln!(f, "  and {} more descriptors", self.unlisted)?;
        }
        Ok(())
    }
}

impl DescriptorReport {
    /// The last of the standard streams.
    pub(crate) const LAST_STREAM: i32 = 2;

    /// True if the descriptor is a standard stream of a usual kind.
    pub(crate) fn is_usual_stream(&self) -> bool {
        use DescriptorKind::{Fifo, File, Null, Pipe, Socket, SocketPair, Terminal, UnixSocket};

        self.number <= Self::LAST_STREAM
            && matches!(
                self.kind,
                File | Fifo | Null | Pipe | Socket | SocketPair | Terminal | UnixSocket
            )
    }

    fn matters(&self) -> bool {
        !self.is_usual_stream() && (self.way_out.is_some() || !self.kind.is_internal())
    }
}

impl DescriptorKind {
    /// True if the kind gives no way out: it carries bytes, counts, waits or restricts.
    #[cfg(target_os = "linux")]
    pub(crate) const fn is_harmless(self) -> bool {
        matches!(
            self,
            Self::Pipe
                | Self::Null
                | Self::EventCounter
                | Self::Epoll
                | Self::Timer
                | Self::SignalQueue
                | Self::Ruleset
        )
    }

    /// True if a process usually makes the kind for itself.
    const fn is_internal(self) -> bool {
        matches!(
            self,
            Self::SocketPair
                | Self::EventCounter
                | Self::Epoll
                | Self::Timer
                | Self::SignalQueue
                | Self::Watch
                | Self::Ruleset
        )
    }
}

impl fmt::Display for DescriptorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for DescriptorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = match (self.read, self.write) {
            (true, true) => "read+write",
            (true, false) => "read",
            (false, true) => "write",
            (false, false) => "name only",
        };
        write!(
            f,
            "descriptor {} ({}, {access}): {}: open before",
            self.number, self.kind, self.target
        )?;
        match self.way_out {
            Some(way_out) => write!(f, ", a way out: {way_out}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for WayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ring => "its operations may run with rights from before the restriction",
            Self::PolledRing => {
                "a kernel thread runs its operations with rights from before, without a system call"
            }
            Self::HandsOverFiles => "another process may have the other end, and pass files in",
            Self::TakesCommands => "no restriction applies to its commands",
            Self::KernelInterface => "it is a kernel interface",
            Self::Namespace => "a thread can enter it",
            Self::Unknown => "this crate doesn't know its kind",
        })
    }
}
