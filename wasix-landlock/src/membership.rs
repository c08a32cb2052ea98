//! The calling thread's instance.

use std::sync::Arc;

use crate::{EnforceError, Report, platform};

/// The membership of a thread in an instance: a thread that was restricted by a policy with [`Scope::Instance`](crate::Scope::Instance), and
/// the threads that it has started since.
///
/// Each thread of the instance holds one. As long as one exists, no policy can restrict the process
/// as a whole.
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
    /// Each thread inherits the restriction itself from the one that starts it. Entering adds the
    /// proof, and a policy that is enforced in the thread joins the instance's.
    ///
    /// # Errors
    ///
    /// [`ThreadError::NotRestricted`](crate::ThreadError) when no thread of the instance has
    /// started this one: work of the instance must not run on it. [`EnforceError::ScopeTaken`] when
    /// it belongs to another instance.
    pub fn enter(&self) -> Result<(), EnforceError> {
        self.0.enter()
    }
}
