//! Lists the open descriptors of the process, with the kind of each and the way in which it leads past
//! a restriction.
//!
//! A restriction doesn't touch what is open. Most descriptors give no more than themselves; an
//! io_uring, a unix socket or a device can give more, which [`WayOut`] names. The `Census` also finds
//! io_urings that have no descriptor any more.
//!
//! The crate closes nothing and judges nothing: [`wasix-landlock`] decides what may be open, and
//! re-exports the types of the report and `take_passed_on`. On anything but Linux nothing can be
//! listed.
//!
//! [`wasix-landlock`]: ../wasix_landlock/index.html

mod report;

#[cfg(target_os = "linux")]
mod census;
#[cfg(target_os = "linux")]
mod kind;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
mod rings;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod sys;

#[cfg(target_os = "linux")]
pub use census::Census;
pub use report::{DescriptorKind, DescriptorReport, DescriptorsReport, WayOut};
#[cfg(target_os = "linux")]
pub use sys::take_passed_on;
