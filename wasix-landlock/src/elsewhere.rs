//! Operating systems without Landlock.

use std::sync::Arc;

use tracing::warn;

use crate::{
    EnforceError, HostReport, Mode, Policy, PreopenReport, PrepareError, ProtectionReport, Report,
    RuntimePathReport, RuntimePathStatus, Status,
};

/// A policy of which nothing can be enforced, and which lets that pass.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) report: Report,
}

impl Plan {
    pub(crate) fn enforce(self) -> Result<Arc<Report>, EnforceError> {
        warn!(target: "wasix_landlock", "nothing is enforced: {} has no Landlock", std::env::consts::OS);
        Ok(Arc::new(self.report))
    }
}

/// Nothing is known here of how a program came by its privileges.
pub(crate) const fn has_gained_privileges() -> bool {
    false
}

/// Nothing is known of limits here.
pub(crate) const fn open_files_limit_reached() -> Option<(u64, Option<u64>)> {
    None
}

/// An instance, of which there is none.
#[derive(Clone, Debug)]
pub enum Membership {}

#[allow(missing_docs)]
impl Membership {
    pub fn current() -> Option<Self> {
        None
    }

    pub fn is_around() -> bool {
        false
    }

    pub fn id(&self) -> u64 {
        match *self {}
    }

    pub fn report(&self) -> Arc<Report> {
        match *self {}
    }

    pub fn threads(&self) -> usize {
        match *self {}
    }

    pub fn enter(&self) -> Result<(), EnforceError> {
        match *self {}
    }
}

pub(crate) fn current() -> Option<Arc<Report>> {
    None
}

/// Nothing is restricted here.
pub(crate) fn explain(path: &std::path::Path, access: crate::Access) -> crate::Explanation {
    crate::Explanation {
        path: path.to_owned(),
        resolved: path.to_owned(),
        access,
        verdict: crate::Verdict::NotRestricted,
    }
}

/// Prepares a policy, see [`Policy::prepare`] and [`Policy::show`].
pub(crate) fn plan(mut policy: Policy, only_shown: bool) -> Result<Plan, PrepareError> {
    let mode = policy.effective_mode()?;
    let unsupported = PrepareError::Unsupported {
        os: std::env::consts::OS,
    };
    let mut report = Report::begun(&mut policy, mode, only_shown);
    if cfg!(target_family = "wasm") {
        // What has no host path behind it needs no kernel to keep it in; and what has one can't
        // be reached here, whatever the mode.
        if policy
            .preopens
            .iter()
            .any(|preopen| !preopen.targets.is_empty())
        {
            return Err(unsupported);
        }
        report
            .warnings
            .push("this process has no host file system".to_owned());
    } else if mode == Mode::Enforce {
        return Err(unsupported);
    }
    let why = unsupported.to_string();
    report.not_enforced.push(format!("anything: {why}"));
    report.protections = ProtectionReport::of_nothing(&policy, &why);
    for preopen in &policy.preopens {
        let status = match preopen.targets.as_slice() {
            [] => Status::Virtual,
            _ => Status::Unrestricted,
        };
        let hosts = preopen.targets.iter();
        let hosts = hosts.map(|target| HostReport::of(target, preopen.access));
        let report_of = PreopenReport::of(preopen, status, hosts.collect());
        report.preopens.push(report_of);
    }
    for path in &policy.runtime_paths {
        let status = RuntimePathStatus::Unrestricted;
        let path = RuntimePathReport::of(path, None, status);
        report.runtime_paths.push(path);
    }
    Ok(Plan { report })
}
