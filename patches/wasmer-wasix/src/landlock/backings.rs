//! Paths inside, and what stands behind them on the host.

use std::path::{Component, Path, PathBuf};

use virtual_fs::HostBacking;
use virtual_fs::host_backing::HostAccess;
use wasix_landlock::Access;

/// `path` seen from `base`, without `.` and `..`.
pub(crate) fn absolute_path(base: &Path, path: impl AsRef<Path>) -> PathBuf {
    absolute(base.join(path))
}

/// The path from the root, without `.` and `..`. Most paths have neither, and stay as they are.
pub(crate) fn absolute(joined: PathBuf) -> PathBuf {
    if is_plain(&joined) {
        return joined;
    }
    let mut absolute = PathBuf::from("/");
    for part in joined.components() {
        match part {
            Component::Normal(part) => absolute.push(part),
            Component::ParentDir => {
                absolute.pop();
            }
            _ => {}
        }
    }
    absolute
}

/// True if the path is absolute and made of nothing but names.
fn is_plain(path: &Path) -> bool {
    let names = path.to_str().and_then(|path| path.strip_prefix('/'));
    names.is_some_and(|names| {
        names
            .split('/')
            .all(|name| !matches!(name, "" | "." | ".."))
    })
}

pub(crate) fn access_of(place: &HostBacking) -> Access {
    Access {
        read: place.access.read,
        write: place.access.write,
        create: place.access.create,
    }
}

pub(crate) const fn host_access(access: Access) -> HostAccess {
    HostAccess {
        read: access.read,
        write: access.write,
        create: access.create,
    }
}

/// Returns the backings that show at `path` or below, each seen from there, with their places in the tree. Of those
/// around the path only the innermost ones show: they were mounted over the others.
pub(crate) fn shown_at<'b>(
    backings: &'b [HostBacking],
    path: &'b Path,
) -> impl Iterator<Item = (&'b Path, HostBacking)> + 'b {
    let place = innermost(backings, path).map(|backing| &backing.guest);
    let hidden = move |backing: &HostBacking| {
        path.starts_with(&backing.guest) && Some(&backing.guest) != place
    };
    let shown = backings.iter().filter(move |backing| !hidden(backing));
    shown.filter_map(move |backing| {
        let guest = if backing.guest.starts_with(path) {
            &backing.guest
        } else {
            path
        };
        Some((guest, backing.below(path)?))
    })
}

/// Finds the innermost of these backings behind a path.
pub(crate) fn innermost<'b>(backings: &'b [HostBacking], guest: &Path) -> Option<&'b HostBacking> {
    let around = backings.iter().filter(|b| guest.starts_with(&b.guest));
    around.max_by_key(|backing| backing.guest.components().count())
}
