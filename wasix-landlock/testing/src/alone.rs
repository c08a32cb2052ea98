//! A process with one thread. libtest runs a test beside its main thread.

use std::panic::{self, AssertUnwindSafe};

use crate::sys;

/// Runs a body in a forked child, where the calling thread is the only one.
///
/// # Panics
///
/// When the body panics, or when the kernel refuses.
pub fn alone(body: impl FnOnce()) {
    let succeeded = sys::fork(|| {
        // A panic must not unwind into the test that the parent is running.
        panic::catch_unwind(AssertUnwindSafe(body)).is_ok()
    })
    .expect("this process may fork");
    assert!(succeeded, "the body failed in a process with one thread");
}
