//! Operating systems without Landlock.

use std::{io, sync::Arc};

use tracing::warn;

use crate::{
    DescriptorsReport, EnforceError, HostReport, Level, Mode, Policy, PreopenReport, PrepareError,
    Protection, ProtectionReport, ProtectionStatus, Report, RuntimePathReport, RuntimePathStatus,
    Status,
};

/// A policy of which nothing can be enforced, and which lets that pass.
#[derive(Debug)]
pub(crate) struct Plan(Report);

impl Plan {
    pub(crate) fn report(&self) -> &Report {
        &self.0
    }

    pub(crate) fn enforce(self) -> Result<Arc<Report>, EnforceError> {
        warn!(target: "wasix_landlock", "nothing is enforced: {} has no Landlock", std::env::consts::OS);
        Ok(Arc::new(self.0))
    }
}

/// Nothing is known here of how a program came by its privileges.
pub(crate) const fn has_gained_privileges() -> bool {
    false
}

/// Nothing is known of descriptors here.
pub(crate) fn open_now() -> io::Result<DescriptorsReport> {
    Err(io::ErrorKind::Unsupported.into())
}

/// An instance, of which there is none.
#[derive(Clone, Debug)]
pub(crate) enum Membership {}

impl Membership {
    pub(crate) fn current() -> Option<Self> {
        None
    }

    pub(crate) fn is_around() -> bool {
        false
    }

    pub(crate) fn id(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn report(&self) -> Arc<Report> {
        match *self {}
    }

    pub(crate) fn threads(&self) -> usize {
        match *self {}
    }

    pub(crate) fn enter(&self) -> Result<(), EnforceError> {
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

/// Says what would be enforced, see [`Policy::show`].
pub(crate) fn show(policy: Policy) -> Result<Report, PrepareError> {
    let mut report = prepare(policy)?.0;
    report.only_shown = true;
    Ok(report)
}

/// Prepares a policy, see [`Policy::prepare`].
pub(crate) fn prepare(policy: Policy) -> Result<Plan, PrepareError> {
    let mode = policy.effective_mode()?;
    let unsupported = PrepareError::Unsupported {
        os: std::env::consts::OS,
    };
    let mut report = Report::new(mode);
    report.warnings.clone_from(&policy.warnings);
    report.scope = policy.scope;
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
            .push("no host file system is behind this process".to_owned());
    } else if mode == Mode::Enforce {
        return Err(unsupported);
    }
    let why = unsupported.to_string();
    report.not_enforced.push(format!("anything: {why}"));
    report.protections = Protection::ALL
        .iter()
        .map(|name| ProtectionReport {
            name: *name,
            level: policy.level(*name),
            status: match policy.level(*name) {
                Level::Off => ProtectionStatus::Off,
                _ => ProtectionStatus::NotEnforced { why: why.clone() },
            },
            by: Vec::new(),
        })
        .collect();
    report.preopens = policy
        .preopens
        .iter()
        .map(|preopen| PreopenReport {
            guest: preopen.guest.clone(),
            origin: preopen.origin.to_owned(),
            asked: preopen.access,
            status: if preopen.targets.is_empty() {
                Status::Virtual
            } else {
                Status::Unrestricted
            },
            hosts: preopen
                .targets
                .iter()
                .map(|target| HostReport {
                    path: target.path.to_string_lossy().into_owned(),
                    resolved: None,
                    kind: target.kind,
                    found: None,
                    access: target.access.intersection(preopen.access),
                    granted: Vec::new(),
                    not_granted: Vec::new(),
                    created: false,
                })
                .collect(),
        })
        .collect();
    report.runtime_paths = policy
        .runtime_paths
        .into_iter()
        .map(|path| RuntimePathReport {
            path: path.path.to_string_lossy().into_owned(),
            resolved: None,
            reason: path.reason,
            access: path.access,
            status: RuntimePathStatus::Unrestricted,
        })
        .collect();
    Ok(Plan(report))
}
