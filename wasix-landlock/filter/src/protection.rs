//! Protections that not every kernel has or not every program can live with, by name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ProtectionError;

/// The level at which a policy wants a protection, the strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Level {
    /// A missing protection is an error.
    Strict,
    /// The protection is enforced where the kernel has it. Elsewhere the report says so.
    Degradable,
    /// The protection isn't asked for.
    Off,
}

/// The kernel feature that enforces a protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layer {
    /// The Landlock ruleset. A denial is `EACCES`, and `EPERM` for a scope.
    Landlock,
    /// The second layer, a seccomp filter. A denial is `EPERM`.
    Seccomp,
}

/// The call that turns a protection on when the policy doesn't name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnBy {
    /// Always, at this level.
    Default(Level),
    /// `Policy::network` and, as that comes with it,
    /// `Policy::harden`.
    Network,
    /// `Policy::harden`.
    Harden,
}

/// Defines [`Protection`] once, with the name of each and the call that turns it on.
macro_rules! protections {
    ($( $(#[$doc:meta])* $name:ident = $text:literal, $on:expr; )*) => {
        /// A part of the restriction that a kernel may lack, or that a program may not want.
        ///
        /// The features of Landlock's first ABI are no protection in this sense: without them there
        /// is no restriction at all. Moving files between directories (`refer`, ABI 2) is none
        /// either: a kernel without that right refuses every such move, which takes an ability away
        /// and opens nothing.
        ///
        /// The protections after [`Protection::AbstractSocketScope`] are the *second layer*, a
        /// seccomp filter for calls that Landlock doesn't mediate. They are off unless
        /// [`Policy::harden`], [`Policy::network`] or [`Policy::protect`] turns them on. The program around the
        /// module is under them as well, and so are the processes that it starts. Under any of
        /// them, system calls that are newer than Linux 6.18 don't exist (`ENOSYS`), as the filter
        /// doesn't know them.
        ///
        /// ```
        /// use wasix_landlock::{Level, Policy, Protection};
        ///
        /// let exec: Protection = "exec".parse()?;
        /// let policy = Policy::default().protect(exec, Level::Degradable);
        /// # drop(policy);
        /// # Ok::<(), wasix_landlock::ProtectionError>(())
        /// ```
        ///
        /// [`Policy::harden`]: ../wasix_landlock/struct.Policy.html#method.harden
        /// [`Policy::network`]: ../wasix_landlock/struct.Policy.html#method.network
        /// [`Policy::protect`]: ../wasix_landlock/struct.Policy.html#method.protect
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[non_exhaustive]
        pub enum Protection {
            $( $(#[$doc])* #[serde(rename = $text)] $name, )*
        }

        impl Protection {
            /// Every protection.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// The name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }

            const fn on_by(self) -> OnBy {
                match self { $( Self::$name => $on, )* }
            }
        }
    };
}

protections! {
    /// Truncating needs a grant (ABI 3, Linux 6.2). Required unless named optional.
    ///
    /// Without this protection, `truncate(2)` empties any file that the user may write, inside the
    /// grants or outside of them.
    Truncate = "truncate", OnBy::Default(Level::Strict);
    /// ioctls on devices are denied (ABI 5, Linux 6.10). Required unless named optional.
    ///
    /// Without this protection, a device in a granted directory takes any ioctl.
    IoctlDevice = "ioctl-device", OnBy::Default(Level::Strict);
    /// Connecting to a unix socket by its path is denied (ABI 9, Linux 7.1). Optional unless
    /// required: hardly any kernel in use has it, and it is enforced where one does.
    ///
    /// Without this protection, every socket that the user may write to can be connected to, the
    /// ones of a service manager or a container engine included. [`Protection::UnixSockets`] closes
    /// the same on any kernel, for a program that makes no unix sockets.
    ResolveUnix = "resolve-unix", OnBy::Default(Level::Degradable);
    /// Every thread of the process is restricted, not just the calling one. Required unless named
    /// optional. From ABI 8 (Linux 7.0) the kernel does it at once, below that each thread is
    /// visited with a signal.
    ///
    /// Without this protection, a thread that was running before keeps every access of the user.
    /// Off means the same as degradable. The second layer is on every thread or on none.
    AllThreads = "all-threads", OnBy::Default(Level::Strict);
    /// TCP ports need a grant, to bind and to connect (ABI 4, Linux 6.7).
    ///
    /// The filter adds what Landlock leaves open: without any port granted, no TCP socket is made;
    /// with one, sending with `MSG_FASTOPEN`, which connects on the way, is refused.
    Tcp = "tcp", OnBy::Network;
    /// UDP ports need a grant, to bind, connect and send (ABI 10, Linux 7.2).
    ///
    /// Without any port granted, the filter refuses to make UDP sockets, on any kernel. Names can't be
    /// resolved by DNS then.
    Udp = "udp", OnBy::Network;
    /// Processes outside of the restriction get no signals (ABI 6, Linux 6.12). Processes that are
    /// started later are inside.
    SignalScope = "signal-scope", OnBy::Harden;
    /// Abstract unix sockets of processes outside of the restriction can't be connected to (ABI 6,
    /// Linux 6.12), nor those that this process made before.
    AbstractSocketScope = "abstract-socket-scope", OnBy::Harden;
    /// Modes, owners, extended attributes and inode flags can't be changed, nor times by path.
    ///
    /// The times of a file that is open stay settable, as WASI has calls for that. A file system can
    /// have commands of its own that change an inode: [`Protection::Ioctl`] refuses those too.
    Metadata = "metadata", OnBy::Harden;
    /// Only unix, TCP and UDP sockets can be made: no netlink, packet, vsock or raw ones, and of
    /// the internet protocols none that Landlock's rules don't know, such as MPTCP and SCTP.
    OtherSockets = "other-sockets", OnBy::Network;
    /// No unix sockets can be made, but for pairs of stream sockets, as tokio needs one.
    UnixSockets = "unix-sockets", OnBy::Harden;
    /// io_uring is refused: its operations pass by the filter. On with any other protection of the
    /// second layer, unless named off.
    IoUring = "io-uring", OnBy::Harden;
    /// No program can be executed, not from a memory file either, which Landlock doesn't mediate.
    Exec = "exec", OnBy::Harden;
    /// Namespaces can be neither made nor entered. `clone3` answers `ENOSYS`, as its flags can't be
    /// looked at; the C library falls back to `clone`.
    Namespaces = "namespaces", OnBy::Harden;
    /// The mount table and the root can't be changed.
    Mounts = "mounts", OnBy::Harden;
    /// The kernel's key rings can't be reached.
    Keys = "keys", OnBy::Harden;
    /// Other processes' memory and descriptors can't be reached, nor their limits set.
    Processes = "processes", OnBy::Harden;
    /// Shared memory, semaphores and message queues, of System V and of POSIX, can't be reached.
    /// Memory that is shared through a file is not meant.
    Ipc = "ipc", OnBy::Harden;
    /// Files can't be named by handle.
    FileHandles = "file-handles", OnBy::Harden;
    /// bpf, performance events, userfaultfd and fanotify are refused, and so is what configures
    /// the machine: modules, swap, clocks, host names, reboot.
    KernelInterfaces = "kernel-interfaces", OnBy::Harden;
    /// Nothing can be typed into a terminal that was inherited (`TIOCSTI`, `TIOCLINUX`).
    TerminalInput = "terminal-input", OnBy::Harden;
    /// `ioctl` takes only the commands that a WASI runtime needs, on whatever is open: whether a
    /// descriptor blocks, is passed on or has something to read, and a terminal's size and settings.
    Ioctl = "ioctl", OnBy::Harden;
}

impl Protection {
    /// True if a policy that doesn't name this protection requires it.
    #[must_use]
    pub const fn required_by_default(self) -> bool {
        matches!(self.on_by(), OnBy::Default(Level::Strict))
    }

    /// True if a policy has this protection without asking for it.
    pub(crate) const fn is_on_by_default(self) -> bool {
        matches!(self.on_by(), OnBy::Default(_))
    }

    /// True if the filter has a part in this protection.
    #[must_use]
    pub fn is_of_second_layer(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp) || self > Self::AbstractSocketScope
    }

    /// The level when the policy doesn't name this one.
    pub(crate) const fn level(self, harden: bool, network: bool) -> Level {
        match self.on_by() {
            OnBy::Default(level) => level,
            OnBy::Network if network || harden => Level::Strict,
            OnBy::Harden if harden => Level::Strict,
            OnBy::Network | OnBy::Harden => Level::Off,
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)
    }
}

impl FromStr for Protection {
    type Err = ProtectionError;

    fn from_str(name: &str) -> Result<Self, ProtectionError> {
        let mut all = Self::ALL.iter().copied();
        all.find(|one| one.name() == name)
            .ok_or_else(|| ProtectionError {
                value: name.to_owned(),
            })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
