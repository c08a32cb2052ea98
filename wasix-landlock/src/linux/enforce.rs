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
    restrict,
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
        let best_effort = self.report.mode == Mode::BestEffort;
        let (ruleset, probe) = self.arm(ruleset)?;
        let (started, mut progress) = (Instant::now(), Progress::default());
        let restriction = self.restriction(&ruleset, filter, &probe);
        let result = restriction.put_on_all_threads(&mut progress);
        restrict::note(&mut progress, &mut self.report);
        if let Err(error) = result {
            let error = EnforceError::of_threads(error, progress.restricted);
            if progress.restricted > 0 {
                *process = Process::Partly;
            }
            if !best_effort {
                return Err(error);
            }
            self.report.not_enforced.push(format!("anything: {error}"));
            return Ok(());
        }
        let method = match progress.synced {
            true => SweepMethod::KernelThreadSync,
            false => SweepMethod::VisitedOneByOne,
        };
        let threads = restrict::threads_report(method, started, &probe, &progress);
        restrict::note_threads(progress, &mut self.report);
        self.report.enforced = true;
        self.report.threads = Some(threads);
        Ok(())
    }

    fn restriction<'r>(
        &self,
        ruleset: &'r Ruleset,
        filter: Option<Filter>,
        probe: &Arc<Probe>,
    ) -> Restriction<'r> {
        Restriction {
            ruleset: ruleset.descriptor.as_fd(),
            flags: ruleset.flags,
            abi: self.report.abi,
            filter,
            needs_filter: restrict::needs_filter(&self.report),
            probe: Arc::clone(probe),
            deadline: self.policy.deadline.unwrap_or(DEFAULT_DEADLINE),
            lenient: self.report.mode == Mode::BestEffort
                || self.policy.level(Protection::AllThreads) != Level::Strict,
        }
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
        let started = Instant::now();
        let (ruleset, probe) = self.arm(ruleset)?;
        let mut progress = Progress::default();
        let restriction = self.restriction(&ruleset, filter, &probe);
        let result = restriction.put_on_this_thread(&mut progress);
        restrict::note(&mut progress, &mut self.report);
        // Of the other threads none is touched, so that nothing of the process has to end.
        result.map_err(|error| EnforceError::of_threads(error, 0))?;
        let method = SweepMethod::CallingThread;
        let threads = restrict::threads_report(method, started, &probe, &progress);
        if !matches!(*probe, Probe::Nothing) {
            membership::remember(&probe);
        }
        self.report.enforced = true;
        self.report.threads = Some(threads);
        Ok(probe)
    }
}
