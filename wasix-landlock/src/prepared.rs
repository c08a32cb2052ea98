//! A policy that was checked, and the report in force.

use std::sync::Arc;

use crate::{EnforceError, Report, platform};

/// A policy whose paths are resolved and whose ruleset is complete.
///
/// Dropping a prepared policy removes the files that it created, each only if the file is still the
/// same and still empty.
#[derive(Debug)]
#[must_use = "a prepared policy restricts nothing until it is enforced"]
pub struct Prepared(pub(crate) platform::Plan);

impl Prepared {
    /// Returns the report of the preparation. [`Report::enforced`] is false and there are no
    /// [`Report::threads`] yet.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.0.report
    }

    /// Restricts every thread of this process and proves the restriction in each of them; with
    /// [`Scope::Instance`](crate::Scope::Instance), the calling thread alone. When that fails, the thread may be
    /// restricted, and should end.
    ///
    /// A restriction lasts as long as the process and is inherited by the threads and processes it starts. Each other
    /// thread is visited with a real-time signal; a system call that is never restarted after one, such as `poll(2)`,
    /// returns `EINTR` then.
    ///
    /// Each thread is restricted and has proved it, or this fails and names the thread: one that blocks every signal is
    /// an error, since nothing can prove anything in it. The way depends on the kernel:
    ///
    /// - Before Linux 7.0 each one restricts itself when it is visited. One that isn't reached is found out when others
    ///   are restricted already, so the process has to end.
    /// - From Linux 7.0 (ABI 8) each one is asked first, then the kernel restricts all of them at once, then each one
    ///   proves it. A thread that isn't reached is found out while nothing is restricted: unblock the signals in it, or
    ///   let it end, and try again.
    /// - Should a thread show a sign of a restriction of its own (the probe is denied in it, or it has
    ///   `PR_SET_NO_NEW_PRIVS`), Linux 7.0 goes the first way as well, since the kernel would put this restriction in the
    ///   place of the thread's. A restriction that a privileged thread has put on itself without that flag, and that
    ///   doesn't deny the probe, can't be seen and is replaced.
    ///
    /// Where [`Protection::AllThreads`](crate::Protection::AllThreads) is optional, a thread that isn't reached is in the
    /// report; if all it does is block signals, Linux 7.0 restricts it nevertheless, unproved.
    ///
    /// A process is restricted once. Enforcing another policy afterwards adds no layer: it succeeds when everything the
    /// policy asks for lies within what is granted, and its report has [`Report::joined`] set.
    ///
    /// # Errors
    ///
    /// [`EnforceError`]. Where its message says that threads are restricted already, that can't be undone and the process
    /// should end: [`EnforceError::process_must_end`]. Files that were created are removed again unless the calling
    /// thread is restricted already, which it is last.
    pub fn enforce(self) -> Result<Arc<Report>, EnforceError> {
        self.0.enforce()
    }
}

/// The report of the first policy that restricted this process, or the instance that the calling thread belongs to, if
/// one has.
#[must_use]
pub fn current() -> Option<Arc<Report>> {
    platform::current()
}
