//! A policy that was checked, and what this process is under.

use std::sync::Arc;

use crate::{EnforceError, Report, platform};

/// A policy whose paths are resolved and whose ruleset is complete.
///
/// Dropping it without enforcing removes the files it created, each only if it is still the same
/// file and still empty.
#[derive(Debug)]
#[must_use = "a prepared policy restricts nothing until it is enforced"]
pub struct Prepared(pub(crate) platform::Plan);

impl Prepared {
    /// What would be enforced. [`Report::enforced`] is false and there are no
    /// [`Report::threads`] yet.
    #[must_use]
    pub fn report(&self) -> &Report {
        self.0.report()
    }

    /// Restricts every thread of this process and proves it in each of them.
    ///
    /// A restriction lasts as long as the process and is inherited by the threads and processes it
    /// starts. Threads are visited with a real-time signal on kernels before Linux 7.0; a system
    /// call that is never restarted after a signal, such as `poll(2)`, returns `EINTR` once in
    /// each of them.
    ///
    /// A process is restricted once. Enforcing another policy afterwards adds no layer: it
    /// succeeds when everything the policy asks for lies within what is granted, and its report
    /// has [`Report::joined`] set.
    ///
    /// # Errors
    ///
    /// [`EnforceError`]. Where its message says that threads are restricted already, that can't be
    /// undone and the process should end: [`EnforceError::process_must_end`]. Files that were
    /// created are removed again unless the calling thread is restricted already, which it is last.
    pub fn enforce(self) -> Result<Arc<Report>, EnforceError> {
        self.0.enforce()
    }
}

/// The report of the first policy that restricted this process, if one has.
#[must_use]
pub fn current() -> Option<Arc<Report>> {
    platform::current()
}
