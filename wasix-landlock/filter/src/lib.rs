//! The protections of a [`wasix-landlock`] policy by name, and the *second layer*: a seccomp filter for
//! system calls that Landlock doesn't mediate.
//!
//! `wasix-landlock` re-exports the vocabulary: [`Protection`], [`Level`], [`Layer`] and
//! [`Protections`]. On Linux, `Filter` turns protections into a program for the kernel, and `Refusal`
//! is a call by which a thread proves that the kernel runs it. `Rules` are for a program that adds a
//! filter of its own.
//!
//! The crate doesn't decide which protections a policy needs, nor how threads are reached.
//!
//! [`wasix-landlock`]: ../wasix_landlock/index.html

mod error;
mod protection;
mod protections;

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod ioctls;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod refusal;
#[cfg(target_os = "linux")]
mod rules;
#[cfg(target_os = "linux")]
mod sockets;

pub use error::{FilterError, ProtectionError};
#[cfg(target_os = "linux")]
pub use filter::{Filter, Ports};
pub use protection::{Layer, Level, Protection};
pub use protections::Protections;
#[cfg(target_os = "linux")]
pub use refusal::{Refusal, first_not_refused};
#[cfg(target_os = "linux")]
pub use rules::{Condition, Rules};
