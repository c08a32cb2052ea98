//! An application's request: the three kinds of access that a preopen can give.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Object, Right, names::list, rights::Rights};

/// The access that a preopen gives.
///
/// [`Policy::table`](crate::Policy::table) says which Landlock access rights each one stands for.
///
/// ```
/// use wasix_landlock::Access;
///
/// let asked = Access::READ_WRITE;
/// let behind = Access { create: true, ..Access::READ };
/// assert_eq!(asked.intersection(behind), Access::READ);
/// assert_eq!(asked.union(behind).to_string(), "read+write+create");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Access {
    /// Read files, list directories.
    pub read: bool,
    /// Write and truncate files, remove files and directories.
    ///
    /// Removing counts as writing because WASI's own flags put `path_unlink_file` and
    /// `path_remove_directory` there.
    pub write: bool,
    /// Make files, directories and symbolic links, and move them between directories.
    pub create: bool,
}

impl Access {
    /// No access.
    pub const NONE: Self = Self::new(false, false, false);
    /// Read only.
    pub const READ: Self = Self::new(true, false, false);
    /// Write only.
    pub const WRITE: Self = Self::new(false, true, false);
    /// Create only.
    pub const CREATE: Self = Self::new(false, false, true);
    /// Read and write, without making anything new.
    pub const READ_WRITE: Self = Self::new(true, true, false);
    /// Read, write and create.
    pub const ALL: Self = Self::new(true, true, true);

    const fn new(read: bool, write: bool, create: bool) -> Self {
        Self {
            read,
            write,
            create,
        }
    }

    /// Returns the access that both allow.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self::new(
            self.read && other.read,
            self.write && other.write,
            self.create && other.create,
        )
    }

    /// Returns the access that either allows.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self::new(
            self.read || other.read,
            self.write || other.write,
            self.create || other.create,
        )
    }

    /// Returns the access that this allows and `other` doesn't.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self::new(
            self.read && !other.read,
            self.write && !other.write,
            self.create && !other.create,
        )
    }

    /// True if everything `other` allows is allowed by this as well.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        (self.read || !other.read) && (self.write || !other.write) && (self.create || !other.create)
    }

    /// True if nothing is allowed.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.read && !self.write && !self.create
    }

    /// Returns the Landlock access rights that this stands for on such an object.
    ///
    /// ```
    /// use wasix_landlock::{Access, Object, Right};
    ///
    /// assert_eq!(Access::READ.rights_on(Object::File), [Right::ReadFile]);
    /// ```
    #[must_use]
    pub fn rights_on(self, object: Object) -> Vec<Right> {
        self.rights(object).into_iter().collect()
    }

    /// The Landlock access rights this stands for on such an object.
    pub(crate) fn rights(self, object: Object) -> Rights {
        use Right::{MakeDir, MakeReg, MakeSym, ReadDir, ReadFile, Refer};
        use Right::{RemoveDir, RemoveFile, Truncate, WriteFile};

        let mut rights = Rights::new();
        if self.read {
            rights.extend([ReadFile, ReadDir]);
        }
        if self.write {
            rights.extend([WriteFile, Truncate, RemoveFile, RemoveDir]);
        }
        if self.create {
            rights.extend([MakeReg, MakeDir, MakeSym, Refer]);
        }
        // The kernel answers EINVAL to a file's rule that carries a directory's right. So `create`
        // has no right there: the file is made before the restriction.
        rights.retain(|right| object == Object::Directory || right.applies_to_files());
        rights
    }
}

/// The access table in Markdown, as [`Policy::table`](crate::Policy::table) returns it.
pub(crate) fn table() -> String {
    let mut text = String::from("| access | on a directory | on a file |\n|---|---|---|\n");
    for access in [Access::READ, Access::WRITE, Access::CREATE] {
        let cell = |object| {
            let rights = access.rights(object).into_iter();
            let rights = rights.map(|right| match right.abi() {
                1 => format!("`{right}`"),
                abi => format!("`{right}` (ABI {abi})"),
            });
            match list(rights, ", ") {
                none if none.is_empty() => {
                    "nothing: the file is created before the restriction".to_owned()
                }
                rights => rights,
            }
        };
        text += &format!(
            "| {access} | {} | {} |\n",
            cell(Object::Directory),
            cell(Object::File)
        );
    }
    text
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        let kinds = [
            (self.read, "read"),
            (self.write, "write"),
            (self.create, "create"),
        ];
        let named = kinds.into_iter().filter(|(has, _)| *has);
        f.write_str(&list(named.map(|(_, name)| name), "+"))
    }
}
