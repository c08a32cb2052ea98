//! The places at which a profile is put into a builder or a runner.

use std::sync::Arc;

use virtual_fs::VirtualFile;
use wasix_landlock::{Level, Protection};

use super::interrupts;
use super::meter::Meter;
use super::{Profile, ProfileError, Streams};
use crate::landlock::{Landlock, Settings};
use crate::runners::wasi::WasiRunner;
use crate::{WasiEnv, WasiEnvBuilder};

/// The part of a profile that a builder or a runner keeps until an environment is built.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    profile: Profile,
}

impl Applied {
    /// Returns the counter of one environment.
    pub(crate) fn meter(applied: Option<&Self>) -> Arc<Meter> {
        Arc::new(match applied {
            Some(Self { profile }) => Meter::new(
                profile.limits.clone(),
                profile.effective_groups(),
                profile.on_limit.0.clone(),
            ),
            None => Meter::default(),
        })
    }

    /// Returns a warning for the report about the parts of the profile that aren't enforced in every case.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        let limits = &self.profile.limits;
        let is_left = limits.wall_clock_ms.is_some() && limits.instructions.is_none();
        (is_left && !interrupts::AVAILABLE).then_some(
            "`wall-clock-ms` does not end a thread that only computes: limit `instructions` as well, build with the \
             feature `host-interrupt` of wasmer-wasix, or end the process, as the example `run` does",
        )
    }

    /// Sets the streams that the program hasn't set by itself.
    pub(crate) fn streams(applied: Option<&Self>, set: [&mut Option<Stream>; 3]) {
        let Some(Self { profile }) = applied else {
            return;
        };
        for (stream, file) in set.into_iter().zip(Streams::files(&profile.streams)) {
            stream.get_or_insert(file);
        }
    }
}

type Stream = Box<dyn VirtualFile + Send + Sync + 'static>;

impl Profile {
    fn put_into(&self, settings: &mut Settings) -> Result<(), ProfileError> {
        for preopen in &self.preopens {
            settings.add_preopen(|p| preopen.describe(p))?;
        }
        let levels = self.enforcement.levels()?;
        settings.configure(|landlock: &mut Landlock| {
            landlock.network(self.network.network());
            if self.enforcement.harden {
                landlock.harden();
            }
            for (protection, level) in levels {
                landlock.level(protection, level);
            }
            // As with the network: what isn't said isn't given.
            for scope in [Protection::SignalScope, Protection::AbstractSocketScope] {
                landlock.level_unless_named(scope, Level::Strict);
            }
            landlock
        });
        settings.applied = Some(Applied {
            profile: self.clone(),
        });
        Ok(())
    }
}

impl WasiEnvBuilder {
    /// Gives the module what the profile says, beside what the builder has already. Streams that the builder sets
    /// itself stay as it sets them.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::{WasiEnv, profile::{Profile, Stream}};
    ///
    /// let profile = Profile::new().argument("--version").stdout(Stream::Inherit);
    /// let builder = WasiEnv::builder("program").profile(&profile)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ProfileError`]: what can't be given. What can't be enforced is an error of `build()`.
    pub fn profile(mut self, profile: &Profile) -> Result<Self, ProfileError> {
        self.apply_profile(profile)?;
        Ok(self)
    }

    /// As [`profile`](Self::profile), on a builder that is kept.
    ///
    /// ```
    /// # fn main() -> Result<(), wasmer_wasix::profile::ProfileError> {
    /// use wasmer_wasix::{WasiEnv, profile::Profile};
    ///
    /// let mut builder = WasiEnv::builder("program");
    /// builder.apply_profile(&Profile::new().argument("--version"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`profile`](Self::profile).
    pub fn apply_profile(&mut self, profile: &Profile) -> Result<(), ProfileError> {
        profile.check()?;
        let environment = profile.whole_environment()?;
        profile.put_into(&mut self.landlock)?;
        self.add_args(&profile.arguments);
        self.add_envs(environment);
        Ok(())
    }
}

impl WasiRunner {
    /// As [`WasiEnvBuilder::profile`]. The host's environment isn't forwarded, whatever was said before.
    ///
    /// ```
    /// # fn main() -> Result<(), wasmer_wasix::profile::ProfileError> {
    /// use wasmer_wasix::{profile::Profile, runners::wasi::WasiRunner};
    ///
    /// let mut runner = WasiRunner::new();
    /// runner.with_profile(&Profile::new().argument("--version"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn with_profile(&mut self, profile: &Profile) -> Result<&mut Self, ProfileError> {
        profile.check()?;
        let environment = profile.whole_environment()?;
        profile.put_into(self.landlock_settings())?;
        let arguments = [self.get_args(), profile.arguments.clone()].concat();
        self.with_args(arguments)
            .with_envs(environment)
            .with_forward_host_env(false);
        Ok(self)
    }
}

impl WasiEnv {
    /// The limit that the module, or one of its threads and child processes, has reached.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::{landlock::WasiState, profile::Profile};
    ///
    /// let profile = Profile::new().limits(|l| l.stream_bytes(64 * 1024));
    /// let env = WasiState::new("program").profile(&profile)?.build()?;
    /// // … run the module …
    /// if let Some(limit) = env.limit_reached() {
    ///     eprintln!("it was ended: {limit}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn limit_reached(&self) -> Option<super::Limit> {
        self.state.fs.meter.reached()
    }
}
