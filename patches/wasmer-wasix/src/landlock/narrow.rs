//! The settings and the tree of a module under a policy from outside.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtual_fs::host_backing::HostAccess;
use virtual_fs::limited::Limited;
use virtual_fs::{FileSystem, HostBacking};
use wasix_landlock::{Access, HostKind, Report};
use wasix_landlock_profile::{Group, Limit, Narrowed, UnsavedWrites};

use super::backings::{absolute_path, access_of, host_access, shown_at};
use super::outside::{Outside, OutsideError};
use super::record::mounts;
use super::record::recorded::Recorded;
use super::settings::Settings;
use crate::fs::WasiFsRoot;
use crate::state::PreopenedDir;

impl Outside {
    /// Narrows the things that the module itself may use.
    fn module(&mut self, settings: &Settings) {
        let (limits, groups) = settings.applied.allowance();
        let left = self.ceiling().limits(&limits);
        for limit in Limit::ALL {
            if let Some(most) = left
                .of(*limit)
                .filter(|most| Some(*most) != limits.of(*limit))
            {
                self.note(format!("limit {limit}: {most} at most"));
            }
        }
        let left = self.ceiling().groups(&groups);
        for group in Group::ALL {
            if groups.allows(*group) && !left.allows(*group) {
                self.note(format!("group of functions {group}"));
            }
        }
    }

    /// Shows the host's files in the module's tree with what stays of their rights, and parts of them at their places.
    fn tree(&mut self, recorded: &Recorded<'_>) -> Result<(), OutsideError> {
        let backings = recorded.root.host_backing();
        let named = recorded
            .vfs_preopens
            .iter()
            .map(|name| (Path::new(name), Access::ALL));
        let preopened = recorded.preopens.iter().map(|preopen| {
            let access = Access {
                read: preopen.read,
                write: preopen.write,
                create: preopen.create,
            };
            (&*preopen.path, access)
        });
        let mut places: Vec<(PathBuf, PathBuf, Access)> = Vec::new();
        for (path, asked) in preopened.chain(named) {
            let path = absolute_path(Path::new("/"), path);
            for (guest, part) in shown_at(&backings, &path) {
                let access = access_of(&part);
                // The tree may have entries that the host lacks.
                if part.host.symlink_metadata().is_err() {
                    continue;
                }
                self.narrow(&part.host, HostKind::Either, access.intersection(asked));
                places.push((guest.to_owned(), part.host, access));
            }
        }
        // What lies deeper is narrowed after what is around it.
        places.sort_by(|one, other| one.0.cmp(&other.0));
        places.dedup();
        for (guest, host, access) in places {
            let narrowed = self.ceiling().narrow(&host, HostKind::Either, access);
            if !narrowed.is_whole() {
                show(recorded.root, &guest, &narrowed)?;
            }
        }
        Ok(())
    }
}

/// Shows the parts of a host path at its place in the tree.
fn show(root: &WasiFsRoot, guest: &Path, narrowed: &Narrowed) -> Result<(), OutsideError> {
    let failed = |path: &Path, problem: String| OutsideError::Mount {
        path: path.to_owned(),
        problem,
    };
    let file = |host: &Path, guest: &Path, access| {
        let file = mounts::host_file(host, host_access(access));
        file.map_err(|error| failed(guest, error.to_string()))
    };
    let whole = narrowed.whole_access();
    let mut shown: Vec<(PathBuf, AnyFileSystem)> = Vec::new();
    if let Some((inner, base)) = mounts::shown_at(root, guest) {
        let limited = |base: &Path, access| -> AnyFileSystem {
            Arc::new(Limited::new(Arc::clone(&inner), base, host_access(access)))
        };
        shown.push((guest.to_owned(), limited(&base, whole)));
        for part in narrowed.parts.iter().filter(|part| !part.is_whole()) {
            let guest = guest.join(&part.inside);
            if part.host.is_dir() {
                let base = base.join(&part.inside);
                shown.push((guest, limited(&base, part.access)));
            } else if part.host.exists() {
                let file = file(&part.host, &guest, part.access)?;
                shown.push((guest, file));
            }
        }
    } else {
        shown.push((guest.to_owned(), file(&narrowed.host, guest, whole)?));
    }
    for (guest, file_system) in shown {
        let set = root.root().set_mount(&guest, file_system);
        set.map_err(|error| failed(&guest, error.to_string()))?;
    }
    Ok(())
}

type AnyFileSystem = Arc<dyn FileSystem + Send + Sync>;

impl Settings {
    /// Takes from the settings, and from the tree if there is one, what a policy from outside doesn't allow.
    pub(super) fn narrow_from_outside(
        &mut self,
        recorded: Option<&Recorded<'_>>,
    ) -> Result<(), OutsideError> {
        let Some(mut outside) = Outside::read(&mut self.policy)? else {
            return Ok(());
        };
        if let Some(recorded) = recorded {
            outside.tree(recorded)?;
        }
        self.host_preopens = outside.host_preopens(&self.host_preopens);
        let policy = outside.policy(std::mem::take(&mut self.policy));
        outside.module(self);
        let unsaved_writes = outside.ceiling().unsaved_writes(UnsavedWrites::Report);
        self.refuses_unsaved_writes |= unsaved_writes == UnsavedWrites::Refuse;
        self.policy = policy.outside(outside.report());
        self.applied.outside = Some(outside);
        Ok(())
    }

    /// Checks that what was granted is what was compared with the policy from outside.
    pub(super) fn check_outside(&self, report: &Report) -> Result<(), OutsideError> {
        match &self.applied.outside {
            Some(outside) => outside.check(report),
            None => Ok(()),
        }
    }

    /// Gives a directory that shows a host directory no more rights than a policy from outside leaves of it.
    pub(crate) fn narrow_preopen(&self, preopen: &mut PreopenedDir, backings: &[HostBacking]) {
        if self.applied.outside.is_none() {
            return;
        }
        let path = absolute_path(Path::new("/"), &preopen.path);
        let parts: Vec<HostBacking> = shown_at(backings, &path).map(|(_, part)| part).collect();
        if parts.iter().all(|part| part.guest != Path::new("/")) {
            return;
        }
        let allows = |right: fn(&HostAccess) -> bool| parts.iter().any(|part| right(&part.access));
        let (read, write, create) = (
            allows(|access| access.read),
            allows(|access| access.write),
            allows(|access| access.create),
        );
        preopen.read &= read;
        preopen.write &= write;
        preopen.create &= create;
    }
}
