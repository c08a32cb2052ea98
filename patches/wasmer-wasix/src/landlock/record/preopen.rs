//! The places at which the module sees the host's files and directories.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use wasix_landlock::{Access, HostKind};
use wasix_landlock_profile::HostPreopen;

use crate::state::PreopenedDir;

/// The name inside, as given. A preopen was checked when it was added, so it has one.
pub(crate) fn guest_name(preopen: &HostPreopen) -> &str {
    preopen.guest_name().unwrap_or_default()
}

/// The directory through which the module reaches it: a directory itself, and the one that a file shows in. It is
/// virtual, so its rights are wide; what stands at the host path has its own.
pub(crate) fn guest_directory(preopen: &HostPreopen, current_dir: Option<&Path>) -> PreopenedDir {
    let mut path = mount_point(preopen, current_dir);
    let mut name = Path::new(guest_name(preopen));
    let access = match preopen.kind {
        HostKind::File => {
            path.pop();
            name = name.parent().unwrap_or(name);
            Access::ALL
        }
        _ => preopen.access,
    };
    let alias = match name.to_string_lossy() {
        name if name.starts_with('/') => None,
        name if name.is_empty() => Some(".".to_owned()),
        name => Some(name.into_owned()),
    };
    PreopenedDir {
        path,
        alias,
        read: access.read,
        write: access.write,
        create: access.create,
    }
}

/// Returns the mount point in the virtual tree.
pub(crate) fn mount_point(preopen: &HostPreopen, current_dir: Option<&Path>) -> PathBuf {
    let mut point = PathBuf::from("/");
    let base = current_dir.unwrap_or(Path::new("/"));
    for part in base.join(guest_name(preopen)).components() {
        if let Component::Normal(part) = part {
            point.push(part);
        }
    }
    point
}

impl PreopenedDir {
    /// The name inside.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        match &self.alias {
            Some(alias) => alias.into(),
            None => self.path.to_string_lossy(),
        }
    }

    /// Gives it the rights of another one of the same name, too.
    pub(crate) fn widen(&mut self, other: &Self) {
        self.read |= other.read;
        self.write |= other.write;
        self.create |= other.create;
    }
}
