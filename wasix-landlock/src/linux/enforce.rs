//! Restricting the process.

use std::{
    collections::BTreeSet,
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tracing::{info, warn};

use super::{
    create::CreatedFiles,
    descriptors,
    filter::{Failed, Filter},
    held::Trials,
    judge::{Failure, Problem, judge},
    probe,
    process::{self, Enforced, Grant, Process},
    sys::{self, Attempt, Call, Handler, HandlerError, Visit},
    tasks::Tasks,
    threads::{Sweep, Swept},
};
use crate::{
    EnforceError, Inherited, Layer, Level, Mode, Network, Protection, ProtectionReport,
    ProtectionStatus, Report, SweepMethod, ThreadsReport, rights::Rights,
};

/// The Landlock ABI that restricts all threads at once.
const THREAD_SYNC_ABI: u32 = 8;

/// A prepared policy.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) report: Report,
    pub(crate) next: Next,
    pub(crate) handled: Rights,
    pub(crate) grants: Vec<Grant>,
    pub(crate) created: CreatedFiles,
    pub(crate) deadline: Duration,
    /// Whether every thread has to be reached.
    pub(crate) all_threads: bool,
    /// The ports that are asked for; `None` if the network isn't restricted.
    pub(crate) network: Option<Network>,
    /// What becomes of the descriptors that are open.
    pub(crate) inherited: Inherited,
}

/// What enforcing it means.
#[derive(Debug)]
pub(crate) enum Next {
    /// Nothing: the mode is off, or nothing can be enforced and that is let pass.
    Nothing,
    /// This process is restricted already.
    Join,
    /// Restrict it with this.
    Restrict(Restriction),
}

/// What a process is restricted with.
#[derive(Debug)]
pub(crate) struct Restriction {
    pub(crate) ruleset: OwnedFd,
    pub(crate) filter: Option<Filter>,
}

impl Plan {
    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    pub(crate) fn enforce(mut self) -> Result<Arc<Report>, EnforceError> {
        let mut process = process::lock();
        let next = std::mem::replace(&mut self.next, Next::Nothing);
        match (next, &*process) {
            (Next::Nothing, _) => {}
            (Next::Join, _) => self.join(),
            (Next::Restrict(_), Process::Under(enforced)) => {
                self.join_late(&Arc::clone(enforced))?;
            }
            (Next::Restrict(_), Process::Partly) => return Err(EnforceError::PartlyRestricted),
            (Next::Restrict(restriction), Process::Free) => {
                self.restrict(restriction, &mut process)?;
            }
        }
        let Self {
            report,
            grants,
            created,
            handled,
            ..
        } = self;
        created.keep();
        announce(&report);
        let report = Arc::new(report);
        if report.enforced && !report.joined {
            *process = Process::Under(Arc::new(Enforced {
                report: Arc::clone(&report),
                grants,
                handled,
            }));
        }
        Ok(report)
    }

    fn join(&mut self) {
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
        let own = BTreeSet::from([ruleset.as_raw_fd()]);
        descriptors::settle(&self.inherited, &own, &mut self.report)?;
        let best_effort = self.report.mode == Mode::BestEffort;
        let attempt = match probe::choose(&self.grants) {
            Some(attempt) => Arc::new(attempt),
            None if best_effort => {
                self.report
                    .warnings
                    .push(format!("unproved: {}", EnforceError::NoProbe));
                Arc::new(Attempt::Nothing)
            }
            None => return Err(EnforceError::NoProbe),
        };
        let mut enforcement = Enforcement {
            ruleset: &ruleset,
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

/// A restriction under way.
struct Enforcement<'a> {
    ruleset: &'a OwnedFd,
    filter: Option<Filter>,
    attempt: Arc<Attempt>,
    deadline: Duration,
    /// Whether threads that aren't reached go to the report.
    lenient: bool,
    started: Instant,
    /// Threads restricted so far.
    restricted: usize,
}

impl Enforcement<'_> {
    fn run(&mut self, report: &mut Report) -> Result<ThreadsReport, EnforceError> {
        // Who sets a domain sets this flag, unless he has CAP_SYS_ADMIN and no use for it. Without a
        // domain of its own this thread can't be one layer short where others aren't.
        if sys::has_no_new_privileges() {
            self.rehearse()?;
        }
        // Before anything is restricted: it can't be opened afterwards.
        let tasks = Tasks::open();
        let trials = trials(report);
        self.filter(report)?;
        let synced = report.abi >= THREAD_SYNC_ABI && self.restrict_at_once()?;
        let method = if synced {
            SweepMethod::KernelThreadSync
        } else {
            SweepMethod::VisitedOneByOne
        };
        let swept = match self.visit_others(tasks, synced) {
            Ok(swept) => swept,
            Err(error) if self.lenient => {
                lacks_all_threads(report, &error.to_string());
                Swept::default()
            }
            Err(error) => return Err(error),
        };
        if swept.foreign > 0 {
            report.warnings.push(format!(
                "{} threads were under a restriction of their own before, so that the probe shows \
                 nothing in them",
                swept.foreign
            ));
        }
        self.restrict_caller(synced)?;
        self.settle_trials(trials, report)?;

        let mut threads = threads_report(method, self.started);
        threads.proved = swept.proved + 1;
        threads.inherited = swept.inherited;
        threads.gone = swept.gone;
        threads.rounds = swept.rounds;
        threads.unreached = swept.failures.len();
        threads.total = threads.proved + threads.inherited + threads.unreached;
        threads.probe = match *self.attempt {
            Attempt::Nothing => None,
            _ => Some(self.attempt.to_string()),
        };
        for failure in swept.failures {
            // What is restricted is what was asked for here, so nothing has to end.
            lacks_all_threads(report, &failure.into_error(0, self.deadline).to_string());
        }
        Ok(threads)
    }

    /// Puts every thread under the filter. It comes first, as it is on all threads or on none, so
    /// that each visit can show that it is there.
    fn filter(&mut self, report: &mut Report) -> Result<(), EnforceError> {
        let Some(filter) = self.filter.take() else {
            return Ok(());
        };
        let Err(failed) = filter.install() else {
            // That can't be undone either.
            self.restricted = 1;
            return Ok(());
        };
        let error = match failed {
            Failed::Diverges(tid) => EnforceError::FilterDiverges { tid },
            Failed::Call(source) => EnforceError::Filter { source },
        };
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

    /// Tries what the ruleset denies beyond files, and settles for less where the policy does.
    fn settle_trials(&self, trials: Trials, report: &mut Report) -> Result<(), EnforceError> {
        for not_held in trials.run() {
            let name = not_held.protection;
            let strict = report
                .protections
                .iter()
                .any(|protection| protection.name == name && protection.level == Level::Strict);
            if strict && report.mode == Mode::Enforce {
                return Err(EnforceError::NotHeld {
                    protection: name,
                    probe: not_held.what,
                    restricted: self.restricted,
                });
            }
            let why = format!("the kernel doesn't hold it: {} is allowed", not_held.what);
            lacks(report, &why, |protection| protection.name == name);
        }
        Ok(())
    }

    /// Restricts a thread that is there for nothing else. What the kernel refuses here, such as one
    /// layer too many, it would refuse in every thread, and now is when nothing is lost yet.
    fn rehearse(&self) -> Result<(), EnforceError> {
        let (ruleset, attempt) = (self.ruleset.as_raw_fd(), &*self.attempt);
        let (tid, visit) = thread::scope(|scope| {
            let rehearsal = move || (sys::current_thread(), restrict_here(ruleset, attempt));
            thread::Builder::new()
                .spawn_scoped(scope, rehearsal)
                .and_then(|thread| thread.join().map_err(|_| io::Error::other("it panicked")))
        })
        .map_err(|source| EnforceError::Restrict {
            tid: sys::current_thread(),
            call: "starting a thread to rehearse in",
            source,
            restricted: 0,
        })?;
        // It is joined before the kernel has done away with it, and would be listed until then.
        let until = Instant::now() + self.deadline;
        while sys::thread_exists(tid) && Instant::now() < until {
            thread::yield_now();
        }
        judge(tid, visit, attempt, true, true)
            .map(drop)
            .map_err(|failure| failure.into_error(0, self.deadline))
    }

    /// Has the kernel restrict all threads. Returns whether it did: a kernel can have less than
    /// its ABI promises.
    ///
    /// The kernel gives each thread the calling thread's domain in place of the one it had.
    fn restrict_at_once(&mut self) -> Result<bool, EnforceError> {
        sys::set_no_new_privileges().map_err(|errno| self.failed(Call::NoNewPrivileges, errno))?;
        match sys::restrict_self(self.ruleset.as_raw_fd(), sys::RESTRICT_SELF_TSYNC) {
            Ok(()) => {
                self.restricted = 1;
                Ok(true)
            }
            Err(libc::EINVAL) => Ok(false),
            Err(errno) => Err(self.failed(Call::RestrictSelf, errno)),
        }
    }

    /// Visits every other thread, to restrict it or to look whether the kernel has.
    fn visit_others(
        &mut self,
        tasks: io::Result<Tasks>,
        synced: bool,
    ) -> Result<Swept, EnforceError> {
        let restricted = self.restricted;
        let tasks_error = |source| EnforceError::Tasks { source, restricted };
        let tasks = tasks.map_err(tasks_error)?;
        let listing = tasks.list().map_err(tasks_error)?;
        // Alone, so that nobody can start another thread: no signal is needed.
        if listing.complete && listing.threads == [sys::current_thread()] {
            return Ok(Swept {
                rounds: 1,
                ..Swept::default()
            });
        }
        let handler = Handler::install().map_err(|error| match error {
            HandlerError::NoneFree => EnforceError::NoFreeSignal,
            HandlerError::Install { signal, source } => EnforceError::Signal { signal, source },
        })?;
        let sweep = Sweep {
            tasks: &tasks,
            handler: &handler,
            attempt: Arc::clone(&self.attempt),
            ruleset: (!synced).then(|| self.ruleset.as_raw_fd()),
            deadline: self.deadline,
            lenient: self.lenient,
        };
        let (mut swept, error) = match sweep.run(listing) {
            Ok(swept) => (swept, None),
            Err((swept, error)) => (swept, Some(error)),
        };
        self.restricted += swept.proved + swept.inherited;
        // A signal that is still under way would end the process if its handler were gone.
        if !swept.unanswered
            && let Err(error) = handler.restore()
        {
            warn!(target: "wasix_landlock", %error, "the signal handler stays");
        }
        if let Some(source) = error {
            return Err(EnforceError::Tasks {
                source,
                restricted: self.restricted,
            });
        }
        if self.lenient || swept.failures.is_empty() {
            return Ok(swept);
        }
        Err(swept
            .failures
            .swap_remove(0)
            .into_error(self.restricted, self.deadline))
    }

    fn restrict_caller(&mut self, synced: bool) -> Result<(), EnforceError> {
        let visit = if synced {
            Visit {
                before: Ok(()),
                restricted: Ok(()),
                after: self.attempt.run(),
                not_refused: sys::first_not_refused(),
            }
        } else {
            restrict_here(self.ruleset.as_raw_fd(), &self.attempt)
        };
        if visit.restricted.is_ok() && !synced {
            self.restricted += 1;
        }
        judge(sys::current_thread(), visit, &self.attempt, true, true)
            .map(drop)
            .map_err(|failure| failure.into_error(self.restricted, self.deadline))
    }

    fn failed(&self, call: Call, errno: i32) -> EnforceError {
        let problem = if (call, errno) == (Call::RestrictSelf, libc::E2BIG) {
            Problem::TooManyLayers
        } else {
            Problem::Call {
                call: call.name(),
                errno,
            }
        };
        Failure {
            tid: sys::current_thread(),
            problem,
        }
        .into_error(self.restricted, self.deadline)
    }
}

/// Restricts the calling thread.
fn restrict_here(ruleset: RawFd, attempt: &Attempt) -> Visit {
    let before = attempt.run();
    let restricted = sys::set_no_new_privileges()
        .map_err(|errno| (Call::NoNewPrivileges, errno))
        .and_then(|()| sys::restrict_self(ruleset, 0).map_err(|errno| (Call::RestrictSelf, errno)));
    Visit {
        before,
        restricted,
        after: attempt.run(),
        not_refused: sys::first_not_refused(),
    }
}

/// Makes ready what shows whether the kernel holds the ruleset.
fn trials(report: &mut Report) -> Trials {
    let held: Vec<Protection> = report
        .protections
        .iter()
        .filter(|protection| protection.by.contains(&Layer::Landlock))
        .map(|protection| protection.name)
        .collect();
    let ports = report.network.clone().unwrap_or_default();
    let (trials, untried) = Trials::new(&held, &ports);
    report.warnings.extend(untried);
    trials
}

fn threads_report(method: SweepMethod, started: Instant) -> ThreadsReport {
    ThreadsReport {
        method,
        total: 0,
        proved: 0,
        inherited: 0,
        gone: 0,
        unreached: 0,
        rounds: 0,
        probe: None,
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

/// Logs what came of it.
fn announce(report: &Report) {
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
