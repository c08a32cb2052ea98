//! Instances: modules that are restricted on threads of their own.

pub(crate) mod error;
mod own_runtime;
pub(crate) mod own_threads;
pub(crate) mod runtime;
pub(crate) mod spawn;
pub(crate) mod tasks;
mod watched;
