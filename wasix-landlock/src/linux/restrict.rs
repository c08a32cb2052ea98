//! The restriction of all threads, and its proof.

use std::{
    io, mem,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use wasix_landlock_filter::Filter;

use super::{
    judge::judge,
    reach::Reach,
    sys::{self, Call, Domain, Probe, Visit},
    tasks::{Listing, Tasks},
    threads::{Sweep, SweepResult},
    visit::Visitor,
};
use crate::{
    EnforceError, Layer, Level, Mode, Protection, ProtectionReport, ProtectionStatus, Report,
    SweepMethod, ThreadError, ThreadsReport, names::list,
};

/// The Landlock ABI that restricts all threads at once.
const THREAD_SYNC_ABI: u32 = 8;

/// A restriction under way.
pub(crate) struct Enforcement {
    pub(crate) domain: Domain,
    pub(crate) filter: Option<Filter>,
    pub(crate) probe: Arc<Probe>,
    pub(crate) deadline: Duration,
    /// True if threads that aren't reached go to the report.
    pub(crate) lenient: bool,
    pub(crate) started: Instant,
    /// Threads restricted so far.
    pub(crate) restricted: usize,
}

/// The threads besides the calling one.
enum Others {
    /// There is no other thread, so that none can start one either.
    None,
    /// The other threads can't be reached, and the policy lets that pass.
    Unreachable,
    /// The other threads can be listed and signalled.
    Reachable(Box<Reach>),
}

impl Enforcement {
    pub(crate) fn run(&mut self, report: &mut Report) -> Result<ThreadsReport, EnforceError> {
        // A thread that sets a domain sets this flag, unless it has CAP_SYS_ADMIN. Without a domain
        // of its own this thread can't be one layer short where others aren't.
        if sys::has_no_new_privileges() {
            self.rehearse()?;
        }
        let others = self.find_others().or_else(|error| {
            if !self.lenient {
                return Err(error);
            }
            lacks_all_threads(report, &error.to_string());
            Ok(Others::Unreachable)
        })?;
        let can_sync = report.abi >= THREAD_SYNC_ABI;
        let (mut swept, synced) = match others {
            Others::None => {
                self.filter(report)?;
                (SweepResult::one_round(), false)
            }
            Others::Unreachable => {
                self.filter(report)?;
                (
                    SweepResult::default(),
                    can_sync && self.restrict_at_once(1)?,
                )
            }
            Others::Reachable(reach) => self.visit(*reach, can_sync, report)?,
        };
        if swept.foreign > 0 {
            report.warnings.push(format!(
                "{} threads had a restriction of their own before, so the probe proves nothing in \
                 them",
                swept.foreign
            ));
        }
        self.restrict_caller(synced)?;
        if !synced && swept.proved + swept.inherited > 0 {
            warn_of_single_domains(report);
        }
        let method = if synced {
            SweepMethod::KernelThreadSync
        } else {
            SweepMethod::VisitedOneByOne
        };
        swept.proved += 1;
        let threads = threads_report(method, self.started, &self.probe, &swept);
        for failure in swept.failures {
            // What is restricted is what was asked for here, so nothing has to end.
            let mut why = failure.to_string();
            if synced {
                why.push_str(
                    "; the kernel reports that thread sync restricted the thread, but no probe \
                     proves it",
                );
            }
            lacks_all_threads(report, &why);
        }
        Ok(threads)
    }

    /// Puts every thread under the filter. The filter comes first, as it is on all threads or on
    /// none, so that each visit can prove it.
    fn filter(&mut self, report: &mut Report) -> Result<(), EnforceError> {
        let Some(filter) = self.filter.take() else {
            return Ok(());
        };
        match filter.install() {
            Ok(()) => {
                // That can't be undone either.
                self.restricted = 1;
                Ok(())
            }
            Err(error) => lacks_filter(error.into(), report),
        }
    }

    /// Restricts a thread that is there for nothing else. A refusal of the kernel, such as one
    /// layer too many, would meet every thread, and nothing is lost yet.
    fn rehearse(&self) -> Result<(), EnforceError> {
        let (domain, probe) = (self.domain, &*self.probe);
        let (tid, visit) = thread::scope(|scope| {
            let rehearsal = move || {
                (
                    sys::current_thread(),
                    Visit::of_this_thread(Some(domain), probe, false),
                )
            };
            thread::Builder::new()
                .spawn_scoped(scope, rehearsal)
                .and_then(|thread| thread.join().map_err(|_| io::Error::other("it panicked")))
        })
        .map_err(|source| {
            let call = "starting a thread to rehearse in";
            let problem = ThreadError::Restrict { call, source };
            EnforceError::of_thread(sys::current_thread(), problem)
        })?;
        // It is joined before the kernel has done away with it, and would be listed until then.
        let until = Instant::now() + self.deadline;
        while sys::thread_exists(tid) && Instant::now() < until {
            thread::yield_now();
        }
        judge(tid, visit, probe, true, true).map(drop)
    }

    /// Finds the other threads, and gets the signal to reach them with.
    fn find_others(&self) -> Result<Others, EnforceError> {
        if Tasks::is_alone() {
            return Ok(Others::None);
        }
        let reach = Reach::prepare(&self.probe, self.deadline, self.lenient)?;
        Ok(Others::Reachable(Box::new(reach)))
    }

    /// Restricts and proves every other thread. Returns whether the kernel did it, and for this
    /// thread too.
    fn visit(
        &mut self,
        reach: Reach,
        can_sync: bool,
        report: &mut Report,
    ) -> Result<(SweepResult, bool), EnforceError> {
        let Reach {
            tasks,
            listing,
            handler,
            mut answers,
        } = reach;
        let failures = mem::take(&mut answers.failures);
        for failure in &failures {
            // Let pass by the policy, and not to be tried again.
            answers.exempt.extend(failure.thread());
        }
        // A listing after the kernel's own restriction shows numbers only.
        let can_sync = can_sync && !tasks.is_of_other_namespace();
        let mut sweep = Sweep {
            visitor: Visitor {
                tasks: &tasks,
                handler: &handler,
            },
            probe: Arc::clone(&self.probe),
            domain: Some(self.domain),
            deadline: self.deadline,
            lenient: self.lenient,
            answers: &answers,
        };
        let (mut swept, synced, error) = self.sweep(&mut sweep, listing, can_sync, report);
        if let Err(error) = handler.restore(swept.unanswered || answers.unanswered) {
            report
                .warnings
                .push(format!("the handler of a signal stays installed: {error}"));
        }
        if let Some(error) = error {
            return Err(error);
        }
        swept.failures.extend(failures);
        if self.lenient || swept.failures.is_empty() {
            return Ok((swept, synced));
        }
        Err(swept
            .failures
            .swap_remove(0)
            .with_restricted(self.restricted))
    }

    /// Puts the threads under the filter, restricts them and proves the restriction. The threads
    /// have answered before, as none of this can be undone.
    fn sweep(
        &mut self,
        sweep: &mut Sweep<'_>,
        listing: Listing,
        can_sync: bool,
        report: &mut Report,
    ) -> (SweepResult, bool, Option<EnforceError>) {
        let syncs = can_sync && sweep.answers.may_be_synced();
        let count = listing.threads.len();
        let synced = self
            .filter(report)
            .and_then(|()| Ok(syncs && self.restrict_at_once(count)?));
        let synced = match synced {
            Ok(synced) => synced,
            Err(error) => return (SweepResult::one_round(), false, Some(error)),
        };
        if synced {
            sweep.domain = None;
        }
        let (swept, error) = match sweep.run((!synced).then_some(listing)) {
            Ok(swept) => (swept, None),
            Err((swept, error)) => (swept, Some(error)),
        };
        if !synced {
            self.restricted += swept.proved + swept.inherited;
        }
        let error = error.map(|source| EnforceError::Tasks {
            source,
            restricted: self.restricted,
        });
        (swept, synced, error)
    }

    /// Has the kernel restrict all threads, of which there are at least `count`. Returns whether it
    /// did: a kernel can have less than its ABI promises.
    ///
    /// The kernel gives each thread the calling thread's domain **in place of** the one it had, and
    /// it waits for each without an end: hence every thread was asked before, see
    /// [`Answers::may_be_synced`].
    fn restrict_at_once(&mut self, count: usize) -> Result<bool, EnforceError> {
        sys::set_no_new_privileges().map_err(|errno| self.failed(Call::NoNewPrivileges, errno))?;
        match self.domain.on_all_threads().restrict_self() {
            Ok(()) => {
                self.restricted = count;
                Ok(true)
            }
            Err(libc::EINVAL) => Ok(false),
            Err(errno) => Err(self.failed(Call::RestrictSelf, errno)),
        }
    }

    fn restrict_caller(&mut self, synced: bool) -> Result<(), EnforceError> {
        let domain = (!synced).then_some(self.domain);
        let visit = Visit::of_this_thread(domain, &self.probe, false);
        if visit.restricted.is_ok() && !synced {
            self.restricted += 1;
        }
        judge(sys::current_thread(), visit, &self.probe, true, true)
            .map(drop)
            .map_err(|error| error.with_restricted(self.restricted))
    }

    fn failed(&self, call: Call, errno: i32) -> EnforceError {
        EnforceError::of_thread(sys::current_thread(), call.failed(errno))
            .with_restricted(self.restricted)
    }
}

/// Goes on without the filter where the policy lets that pass.
pub(super) fn lacks_filter(error: EnforceError, report: &mut Report) -> Result<(), EnforceError> {
    let needed = report.protections.iter().any(|protection| {
        protection.by.contains(&Layer::Seccomp) && protection.level == Level::Strict
    });
    if needed && report.mode == Mode::Enforce {
        return Err(error);
    }
    lacks(report, &error.to_string(), |protection| {
        protection.by.contains(&Layer::Seccomp)
    });
    Ok(())
}

/// Warns of the effects of a domain of each thread's own. Only the kernel's own thread
/// synchronisation puts all threads into one, and a scope ends at the domain's border.
fn warn_of_single_domains(report: &mut Report) {
    let scopes = [Protection::SignalScope, Protection::AbstractSocketScope];
    let all = report.protections.iter();
    let enforced = all.filter(|one| scopes.contains(&one.name) && !one.by.is_empty());
    let enforced = list(enforced.map(|one| one.name), ", ");
    if !enforced.is_empty() {
        report.warnings.push(format!(
            "{}: below Landlock ABI 8 each thread that ran before the build is a domain of its \
             own, so such threads can neither connect to each other's abstract sockets nor \
             signal processes that another one starts; start these threads after the build",
            enforced
        ));
    }
}

/// The report of a sweep that the calling thread is counted in.
pub(crate) fn threads_report(
    method: SweepMethod,
    started: Instant,
    probe: &Probe,
    swept: &SweepResult,
) -> ThreadsReport {
    let unreached = swept.failures.len();
    ThreadsReport {
        method,
        total: swept.proved + swept.inherited + unreached,
        proved: swept.proved,
        inherited: swept.inherited,
        gone: swept.gone,
        unreached,
        rounds: swept.rounds,
        probe: (!matches!(probe, Probe::Nothing)).then(|| probe.to_string()),
        elapsed_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}

/// Notes that not every thread is restricted.
fn lacks_all_threads(report: &mut Report, why: &str) {
    lacks(report, why, |protection| {
        protection.name == Protection::AllThreads
    });
}

/// Notes that protections which were taken for enforced aren't.
fn lacks(report: &mut Report, why: &str, which: impl Fn(&ProtectionReport) -> bool) {
    for protection in report
        .protections
        .iter_mut()
        .filter(|protection| which(protection))
    {
        report
            .not_enforced
            .push(format!("{}: {why}", protection.name));
        protection.by.clear();
        protection.status = ProtectionStatus::NotEnforced {
            why: why.to_owned(),
        };
    }
}
