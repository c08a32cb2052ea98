//! Restricting one thread, and knowing afterwards which threads came of it.

use std::{
    cell::RefCell,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use super::{
    descriptors,
    enforce::{Next, Plan, Restriction},
    filter::Filter,
    judge::judge,
    probe,
    process::{self, Enforced, Process},
    restrict,
    sys::{self, Attempt},
};
use crate::{EnforceError, Report, SweepMethod};

/// The number of the next instance.
static NEXT: AtomicU64 = AtomicU64::new(1);
/// Instances that have a thread, or somebody who holds on to them. Counted up under the lock of
/// [`process`], so that none appears while the process is being restricted.
static ALIVE: AtomicUsize = AtomicUsize::new(0);
/// The attempts that proved instances, each once. Where one of them is denied, an instance is around the
/// thread.
static PROVED_WITH: Mutex<Vec<Arc<Attempt>>> = Mutex::new(Vec::new());

thread_local! {
    static HERE: RefCell<Option<Entered>> = const { RefCell::new(None) };
}

/// An instance, seen from one of its threads.
#[derive(Clone, Debug)]
pub(crate) struct Membership(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: u64,
    report: Arc<Report>,
    /// Missing where the policy let it pass that nothing is enforced.
    enforced: Option<Arc<Enforced>>,
    attempt: Arc<Attempt>,
    threads: AtomicUsize,
}

/// A thread's place in the count of its instance.
#[derive(Debug)]
struct Entered(Membership);

/// The place of a thread.
#[derive(Debug)]
pub(crate) enum Place {
    /// In no instance.
    Outside,
    /// In this one.
    In(Membership),
    /// Some instance's restriction is on it, and nobody said which.
    Unknown,
}

/// Returns the place of the calling thread.
pub(crate) fn place() -> Place {
    if let Some(membership) = Membership::current() {
        return Place::In(membership);
    }
    let proved_with = PROVED_WITH.lock().unwrap_or_else(PoisonError::into_inner);
    if proved_with
        .iter()
        .any(|attempt| attempt.run() == Err(libc::EACCES))
    {
        return Place::Unknown;
    }
    Place::Outside
}

/// Returns the number of instances.
pub(crate) fn alive() -> usize {
    ALIVE.load(Ordering::SeqCst)
}

impl Membership {
    pub(crate) fn current() -> Option<Self> {
        // While a thread ends, there is nothing to ask any more.
        HERE.try_with(|here| here.borrow().as_ref().map(|entered| entered.0.clone()))
            .ok()
            .flatten()
    }

    pub(crate) fn is_around() -> bool {
        let free = matches!(*process::lock(), Process::Free);
        free && !matches!(place(), Place::Outside)
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn report(&self) -> Arc<Report> {
        Arc::clone(&self.0.report)
    }

    pub(crate) fn threads(&self) -> usize {
        self.0.threads.load(Ordering::SeqCst)
    }

    pub(crate) fn enforced(&self) -> Option<&Arc<Enforced>> {
        self.0.enforced.as_ref()
    }

    pub(crate) fn enter(&self) -> Result<(), EnforceError> {
        match Self::current() {
            Some(other) if other.id() == self.id() => return Ok(()),
            Some(_) => return Err(EnforceError::ScopeTaken),
            None => {}
        }
        // Without a restriction there is nothing to be outside of.
        if self.0.enforced.is_some()
            && !matches!(*self.0.attempt, Attempt::Nothing)
            && self.0.attempt.run() != Err(libc::EACCES)
        {
            return Err(EnforceError::NotRestricted {
                tid: sys::current_thread(),
                probe: self.0.attempt.to_string(),
                restricted: 0,
            });
        }
        self.mark();
        Ok(())
    }

    fn mark(&self) {
        self.0.threads.fetch_add(1, Ordering::SeqCst);
        let entered = Entered(self.clone());
        // A thread that is about to end is over before it counts.
        let _ = HERE.try_with(|here| here.replace(Some(entered)));
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.threads.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Plan {
    /// Restricts the calling thread alone.
    pub(super) fn enforce_here(mut self) -> Result<Arc<Report>, EnforceError> {
        let next = mem::replace(&mut self.next, Next::Nothing);
        if matches!(next, Next::Join) {
            self.join();
            return Ok(self.settle().announce());
        }
        // Held until the instance counts.
        let process = process::lock();
        if Membership::current().is_some() {
            return Err(EnforceError::ScopeTaken);
        }
        let attempt = match (next, &*process) {
            (Next::Restrict(_), Process::Under(_)) => return Err(EnforceError::ScopeTaken),
            (Next::Restrict(_), Process::Partly) => return Err(EnforceError::PartlyRestricted),
            (Next::Restrict(restriction), Process::Free) => self.restrict_here(restriction)?,
            (Next::Nothing | Next::Join, _) => Arc::new(Attempt::Nothing),
        };
        let settled = self.settle();
        ALIVE.fetch_add(1, Ordering::SeqCst);
        let membership = Membership(Arc::new(Inner {
            id: NEXT.fetch_add(1, Ordering::SeqCst),
            report: Arc::clone(&settled.report),
            enforced: settled.enforced.clone(),
            attempt,
            threads: AtomicUsize::new(0),
        }));
        membership.mark();
        drop(process);
        Ok(settled.announce())
    }

    fn restrict_here(&mut self, restriction: Restriction) -> Result<Arc<Attempt>, EnforceError> {
        let Restriction { ruleset, filter } = restriction;
        let started = Instant::now();
        let attempt = Arc::new(probe::choose(&self.grants, &ruleset, &mut self.report)?);
        let own = [ruleset.descriptor()]
            .into_iter()
            .chain(attempt.descriptor());
        descriptors::settle(&self.inherited, &own.collect(), &mut self.report)?;
        match filter.map(Filter::install_here) {
            None | Some(Ok(None)) => {}
            Some(Ok(Some(refusal))) => {
                return Err(EnforceError::NotFiltered {
                    tid: sys::current_thread(),
                    protection: refusal.protection,
                    probe: refusal.name,
                    restricted: 0,
                });
            }
            Some(Err(failed)) => restrict::lacks_filter(failed, &mut self.report)?,
        }
        let visit = restrict::restrict_here(ruleset.domain(), &attempt);
        // Of the other threads none is touched, so that nothing of the process has to end.
        judge(sys::current_thread(), visit, &attempt, true, true)
            .map_err(|failure| failure.into_error(0, self.deadline))?;
        let mut threads = restrict::threads_report(SweepMethod::CallingThread, started);
        (threads.total, threads.proved) = (1, 1);
        if !matches!(*attempt, Attempt::Nothing) {
            threads.probe = Some(attempt.to_string());
            let mut known = PROVED_WITH.lock().unwrap_or_else(PoisonError::into_inner);
            let name = attempt.to_string();
            if !known.iter().any(|other| other.to_string() == name) {
                known.push(Arc::clone(&attempt));
            }
        }
        self.report.enforced = true;
        self.report.threads = Some(threads);
        Ok(attempt)
    }
}
