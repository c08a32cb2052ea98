//! Errors of [`Policy::prepare`](crate::Policy::prepare).

use std::{fmt, io, path::PathBuf};

use super::{ModeError, NotWithin, OpenFilesLimit, OperatorError};
use crate::{MODE_VARIABLE, Object, Protection, Right, names::list};

/// An error of preparing a policy. Nothing was restricted, and nothing was left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The environment names a mode that doesn't exist.
    #[error(transparent)]
    Mode(#[from] ModeError),

    /// Another of the operator's variables can't be understood.
    #[error(transparent)]
    Operator(#[from] OperatorError),

    /// A host path can't be granted.
    #[error("{preopen}: {path:?} {problem}")]
    Path {
        /// The builder call and the guest path, such as ``preopen_dir `/data` ``, or the reason of a
        /// runtime path.
        preopen: String,
        /// The host path, as it was given.
        path: PathBuf,
        /// The problem.
        #[source]
        problem: PathError,
    },

    /// This process is restricted already, and the policy doesn't lie within that.
    #[error(transparent)]
    NotWithin(#[from] NotWithin),

    /// An earlier policy failed when some threads were restricted already.
    #[error("an earlier policy restricted only some of the threads; end this process")]
    PartlyRestricted,

    /// This process is restricted as a whole already, which leaves an instance in it nothing of its
    /// own.
    #[error(
        "the whole process is restricted already; create instances in an unrestricted process, or \
         start a worker"
    )]
    ScopeTaken,

    /// The thread is in an instance in which nothing is enforced.
    #[error(
        "this thread belongs to an instance in which nothing is enforced; create the instance in \
         mode `enforce`"
    )]
    InstanceUnrestricted,

    /// The thread is restricted by an instance that it isn't known to belong to.
    #[error(
        "this thread is restricted by an unknown instance; call `Membership::enter` first, or build on \
         one of the threads that did"
    )]
    UnknownInstance,

    /// The kernel has no Landlock.
    #[error(
        "nothing can be enforced: {reason}; {}, or set {MODE_VARIABLE} to `best-effort` or `off` \
         to run unrestricted",
        reason.remedy()
    )]
    LandlockUnavailable {
        /// The reason.
        reason: Unavailable,
    },

    /// The kernel lacks a required protection.
    #[error(
        "this kernel (Landlock ABI {abi}) lacks the protection `{protection}`; use a newer \
         kernel, or make the protection optional"
    )]
    ProtectionUnavailable {
        /// The protection.
        protection: Protection,
        /// The kernel's Landlock ABI.
        abi: u32,
    },

    /// The second layer can't be had, and a protection that needs it is required.
    #[error(
        "`{protection}` needs a seccomp filter: {reason}; make the protection optional, or turn \
         it off"
    )]
    FilterUnavailable {
        /// The protection.
        protection: Protection,
        /// The reason, in words.
        reason: String,
    },

    /// The kernel refused the rule for a port.
    #[error(
        "the kernel rejected a rule for a port: landlock_add_rule: {source}; check whether a \
         seccomp profile filters system calls here"
    )]
    PortRule {
        /// The kernel's error.
        source: io::Error,
    },

    /// The kernel didn't say what it can enforce, for example for want of a free descriptor.
    #[error(
        "the kernel's Landlock features can't be read: {source}; free descriptors or memory \
         before the build"
    )]
    Kernel {
        /// The kernel's error.
        source: io::Error,
    },

    /// The kernel made no ruleset.
    #[error(
        "the kernel created no Landlock ruleset for {}: {source}; check whether a seccomp profile \
         filters system calls here",
        list(rights, ", ")
    )]
    Ruleset {
        /// The handled access rights that were asked for.
        rights: Vec<Right>,
        /// The kernel's error.
        source: io::Error,
    },

    /// Only Linux has Landlock.
    #[error(
        "{os} has no Landlock; set {MODE_VARIABLE} to `best-effort` or `off` to run unrestricted"
    )]
    Unsupported {
        /// The operating system.
        os: &'static str,
    },
}

/// The problem of a host path, in [`PrepareError::Path`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The path is empty.
    #[error("is empty; name a file or a directory")]
    EmptyPath,

    /// The path holds a NUL byte, which ends a path in the kernel.
    #[error("contains a NUL byte; remove it from the path")]
    NulByte,

    /// The policy asks for nothing that the kernel could grant.
    #[error(
        "is granted no access; add read or write, or remove the preopen (on a file, create alone \
         grants nothing)"
    )]
    NoRight,

    /// Nothing is there.
    #[error("does not exist; create it first (a file preopen with create is created for you)")]
    Missing,

    /// A file is to be created in a directory that isn't there.
    #[error("can't be created in a directory that does not exist; create {parent:?} first")]
    MissingParent {
        /// The directory that is missing.
        parent: PathBuf,
    },

    /// A symbolic link leads nowhere. No file is created at its end, since the application didn't
    /// name that place.
    #[error(
        "is a symbolic link whose target does not exist; create the target, or name another path"
    )]
    DanglingSymlink,

    /// A directory was named as a file, or a file as a directory.
    #[error("is a {found}, not a {asked}; preopen it as a {found}")]
    WrongKind {
        /// The kind that the caller named.
        asked: Object,
        /// The kind that was found.
        found: Object,
    },

    /// The path is neither a regular file nor a directory.
    #[error("is a {found}; only regular files and directories can be preopened")]
    NotAFileOrDirectory {
        /// The kind that was found, in words.
        found: &'static str,
    },

    /// This user lacks a permission there, restriction or not.
    #[error(
        "is not accessible: this user has no permission to {right} it; change its permissions or run \
         as another user"
    )]
    NoPermission {
        /// The missing permission: `read` or `reach`.
        right: &'static str,
    },

    /// The process has as many files open as it may.
    #[error("can't be opened: {0}")]
    OpenFiles(OpenFilesLimit),

    /// The path could not be opened, for a reason that has no variant of its own.
    #[error("can't be opened: {0}; name a path that this user can open")]
    Open(#[source] io::Error),

    /// A missing file could not be created.
    #[error(
        "can't be created: {0}; create it first, or preopen a directory that this user may write to"
    )]
    Create(#[source] io::Error),

    /// The kernel refused the rule.
    #[error(
        "can't be granted: landlock_add_rule: {0}; check whether a seccomp profile filters system \
         calls here"
    )]
    Rule(#[source] io::Error),
}

/// The reason for which a Linux kernel offers no Landlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unavailable {
    /// `ENOSYS`: Landlock isn't built in, or a seccomp filter hides it.
    NotImplemented,
    /// `EOPNOTSUPP`: Landlock is built in and switched off at boot.
    NotEnabled,
    /// Something else, the kernel's error number.
    Other(i32),
}

impl Unavailable {
    /// Returns the remedy.
    const fn remedy(self) -> &'static str {
        match self {
            Self::NotImplemented => {
                "use Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and allow the landlock \
                 system calls in the container's seccomp profile"
            }
            Self::NotEnabled => "add `landlock` to the `lsm=` boot parameter",
            Self::Other(_) => "check whether a seccomp profile filters system calls here",
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotImplemented => f.write_str("this kernel has no Landlock (ENOSYS)"),
            Self::NotEnabled => f.write_str("Landlock is switched off in this kernel (EOPNOTSUPP)"),
            Self::Other(errno) => write!(
                f,
                "Landlock's features can't be read: {}",
                io::Error::from_raw_os_error(*errno)
            ),
        }
    }
}
