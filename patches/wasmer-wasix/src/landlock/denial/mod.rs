//! Denials: what was refused, why, and the preopen that would allow it.

pub(crate) mod counts;
pub(crate) mod denials;
pub(crate) mod examine;
pub(crate) mod log;
pub(crate) mod nearest;
pub(crate) mod suggestion;
pub(crate) mod unsaved;
