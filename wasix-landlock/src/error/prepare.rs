//! Errors of [`Policy::prepare`](crate::Policy::prepare).

use std::{fmt, io, path::PathBuf};

use super::ModeError;
use crate::{Access, MODE_VARIABLE, Object, Protection, Right, names::list};

/// An error of preparing a policy. Nothing was restricted, and nothing was left behind.
///
/// `preopen` names the builder call and the guest path, such as ``preopen_dir `/data` ``, or the
/// reason of a runtime path. `path` is the host path as it was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The environment names a mode that doesn't exist.
    #[error(transparent)]
    Mode(#[from] ModeError),

    /// A host path is empty.
    #[error("{preopen}: the host path is empty; name a file or a directory")]
    EmptyPath {
        /// The preopen or runtime path.
        preopen: String,
    },

    /// A host path holds a NUL byte, which ends a path in the kernel.
    #[error("{preopen}: host path {path:?} holds a NUL byte; name the path up to it")]
    NulByte {
        /// The preopen or runtime path.
        preopen: String,
        /// The path.
        path: PathBuf,
    },

    /// Nothing is asked for that the kernel could grant.
    #[error(
        "{preopen}: no access to {path:?} is asked for; ask for read or write, or remove it \
         (on a file, create alone grants nothing)"
    )]
    NoRight {
        /// The preopen or runtime path.
        preopen: String,
        /// The path.
        path: PathBuf,
    },

    /// Nothing is there.
    #[error(
        "{preopen}: host path {path:?} does not exist; make it first \
         (a file preopen with create is made for you)"
    )]
    Missing {
        /// The preopen or runtime path.
        preopen: String,
        /// The path.
        path: PathBuf,
    },

    /// A file is to be created in a directory that isn't there.
    #[error(
        "{preopen}: {path:?} can't be created in a directory that does not exist; make {parent:?} first"
    )]
    MissingParent {
        /// The preopen or runtime path.
        preopen: String,
        /// The path.
        path: PathBuf,
        /// The directory that is missing.
        parent: PathBuf,
    },

    /// A symbolic link that leads nowhere. No file is created at its end, since the application
    /// didn't name that place.
    #[error(
        "{preopen}: {path:?} is a symbolic link to something that does not exist; make its target or name that"
    )]
    DanglingSymlink {
        /// The preopen or runtime path.
        preopen: String,
        /// The link.
        path: PathBuf,
    },

    /// A directory was named as a file, or a file as a directory.
    #[error("{preopen}: {path:?} is a {found}, not a {asked}; preopen it as a {found}")]
    WrongKind {
        /// The preopen or runtime path.
        preopen: String,
        /// The path.
        path: PathBuf,
        /// The kind that the caller named.
        asked: Object,
        /// The kind that was found.
        found: Object,
    },

    /// Neither a regular file nor a directory.
    #[error(
        "{preopen}: {path:?} is a {found}; only regular files and directories can be preopened"
    )]
    NotAFileOrDirectory {
        /// The preopen or runtime path.
        preopen: String,
        /// The path.
        path: PathBuf,
        /// The kind that was found, in words.
        found: &'static str,
    },

    /// This user may not do there what is asked for, restriction or not.
    #[error(
        "{preopen}: this user may not {right} {path:?}; change its permissions or run as another user"
    )]
    NoPermission {
        /// The preopen or runtime path.
        preopen: String,
        /// The path.
        path: PathBuf,
        /// The missing permission: `read` or `reach`.
        right: &'static str,
    },

    /// The path could not be opened, for a reason that has no variant of its own.
    #[error("{preopen}: {path:?} can't be opened: {source}")]
    Open {
        /// The preopen or runtime path.
        preopen: String,
        /// The path.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },

    /// A missing file could not be created.
    #[error("{preopen}: {path:?} can't be created: {source}")]
    Create {
        /// The preopen or runtime path.
        preopen: String,
        /// The path.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },

    /// The kernel refused the rule.
    #[error("{preopen}: the kernel took no rule for {path:?}: landlock_add_rule: {source}")]
    Rule {
        /// The preopen or runtime path.
        preopen: String,
        /// The path.
        path: PathBuf,
        /// The kernel's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// This process is restricted already, and the path isn't granted by that.
    #[error(
        "{preopen}: {path:?} ({asked}) is not within what this process was restricted to: {reason}; \
         name every preopen in the first build, reserve the path there, or use a process per policy"
    )]
    NotWithinEnforced {
        /// The preopen or runtime path.
        preopen: String,
        /// The path.
        path: PathBuf,
        /// The access that was asked for.
        asked: Access,
        /// The rights that no enforced grant covers; empty when the kernel said no although our
        /// record says yes.
        missing: Vec<Right>,
        /// The reason, in words.
        reason: String,
    },

    /// This process is restricted already, without a protection that this policy requires.
    #[error(
        "this process was restricted without `{protection}`, which this policy requires; \
         require it in the first policy, or name it optional"
    )]
    NotInEnforced {
        /// The protection.
        protection: Protection,
    },

    /// An earlier policy failed when some threads were restricted already.
    #[error("an earlier policy was enforced on a part of the threads only; end this process")]
    PartlyRestricted,

    /// This process is restricted as a whole already, which leaves an instance in it nothing of its
    /// own.
    #[error(
        "this process is restricted as a whole already: make instances in a process that isn't, or \
         start a worker"
    )]
    ScopeTaken,

    /// The thread is in an instance in which nothing is enforced.
    #[error(
        "this thread belongs to an instance in which nothing is enforced; make the instance in mode \
         `enforce`"
    )]
    InstanceUnrestricted,

    /// The thread is restricted by an instance that it isn't known to belong to.
    #[error(
        "an instance has started this thread, and nobody said which: enter the instance in it, or \
         build on one of the threads that know"
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
        "this kernel (Landlock ABI {abi}) lacks the protection `{protection}`; \
         use a newer kernel, or name it optional"
    )]
    ProtectionUnavailable {
        /// The protection.
        protection: Protection,
        /// The kernel's Landlock ABI.
        abi: u32,
    },

    /// This process is restricted already, and the ports aren't granted by that.
    #[error(
        "{} is not within what this process was restricted to; grant it in the first policy, or \
         use a process per policy",
        ports.join(", ")
    )]
    PortsNotWithinEnforced {
        /// The ports that aren't granted, in words.
        ports: Vec<String>,
    },

    /// The second layer can't be had, and a protection that needs it is required.
    #[error("`{protection}` needs a seccomp filter: {reason}; name it optional, or do without")]
    FilterUnavailable {
        /// The protection.
        protection: Protection,
        /// The reason, in words.
        reason: String,
    },

    /// The kernel refused the rule for a port.
    #[error("the kernel took no rule for a port: landlock_add_rule: {source}")]
    PortRule {
        /// The kernel's error.
        source: io::Error,
    },

    /// The kernel didn't say what it can enforce, for example for want of a free descriptor.
    #[error(
        "the kernel can't be asked what it enforces: {source}; free descriptors or memory before \
         the build"
    )]
    Kernel {
        /// The kernel's error.
        source: io::Error,
    },

    /// The kernel made no ruleset.
    #[error(
        "the kernel made no Landlock ruleset for {}: {source}",
        list(rights, ", ")
    )]
    Ruleset {
        /// The handled access rights that were asked for.
        rights: Vec<Right>,
        /// The kernel's error.
        source: Box<dyn std::error::Error + Send + Sync>,
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

/// The reason for which a Linux kernel offers no Landlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unavailable {
    /// `ENOSYS`: it isn't built in, or a seccomp filter hides it.
    NotImplemented,
    /// `EOPNOTSUPP`: it is built in and switched off at boot.
    NotEnabled,
    /// Something else, the kernel's error number.
    Other(i32),
}

impl Unavailable {
    /// Returns the remedy.
    const fn remedy(self) -> &'static str {
        match self {
            Self::NotImplemented => {
                "use Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and let the container's \
                 seccomp profile pass the landlock system calls"
            }
            Self::NotEnabled => "add `landlock` to the `lsm=` boot parameter",
            Self::Other(_) => "check what filters system calls here",
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
                "Landlock can't be asked: {}",
                io::Error::from_raw_os_error(*errno)
            ),
        }
    }
}
