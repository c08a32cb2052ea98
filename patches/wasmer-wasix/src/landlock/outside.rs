//! A policy from outside, by which whoever runs the program takes from what the program grants.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasix_landlock::{
    Access, HostKind, Level, OutsideReport, POLICY_VARIABLE, Policy, Protection, Report,
    outside_policy,
};
use wasix_landlock_profile::{Ceiling, FileError, HostPreopen, Narrowed, Part};

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
    pub(super) fn read(policy: &mut Policy) -> Result<Option<Self>, OutsideError> {
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

    /// Notes what is taken from the program.
    pub(super) fn note(&mut self, taken: String) {
        self.taken.push(taken);
    }

    /// Returns what is left of an access, and notes what isn't.
    pub(super) fn narrow(&mut self, host: &Path, kind: HostKind, access: Access) -> Narrowed {
        let narrowed = self.ceiling.narrow(host, kind, access);
        if !narrowed.is_whole() {
            let text = narrowed.to_string();
            if !self.taken.contains(&text) {
                self.taken.push(text);
            }
        }
        narrowed
    }

    pub(super) fn host_preopens(&mut self, granted: &[HostPreopen]) -> Vec<HostPreopen> {
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
    pub(super) fn policy(&mut self, policy: Policy) -> Policy {
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

    /// Checks that what was granted is what was compared with the policy.
    pub(super) fn check(&self, report: &Report) -> Result<(), OutsideError> {
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

    pub(super) fn report(&self) -> OutsideReport {
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
