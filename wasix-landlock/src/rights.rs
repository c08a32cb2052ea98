//! Landlock's file system access rights, by name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The kind of a host path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// Anything that isn't a directory. Landlock accepts the same rights for all of it.
    File,
    /// A directory, and with it everything beneath.
    Directory,
}

impl Object {
    pub(crate) const fn of(is_directory: bool) -> Self {
        if is_directory {
            Self::Directory
        } else {
            Self::File
        }
    }
}

/// Defines [`Right`] once, with its name and its ABI.
macro_rules! rights {
    ($( $(#[$doc:meta])* $name:ident = $bit:literal, $text:literal, abi $abi:literal; )*) => {
        /// One of the kernel's file system access rights, `LANDLOCK_ACCESS_FS_*` in
        /// `linux/landlock.h`.
        ///
        /// ```
        /// use wasix_landlock::Right;
        ///
        /// assert_eq!((Right::Truncate.name(), Right::Truncate.abi()), ("truncate", 3));
        /// assert!(!Right::ReadDir.applies_to_files());
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[non_exhaustive]
        pub enum Right {
            $( $(#[$doc])* #[serde(rename = $text)] $name = $bit, )*
        }

        impl Right {
            /// Every right this crate knows, in the order of the kernel's bits.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// The kernel's name, in lower case and without `LANDLOCK_ACCESS_FS_`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }

            /// The Landlock ABI that brought the right.
            ///
            /// Of use in messages about the kernel that is needed. This crate asks the kernel
            /// itself whether it has the right.
            #[must_use]
            pub const fn abi(self) -> u32 {
                match self { $( Self::$name => $abi, )* }
            }
        }
    };
}

rights! {
    /// Execute a file. Never granted.
    Execute = 0, "execute", abi 1;
    /// Open a file for writing.
    WriteFile = 1, "write_file", abi 1;
    /// Open a file for reading.
    ReadFile = 2, "read_file", abi 1;
    /// Open or list a directory.
    ReadDir = 3, "read_dir", abi 1;
    /// Remove or rename an empty directory.
    RemoveDir = 4, "remove_dir", abi 1;
    /// Unlink or rename a file.
    RemoveFile = 5, "remove_file", abi 1;
    /// Make a character device. Never granted.
    MakeChar = 6, "make_char", abi 1;
    /// Make a directory.
    MakeDir = 7, "make_dir", abi 1;
    /// Make a regular file.
    MakeReg = 8, "make_reg", abi 1;
    /// Make a unix socket. Never granted.
    MakeSock = 9, "make_sock", abi 1;
    /// Make a named pipe. Never granted.
    MakeFifo = 10, "make_fifo", abi 1;
    /// Make a block device. Never granted.
    MakeBlock = 11, "make_block", abi 1;
    /// Make a symbolic link.
    MakeSym = 12, "make_sym", abi 1;
    /// Rename or link a file into another directory. A kernel without the right refuses that everywhere.
    Refer = 13, "refer", abi 2;
    /// Truncate a file.
    Truncate = 14, "truncate", abi 3;
    /// Send an ioctl to a device. Never granted.
    IoctlDev = 15, "ioctl_dev", abi 5;
    /// Connect to a unix socket by its path. Never granted.
    ResolveUnix = 16, "resolve_unix", abi 9;
}

impl Right {
    /// True if a rule on something that isn't a directory may carry it; the kernel's
    /// `ACCESS_FILE` in `security/landlock/fs.c`.
    #[must_use]
    pub const fn applies_to_files(self) -> bool {
        matches!(
            self,
            Self::Execute
                | Self::WriteFile
                | Self::ReadFile
                | Self::Truncate
                | Self::IoctlDev
                | Self::ResolveUnix
        )
    }
}

/// A set of access rights, in the order of the kernel's bits.
pub(crate) type Rights = BTreeSet<Right>;
