//! Linux: Landlock itself.

mod baseline;
mod create;
mod descriptors;
mod enforce;
mod explain;
mod kernel;
mod membership;
mod open_files;
mod overlap;
mod plan;
mod prepare;
mod probe;
mod process;
mod progress;
mod resolve;

pub(crate) use explain::explain;
pub use membership::Membership;
pub(crate) use membership::current;
pub(crate) use open_files::open_files_limit_reached;
pub(crate) use plan::Plan;
pub(crate) use prepare::plan;
pub(crate) use wasix_landlock_threads::has_gained_privileges;
