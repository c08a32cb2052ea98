//! The restriction of the process, or of one thread.

use std::{collections::BTreeSet, mem, os::fd::AsFd, sync::Arc, time::Instant};

use wasix_landlock_filter::Filter;
use wasix_landlock_threads::{Probe, Progress, Restriction};

use super::{
    baseline::Baseline,
    kernel::{Builder, Ruleset},
    membership::{self, Membership},
    plan::Plan,
    process::{self, Enforced, Process},
    progress,
};
use crate::{DEFAULT_DEADLINE, EnforceError, Level, Mode, Protection, Report, Scope, SweepMethod};

impl Plan {
    pub(crate) fn enforce(mut self) -> Result<Arc<Report>, EnforceError> {
        if self.report.scope == Scope::Instance {
            return self.enforce_here();
        }
        let mut process = process::lock();
        match (
            mem::replace(&mut self.baseline, Baseline::Nothing),
            &*process,
        ) {
            (Baseline::Nothing, _) => {}
            (Baseline::Enforced(_), _) => {
                self.check_refused()?;
                self.join();
            }
            (Baseline::Ruleset(..), Process::Under(enforced)) => {
                self.check_refused()?;
                self.join_late(&Arc::clone(enforced))?;
            }
            (Baseline::Ruleset(..), Process::Partly) => return Err(EnforceError::PartlyRestricted),
            (Baseline::Ruleset(ruleset, filter), Process::Free) => {
                let instances = membership::alive();
                if instances > 0 {
                    return Err(EnforceError::InstancesRunning { instances });
                }
                self.restrict(*ruleset, filter, &mut process)?;
            }
        }
        let outcome = self.finish();
        if let Some(enforced) = &outcome.enforced {
            *process = Process::Under(Arc::clone(enforced));
        }
        // What is logged may be seen by a subscriber that asks for the report.
        drop(process);
        Ok(outcome.announce())
    }

    /// Checks the open descriptors where a policy that joins refuses any. The first policy's report
    /// has the rest, and asking may need grants for `/proc`.
    fn check_refused(&mut self) -> Result<(), EnforceError> {
        if self.policy.inherited.refuses_by_kind() {
            return self.check_open(&BTreeSet::new());
        }
        Ok(())
    }

    /// Joins a policy that was enforced since this one was prepared.
    fn join_late(&mut self, enforced: &Enforced) -> Result<(), EnforceError> {
        let network = self.policy.granted_network();
        enforced.admit(network.as_ref(), &mut self.report)?;
        for grant in self.grants.iter().filter(|grant| !grant.runtime) {
            if let Err(error) = enforced.check(grant) {
                if self.report.mode == Mode::Enforce {
                    return Err(error.into());
                }
                self.report.warnings.push(error.to_string());
            }
        }
        self.join();
        Ok(())
    }

    /// Restricts every thread, the calling one last: until then the files that were created can
    /// still be removed.
    fn restrict(
        &mut self,
        ruleset: Builder,
        filter: Option<Filter>,
        process: &mut Process,
    ) -> Result<(), EnforceError> {
        let (ruleset, probe) = self.arm(ruleset)?;
        if let Err(error) = self.put(&ruleset, filter, &probe) {
            if error.process_must_end() {
                *process = Process::Partly;
            }
            if self.report.mode != Mode::BestEffort {
                return Err(error);
            }
            self.report.not_enforced.push(format!("anything: {error}"));
        }
        Ok(())
    }

    /// Puts the restriction on the threads of the scope, and reports it.
    fn put(
        &mut self,
        ruleset: &Ruleset,
        filter: Option<Filter>,
        probe: &Arc<Probe>,
    ) -> Result<(), EnforceError> {
        let (started, mut progress) = (Instant::now(), Progress::default());
        let restriction = Restriction {
            ruleset: ruleset.descriptor.as_fd(),
            flags: ruleset.flags,
            abi: self.report.abi,
            filter,
            needs_filter: progress::needs_filter(&self.report),
            probe: Arc::clone(probe),
            deadline: self.policy.deadline.unwrap_or(DEFAULT_DEADLINE),
            lenient: self.report.mode == Mode::BestEffort
                || self.policy.level(Protection::AllThreads) != Level::Strict,
        };
        let here = self.report.scope == Scope::Instance;
        let result = match here {
            true => restriction.put_on_this_thread(&mut progress),
            false => restriction.put_on_all_threads(&mut progress),
        };
        progress::note(&mut progress, &mut self.report);
        // Of the threads outside an instance none is touched, so that nothing of the process has to
        // end.
        let restricted = if here { 0 } else { progress.restricted };
        result.map_err(|error| EnforceError::of_threads(error, restricted))?;
        let method = match (here, progress.synced) {
            (true, _) => SweepMethod::CallingThread,
            (false, true) => SweepMethod::KernelThreadSync,
            (false, false) => SweepMethod::VisitedOneByOne,
        };
        let threads = progress::threads_report(method, started, probe, &progress);
        progress::note_threads(progress, &mut self.report);
        self.report.enforced = true;
        self.report.threads = Some(threads);
        Ok(())
    }

    /// Restricts the calling thread alone.
    fn enforce_here(mut self) -> Result<Arc<Report>, EnforceError> {
        let baseline = mem::replace(&mut self.baseline, Baseline::Nothing);
        if matches!(baseline, Baseline::Enforced(_)) {
            self.check_refused()?;
            self.join();
            return Ok(self.finish().announce());
        }
        // Held until the instance counts.
        let process = process::lock();
        if let Some(instance) = Membership::current() {
            // Where nothing is enforced, a policy that enforces nothing joins.
            if matches!(baseline, Baseline::Nothing) && instance.enforced().is_none() {
                drop(process);
                return Ok(self.finish().announce());
            }
            return Err(EnforceError::ScopeTaken);
        }
        let probe = match (baseline, &*process) {
            (Baseline::Ruleset(..), Process::Under(_)) => return Err(EnforceError::ScopeTaken),
            (Baseline::Ruleset(..), Process::Partly) => return Err(EnforceError::PartlyRestricted),
            (Baseline::Ruleset(ruleset, filter), Process::Free) => {
                self.restrict_here(*ruleset, filter)?
            }
            (Baseline::Nothing | Baseline::Enforced(_), _) => Arc::new(Probe::Nothing),
        };
        let outcome = self.finish();
        Membership::begin(Arc::clone(&outcome.report), outcome.enforced.clone(), probe);
        drop(process);
        Ok(outcome.announce())
    }

    fn restrict_here(
        &mut self,
        ruleset: Builder,
        filter: Option<Filter>,
    ) -> Result<Arc<Probe>, EnforceError> {
        let (ruleset, probe) = self.arm(ruleset)?;
        self.put(&ruleset, filter, &probe)?;
        if !matches!(*probe, Probe::Nothing) {
            membership::remember(&probe);
        }
        Ok(probe)
    }
}
