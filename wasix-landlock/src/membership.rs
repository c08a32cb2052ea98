//! The calling thread's instance.

use std::sync::Arc;

use crate::{EnforceError, Report, platform};

/// The membership of a thread in an instance: a thread that was restricted by a policy with [`Scope::Instance`](crate::Scope::Instance), and
/// the threads that it has started since.
///
/// As long as one of these is there, which each thread of the instance holds on to, no policy can
/// restrict the process as a whole.
///
/// ```
/// use wasix_landlock::Membership;
///
/// assert!(Membership::current().is_none()); // this thread belongs to none
/// assert!(!Membership::is_around());
/// ```
#[derive(Clone, Debug)]
pub struct Membership(pub(crate) platform::Membership);

impl Membership {
    /// The instance that the calling thread is known to belong to.
    #[must_use]
    pub fn current() -> Option<Self> {
        platform::Membership::current().map(Self)
    }

    /// True if an instance has started the calling thread, known or not.
    #[must_use]
    pub fn is_around() -> bool {
        platform::Membership::is_around()
    }

    /// A number that no other instance of this process has.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id()
    }

    /// Returns the report of the restriction.
    #[must_use]
    pub fn report(&self) -> Arc<Report> {
        self.0.report()
    }

    /// Returns the number of threads that are known to belong to the instance and haven't ended.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.threads()
    }

    /// Makes the calling thread known as one of this instance, after asking the kernel, in this
    /// thread, whether it is restricted.
    ///
    /// The restriction itself is inherited by each thread from the one that starts it. What this
    /// adds is the proof, and that a policy which is enforced in the thread joins the instance's.
    ///
    /// # Errors
    ///
    /// [`EnforceError::NotRestricted`] when the thread was not started by one of the instance: what
    /// must not run outside must not run in it. [`EnforceError::ScopeTaken`] when it belongs to
    /// another instance.
    pub fn enter(&self) -> Result<(), EnforceError> {
        self.0.enter()
    }
}
