//! The parts of a profile that depend on the process that reads it.

use std::collections::BTreeMap;

use crate::{
    Profile, ProfileError,
    check::{FROM_HOST, variable},
};

impl Profile {
    /// The whole environment, with the values that come from the host.
    fn whole_environment(&self) -> Result<BTreeMap<String, String>, ProfileError> {
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
                variable(FROM_HOST, name, problem)
            })?;
            environment.insert(name.clone(), value);
        }
        Ok(environment)
    }

    /// The same profile, checked, with the values of the variables that come from the host.
    ///
    /// ```
    /// use wasix_landlock_profile::Profile;
    ///
    /// let profile = Profile::new().environment_from_host("PATH").resolved()?;
    /// assert!(profile.environment.contains_key("PATH"));
    /// assert!(profile.environment_from_host.is_empty());
    /// # Ok::<(), wasix_landlock_profile::ProfileError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Profile::check`]; [`ProfileError::Variable`] for a variable that the host doesn't have, or that isn't UTF-8
    /// there.
    pub fn resolved(&self) -> Result<Self, ProfileError> {
        self.check()?;
        let mut profile = self.clone();
        profile.environment = self.whole_environment()?;
        profile.environment_from_host.clear();
        Ok(profile)
    }

    /// The same profile for another process, with another environment and another current directory: variables have
    /// their values, and host paths are absolute.
    ///
    /// ```
    /// use wasix_landlock_profile::Profile;
    ///
    /// let profile = Profile::new()
    ///     .environment_from_host("PATH")
    ///     .preopen(|p| p.directory("data").read(true))?
    ///     .for_another_process()?;
    /// assert!(profile.environment.contains_key("PATH"));
    /// assert!(profile.preopens[0].host.is_absolute());
    /// assert_eq!(profile.preopens[0].guest_name(), Ok("data"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Profile::resolved`].
    pub fn for_another_process(&self) -> Result<Self, ProfileError> {
        let mut profile = self.resolved()?;
        for preopen in &mut profile.preopens {
            let guest = preopen.guest_name().map(str::to_owned).ok();
            // An empty path has no absolute form, and is refused where it is opened.
            if let Ok(absolute) = std::path::absolute(&preopen.host) {
                preopen.host = absolute;
            }
            preopen.guest = guest;
        }
        Ok(profile)
    }
}
