//! A prepared policy, and its outcome.

use std::{collections::BTreeSet, os::fd::AsRawFd, sync::Arc, time::Instant};

use tracing::{info, warn};
use wasix_landlock_threads::{Probe, Progress};

use super::{
    baseline::Baseline,
    create::CreatedFiles,
    descriptors,
    kernel::{Builder, Ruleset},
    probe,
    process::Enforced,
    progress::threads_report,
};
use crate::{EnforceError, Mode, Policy, Report, SweepMethod, explain::Grant};

/// A prepared policy, without its paths: those are in the report and the grants.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) policy: Policy,
    pub(crate) report: Report,
    pub(super) baseline: Baseline,
    pub(super) grants: Vec<Grant>,
    pub(super) created: CreatedFiles,
}

impl Plan {
    pub(super) fn join(&mut self) {
        self.report.enforced = true;
        self.report.joined = true;
        let (method, none) = (SweepMethod::Joined, Progress::default());
        let threads = threads_report(method, Instant::now(), &Probe::Nothing, &none);
        self.report.threads = Some(threads);
    }

    /// Takes the last steps before anything is restricted: chooses the proof, completes the ruleset and
    /// looks at what is open.
    pub(super) fn arm(
        &mut self,
        mut ruleset: Builder,
    ) -> Result<(Ruleset, Arc<Probe>), EnforceError> {
        let probe = Arc::new(probe::choose(&self.grants, &mut ruleset, &mut self.report)?);
        let ruleset = ruleset
            .finish()
            .map_err(|source| EnforceError::Probe { source })?;
        let own = [ruleset.descriptor.as_raw_fd()]
            .into_iter()
            .chain(probe.descriptor());
        self.check_open(&own.collect())?;
        Ok((ruleset, probe))
    }

    /// Checks the open descriptors. `own` are this crate's.
    pub(super) fn check_open(&mut self, own: &BTreeSet<i32>) -> Result<(), EnforceError> {
        descriptors::check(&self.policy.inherited, own, &mut self.report)
    }

    /// Makes the report final.
    pub(super) fn finish(self) -> Outcome {
        let report = Arc::new(self.report);
        let enforced = (report.enforced && !report.joined).then(|| {
            Arc::new(Enforced {
                report: Arc::clone(&report),
                grants: self.grants,
                is_operated: self.policy.is_operated(),
            })
        });
        Outcome {
            report,
            enforced,
            created: self.created,
        }
    }
}

/// A policy that was carried out.
#[must_use = "files that were created are removed unless the outcome is announced"]
pub(super) struct Outcome {
    pub(super) report: Arc<Report>,
    /// The policy in force now; `None` if this policy didn't put it there.
    pub(super) enforced: Option<Arc<Enforced>>,
    created: CreatedFiles,
}

impl Outcome {
    /// Keeps the files that were created, and logs the outcome. The caller holds no lock.
    pub(super) fn announce(self) -> Arc<Report> {
        self.created.keep();
        log(&self.report);
        self.report
    }
}

fn log(report: &Report) {
    if report.enforced && report.mode == Mode::Enforce {
        let threads = report.threads.as_ref().map_or(0, |threads| threads.total);
        let (abi, joined, preopens) = (report.abi, report.joined, report.preopens.len());
        info!(target: "wasix_landlock", abi, joined, preopens, threads, "enforced");
    } else {
        let (mode, enforced) = (report.mode, report.enforced);
        warn!(target: "wasix_landlock", %mode, enforced, "the mode is not `enforce`");
    }
    for gap in &report.not_enforced {
        warn!(target: "wasix_landlock", "not enforced: {gap}");
    }
}
