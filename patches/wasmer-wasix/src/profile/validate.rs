//! The checks of a module's profile, before anything is built.

use std::collections::BTreeMap;

use super::{Group, Profile, ProfileError};

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
            check_variable(name, value)?;
        }
        for name in &self.environment_from_host {
            check_variable(name, "")?;
            if self.environment.contains_key(name) {
                let problem = "has a value already: take it from the host, or give it one";
                return Err(variable(name, problem));
            }
        }
        for preopen in &self.preopens {
            let mut builder = crate::landlock::HostPreopenBuilder::default();
            preopen.describe(&mut builder).check()?;
        }
        self.enforcement.levels()?;
        if self.limits.instructions.is_some() && self.groups.allows(Group::Processes) {
            return Err(ProfileError::Limits(
                "instructions can't be limited over child processes: switch the group `processes` off".to_owned(),
            ));
        }
        Ok(())
    }

    /// The whole environment, with what comes from the host.
    pub(super) fn whole_environment(&self) -> Result<BTreeMap<String, String>, ProfileError> {
        let mut environment = self.environment.clone();
        for name in &self.environment_from_host {
            let value = std::env::var(name).map_err(|error| {
                let problem = match error {
                    std::env::VarError::NotPresent => {
                        "is to be taken from the host, which doesn't have it"
                    }
                    std::env::VarError::NotUnicode(_) => {
                        "is to be taken from the host, where it isn't UTF-8"
                    }
                };
                variable(name, problem)
            })?;
            environment.insert(name.clone(), value);
        }
        Ok(environment)
    }
}

fn check_variable(name: &str, value: &str) -> Result<(), ProfileError> {
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
    Err(variable(name, problem))
}

fn variable(name: &str, problem: &'static str) -> ProfileError {
    let name = name.to_owned();
    ProfileError::Variable { name, problem }
}
