//! From a policy to a ruleset.

use std::{mem, path::Path};

use tracing::{debug, warn};

use super::{
    baseline::{self, Baseline},
    create::CreatedFiles,
    overlap,
    plan::Plan,
    resolve::{self, CHARACTER_DEVICE, Found, Missing, Opened},
};
use crate::policy::RuntimePath;
use crate::{
    Access, GrantedPath, HostKind, HostReport, HostTarget, Mode, NotGranted, Object,
    OpenFilesLimit, PathError, Policy, PreopenReport, PrepareError, RecordedPreopen, Report, Right,
    RuntimePathReport, RuntimePathStatus, Status, explain::Grant, rights::Rights,
};

/// Prepares a policy, see [`Policy::prepare`] and [`Policy::show`].
pub(crate) fn plan(mut policy: Policy, only_shown: bool) -> Result<Plan, PrepareError> {
    let mode = policy.effective_mode()?;
    let reserved = policy.reserved()?;
    let mut report = Report::begun(&mut policy, mode, only_shown);
    let baseline = baseline::choose(&policy, mode, &mut report)?;
    Plan::new(policy, baseline, report).prepared(&reserved)
}

/// A file to create, and where it goes in the report.
struct ToCreate {
    preopen: usize,
    host: usize,
    owner: String,
    target: HostTarget,
    missing: Missing,
}

impl Plan {
    fn new(policy: Policy, baseline: Baseline, report: Report) -> Self {
        Self {
            policy,
            report,
            baseline,
            grants: Vec::new(),
            created: CreatedFiles::default(),
        }
    }

    /// Grants every path of the policy, and those that the operator reserves.
    fn prepared(mut self, reserved: &[RuntimePath]) -> Result<Self, PrepareError> {
        let mut to_create = Vec::new();
        let preopens = mem::take(&mut self.policy.preopens);
        for preopen in &preopens {
            self.preopen(preopen, preopens.len(), &mut to_create)?;
        }
        for path in mem::take(&mut self.policy.runtime_paths) {
            self.runtime_path(&path)?;
        }
        // A policy that joins an earlier one has what that one reserved.
        if matches!(self.baseline, Baseline::Ruleset(..)) {
            for path in reserved {
                self.runtime_path(path)?;
            }
        }
        // Last, so that an error anywhere else has created nothing.
        self.create_missing(to_create)?;
        let unrestricted = matches!(self.baseline, Baseline::Nothing);
        for preopen in &mut self.report.preopens {
            preopen.status = status(&preopen.hosts, unrestricted);
        }
        self.report.warnings.extend(overlap::warnings(&self.grants));
        if self.is_lenient() {
            for warning in &self.report.warnings {
                warn!(target: "wasix_landlock", "{warning}");
            }
        }
        Ok(self)
    }

    /// True if a failed grant goes to the report instead of being an error.
    fn is_lenient(&self) -> bool {
        self.report.mode != Mode::Enforce
    }

    /// Grants one of so many preopens.
    fn preopen(
        &mut self,
        preopen: &RecordedPreopen,
        all: usize,
        to_create: &mut Vec<ToCreate>,
    ) -> Result<(), PrepareError> {
        let (guest, origin, hosts) = (&preopen.guest, preopen.origin, preopen.targets.len());
        debug!(target: "wasix_landlock", guest, origin, access = %preopen.access, hosts, "preopen");
        let owner = format!("{} `{}`", preopen.origin, preopen.guest);
        let index = self.report.preopens.len();
        let mut hosts = Vec::with_capacity(preopen.targets.len());
        for target in &preopen.targets {
            let mut host = HostReport::of(target, preopen.access);
            let result = match resolve::find(target, host.access) {
                Ok(Found::There(opened)) => self.host(&owner, target, &opened, &mut host),
                Ok(Found::ToCreate(missing)) => {
                    to_create.push(ToCreate {
                        preopen: index,
                        host: hosts.len(),
                        owner: owner.clone(),
                        target: target.clone(),
                        missing,
                    });
                    Ok(())
                }
                Err(problem) => Err(of_path(&owner, &target.path, of_limit(problem, all))),
            };
            self.fail_or_note(result, target, &mut host)?;
            hosts.push(host);
        }
        // Known when the files are created.
        let status = Status::NotGranted;
        let report = PreopenReport::of(preopen, status, hosts);
        self.report.preopens.push(report);
        Ok(())
    }

    /// Grants the file or directory at a preopen's host path.
    fn host(
        &mut self,
        owner: &str,
        target: &HostTarget,
        opened: &Opened,
        host: &mut HostReport,
    ) -> Result<(), PrepareError> {
        let access = host.access;
        host.resolved = Some(opened.resolved.to_string_lossy().into_owned());
        host.found = Some(opened.object);
        if access.read && !resolve::may_read(opened) {
            let problem = PathError::NoPermission { right: "read" };
            let error = of_path(owner, &target.path, problem);
            // A mount says less about what it is for than a preopen does: the module may never
            // want to read it.
            if target.kind != HostKind::Either {
                return Err(error);
            }
            self.report.warnings.push(error.to_string());
        }
        let needed = access.rights(opened.object);
        let granted = self.grant(owner, &target.path, access, opened, false)?;
        host.granted = granted.into_iter().collect();
        host.not_granted = self.denied(&needed);
        if !host.not_granted.is_empty() {
            self.report.warnings.push(format!(
                "{owner}: this kernel (Landlock ABI {}) has no refer right: nothing can be renamed \
                 or linked between directories of {}",
                self.report.abi, host.path
            ));
        }
        Ok(())
    }

    /// Rights that are needed and that this kernel can't grant. A right that isn't handled isn't
    /// denied either, with one exception: the kernel denies `refer` to every restricted thread.
    fn denied(&self, needed: &Rights) -> Vec<NotGranted> {
        let right = Right::Refer;
        let is_denied = matches!(self.baseline, Baseline::Ruleset(..))
            && needed.contains(&right)
            && !self.report.handled.contains(&right);
        let why = format!("the right needs Landlock ABI {}", right.abi());
        Vec::from_iter(is_denied.then_some(NotGranted { right, why }))
    }

    /// Adds a rule, or checks that there is one. Returns the rights it grants.
    fn grant(
        &mut self,
        owner: &str,
        path: &Path,
        access: Access,
        opened: &Opened,
        runtime: bool,
    ) -> Result<Rights, PrepareError> {
        let mut grant = Grant {
            named: GrantedPath {
                owner: owner.to_owned(),
                path: path.to_owned(),
                access,
                directory: opened.object == Object::Directory,
            },
            resolved: opened.resolved.clone(),
            inode: Some(opened.inode),
            rights: access.rights(opened.object),
            runtime,
        };
        grant
            .rights
            .retain(|right| self.report.handled.contains(right));
        match &mut self.baseline {
            Baseline::Nothing => return Ok(Rights::default()),
            Baseline::Ruleset(builder, _) => {
                // A rule without a right is ENOMSG, and nothing of it is handled, so nothing of it
                // needs one.
                if !grant.rights.is_empty() {
                    let added = builder.grant(&opened.file, &grant.rights);
                    added.map_err(|error| of_path(owner, path, PathError::Rule(error)))?;
                }
            }
            Baseline::Enforced(enforced) => enforced.check(&grant)?,
        }
        let path = grant.resolved.display();
        debug!(target: "wasix_landlock", owner, %path, rights = ?grant.rights, "rule");
        let rights = grant.rights.clone();
        self.grants.push(grant);
        Ok(rights)
    }

    fn runtime_path(&mut self, path: &RuntimePath) -> Result<(), PrepareError> {
        let owner = format!("runtime path ({})", path.reason);
        let mut resolved = None;
        let status = match self.runtime_rule(&owner, path, &mut resolved) {
            Ok(status) => status,
            Err(error) if self.is_lenient() => {
                self.report.warnings.push(error.to_string());
                RuntimePathStatus::NotGranted {
                    why: error.to_string(),
                }
            }
            Err(error) => return Err(error),
        };
        let report = RuntimePathReport::of(path, resolved, status);
        self.report.runtime_paths.push(report);
        Ok(())
    }

    fn runtime_rule(
        &mut self,
        owner: &str,
        path: &RuntimePath,
        resolved: &mut Option<String>,
    ) -> Result<RuntimePathStatus, PrepareError> {
        let fail = |problem| Err(of_path(owner, &path.path, problem));
        if let Err(problem) = resolve::check_syntax(&path.path) {
            return fail(problem);
        }
        let opened = match resolve::open(&path.path) {
            Ok(opened) => opened,
            Err(error) if path.must_exist => return fail(resolve::absent_or_refused(error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(RuntimePathStatus::Absent);
            }
            Err(error) => {
                return Ok(RuntimePathStatus::NotGranted {
                    why: error.to_string(),
                });
            }
        };
        *resolved = Some(opened.resolved.to_string_lossy().into_owned());
        if let Some(found) = opened.special.filter(|_| path.must_exist) {
            return fail(PathError::NotAFileOrDirectory { found });
        }
        if let Some(special) = opened.special.filter(|found| *found != CHARACTER_DEVICE) {
            return Ok(RuntimePathStatus::NotGranted {
                why: format!("the path is a {special}"),
            });
        }
        if path.access.rights(opened.object).is_empty() {
            return fail(PathError::NoRight);
        }
        match self.grant(owner, &path.path, path.access, &opened, true) {
            Ok(_) if matches!(self.baseline, Baseline::Nothing) => {
                Ok(RuntimePathStatus::Unrestricted)
            }
            Ok(_) => Ok(RuntimePathStatus::Granted),
            // The first policy's runtime had what it needed, or did without as this one will.
            Err(error @ PrepareError::NotWithin(_)) => Ok(RuntimePathStatus::NotGranted {
                why: error.to_string(),
            }),
            Err(error) => Err(error),
        }
    }

    fn create_missing(&mut self, files: Vec<ToCreate>) -> Result<(), PrepareError> {
        for file in files {
            // Taken out while it is being filled in, as filling it in needs all of `self`.
            let slot = self.host_mut(&file);
            let Some(mut host) = slot.map(|host| host.clone()) else {
                continue;
            };
            let result = self.create(&file, &mut host);
            self.fail_or_note(result, &file.target, &mut host)?;
            if let Some(slot) = self.host_mut(&file) {
                *slot = host;
            }
        }
        Ok(())
    }

    fn host_mut(&mut self, file: &ToCreate) -> Option<&mut HostReport> {
        self.report
            .preopens
            .get_mut(file.preopen)?
            .hosts
            .get_mut(file.host)
    }

    fn create(&mut self, file: &ToCreate, host: &mut HostReport) -> Result<(), PrepareError> {
        if let Baseline::Enforced(enforced) = &self.baseline {
            enforced.check(&Grant {
                named: GrantedPath {
                    owner: file.owner.clone(),
                    path: file.target.path.clone(),
                    access: host.access,
                    directory: false,
                },
                resolved: file.missing.path(),
                inode: None,
                rights: host.access.rights(Object::File),
                runtime: false,
            })?;
        }
        if self.report.only_shown {
            if matches!(self.baseline, Baseline::Nothing) {
                return Ok(());
            }
            let mut rights = host.access.rights(Object::File);
            rights.retain(|right| self.report.handled.contains(right));
            host.resolved = Some(file.missing.path().to_string_lossy().into_owned());
            host.found = Some(Object::File);
            host.granted = rights.into_iter().collect();
            host.created = true;
            return Ok(());
        }
        let fail = |problem| of_path(&file.owner, &file.target.path, problem);
        let created = self.created.create(&file.missing, host.access);
        let (opened, created) = created.map_err(|error| fail(PathError::Create(error)))?;
        // Something else can have appeared in its place.
        if opened.special.is_some() || opened.object == Object::Directory {
            let found = opened.special.unwrap_or("directory by now");
            return Err(fail(PathError::NotAFileOrDirectory { found }));
        }
        host.created = created;
        self.host(&file.owner, &file.target, &opened, host)
    }

    /// Fails with an error, or notes it in the report where the mode asks for that.
    fn fail_or_note(
        &mut self,
        result: Result<(), PrepareError>,
        target: &HostTarget,
        host: &mut HostReport,
    ) -> Result<(), PrepareError> {
        let Err(error) = result else {
            return Ok(());
        };
        if !self.is_lenient() {
            return Err(error);
        }
        let object = host.found.unwrap_or(match target.kind {
            HostKind::File => Object::File,
            HostKind::Directory | HostKind::Either => Object::Directory,
        });
        host.granted.clear();
        host.not_granted = host
            .access
            .rights(object)
            .into_iter()
            .map(|right| NotGranted {
                right,
                why: error.to_string(),
            })
            .collect();
        self.report.warnings.push(error.to_string());
        Ok(())
    }
}

/// The problem, or the limit that is behind it: each preopen will be a descriptor.
fn of_limit(problem: PathError, preopens: usize) -> PathError {
    match problem {
        PathError::Open(error) if error.raw_os_error() == Some(libc::EMFILE) => {
            OpenFilesLimit::reached(preopens).map_or(PathError::Open(error), PathError::OpenFiles)
        }
        problem => problem,
    }
}

/// The error of a host path.
fn of_path(owner: &str, path: &Path, problem: PathError) -> PrepareError {
    PrepareError::Path {
        preopen: owner.to_owned(),
        path: path.to_owned(),
        problem,
    }
}

fn status(hosts: &[HostReport], unrestricted: bool) -> Status {
    if hosts.is_empty() {
        Status::Virtual
    } else if unrestricted {
        Status::Unrestricted
    } else if hosts.iter().all(|host| host.not_granted.is_empty()) {
        Status::Granted
    } else if hosts.iter().all(|host| host.granted.is_empty()) {
        Status::NotGranted
    } else {
        Status::PartlyGranted
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use landlock::{AccessNet, BitFlags};

    use super::{
        super::kernel::{Features, Kernel},
        *,
    };
    use crate::{Protection, ProtectionStatus};

    /// An older kernel's features. Its rulesets can be made on any newer one.
    fn kernel(abi: u32) -> Kernel {
        Kernel {
            abi,
            errata: None,
            features: Features {
                rights: Right::ALL
                    .iter()
                    .copied()
                    .filter(|right| right.abi() <= abi)
                    .collect(),
                network: match abi {
                    0..4 => BitFlags::EMPTY,
                    4..10 => AccessNet::BindTcp | AccessNet::ConnectTcp,
                    _ => BitFlags::all(),
                },
                scopes: match abi {
                    0..6 => BitFlags::EMPTY,
                    _ => BitFlags::all(),
                },
            },
        }
    }

    fn prepare_on(abi: u32, policy: &Policy) -> Result<Plan, PrepareError> {
        let mode = policy.effective_mode()?;
        let mut report = Report {
            mode,
            ..Report::default()
        };
        let baseline = baseline::on_kernel(policy, &mut report, kernel(abi))?;
        Plan::new(policy.clone(), baseline, report).prepared(&[])
    }

    fn lacking(abi: u32, policy: Policy) -> Option<Protection> {
        match prepare_on(abi, &policy.mode(Mode::Enforce)) {
            Ok(_) => None,
            Err(PrepareError::ProtectionUnavailable { protection, .. }) => Some(protection),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_an_older_kernel_lacks_is_an_error_unless_optional() {
        use Protection::{IoctlDevice, ResolveUnix, Truncate};

        let policy = Policy::default;
        assert_eq!(lacking(2, policy()), Some(Truncate));
        assert_eq!(lacking(3, policy()), Some(IoctlDevice));
        assert_eq!(lacking(2, policy().optional(Truncate)), Some(IoctlDevice));
        let both = policy().optional(Truncate).optional(IoctlDevice);
        assert_eq!(lacking(1, both), None);
        assert_eq!(lacking(5, policy()), None);
        assert_eq!(lacking(5, policy().require(ResolveUnix)), Some(ResolveUnix));
    }

    #[test]
    fn what_best_effort_does_without_is_in_the_report() {
        let plan = prepare_on(1, &Policy::default().mode(Mode::BestEffort)).unwrap();
        let missing: Vec<&str> = plan
            .report
            .not_enforced
            .iter()
            .filter_map(|what| what.split(':').next())
            .collect();
        // What is optional unless named is under the protections only.
        assert_eq!(missing, ["truncate", "ioctl-device"]);
        let status = |name| {
            let mut all = plan.report.protections.iter();
            all.find(|protection| protection.name == name)
                .map(|protection| protection.status.clone())
        };
        assert!(matches!(
            status(Protection::ResolveUnix),
            Some(ProtectionStatus::NotEnforced { .. })
        ));
    }

    #[test]
    fn without_refer_a_create_grant_is_partial() {
        let directory = tempfile::tempdir().unwrap();
        let policy = Policy::default()
            .mode(Mode::BestEffort)
            .preopen(RecordedPreopen {
                guest: "/data".to_owned(),
                origin: "preopen_dir",
                access: Access::ALL,
                targets: vec![HostTarget {
                    path: directory.path().to_owned(),
                    kind: HostKind::Directory,
                    access: Access::ALL,
                }],
            });
        let plan = prepare_on(1, &policy).unwrap();
        let preopen = &plan.report.preopens[0];
        assert_eq!(preopen.status, Status::PartlyGranted);
        let not_granted: Vec<Right> = preopen.hosts[0]
            .not_granted
            .iter()
            .map(|not| not.right)
            .collect();
        // Truncating isn't handled by such a kernel, so it needs no grant.
        assert_eq!(not_granted, [Right::Refer]);
        assert!(plan.report.warnings[0].contains("no refer right"));
    }
}
