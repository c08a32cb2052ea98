//! The host directory that a path is in, and the rest of the path from there.

use std::path::{Path, PathBuf};

use virtual_fs::host_directory::{HostDirectory, HostPlace};
use wasmer_wasix_types::wasi::Errno;

use super::{OnHost, with_node};
use crate::fs::{Fd, InodeGuard, Kind, MAX_SYMLINKS, WasiFs, WasiInodes};

/// The place where a path goes on.
enum Step<'p> {
    /// On the host.
    Host(HostPlace),
    /// Above the directory, with what is left of the path.
    Above(&'p str),
}

impl WasiFs {
    /// The place on the host that `path` names, seen from a descriptor. `follow` says whether a link at its end counts.
    pub(super) fn host_place(
        &self,
        inodes: &WasiInodes,
        base: &Fd,
        path: &str,
        follow: bool,
    ) -> OnHost<HostPlace> {
        if cfg!(landlock_kernel_alone) {
            return None;
        }
        if path.is_empty() {
            return Some(Err(Errno::Noent));
        }
        if path.starts_with('/') && self.is_confined() {
            return Some(Err(Errno::Notcapable));
        }
        if path.contains('\0') {
            return Some(Err(Errno::Inval));
        }
        if !path.starts_with('/') {
            let directory = with_node(base, |node| node.as_directory().cloned());
            match directory {
                Some(Some(directory)) => {
                    if leaves(path).is_some() {
                        return self.above_descriptor(inodes, base, &directory, path, follow);
                    }
                    let path = PathBuf::from(path);
                    return Some(Ok(HostPlace { directory, path }));
                }
                Some(None) => return Some(Err(Errno::Notdir)),
                None => {}
            }
        }
        let mut links = 0;
        self.walk(inodes, &base.inode, path, follow, &mut links)
    }

    /// A path that leads above an open directory of the host, for a module that has the virtual root: it is seen from
    /// the preopen that the directory was opened in, if that has it there still.
    fn above_descriptor(
        &self,
        inodes: &WasiInodes,
        base: &Fd,
        directory: &HostDirectory,
        path: &str,
        follow: bool,
    ) -> OnHost<HostPlace> {
        let from_preopen = || {
            let above = directory.opened_in()?;
            if let Some(path) = above.path.to_str().map(|inside| format!("{inside}/{path}"))
                && leaves(&path).is_none()
            {
                let path = PathBuf::from(path);
                return Some(Ok(HostPlace { path, ..above }));
            }
            let (preopen, inside) = self.preopen_around(base)?;
            let path = inside.join(path);
            self.walk(inodes, &preopen, path.to_str()?, follow, &mut 0)
        };
        if self.is_confined() {
            return Some(Err(Errno::Notcapable));
        }
        // What is above the preopens is the virtual tree's.
        Some(from_preopen().unwrap_or(Err(Errno::Notcapable)))
    }

    /// The innermost preopen that an open directory is in, and where it is there.
    fn preopen_around(&self, base: &Fd) -> Option<(InodeGuard, PathBuf)> {
        let guest = self.guest_path(base, "");
        let root = self.root_inode.kind.read().ok()?;
        let Kind::Root { entries } = &*root else {
            return None;
        };
        let around = entries.values().filter_map(|entry| {
            let inside = match &*entry.kind.read().ok()? {
                Kind::Dir { path, .. } => {
                    let preopen = Path::new("/").join(path);
                    guest.strip_prefix(preopen).ok()?.to_owned()
                }
                _ => return None,
            };
            Some((entry.clone(), inside))
        });
        around.min_by_key(|(_, inside)| inside.components().count())
    }

    fn walk(
        &self,
        inodes: &WasiInodes,
        base: &InodeGuard,
        path: &str,
        follow: bool,
        links: &mut u32,
    ) -> OnHost<HostPlace> {
        let mut rest = path;
        // The directory that the path has come to, once that isn't `base` any more.
        let mut reached = None;
        if path.starts_with('/') {
            rest = path.trim_start_matches('/');
            let root = &self.root_inode;
            let whole = match &*root.kind.read().ok()? {
                Kind::Root { entries } if rest.is_empty() => entries.get("/").cloned(),
                _ => None,
            };
            reached = Some(whole.unwrap_or_else(|| root.clone()));
        }
        let begun_at = reached.as_ref().unwrap_or(base).ino();
        loop {
            let at = reached.as_ref().unwrap_or(base);
            match self.enter(at, rest) {
                Some(Ok(Step::Host(place))) => return Some(Ok(place)),
                Some(Ok(Step::Above(left))) => {
                    reached = Some(parent_of(at)?);
                    rest = left;
                    continue;
                }
                Some(Err(errno)) => return Some(Err(errno)),
                None => {}
            }
            if rest.is_empty() {
                return None;
            }
            if let Some(place) = self.in_mount(at, rest) {
                return Some(Ok(place));
            }
            let (name, left) = first_name(rest);
            if name == ".." {
                if self.is_confined() && at.ino() == begun_at {
                    return None;
                }
                reached = Some(parent_of(at)?);
            } else if name != "." {
                let found = self.get_inode_at_path_inner(inodes, at.clone(), name, &mut 0, false);
                let found = found.ok()?;
                let is_last = left.is_empty();
                if let Some(target) = self.target_of(&found)? {
                    if is_last && !follow && !rest.ends_with('/') {
                        return None;
                    }
                    *links += 1;
                    if *links > MAX_SYMLINKS {
                        return Some(Err(Errno::Loop));
                    }
                    let path = format!("{target}/{left}");
                    let path = if is_last { &*target } else { &*path };
                    return self.walk(inodes, &self.root_inode, path, follow, links);
                }
                let file = match &*found.kind.read().ok()? {
                    Kind::File { path, .. } if is_last => self.place_in_mount(path),
                    Kind::File { .. } => return None,
                    _ => None,
                };
                if let Some(place) = file {
                    return Some(match rest.ends_with('/') {
                        true => Err(Errno::Notdir),
                        false => Ok(place),
                    });
                }
                reached = Some(found);
            }
            rest = left;
        }
    }

    /// The place of most paths, without a step for each name: one that begins with a preopen or another mount below
    /// which nothing is mounted, and has no way back.
    fn in_mount(&self, at: &InodeGuard, path: &str) -> Option<HostPlace> {
        let (name, rest) = first_name(path);
        // A slash behind a mount asks for a directory, which a mounted file is not.
        let ends_with_slash = rest.is_empty() && path.ends_with('/');
        if ends_with_slash || matches!(name, "" | "." | "..") || steps_back(rest) {
            return None;
        }
        let root = self.root_fs.root();
        let found = match &*at.kind.read().ok()? {
            Kind::Dir { path, .. } => root.place_of_mount(&path.join(name)),
            Kind::Root { entries } => match entries.get(name) {
                Some(preopen) => in_tree(preopen, |path| root.place_in_mount(path))?,
                None => in_tree(entries.get("/")?, |path| {
                    root.place_of_mount(&path.join(name))
                })?,
            },
            _ => None,
        };
        let found = found.filter(|found| !found.has_mounts_below)?;
        Some(found.place.joined(rest))
    }

    /// Goes on from a directory of the virtual tree on the host, if that is what is behind it, and nothing is mounted
    /// where the path leads first.
    fn enter<'p>(&self, at: &InodeGuard, rest: &'p str) -> Option<Result<Step<'p>, Errno>> {
        let kind = at.kind.read().ok()?;
        let Kind::Dir { path, .. } = &*kind else {
            return None;
        };
        let root = self.root_fs.root();
        let found = root.place_in_mount(path)?;
        if found.has_mounts_below && !rest.is_empty() {
            let (name, _) = first_name(rest);
            if name == "." || steps_back(rest) || root.leads_to_mount(&path.join(name)) {
                return None;
            }
        }
        drop(kind);
        Some(self.inside(found.place, rest))
    }

    fn inside<'p>(&self, place: HostPlace, rest: &'p str) -> Result<Step<'p>, Errno> {
        let Some((within, left)) = leaves(rest) else {
            return Ok(Step::Host(place.joined(rest)));
        };
        if self.is_confined() {
            return Err(Errno::Notcapable);
        }
        if !within.is_empty() {
            // There has to be what the path goes through before it comes back.
            let stat = |path| {
                let found = place.directory.stat(Path::new(path), true);
                found.map_err(crate::host_errno::of_files)
            };
            if !stat(within)?.is_same_file(&stat("")?) {
                return Err(Errno::Notcapable);
            }
        }
        Ok(Step::Above(left))
    }

    /// The place where a link of the virtual tree leads; `None` inside if it isn't a link.
    pub(super) fn target_of(&self, found: &InodeGuard) -> Option<Option<String>> {
        let kind = found.kind.read().ok()?;
        let Kind::Symlink {
            symlink_kind,
            path_to_symlink,
            relative_path,
        } = &*kind
        else {
            return Some(None);
        };
        let resolved =
            self.resolve_symlink_target_path(*symlink_kind, path_to_symlink, relative_path);
        let (_, target) = resolved.ok()?;
        self.path_from_root(&target).ok().map(Some)
    }
}

/// Looks at the path of a directory in the tree of mounts.
fn in_tree<T>(inode: &InodeGuard, look: impl FnOnce(&Path) -> T) -> Option<T> {
    match &*inode.kind.read().ok()? {
        Kind::Dir { path, .. } => Some(look(path)),
        _ => None,
    }
}

fn parent_of(at: &InodeGuard) -> Option<InodeGuard> {
    match &*at.kind.read().ok()? {
        Kind::Dir { parent, .. } => parent.upgrade(),
        Kind::Root { .. } => Some(at.clone()),
        _ => None,
    }
}

/// True if a name of the path is `..`.
fn steps_back(path: &str) -> bool {
    may_step_back(path) && path.split('/').any(|name| name == "..")
}

/// False for a path without two dots in a row, as most are: it needs no look at each name.
fn may_step_back(path: &str) -> bool {
    path.contains("..")
}

/// The first name of a path, and what is left behind its slashes.
fn first_name(path: &str) -> (&str, &str) {
    match path.split_once('/') {
        Some((name, left)) => (name, left.trim_start_matches('/')),
        None => (path, ""),
    }
}

/// The place where the text of a path leaves the directory that it begins in: what is before the `..` that does it, and what is
/// behind.
fn leaves(path: &str) -> Option<(&str, &str)> {
    if !may_step_back(path) {
        return None;
    }
    let mut depth = 0_usize;
    let mut start = 0;
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if depth == 0 => {
                let left = &path[start + name.len()..];
                return Some((&path[..start], left.trim_start_matches('/')));
            }
            ".." => depth -= 1,
            _ => depth += 1,
        }
        start += name.len() + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::leaves;

    #[test]
    fn a_path_leaves_where_its_text_does() {
        assert_eq!(leaves("a/b/../c"), None);
        assert_eq!(leaves(".."), Some(("", "")));
        assert_eq!(leaves("../x"), Some(("", "x")));
        assert_eq!(leaves("a/../..//x/y"), Some(("a/../", "x/y")));
        assert_eq!(leaves("./a/..b"), None);
    }
}
