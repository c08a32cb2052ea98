//! Behaviour of processes that the tests of this workspace don't show by themselves.

use std::io;

use crate::sys::foreign;

/// Becomes a child of this process. The parent runs the body, which gets the child's number, and ends. For processes
/// with one thread.
///
/// # Errors
///
/// The kernel's refusal to fork.
pub fn continue_in_child(parent: impl FnOnce(i32)) -> io::Result<()> {
    foreign::continue_in_child(parent)
}

/// Waits until a child has ended, and has the kernel forget it.
///
/// # Errors
///
/// The kernel's refusal.
pub fn wait_for_child(child: i32) -> io::Result<()> {
    foreign::wait_for_child(child)
}

/// Has every descriptor but the standard streams closed in programs that are executed later, whatever
/// this process was started with.
///
/// # Errors
///
/// The kernel's refusal.
pub fn pass_on_streams_only() -> io::Result<()> {
    foreign::pass_on_streams_only()
}

/// Becomes the leader of a new session.
///
/// # Errors
///
/// The kernel's refusal.
pub fn new_session() -> io::Result<()> {
    foreign::new_session()
}

/// Waits for one of these signals by `sigwait(3)`, and returns which one came.
///
/// # Errors
///
/// The kernel's refusal.
pub fn wait_for_signal(signals: &[i32]) -> io::Result<i32> {
    foreign::wait_for_signal(signals)
}

/// `SIGRTMAX`.
#[must_use]
pub fn last_real_time_signal() -> i32 {
    foreign::last_real_time_signal()
}

/// Lowers the number of descriptors that this process may have open, so that it can be raised again.
///
/// # Errors
///
/// The kernel's refusal.
pub fn lower_descriptor_limit(count: u64) -> io::Result<()> {
    foreign::limit_descriptors_for_now(Some(count))
}

/// Raises the number of descriptors that this process may have open as far as it may.
///
/// # Errors
///
/// The kernel's refusal.
pub fn raise_descriptor_limit() -> io::Result<()> {
    foreign::limit_descriptors_for_now(None)
}

/// A timer of the kind `SIGEV_THREAD`, for which the C library keeps a helper thread.
pub struct HelperTimer(foreign::HelperTimer);

impl HelperTimer {
    /// Makes the one timer of this process. The body runs in a thread that the helper starts.
    ///
    /// # Errors
    ///
    /// The C library's refusal.
    pub fn new(body: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        foreign::HelperTimer::new(body).map(Self)
    }

    /// Runs the body once.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn fire(&self) -> io::Result<()> {
        self.0.fire()
    }
}
