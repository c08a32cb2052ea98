//! Restricting the process.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::{info, warn};

use super::{
    create::CreatedFiles,
    descriptors,
    filter::Filter,
    kernel::Ruleset,
    membership, probe,
    process::{self, Enforced, Grant, Process},
    restrict::{Enforcement, threads_report},
};
use crate::{
    EnforceError, Inherited, Level, Mode, Network, ProtectionStatus, Report, Scope, SweepMethod,
    rights::Rights,
};

/// A prepared policy.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) report: Report,
    pub(crate) next: Next,
    pub(crate) handled: Rights,
    pub(crate) grants: Vec<Grant>,
    pub(crate) created: CreatedFiles,
    pub(crate) deadline: Duration,
    /// True if every thread has to be reached.
    pub(crate) all_threads: bool,
    /// The ports that are asked for; `None` if the network isn't restricted.
    pub(crate) network: Option<Network>,
    /// The treatment of open descriptors.
    pub(crate) inherited: Inherited,
}

/// The next step.
#[derive(Debug)]
pub(crate) enum Next {
    /// Nothing: the mode is off, or nothing can be enforced and that is let pass.
    Nothing,
    /// This process is restricted already.
    Join,
    /// Restrict it with this.
    Restrict(Restriction),
}

/// The ruleset and the filter of a restriction.
#[derive(Debug)]
pub(crate) struct Restriction {
    pub(crate) ruleset: Ruleset,
    pub(crate) filter: Option<Filter>,
}

impl Plan {
    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    pub(crate) fn enforce(mut self) -> Result<Arc<Report>, EnforceError> {
        if self.report.scope == Scope::Instance {
            self.look_at_open()?;
            return self.enforce_here();
        }
        let mut process = process::lock();
        let next = std::mem::replace(&mut self.next, Next::Nothing);
        let joins = match (&next, &*process) {
            (Next::Join, _) => true,
            (Next::Restrict(_), process) => matches!(process, Process::Under(_)),
            (Next::Nothing, _) => false,
        };
        // The first policy's report has what was open before. Only what is asked for is looked at
        // again: it may need grants for `/proc`.
        if joins && self.inherited.refuses_by_kind() {
            descriptors::settle(&self.inherited, &BTreeSet::new(), &mut self.report)?;
        }
        match (next, &*process) {
            (Next::Nothing, _) => {}
            (Next::Join, _) => self.join(),
            (Next::Restrict(_), Process::Under(enforced)) => {
                self.join_late(&Arc::clone(enforced))?;
            }
            (Next::Restrict(_), Process::Partly) => return Err(EnforceError::PartlyRestricted),
            (Next::Restrict(restriction), Process::Free) => {
                let instances = membership::alive();
                if instances > 0 {
                    return Err(EnforceError::InstancesRunning { instances });
                }
                self.restrict(restriction, &mut process)?;
            }
        }
        let settled = self.settle();
        if let Some(enforced) = &settled.enforced {
            *process = Process::Under(Arc::clone(enforced));
        }
        // What is logged may be seen by a subscriber that asks for the report.
        drop(process);
        Ok(settled.announce())
    }

    /// Looks at what is open where the policy refuses any of it. It is the process's, which an
    /// instance leaves as it is, so that nothing else is asked for.
    fn look_at_open(&mut self) -> Result<(), EnforceError> {
        if !self.inherited.refuses_by_kind() {
            return Ok(());
        }
        let own = match &self.next {
            Next::Nothing => return Ok(()),
            Next::Join => BTreeSet::new(),
            Next::Restrict(restriction) => BTreeSet::from([restriction.ruleset.descriptor()]),
        };
        descriptors::settle(&self.inherited, &own, &mut self.report)
    }

    /// Makes the report final.
    pub(super) fn settle(self) -> Settled {
        let Self {
            report,
            grants,
            created,
            handled,
            ..
        } = self;
        let report = Arc::new(report);
        let enforced = (report.enforced && !report.joined).then(|| {
            Arc::new(Enforced {
                report: Arc::clone(&report),
                grants,
                handled,
            })
        });
        Settled {
            report,
            enforced,
            created,
        }
    }

    pub(super) fn join(&mut self) {
        self.report.enforced = true;
        self.report.joined = true;
        self.report.threads = Some(threads_report(SweepMethod::Joined, Instant::now()));
    }

    /// Another policy was enforced since this one was prepared.
    fn join_late(&mut self, enforced: &Enforced) -> Result<(), EnforceError> {
        let enforcing = self.report.mode == Mode::Enforce;
        self.report.not_enforced.clear();
        for asked in &mut self.report.protections {
            let name = asked.name;
            let earlier = enforced.report.protections.iter().find(|p| p.name == name);
            asked.status = earlier.map_or(ProtectionStatus::Off, |p| p.status.clone());
            asked.by = earlier.map_or_else(Vec::new, |p| p.by.clone());
            if asked.level != Level::Off && asked.status != ProtectionStatus::Enforced {
                if asked.level == Level::Strict && enforcing {
                    return Err(EnforceError::NotInEnforced { protection: name });
                }
                let why = format!("{name}: an earlier policy did without");
                self.report.not_enforced.push(why);
            }
        }
        let ports = enforced.ports_beyond(self.network.as_ref());
        if !ports.is_empty() {
            let error = EnforceError::PortsNotWithinEnforced { ports };
            if enforcing {
                return Err(error);
            }
            self.report.warnings.push(error.to_string());
        }
        self.report.network.clone_from(&enforced.report.network);
        for grant in self.grants.iter().filter(|grant| !grant.runtime) {
            if let Err(gap) = enforced.check(grant) {
                let error = EnforceError::NotWithinEnforced {
                    preopen: grant.owner.clone(),
                    path: grant.path.clone(),
                    asked: grant.access,
                    reason: gap.reason,
                };
                if self.report.mode == Mode::Enforce {
                    return Err(error);
                }
                self.report.warnings.push(error.to_string());
            }
        }
        self.report.handled.clone_from(&enforced.report.handled);
        self.join();
        Ok(())
    }

    /// Restricts every thread, the calling one last: until then the files that were created can
    /// still be removed.
    fn restrict(
        &mut self,
        restriction: Restriction,
        process: &mut Process,
    ) -> Result<(), EnforceError> {
        let Restriction { ruleset, filter } = restriction;
        let best_effort = self.report.mode == Mode::BestEffort;
        let attempt = Arc::new(probe::choose(&self.grants, &ruleset, &mut self.report)?);
        let own = BTreeSet::from([ruleset.descriptor()]);
        let own = own.into_iter().chain(attempt.descriptor()).collect();
        descriptors::settle(&self.inherited, &own, &mut self.report)?;
        let mut enforcement = Enforcement {
            domain: ruleset.domain(),
            filter,
            attempt,
            deadline: self.deadline,
            lenient: best_effort || !self.all_threads,
            started: Instant::now(),
            restricted: 0,
        };
        let threads = match enforcement.run(&mut self.report) {
            Ok(threads) => threads,
            Err(error) => {
                if enforcement.restricted > 0 {
                    *process = Process::Partly;
                }
                if !best_effort {
                    return Err(error);
                }
                self.report.not_enforced.push(format!("anything: {error}"));
                return Ok(());
            }
        };
        self.report.enforced = true;
        self.report.threads = Some(threads);
        Ok(())
    }
}

/// A policy that was carried out.
#[must_use = "files that were created are removed unless it is announced"]
pub(super) struct Settled {
    pub(super) report: Arc<Report>,
    /// The policy in force now; `None` if this policy didn't put it there.
    pub(super) enforced: Option<Arc<Enforced>>,
    created: CreatedFiles,
}

impl Settled {
    /// Keeps the files that were created, and logs the outcome. The caller holds no lock.
    pub(super) fn announce(self) -> Arc<Report> {
        self.created.keep();
        log(&self.report);
        self.report
    }
}

fn log(report: &Report) {
    if report.enforced && report.mode == Mode::Enforce {
        info!(
            target: "wasix_landlock",
            abi = report.abi,
            joined = report.joined,
            preopens = report.preopens.len(),
            threads = report.threads.as_ref().map_or(0, |threads| threads.total),
            "enforced"
        );
    } else {
        warn!(
            target: "wasix_landlock",
            mode = %report.mode,
            enforced = report.enforced,
            "landlock is not in mode enforce"
        );
    }
    for what in &report.not_enforced {
        warn!(target: "wasix_landlock", "not enforced: {what}");
    }
}
