//! The operations of a module on paths.

use std::fmt;

use wasix_landlock::Access;

/// An operation of a module on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opens a file.
    Open,
    /// Asks for metadata. The kernel doesn't refuse that, but what isn't preopened can't be seen.
    Look,
    /// Reads where a symbolic link leads.
    ReadLink,
    /// Sets times.
    SetTimes,
    /// Reads by a descriptor that has no right to it.
    Read,
    /// Writes by a descriptor that has no right to it, or sets the size.
    Write,
    /// Lists a directory.
    List,
    /// Makes a directory.
    MakeDirectory,
    /// Makes a symbolic link.
    Symlink,
    /// Makes a hard link.
    Link,
    /// Removes a directory.
    RemoveDirectory,
    /// Removes a file.
    Unlink,
    /// Renames, from here or to here.
    Rename,
}

impl Operation {
    /// The short name, for events and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Look => "look",
            Self::ReadLink => "read-link",
            Self::SetTimes => "set-times",
            Self::Read => "read",
            Self::Write => "write",
            Self::List => "list",
            Self::MakeDirectory => "make-directory",
            Self::Symlink => "symlink",
            Self::Link => "link",
            Self::RemoveDirectory => "remove-directory",
            Self::Unlink => "unlink",
            Self::Rename => "rename",
        }
    }

    /// The access that it takes, and whether to the directory that the path is in: entries are made and
    /// removed there.
    pub(crate) fn needs(self) -> (Access, bool) {
        match self {
            Self::Open | Self::Look | Self::ReadLink | Self::Read | Self::List => {
                (Access::READ, false)
            }
            Self::Write | Self::SetTimes => (Access::WRITE, false),
            Self::MakeDirectory | Self::Symlink | Self::Link => (Access::CREATE, true),
            Self::RemoveDirectory | Self::Unlink => (Access::WRITE, true),
            Self::Rename => (Access::WRITE.union(Access::CREATE), true),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "opening",
            Self::Look => "looking at",
            Self::ReadLink => "reading the link",
            Self::SetTimes => "setting the times of",
            Self::Read => "reading",
            Self::Write => "writing",
            Self::List => "listing",
            Self::MakeDirectory => "making the directory",
            Self::Symlink => "making the symbolic link",
            Self::Link => "making the hard link",
            Self::RemoveDirectory => "removing the directory",
            Self::Unlink => "removing",
            Self::Rename => "renaming from or to",
        })
    }
}
