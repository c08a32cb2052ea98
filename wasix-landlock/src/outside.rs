//! The variable by which whoever starts a program restricts it further.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::operator;

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
    operator::value(POLICY_VARIABLE).map(PathBuf::from)
}

/// The part of a report about a policy from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideReport {
    /// The files that were read, or the path in the variable where the program refuses a policy from outside.
    pub files: Vec<String>,
    /// True if the program refuses a policy from outside: nothing was taken away.
    pub refused: bool,
    /// Each part that was taken from the program's grants, in words.
    pub taken: Vec<String>,
}
