//! The state of this process. There is one for the whole process, so it is a static.

use std::{
    env,
    fs::{self, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    Level, Mode, Network, NotWithin, Protection, ProtectionStatus, Report, Right, Scope,
    explain::{Grant, in_common},
    names::list,
    operator,
    rights::Rights,
};

/// The state of this process.
#[derive(Clone, Debug)]
pub(crate) enum Process {
    /// No policy has restricted the process.
    Free,
    /// A policy has.
    Under(Arc<Enforced>),
    /// A policy has failed when some threads were restricted.
    Partly,
}

static PROCESS: Mutex<Process> = Mutex::new(Process::Free);

/// Locks the state. An enforcing thread holds the lock, so that there is one sweep at a time.
pub(crate) fn lock() -> MutexGuard<'static, Process> {
    // It is only ever replaced as a whole, so that a panic can't have left it half changed.
    PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A policy in force.
#[derive(Debug)]
pub(crate) struct Enforced {
    pub(crate) report: Arc<Report>,
    pub(crate) grants: Vec<Grant>,
    /// True if the operator's variables counted.
    pub(crate) is_operated: bool,
}

impl Enforced {
    /// Checks that a policy lies within this one but for its paths, and writes into its report what is
    /// enforced. The report has the policy's protections, by level.
    pub(crate) fn admit(
        &self,
        network: Option<&Network>,
        report: &mut Report,
    ) -> Result<(), NotWithin> {
        let strict = report.mode == Mode::Enforce;
        report.joined = true;
        report.abi = self.report.abi;
        report.errata = self.report.errata;
        report.handled.clone_from(&self.report.handled);
        report.network.clone_from(&self.report.network);
        report.not_enforced.clear();
        for asked in &mut report.protections {
            let protection = asked.name;
            let mut earlier = self.report.protections.iter();
            let earlier = earlier.find(|earlier| earlier.name == protection);
            asked.status = earlier.map_or(ProtectionStatus::Off, |p| p.status.clone());
            asked.by = earlier.map_or_else(Vec::new, |p| p.by.clone());
            if asked.level == Level::Off || asked.status == ProtectionStatus::Enforced {
                continue;
            }
            if asked.level == Level::Strict && strict {
                return Err(NotWithin::Protection { protection });
            }
            let why = match &asked.status {
                ProtectionStatus::NotEnforced { why } => why,
                _ => "an earlier policy restricted this process without it",
            };
            report.not_enforced.push(format!("{protection}: {why}"));
        }
        let ports = self.ports_beyond(network);
        if !ports.is_empty() {
            let error = NotWithin::Ports { ports };
            if strict {
                return Err(error);
            }
            report.warnings.push(error.to_string());
        }
        Ok(())
    }

    /// Describes the ports that aren't granted.
    fn ports_beyond(&self, asked: Option<&Network>) -> Vec<String> {
        let Some(asked) = asked else {
            return Vec::new();
        };
        let granted = self.report.network.clone().unwrap_or_default();
        let mut asked = asked.clone();
        // What isn't restricted is granted.
        if !self.report.protects(Protection::Tcp) {
            asked.bind.clear();
            asked.connect.clear();
        }
        if !self.report.protects(Protection::Udp) {
            asked.bind_udp.clear();
            asked.send_udp.clear();
        }
        asked.beyond(&granted)
    }

    /// Checks that a grant is enforced already: by our record, and then by the kernel.
    pub(crate) fn check(&self, asked: &Grant) -> Result<(), NotWithin> {
        let not_within = |missing: Vec<Right>, reason: String| NotWithin::Path {
            preopen: asked.named.owner.clone(),
            path: asked.named.path.clone(),
            asked: asked.named.access,
            missing: missing.into(),
            reason: reason.into(),
            reserve: self.reserve(asked).map(String::into_boxed_str),
        };
        let mut needed = asked.rights.clone();
        if asked.inode.is_none() {
            needed.insert(Right::MakeReg);
        }
        let granted = self.granted_on(asked);
        needed.retain(|right| self.report.handled.contains(right) && !granted.contains(right));
        if !needed.is_empty() {
            let reason = format!("no grant covers {}", list(&needed, ", "));
            return Err(not_within(needed.into_iter().collect(), reason));
        }
        if asked.inode.is_some() && is_denied(asked) {
            let reason = "the kernel denies opening the path, although a grant covers it by name; \
                          a file was moved or mounted since";
            return Err(not_within(Vec::new(), reason.to_owned()));
        }
        Ok(())
    }

    /// Returns the value of the operator's variable that would have granted this as well: the directory that holds the
    /// path and a preopen of this policy, or the path itself where they have only the root, a directory in it or the
    /// user's home in common.
    fn reserve(&self, asked: &Grant) -> Option<String> {
        if !self.is_operated || self.report.scope != Scope::Process {
            return None;
        }
        let own = match asked.inode {
            Some(_) => asked.resolved.as_path(),
            None => asked.resolved.parent()?,
        };
        let preopens = self.grants.iter().filter(|grant| !grant.runtime);
        let common = preopens
            .map(|grant| in_common(&grant.resolved, own))
            .max_by_key(|common| common.components().count())
            .filter(|common| {
                common.components().count() > 2 && env::home_dir().as_ref() != Some(common)
            });
        Some(operator::reserving(common.as_deref().unwrap_or(own)))
    }

    /// The union of the rights that grants give on this path, as the kernel computes it: a rule is
    /// on an inode, and on everything beneath it.
    fn granted_on(&self, asked: &Grant) -> Rights {
        self.grants
            .iter()
            .filter(|grant| {
                let same = asked.inode.is_some() && grant.inode == asked.inode;
                let beneath = grant.named.directory
                    && asked.resolved.starts_with(&grant.resolved)
                    && is_still_there(grant);
                same || beneath
            })
            .flat_map(|grant| grant.rights.iter().copied())
            .collect()
    }
}

/// True if the path still leads to the inode that the rule is on.
fn is_still_there(grant: &Grant) -> bool {
    fs::symlink_metadata(&grant.resolved)
        .is_ok_and(|found| Some((found.dev(), found.ino())) == grant.inode)
}

/// True if the kernel denies what is asked for. Only what can be tried without changing anything is
/// tried: opening, neither truncating nor creating.
fn is_denied(asked: &Grant) -> bool {
    let denied = |path: &Path, write: bool, flags: i32| {
        OpenOptions::new()
            .read(!write)
            .write(write)
            .custom_flags(flags | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .is_err_and(|error| error.raw_os_error() == Some(libc::EACCES))
    };
    let (path, access) = (&asked.resolved, asked.named.access);
    let is_file = !asked.named.directory;
    let flags = if is_file { 0 } else { libc::O_DIRECTORY };
    (access.read && denied(path, false, flags))
        || (is_file && access.write && denied(path, true, flags))
}
