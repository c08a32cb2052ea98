//! Protections that not every kernel has, by name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::ProtectionError;

/// A part of the restriction that a kernel may lack.
///
/// What Landlock's first ABI covers is no protection in this sense: without it there is no
/// restriction at all. Nor is moving files between directories (`refer`, ABI 2): a kernel without
/// that right refuses it everywhere, which takes an ability away and opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Protection {
    /// Truncating needs a grant (ABI 3, Linux 6.2). Required unless named optional.
    ///
    /// Without it, `truncate(2)` empties any file that the user may write, inside the grants or
    /// outside of them.
    Truncate,
    /// ioctls on devices are denied (ABI 5, Linux 6.10). Required unless named optional.
    ///
    /// Without it, a device in a granted directory takes any ioctl.
    IoctlDevice,
    /// Connecting to a unix socket by its path is denied (ABI 9, Linux 7.1). Optional unless
    /// required: hardly any kernel in use has it, and it is enforced where one does.
    ///
    /// Without it, every socket that the user may write to can be connected to, the ones of a
    /// service manager or a container engine included.
    ResolveUnix,
    /// Every thread of the process is restricted, not just the calling one. Required unless named
    /// optional. From ABI 8 (Linux 7.0) the kernel does it at once, below that each thread is
    /// visited with a signal.
    ///
    /// Without it, a thread that was running before keeps every access of the user.
    AllThreads,
}

impl Protection {
    /// Every protection.
    pub const ALL: &'static [Self] = &[
        Self::Truncate,
        Self::IoctlDevice,
        Self::ResolveUnix,
        Self::AllThreads,
    ];

    /// Whether it is required when the policy says nothing of it.
    #[must_use]
    pub const fn required_by_default(self) -> bool {
        !matches!(self, Self::ResolveUnix)
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncate => "truncate",
            Self::IoctlDevice => "ioctl-device",
            Self::ResolveUnix => "resolve-unix",
            Self::AllThreads => "all-threads",
        })
    }
}

impl FromStr for Protection {
    type Err = ProtectionError;

    fn from_str(name: &str) -> Result<Self, ProtectionError> {
        Self::ALL
            .iter()
            .copied()
            .find(|protection| protection.to_string() == name)
            .ok_or_else(|| ProtectionError {
                value: name.to_owned(),
            })
    }
}
