//! All of this crate's unsafe code.

mod descriptors;

pub use descriptors::take_passed_on;
pub(crate) use descriptors::{ask, flags, list_open};
