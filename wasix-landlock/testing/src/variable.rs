//! Environment variables, which a process has one set of.

use std::ffi::OsStr;

use crate::{isolated, sys};

/// Runs a body with an environment variable set, or unset, and unsets it afterwards.
///
/// # Panics
///
/// Outside of [`isolated()`](crate::isolated()), where other tests would see it.
pub fn with_variable(name: &str, value: Option<&OsStr>, body: impl FnOnce()) {
    assert!(isolated::is_child(), "other tests would see it");
    sys::set_variable(name, value);
    body();
    sys::set_variable(name, None);
}
