//! Recording: from the calls of a builder or runner to the preopens of a policy.

pub(crate) mod mounts;
pub(crate) mod preopen;
pub(crate) mod recorded;
pub(crate) mod recorder;
pub(crate) mod runtime_paths;
