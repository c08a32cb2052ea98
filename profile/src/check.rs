//! The checks of a module's profile, before anything is built.

use crate::{Group, Profile, ProfileError};

/// The key of the variables that come from the host.
pub(crate) const FROM_HOST: &str = "environment-from-host";

impl Profile {
    /// Checks all that can be checked without looking at the host's files.
    ///
    /// [Example](Profile#example).
    ///
    /// # Errors
    /// [`ProfileError`], for what comes first.
    pub fn check(&self) -> Result<(), ProfileError> {
        for (index, argument) in self.arguments.iter().enumerate() {
            if argument.contains('\0') {
                let problem = "contains a NUL byte, which ends it inside";
                return Err(ProfileError::Argument { index, problem });
            }
        }
        for (name, value) in &self.environment {
            check_variable("environment", name, value)?;
        }
        for name in &self.environment_from_host {
            check_variable(FROM_HOST, name, "")?;
            if self.environment.contains_key(name) {
                let problem = "has a value in `environment` already: name it once";
                return Err(variable(FROM_HOST, name, problem));
            }
        }
        for (index, preopen) in self.preopens.iter().enumerate() {
            let checked = preopen.check();
            checked.map_err(|source| ProfileError::Preopen { index, source })?;
        }
        if self.limits.instructions.is_some() && self.groups.allows(Group::Processes) {
            return Err(ProfileError::Conflict {
                key: "limits.instructions",
                problem: "can't be limited over child processes: switch the group `processes` off",
            });
        }
        Ok(())
    }
}

fn check_variable(key: &'static str, name: &str, value: &str) -> Result<(), ProfileError> {
    let problem = if name.is_empty() {
        "has no name"
    } else if name.contains('=') {
        "has an equals sign in its name"
    } else if name.contains('\0') {
        "has a NUL byte in its name"
    } else if value.contains('\0') {
        "has a NUL byte in its value, which ends it inside"
    } else {
        return Ok(());
    };
    Err(variable(key, name, problem))
}

pub(crate) fn variable(key: &'static str, name: &str, problem: &'static str) -> ProfileError {
    let name = name.to_owned();
    ProfileError::Variable { key, name, problem }
}
