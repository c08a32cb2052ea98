//! The restriction of threads, and its proof.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use wasix_landlock_filter::{Filter, FilterError};

use crate::{
    RestrictError, ThreadError,
    judge::{judge, not_refused},
    reach::{Answers, Reach},
    sweep::Sweep,
    sys::{self, Call, Domain, Probe, Visit},
    tasks::{Listing, Tasks},
    visit::Visitor,
};

/// The Landlock ABI that restricts all threads at once.
const THREAD_SYNC_ABI: u32 = 8;

/// A restriction that is to be put on threads.
#[derive(Debug)]
pub struct Restriction<'r> {
    /// The Landlock ruleset.
    pub ruleset: BorrowedFd<'r>,
    /// The flags of `landlock_restrict_self`, see [`log_flags`](crate::log_flags).
    pub flags: u32,
    /// The kernel's Landlock ABI, see [`abi`](crate::abi).
    pub abi: u32,
    /// The second layer, if there is one.
    pub filter: Option<Filter>,
    /// True if it is an error that the kernel refuses the filter.
    pub needs_filter: bool,
    /// The attempt that proves the restriction.
    pub probe: Arc<Probe>,
    /// The time in which every thread has to be reached.
    pub deadline: Duration,
    /// True if threads that aren't reached are no error.
    pub lenient: bool,
}

/// The progress of a [`Restriction`], as far as it has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// Threads restricted so far, which can't be undone.
    pub restricted: usize,
    /// True if the kernel restricted all threads at once.
    pub synced: bool,
    /// Threads in which the probe was allowed before and is denied now, the calling one included.
    pub proved: usize,
    /// Threads in which the probe was denied before already.
    pub inherited: usize,
    /// Threads that ended before they were reached.
    pub gone: usize,
    /// The number of times the threads were listed.
    pub rounds: usize,
    /// Threads under a restriction of their own before this one, in which the probe therefore
    /// shows nothing.
    pub foreign: usize,
    /// Threads that aren't known to be restricted.
    pub failures: Vec<RestrictError>,
    /// The reason for which no other thread was looked for, where the restriction is lenient.
    pub unreachable: Option<RestrictError>,
    /// The reason for which there is no filter, where the restriction doesn't need it.
    pub unfiltered: Option<FilterError>,
    /// The reason for which the handler of a signal stays installed.
    pub handler_stays: Option<io::Error>,
    /// True if a signal may still be under way, so that the handler has to stay.
    pub(crate) unanswered: bool,
}

impl Restriction<'_> {
    /// Restricts every thread of the process, the calling one last, and proves the restriction in
    /// each.
    ///
    /// The caller sees to it that one thread at a time does this.
    ///
    /// # Errors
    ///
    /// [`RestrictError`]. [`Progress::restricted`] says whether threads are restricted nevertheless.
    pub fn put_on_all_threads(mut self, progress: &mut Progress) -> Result<(), RestrictError> {
        // A thread that sets a domain sets this flag, unless it has CAP_SYS_ADMIN. Without a domain
        // of its own this thread can't be one layer short where others aren't.
        if sys::has_no_new_privileges() {
            self.rehearse()?;
        }
        if Tasks::is_alone() {
            // There is no other thread, so that none can start one either.
            progress.rounds = 1;
            self.install_filter(progress)?;
        } else {
            // The other threads, and the signal to reach them with.
            match Reach::prepare(&self.probe, self.deadline, self.lenient) {
                Ok(reach) => self.visit(reach, progress)?,
                Err(error) if self.lenient => {
                    progress.unreachable = Some(error);
                    self.install_filter(progress)?;
                    if self.abi >= THREAD_SYNC_ABI {
                        self.restrict_at_once(1, progress)?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.restrict_caller(progress)
    }

    /// Restricts the calling thread, and with it the threads that it starts from then on.
    ///
    /// # Errors
    ///
    /// [`RestrictError::Thread`] and [`RestrictError::Filter`].
    pub fn put_on_this_thread(mut self, progress: &mut Progress) -> Result<(), RestrictError> {
        match self.filter.take().map(Filter::install_here) {
            None | Some(Ok(None)) => {}
            Some(Ok(Some(refusal))) => {
                return Err(of_this_thread(not_refused(&refusal)));
            }
            Some(Err(error)) => self.lack_filter(error, progress)?,
        }
        self.restrict_caller(progress)
    }

    fn domain(&self) -> Domain {
        Domain {
            ruleset: self.ruleset.as_raw_fd(),
            flags: self.flags,
        }
    }

    /// Puts every thread under the filter. The filter comes first, as it is on all threads or on
    /// none, so that each visit can prove it.
    fn install_filter(&mut self, progress: &mut Progress) -> Result<(), RestrictError> {
        match self.filter.take().map(Filter::install) {
            None => Ok(()),
            Some(Ok(())) => {
                // That can't be undone either.
                progress.restricted = 1;
                Ok(())
            }
            Some(Err(error)) => self.lack_filter(error, progress),
        }
    }

    /// Goes on without the filter where it isn't needed.
    fn lack_filter(
        &self,
        error: FilterError,
        progress: &mut Progress,
    ) -> Result<(), RestrictError> {
        if self.needs_filter {
            return Err(error.into());
        }
        progress.unfiltered = Some(error);
        Ok(())
    }

    /// Restricts a thread that is there for nothing else. A refusal of the kernel, such as one
    /// layer too many, would meet every thread, and nothing is lost yet.
    fn rehearse(&self) -> Result<(), RestrictError> {
        let (domain, probe) = (self.domain(), &*self.probe);
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
            of_this_thread(ThreadError::Restrict { call, source })
        })?;
        // It is joined before the kernel has done away with it, and would be listed until then.
        let until = Instant::now() + self.deadline;
        let process = sys::own_process();
        while sys::has_thread(process, tid) == Some(true) && Instant::now() < until {
            thread::yield_now();
        }
        judge(tid, visit, probe, true, true).map(drop)
    }

    /// Restricts and proves every other thread.
    fn visit(&mut self, reach: Reach, progress: &mut Progress) -> Result<(), RestrictError> {
        let Reach {
            tasks,
            listing,
            handler,
            mut answers,
        } = reach;
        let failures = mem::take(&mut answers.failures);
        for failure in &failures {
            // Let pass, and not to be tried again.
            answers.exempt.extend(failure.thread());
        }
        let visitor = Visitor {
            tasks: &tasks,
            handler: &handler,
        };
        let swept = self.sweep(visitor, &answers, listing, progress);
        progress.handler_stays = handler
            .restore(progress.unanswered || answers.unanswered)
            .err();
        swept?;
        progress.failures.extend(failures);
        if self.lenient || progress.failures.is_empty() {
            return Ok(());
        }
        Err(progress.failures.swap_remove(0))
    }

    /// Puts the threads under the filter, restricts them and proves the restriction. The threads
    /// have answered before, as none of this can be undone.
    fn sweep(
        &mut self,
        visitor: Visitor<'_>,
        answers: &Answers,
        listing: Listing,
        progress: &mut Progress,
    ) -> Result<(), RestrictError> {
        self.install_filter(progress)?;
        if self.abi >= THREAD_SYNC_ABI
            // A listing after the kernel's own restriction shows numbers only.
            && !visitor.tasks.is_of_other_namespace()
            && answers.may_be_synced()
        {
            self.restrict_at_once(listing.threads.len(), progress)?;
        }
        let visits = !progress.synced;
        let sweep = Sweep {
            visitor,
            probe: Arc::clone(&self.probe),
            domain: visits.then(|| self.domain()),
            deadline: self.deadline,
            lenient: self.lenient,
            answers,
        };
        let swept = sweep.run(visits.then_some(listing), progress);
        if visits {
            progress.restricted += progress.proved + progress.inherited;
        }
        swept
    }

    /// Has the kernel restrict all threads, of which there are at least `count`. A kernel can have
    /// less than its ABI promises: then none is.
    ///
    /// The kernel gives each thread the calling thread's domain **in place of** the one it had, and
    /// it waits for each without an end: hence every thread was asked before, see
    /// [`Answers::may_be_synced`].
    fn restrict_at_once(&self, count: usize, progress: &mut Progress) -> Result<(), RestrictError> {
        let failed = |call: Call, errno| of_this_thread(call.failed(errno));
        sys::set_no_new_privileges().map_err(|errno| failed(Call::NoNewPrivileges, errno))?;
        match self.domain().on_all_threads().restrict_self() {
            Ok(()) => {
                progress.restricted = count;
                progress.synced = true;
                Ok(())
            }
            Err(libc::EINVAL) => Ok(()),
            Err(errno) => Err(failed(Call::RestrictSelf, errno)),
        }
    }

    fn restrict_caller(&self, progress: &mut Progress) -> Result<(), RestrictError> {
        let domain = (!progress.synced).then(|| self.domain());
        let visit = Visit::of_this_thread(domain, &self.probe, false);
        if visit.restricted.is_ok() && domain.is_some() {
            progress.restricted += 1;
        }
        judge(sys::current_thread(), visit, &self.probe, true, true)?;
        progress.proved += 1;
        Ok(())
    }
}

fn of_this_thread(problem: ThreadError) -> RestrictError {
    RestrictError::of_thread(sys::current_thread(), problem)
}
