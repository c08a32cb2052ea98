//! Learning: from the calls of a trusted program to the preopens that it needs.

pub(crate) mod learned;
pub(crate) mod learning;
pub(crate) mod seen;
pub(crate) mod sensitive;
