//! A process with one thread, where libtest has its main thread and the test's.

use std::{
    io::{self, Read, Write},
    panic::{self, AssertUnwindSafe},
};

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

/// Calls a function in each child that this process forks from now on, before anything else runs there.
///
/// # Panics
///
/// When the C library has no memory for this.
pub fn in_forked_children(call: extern "C" fn()) {
    sys::in_forked_children(call).expect("memory for a handler");
}

/// As [`alone`], in a PID namespace of its own, with the `/proc` of the one outside.
///
/// # Errors
///
/// The kernel doesn't let this user make namespaces.
///
/// # Panics
///
/// When the body panics.
pub fn alone_in_process_namespace(body: impl FnOnce()) -> io::Result<()> {
    // Making one counts for children only, so that this process stays where it is.
    let (mut reader, mut writer) = io::pipe()?;
    alone(|| match sys::new_process_namespace() {
        Ok(()) => alone(body),
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(0);
            writer
                .write_all(&errno.to_ne_bytes())
                .expect("the parent reads");
        }
    });
    drop(writer);
    let mut errno = [0; 4];
    match reader.read(&mut errno)? {
        0 => Ok(()),
        _ => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
    }
}
