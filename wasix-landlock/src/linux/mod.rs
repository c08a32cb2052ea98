//! Linux: Landlock itself.

mod create;
mod descriptors;
mod enforce;
mod explain;
mod filter;
mod ground;
mod judge;
mod kernel;
mod membership;
mod overlap;
mod prepare;
mod probe;
mod process;
mod reach;
mod resolve;
mod restrict;
#[allow(unsafe_code)]
mod sys;
mod tasks;
mod threads;
mod visit;

pub(crate) use descriptors::open_now;
pub(crate) use enforce::Plan;
pub(crate) use explain::explain;
pub(crate) use membership::Membership;
pub(crate) use prepare::{prepare, show};
pub(crate) use process::current;
pub use sys::take_passed_on;
pub(crate) use sys::{has_gained_privileges, log_flags};
