//! The operator's settings beside the mode: environment variables that help a program that nobody changes.
//!
//! As with [`Mode::from_env`](crate::Mode::from_env), a program with more privileges than its caller ignores them, and so
//! does a policy whose mode the program sets.

#[cfg(target_os = "linux")]
use std::path::Path;
use std::{env, ffi::OsString, path::PathBuf};

use crate::{Scope, error::OperatorError, names, platform};

/// The environment variable that names paths for the first policy that restricts the process to grant, with colons
/// between them: policies that are enforced later in the process may use what lies beneath.
///
/// The variable protects the rest of the machine from all policies of the process, not one policy's files from another.
pub const RESERVE_VARIABLE: &str = "WASIX_LANDLOCK_RESERVE";

/// The environment variable that names the scope of what the program builds, `process` or `instance`: see
/// [`Policy::operator_scope`](crate::Policy::operator_scope).
pub const SCOPE_VARIABLE: &str = "WASIX_LANDLOCK_SCOPE";

/// Returns the value of an operator's variable, unless the variable is unset, empty, or to be ignored.
pub(crate) fn value(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty() && !platform::has_gained_privileges())
}

/// The environment variable that names a policy from outside: a file, or a directory of files.
///
/// The crate `wasix-landlock-profile` reads the files, and the fork of `wasmer-wasix` intersects them with what the
/// program grants.
pub const POLICY_VARIABLE: &str = "WASIX_LANDLOCK_POLICY";

/// Returns the path in [`POLICY_VARIABLE`]; `None` if the variable is unset or empty.
///
/// As with the mode, a program that was executed with more privileges than its caller has (`AT_SECURE` in
/// getauxval(3)) ignores the variable: the caller could make the program fail half-way.
#[must_use]
pub fn outside_policy() -> Option<PathBuf> {
    value(POLICY_VARIABLE).map(PathBuf::from)
}

/// Returns the paths of [`RESERVE_VARIABLE`].
#[cfg(target_os = "linux")]
pub(crate) fn reserved() -> Result<Vec<PathBuf>, OperatorError> {
    let Some(value) = value(RESERVE_VARIABLE) else {
        return Ok(Vec::new());
    };
    env::split_paths(&value)
        .map(|path| match path.is_absolute() {
            true => Ok(path),
            false => Err(OperatorError::Reserve { path }),
        })
        .collect()
}

/// Returns a value of [`RESERVE_VARIABLE`] that reserves this path as well.
#[cfg(target_os = "linux")]
pub(crate) fn reserving(path: &Path) -> String {
    let mut value = value(RESERVE_VARIABLE).unwrap_or_default();
    if !value.is_empty() {
        value.push(":");
    }
    value.push(path);
    value.to_string_lossy().into_owned()
}

/// Returns the scope that [`SCOPE_VARIABLE`] names.
pub(crate) fn scope() -> Result<Scope, OperatorError> {
    let Some(value) = value(SCOPE_VARIABLE) else {
        return Ok(Scope::Process);
    };
    // What isn't UTF-8 is no scope's name, and is shown with replacement characters.
    let value = value.to_string_lossy().into_owned();
    match names::parse(&value) {
        Some(scope @ (Scope::Process | Scope::Instance)) => Ok(scope),
        Some(Scope::Worker) | None => Err(OperatorError::Scope { value }),
    }
}
