//! Linux: Landlock itself.

mod baseline;
mod create;
mod descriptors;
mod enforce;
mod explain;
mod judge;
mod kernel;
mod membership;
mod open_files;
mod overlap;
mod plan;
mod prepare;
mod probe;
mod process;
mod procfs;
mod reach;
mod resolve;
mod restrict;
#[allow(unsafe_code)]
mod sys;
mod tasks;
mod threads;
mod visit;

pub(crate) use descriptors::open_now;
pub(crate) use explain::explain;
pub use membership::Membership;
pub(crate) use membership::current;
pub(crate) use open_files::open_files_limit_reached;
pub(crate) use plan::Plan;
pub(crate) use prepare::plan;
pub use sys::take_passed_on;
pub(crate) use sys::{has_gained_privileges, log_flags};
