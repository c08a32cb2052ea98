//! A policy from outside, by which whoever runs the program takes from what the program grants.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtual_fs::host_backing::HostAccess;
use virtual_fs::limited::Limited;
use virtual_fs::{FileSystem, HostBacking};
use wasix_landlock::{
    Access, HostKind, Level, OutsideReport, POLICY_VARIABLE, Policy, Protection, Report,
    outside_policy,
};
use wasix_landlock_profile::{
    Ceiling, FileError, Group, HostPreopen, Limit, Narrowed, Part, UnsavedWrites,
};

use super::backings::{absolute_path, access_of, host_access, shown_at};
use super::record::mounts;
use super::record::recorded::Recorded;
use super::settings::Settings;
use crate::fs::WasiFsRoot;
use crate::state::PreopenedDir;

/// An error of applying the policy that the variable `WASIX_LANDLOCK_POLICY` names. Nothing was restricted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutsideError {
    /// The policy can't be read.
    #[error("the policy from outside ({POLICY_VARIABLE}) doesn't hold, so nothing runs: {0}")]
    File(#[from] FileError),
    /// A path was replaced between being compared with the policy and being granted.
    #[error(
        "`{}` is now something that the policy from outside ({POLICY_VARIABLE}) doesn't allow: it was replaced \
         during `build()`, which can be tried again",
        path.display()
    )]
    Replaced {
        /// The resolved path.
        path: PathBuf,
    },
    /// A part of the module's tree can't be narrowed.
    #[error(
        "`{}` can't be narrowed to what the policy from outside ({POLICY_VARIABLE}) allows: {problem}",
        path.display()
    )]
    Mount {
        /// The path inside.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
}

/// The policy from outside that holds for an environment.
#[derive(Debug, Clone)]
pub(crate) struct Outside {
    ceiling: Arc<Ceiling>,
    taken: Vec<String>,
}

impl Outside {
    /// Reads the policy. `None` if there is none, or the program refuses it; `policy` then says so in its report.
    fn read(policy: &mut Policy) -> Result<Option<Self>, OutsideError> {
        let Some(path) = outside_policy() else {
            return Ok(None);
        };
        if policy.refuses_outside_policy() {
            tracing::warn!(
                target: "wasix_landlock",
                path = %path.display(),
                "the program refuses a policy from outside, and ignores this one"
            );
            let report = OutsideReport {
                files: vec![path.display().to_string()],
                refused: true,
                taken: Vec::new(),
            };
            *policy = std::mem::take(policy).outside(report);
            return Ok(None);
        }
        let ceiling = Ceiling::from_env()?;
        Ok(ceiling.map(|ceiling| Self {
            ceiling,
            taken: Vec::new(),
        }))
    }

    pub(crate) fn ceiling(&self) -> &Ceiling {
        &self.ceiling
    }

    /// True if the policy allows this access to a host path, or to all of a directory.
    pub(crate) fn allows(&self, host: &Path, access: Access) -> bool {
        self.ceiling
            .narrow(host, HostKind::Either, access)
            .is_whole()
    }

    fn narrow(&mut self, host: &Path, kind: HostKind, access: Access) -> Narrowed {
        let narrowed = self.ceiling.narrow(host, kind, access);
        if !narrowed.is_whole() {
            let text = narrowed.to_string();
            if !self.taken.contains(&text) {
                self.taken.push(text);
            }
        }
        narrowed
    }

    fn host_preopens(&mut self, granted: &[HostPreopen]) -> Vec<HostPreopen> {
        let mut left = Vec::new();
        for preopen in granted {
            let narrowed = self.narrow(&preopen.host, preopen.kind, preopen.access);
            let is_whole = narrowed.is_whole();
            // What isn't there can't be granted, and what is to be made may not be.
            let can_be = |part: &HostPreopen| {
                let is_made = part.kind == HostKind::File && part.access.create;
                is_whole || is_made || part.host.exists()
            };
            let parts = narrowed.preopens(preopen).into_iter();
            left.extend(parts.filter(can_be));
        }
        left
    }

    /// The ruleset's part, and what the program has granted by itself.
    fn policy(&mut self, policy: Policy) -> Policy {
        let (network, levels) = (policy.granted_network(), levels(&policy));
        let policy = self.ceiling.policy(policy);
        let left = policy.granted_network();
        if left != network {
            self.taken.push(match left {
                Some(left) if left.is_empty() => "every port".to_owned(),
                _ => "ports but those that are named here".to_owned(),
            });
        }
        for (protection, level) in levels {
            let now = policy.level(protection);
            if now != level {
                self.taken
                    .push(format!("protection {protection}: {now}, not {level}"));
            }
        }
        policy.narrow_paths(|path, kind, access| {
            let narrowed = self.narrow(path, kind, access);
            narrowed.parts.into_iter().map(Part::into_path).collect()
        })
    }

    /// Narrows the things that the module itself may use.
    fn module(&mut self, settings: &Settings) {
        let (limits, groups) = settings.applied.allowance();
        let left = self.ceiling.limits(&limits);
        for limit in Limit::ALL {
            if let Some(most) = left
                .of(*limit)
                .filter(|most| Some(*most) != limits.of(*limit))
            {
                self.taken.push(format!("limit {limit}: {most} at most"));
            }
        }
        let left = self.ceiling.groups(&groups);
        for group in Group::ALL {
            if groups.allows(*group) && !left.allows(*group) {
                self.taken.push(format!("group of functions {group}"));
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
            let narrowed = self.ceiling.narrow(&host, HostKind::Either, access);
            if !narrowed.is_whole() {
                show(recorded.root, &guest, &narrowed)?;
            }
        }
        Ok(())
    }

    /// Checks that what was granted is what was compared with the policy.
    fn check(&self, report: &Report) -> Result<(), OutsideError> {
        for host in report.preopens.iter().flat_map(|preopen| &preopen.hosts) {
            let Some(resolved) = host.resolved.as_ref().map(Path::new) else {
                continue;
            };
            // A report shows a path that isn't UTF-8 with replacement characters.
            if resolved.to_string_lossy().contains('\u{fffd}') {
                continue;
            }
            if !self.allows(resolved, host.access) {
                let path = resolved.to_owned();
                return Err(OutsideError::Replaced { path });
            }
        }
        Ok(())
    }

    fn report(&self) -> OutsideReport {
        let files = self.ceiling.files().iter();
        OutsideReport {
            files: files.map(|file| file.display().to_string()).collect(),
            refused: false,
            taken: self.taken.clone(),
        }
    }
}

fn levels(policy: &Policy) -> Vec<(Protection, Level)> {
    let all = Protection::ALL.iter();
    all.map(|protection| (*protection, policy.level(*protection)))
        .collect()
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
        let unsaved_writes = outside.ceiling.unsaved_writes(UnsavedWrites::Report);
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
