//! The host paths behind a file system.
//!
//! A preopen is a path in a virtual tree. To turn it into a rule of the kernel's, one has to know which host
//! path stands behind it, and [`FileSystem::host_backing`](crate::FileSystem::host_backing) says so. A file
//! system that keeps nothing on the host, or doesn't say, has no backing, and is granted nothing.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::FileSystem;

/// The access of a file system to a host path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostAccess {
    /// Reads files and lists directories.
    pub read: bool,
    /// Changes the contents of files, and removes entries.
    pub write: bool,
    /// Makes new entries.
    pub create: bool,
}

impl HostAccess {
    /// Everything.
    pub const ALL: Self = Self {
        read: true,
        write: true,
        create: true,
    };
    /// Reading only.
    pub const READ: Self = Self {
        read: true,
        write: false,
        create: false,
    };

    /// Returns the access that both allow.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self {
            read: self.read && other.read,
            write: self.write && other.write,
            create: self.create && other.create,
        }
    }
}

/// A host path that shows somewhere in a file system.
///
/// ```
/// use virtual_fs::host_backing::{HostAccess, HostBacking};
///
/// // What a file system answers that reads the files of one host directory.
/// let backing = vec![HostBacking::root("/srv/templates", HostAccess::READ)];
/// # drop(backing);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostBacking {
    /// The path that shows the backing: an absolute path in the file system that was asked.
    pub guest: PathBuf,
    /// The directory or file on the host. The file system follows links in it as the kernel does.
    pub host: PathBuf,
    /// The access of the file system to the host path.
    pub access: HostAccess,
    /// The tokio runtime on whose threads open files are read and written, where the caller is in none; nothing
    /// if the file system doesn't say.
    #[cfg(feature = "host-fs")]
    pub runtime: Option<tokio::runtime::Id>,
}

impl HostBacking {
    /// A host path that shows as the root of the file system.
    pub fn root(host: impl Into<PathBuf>, access: HostAccess) -> Self {
        Self {
            guest: PathBuf::from("/"),
            host: host.into(),
            access,
            #[cfg(feature = "host-fs")]
            runtime: None,
        }
    }

    /// The same, whose open files are read and written on the threads of this runtime.
    #[cfg(feature = "host-fs")]
    #[must_use]
    pub fn served_by(self, handle: &tokio::runtime::Handle) -> Self {
        Self {
            runtime: Some(handle.id()),
            ..self
        }
    }

    /// Returns the part of this backing that lies at or below `path`, seen from there; nothing, if they are apart.
    ///
    /// A backing at or below `path` stays as it is, with its `guest` counted from `path`. One above it is
    /// narrowed to the part that `path` names.
    #[must_use]
    pub fn below(&self, path: &Path) -> Option<Self> {
        let path = absolute(path);
        if let Ok(rest) = self.guest.strip_prefix(&path) {
            return Some(Self {
                guest: Path::new("/").join(rest),
                ..self.clone()
            });
        }
        let rest = path.strip_prefix(&self.guest).ok()?;
        Some(Self {
            guest: PathBuf::from("/"),
            host: self.host.join(rest),
            ..self.clone()
        })
    }

    /// The same, seen through a file system that shows this one at `path`.
    #[must_use]
    pub fn mounted_at(self, path: &Path) -> Self {
        let inside = self.guest.strip_prefix("/").unwrap_or(&self.guest);
        let mut guest = absolute(path);
        // Joining an empty path would add a slash at the end.
        if inside != Path::new("") {
            guest.push(inside);
        }
        Self { guest, ..self }
    }

    /// The same, of which only what `access` allows is ever used.
    #[must_use]
    pub fn limited_to(self, access: HostAccess) -> Self {
        Self {
            access: self.access.intersection(access),
            ..self
        }
    }
}

/// `path` from the root, with `.` and `..` taken out, as the virtual file systems do it.
fn absolute(path: &Path) -> PathBuf {
    let mut absolute = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(part) => absolute.push(part),
            Component::ParentDir => {
                absolute.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    absolute
}

/// The backings of file systems that are mounted in another one, each given as where it is mounted, what is
/// mounted, and from which of its paths on.
pub(crate) fn through_mounts(
    mounts: impl IntoIterator<Item = (PathBuf, Arc<dyn FileSystem + Send + Sync>, PathBuf)>,
) -> Vec<HostBacking> {
    let mut backings = Vec::new();
    for (at, file_system, from) in mounts {
        let inner = file_system.host_backing().into_iter();
        backings.extend(inner.filter_map(|b| Some(b.below(&from)?.mounted_at(&at))));
    }
    backings
}

/// The backings of file systems that lie over each other: only the topmost one is ever changed.
pub(crate) fn through_layers<'a>(
    primary: &dyn FileSystem,
    secondaries: impl IntoIterator<Item = &'a (dyn FileSystem + Send)>,
) -> Vec<HostBacking> {
    let mut backings = primary.host_backing();
    for secondary in secondaries {
        let inner = secondary.host_backing().into_iter();
        backings.extend(inner.map(|b| b.limited_to(HostAccess::READ)));
    }
    backings
}
