//! From recorded preopens and the host paths behind the virtual tree to a policy's preopens.

use std::path::{Path, PathBuf};

use virtual_fs::HostBacking;
use wasix_landlock::{Access, HostKind, HostTarget, RecordedPreopen};
use wasix_landlock_profile::HostPreopen;

use super::preopen::guest_name;
use crate::landlock::backings::{absolute_path, access_of, shown_at};
use crate::state::PreopenedDir;

/// A collector of preopens.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    preopens: Vec<RecordedPreopen>,
}

impl Recorder {
    /// Records a host file or directory that was named as such.
    pub(crate) fn host_preopen(&mut self, preopen: &HostPreopen) {
        self.preopens.push(RecordedPreopen {
            guest: guest_name(preopen).to_owned(),
            origin: "preopen",
            access: preopen.access,
            targets: vec![HostTarget {
                path: preopen.host.clone(),
                kind: preopen.kind,
                access: preopen.access,
            }],
        });
    }

    /// Records a directory of the virtual tree.
    pub(crate) fn preopened_dir(&mut self, preopen: &PreopenedDir, backings: &[HostBacking]) {
        let access = Access {
            read: preopen.read,
            write: preopen.write,
            create: preopen.create,
        };
        let name = preopen.name().into_owned();
        let origin = if preopen.alias.is_some() {
            "map_dir"
        } else {
            "preopen_dir"
        };
        self.virtual_path(&preopen.path, name, origin, access, backings);
    }

    /// Records a name of `preopen_vfs_dirs`, which carries no rights of its own.
    pub(crate) fn vfs_preopen(&mut self, name: &str, backings: &[HostBacking]) {
        self.virtual_path(
            Path::new(name),
            name.to_owned(),
            "preopen_vfs_dirs",
            Access::ALL,
            backings,
        );
    }

    /// Records a path of the tree. The backing of `path` itself belongs to the preopen; each mount below it gets its own
    /// place, once, whichever preopens show it.
    fn virtual_path(
        &mut self,
        path: &Path,
        name: String,
        origin: &'static str,
        access: Access,
        backings: &[HostBacking],
    ) {
        let (mut own, mut mounts) = (Vec::new(), Vec::new());
        let path = absolute_path(Path::new("/"), path);
        for (guest, part) in shown_at(backings, &path) {
            let target = HostTarget {
                access: access.intersection(access_of(&part)),
                kind: HostKind::Either,
                path: part.host,
            };
            // The virtual tree may have entries, in memory, that the host directory behind it lacks. Where
            // there is nothing, there is nothing to grant.
            if target.access.is_empty() || target.path.symlink_metadata().is_err() {
                continue;
            }
            if part.guest == Path::new("/") {
                own.push(target);
            } else {
                mounts.push((guest.to_owned(), target));
            }
        }
        if !own.is_empty() || mounts.is_empty() {
            self.preopens.push(RecordedPreopen {
                guest: name,
                origin,
                access,
                targets: own,
            });
        }
        for (guest, target) in mounts {
            self.mount(guest, access, target);
        }
    }

    fn mount(&mut self, guest: PathBuf, access: Access, target: HostTarget) {
        let guest = guest.to_string_lossy().into_owned();
        let known = self.preopens.iter_mut().find(|known| {
            known.origin == "mount"
                && known.guest == guest
                && known.targets.iter().any(|t| t.path == target.path)
        });
        if let Some(known) = known {
            known.access = known.access.union(access);
            for t in &mut known.targets {
                t.access = t.access.union(target.access);
            }
            return;
        }
        self.preopens.push(RecordedPreopen {
            guest,
            origin: "mount",
            access,
            targets: vec![target],
        });
    }

    pub(crate) fn into_preopens(self) -> Vec<RecordedPreopen> {
        self.preopens
    }
}
