//! Puts a Landlock ruleset and a seccomp filter on every thread of the process, and proves in each
//! one that the kernel enforces them.
//!
//! Landlock restricts a thread from within. So a `Restriction` has each thread answer a signal, whose
//! handler makes a fixed list of system calls: a probe that has to be allowed, the restriction, and
//! the probe again, which has to be denied. From Linux 7.0 (ABI 8) the kernel restricts all threads at
//! once, and the handler only proves it. The `Progress` counts the threads.
//!
//! The crate also has the system calls of Landlock's that the `landlock` crate hides, and two others
//! without a safe form elsewhere. It neither makes rulesets nor knows policies: that is
//! [`wasix-landlock`], which re-exports [`ThreadError`].
//!
//! The signal handler is async-signal-safe: it makes system calls, and neither allocates nor locks.
//!
//! Everything but the errors is for Linux.
//!
//! [`wasix-landlock`]: ../wasix_landlock/index.html

mod error;

#[cfg(target_os = "linux")]
mod judge;
#[cfg(target_os = "linux")]
pub mod procfs;
#[cfg(target_os = "linux")]
mod reach;
#[cfg(target_os = "linux")]
mod restriction;
#[cfg(target_os = "linux")]
mod sweep;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod sys;
#[cfg(target_os = "linux")]
mod tasks;
#[cfg(target_os = "linux")]
mod visit;

pub use error::{RestrictError, ThreadError};
#[cfg(target_os = "linux")]
pub use {
    judge::check_restricted,
    reach::pollers,
    restriction::{Progress, Restriction},
    sys::{Fifo, Probe, abi, errata, has_gained_privileges, log_flags, may_read},
};
