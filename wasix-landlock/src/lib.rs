//! Turns the preopens of a WASI runtime into one [Landlock] ruleset and enforces it on every
//! thread of the process.
//!
//! A WASI runtime checks in user space that a module stays within its preopens. This crate makes
//! the kernel check the same once more: a bug in the runtime's own path handling then ends in
//! `EACCES` instead of in the host's files. The crate depends on no runtime: the caller records
//! each preopen with the host files and directories behind it, and gets a [`Report`] of what the
//! kernel now enforces.
//!
//! ```no_run
//! use wasix_landlock::{Access, HostKind, HostTarget, Policy, RecordedPreopen};
//!
//! let report = Policy::default()
//!     .preopen(RecordedPreopen {
//!         guest: "/data".into(),
//!         origin: "preopen_dir",
//!         access: Access::READ,
//!         targets: vec![HostTarget {
//!             path: "/srv/data".into(),
//!             kind: HostKind::Directory,
//!             access: Access::READ,
//!         }],
//!     })
//!     .enforce()?;
//! println!("{report}");
//! # Ok::<(), wasix_landlock::Error>(())
//! ```
//!
//! # Stages
//!
//! [`Policy`] collects the requests. [`Policy::prepare`] resolves every host path, checks it, asks
//! the kernel for its features and builds the ruleset; a [`Prepared`] that is dropped leaves
//! nothing behind. [`Prepared::enforce`] restricts the process and proves, in each thread, that the
//! restriction holds. A restriction can't be undone: see [`Prepared::enforce`].
//!
//! The policy's [`Scope`] is the part of the process that is restricted: all of it unless the
//! policy says otherwise.
//!
//! # What a grant allows
//!
//! See [`Policy::table`], which the README shows. Everything else is denied: executing, making
//! devices, sockets and fifos, and device ioctls are never granted.
//!
//! # What it does not do
//!
//! - It is no boundary against native code that has taken over the process: the threads share
//!   their memory, and what a thread keeps open stays open.
//! - A **file** that was opened before the restriction keeps its descriptor's rights, and an io_uring
//!   or a unix socket can lead to files that weren't opened at all. The report warns of those, and
//!   [`Inherited::Refuse`] refuses them.
//! - Landlock does not mediate `chdir`, `stat`, `access`, `readlink`, `flock`, `fcntl`, `chmod`,
//!   `chown`, `utime` and extended attributes, so these still work on files outside the grants.
//! - The crate restricts no network access, sets no scope and adds no second layer unless the
//!   policy asks for them: [`Policy::network`], [`Policy::harden`], [`Policy::protect`].
//! - A file that was created for a preopen and never used stays behind, empty: a restricted process
//!   may not remove it.
//! - Child processes forked before the restriction stay as they are.
//!
//! On anything but Linux nothing can be enforced, see [`Policy::prepare`].
//!
//! [Landlock]: https://docs.kernel.org/userspace-api/landlock.html

#![deny(missing_docs)]
#![forbid(unsafe_code)]

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod access;
mod audit;
mod error;
mod explain;
mod inherited;
mod mode;
mod names;
mod network;
mod operator;
mod policy;
mod prepared;
mod report;
mod rights;
mod scope;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod platform;

pub use access::Access;
pub use audit::AuditLog;
pub use error::{
    EnforceError, Error, ModeError, NotWithin, OpenFilesLimit, OperatorError, PathError,
    PrepareError, Unavailable,
};
pub use explain::{Explanation, GrantedPath, Verdict, explain, resolve_existing};
pub use inherited::Inherited;
pub use mode::{MODE_VARIABLE, Mode};
pub use network::Network;
pub use operator::{POLICY_VARIABLE, RESERVE_VARIABLE, SCOPE_VARIABLE, outside_policy};
pub use platform::Membership;
pub use policy::{DEFAULT_DEADLINE, HostKind, HostTarget, Policy, RecordedPreopen};
pub use prepared::{Prepared, current};
pub use report::{
    DENIAL_SCHEMA, DenialEvent, DenialReport, DenialsReport, HostReport, NotGranted, OutsideReport,
    PreopenReport, ProtectionReport, ProtectionStatus, Report, RuntimePathReport,
    RuntimePathStatus, Status, SweepMethod, ThreadsReport,
};
pub use rights::{Object, Right};
pub use scope::Scope;
#[cfg(target_os = "linux")]
pub use wasix_landlock_descriptors::take_passed_on;
pub use wasix_landlock_descriptors::{DescriptorKind, DescriptorReport, DescriptorsReport, WayOut};
pub use wasix_landlock_filter::{Layer, Level, Protection, ProtectionError, Protections};
pub use wasix_landlock_threads::ThreadError;
