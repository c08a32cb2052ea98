//! Instances: the threads that came of a restricted one, and the means to tell them.

use std::{
    cell::RefCell,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use wasix_landlock_threads::{Probe, check_restricted};

use super::process::{self, Enforced, Process};
use crate::{EnforceError, Report};

/// The number of the next instance.
static NEXT: AtomicU64 = AtomicU64::new(1);
/// The number of instances that have a thread or a holder. Counted up under the lock of
/// [`process`], so that none appears while the process is being restricted.
static ALIVE: AtomicUsize = AtomicUsize::new(0);
/// The probes that proved instances, each once. Where one of them is denied, an instance is around the
/// thread.
static PROVED_WITH: Mutex<Vec<Arc<Probe>>> = Mutex::new(Vec::new());

thread_local! {
    static HERE: RefCell<Option<Entered>> = const { RefCell::new(None) };
}

/// The membership of a thread in an instance: a thread that was restricted by a policy with
/// [`Scope::Instance`](crate::Scope::Instance), and the threads that it has started since.
///
/// Each thread of the instance holds one. As long as one exists, no policy can restrict the process
/// as a whole.
#[derive(Clone, Debug)]
pub struct Membership(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: u64,
    report: Arc<Report>,
    /// The policy in force; `None` where the policy lets pass that there is none.
    enforced: Option<Arc<Enforced>>,
    probe: Arc<Probe>,
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
    /// In an unknown instance, whose restriction is on the thread.
    Unknown,
}

/// Returns the place of the calling thread.
pub(crate) fn place() -> Place {
    if let Some(membership) = Membership::current() {
        return Place::In(membership);
    }
    let proved_with = PROVED_WITH.lock().unwrap_or_else(PoisonError::into_inner);
    if proved_with.iter().any(|probe| probe.is_denied()) {
        return Place::Unknown;
    }
    Place::Outside
}

/// Returns the number of instances.
pub(crate) fn alive() -> usize {
    ALIVE.load(Ordering::SeqCst)
}

/// Remembers a probe that is denied in an instance.
pub(super) fn remember(probe: &Arc<Probe>) {
    let mut known = PROVED_WITH.lock().unwrap_or_else(PoisonError::into_inner);
    let name = probe.to_string();
    if !known.iter().any(|other| other.to_string() == name) {
        known.push(Arc::clone(probe));
    }
}

/// Returns the policy in force for the calling thread.
pub(crate) fn in_force() -> Option<Arc<Enforced>> {
    match Membership::current() {
        Some(instance) => instance.enforced().cloned(),
        None => match &*process::lock() {
            Process::Under(enforced) => Some(Arc::clone(enforced)),
            Process::Free | Process::Partly => None,
        },
    }
}

/// Returns the report of the policy that restricted the calling thread's instance, or this process.
pub(crate) fn current() -> Option<Arc<Report>> {
    match Membership::current() {
        Some(membership) => Some(membership.report()),
        None => in_force().map(|enforced| Arc::clone(&enforced.report)),
    }
}

impl Membership {
    /// Makes the calling thread the first one of a new instance.
    pub(super) fn begin(report: Arc<Report>, enforced: Option<Arc<Enforced>>, probe: Arc<Probe>) {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        let membership = Self(Arc::new(Inner {
            id: NEXT.fetch_add(1, Ordering::SeqCst),
            report,
            enforced,
            probe,
            threads: AtomicUsize::new(0),
        }));
        membership.mark();
    }

    /// The instance that the calling thread is known to belong to.
    #[must_use]
    pub fn current() -> Option<Self> {
        // While a thread ends, there is nothing to ask any more.
        HERE.try_with(|here| here.borrow().as_ref().map(|entered| entered.0.clone()))
            .ok()
            .flatten()
    }

    /// True if an instance has started the calling thread, known or not.
    #[must_use]
    pub fn is_around() -> bool {
        let free = matches!(*process::lock(), Process::Free);
        free && !matches!(place(), Place::Outside)
    }

    /// A number that no other instance of this process has.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// Returns the report of the restriction.
    #[must_use]
    pub fn report(&self) -> Arc<Report> {
        Arc::clone(&self.0.report)
    }

    /// Returns the number of threads that are known to belong to the instance and haven't ended.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.threads.load(Ordering::SeqCst)
    }

    pub(crate) fn enforced(&self) -> Option<&Arc<Enforced>> {
        self.0.enforced.as_ref()
    }

    /// Makes the calling thread known as one of this instance, after asking the kernel, in this
    /// thread, whether it is restricted.
    ///
    /// Each thread inherits the restriction itself from the one that starts it. Entering adds the
    /// proof, and a policy that is enforced in the thread joins the instance's.
    ///
    /// # Errors
    ///
    /// [`ThreadError::NotRestricted`](crate::ThreadError) when no thread of the instance has
    /// started this one: work of the instance must not run on it. [`EnforceError::ScopeTaken`] when
    /// it belongs to another instance.
    pub fn enter(&self) -> Result<(), EnforceError> {
        match Self::current() {
            Some(other) if other.id() == self.id() => return Ok(()),
            Some(_) => return Err(EnforceError::ScopeTaken),
            None => {}
        }
        // Without a restriction there is nothing to be outside of.
        if self.0.enforced.is_some() {
            let checked = check_restricted(&self.0.probe);
            checked.map_err(|error| EnforceError::of_threads(error, 0))?;
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
