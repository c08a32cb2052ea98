//! The places at which a profile is put into a builder or a runner.

use std::sync::Arc;

use virtual_fs::VirtualFile;
use wasix_landlock::{Level, Policy, Protection};

use super::meter::{Meter, OnLimit};
use super::{Groups, Limit, Limits, Profile, ProfileError, UnsavedWrites};
use super::{interrupts, streams};
use crate::landlock::{Outside, Settings};
use crate::runners::wasi::WasiRunner;
use crate::{WasiEnv, WasiEnvBuilder};

/// The part of a profile that a builder or a runner keeps until an environment is built.
#[derive(Debug, Clone, Default)]
pub(crate) struct Applied {
    profile: Option<Profile>,
    on_limit: OnLimit,
    /// The policy from outside, once it was read.
    pub(crate) outside: Option<Outside>,
}

impl Applied {
    /// Returns the counter of one environment.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        let (limits, groups) = self.allowance();
        Arc::new(Meter::new(limits, groups, self.on_limit.clone()))
    }

    /// Returns the limits of the module and the groups that it may call; all, without a profile and a policy from
    /// outside.
    pub(crate) fn allowance(&self) -> (Limits, Groups) {
        let (limits, groups) = match &self.profile {
            Some(profile) => (profile.limits.clone(), profile.effective_groups()),
            None => (Limits::none(), Groups::all()),
        };
        match &self.outside {
            Some(outside) => {
                let ceiling = outside.ceiling();
                (ceiling.limits(&limits), ceiling.groups(&groups))
            }
            None => (limits, groups),
        }
    }

    /// Returns a warning for the report about the parts of the profile that aren't enforced in every case.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        let (limits, _) = self.allowance();
        let is_left = limits.wall_clock_ms.is_some() && limits.instructions.is_none();
        (is_left && !interrupts::AVAILABLE).then_some(
            "`wall-clock-ms` does not end a thread that only computes: limit `instructions` as well, build with the \
             feature `host-interrupt` of wasmer-wasix, or end the process, as the program `wasix-landlock` does",
        )
    }

    /// Puts a profile into what a builder or a runner keeps, but for its arguments and its environment.
    pub(crate) fn put(profile: &Profile, settings: &mut Settings) -> Result<(), ProfileError> {
        let profile = profile.resolved()?;
        settings.add_preopens(&profile.preopens);
        settings.refuses_unsaved_writes = profile.unsaved_writes == UnsavedWrites::Refuse;
        settings.configure(|policy| enforced(policy, &profile));
        settings.applied.profile = Some(profile);
        Ok(())
    }

    /// Gives a builder the arguments and the environment.
    pub(crate) fn give_to_builder(&self, builder: &mut WasiEnvBuilder) {
        if let Some(profile) = &self.profile {
            builder.add_args(&profile.arguments);
            builder.add_envs(&profile.environment);
        }
    }

    /// The same for a runner, which forwards no other variable.
    pub(crate) fn give(&self, runner: &mut WasiRunner) {
        if let Some(profile) = &self.profile {
            let arguments = [runner.get_args(), profile.arguments.clone()].concat();
            runner
                .with_args(arguments)
                .with_envs(profile.environment.clone())
                .with_forward_host_env(false);
        }
    }

    /// Sets the streams that the program hasn't set by itself.
    pub(crate) fn streams(&self, set: [&mut Option<Stream>; 3]) {
        let Some(profile) = &self.profile else {
            return;
        };
        for (stream, file) in set.into_iter().zip(streams::files(&profile.streams)) {
            stream.get_or_insert(file);
        }
    }
}

type Stream = Box<dyn VirtualFile + Send + Sync + 'static>;

/// The policy with what the profile asks of the kernel besides files.
fn enforced(policy: Policy, profile: &Profile) -> Policy {
    let policy = policy
        .network(profile.network.clone())
        .protections(&profile.enforcement);
    // As with the network: what isn't said isn't given.
    [Protection::SignalScope, Protection::AbstractSocketScope]
        .into_iter()
        .fold(policy, |policy, scope| {
            if policy.names(scope) {
                policy
            } else {
                policy.protect(scope, Level::Strict)
            }
        })
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
        Applied::put(profile, &mut self.landlock)?;
        self.landlock.applied.clone().give_to_builder(self);
        Ok(())
    }

    /// Calls `tell` with the first limit of its profile that the module reaches. It is called where the limit is
    /// reached, on the module's thread or a timer's, and must not wait for the module.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::{WasiEnv, profile::Profile};
    ///
    /// let builder = WasiEnv::builder("program")
    ///     .profile(&Profile::new().limits(|l| l.stream_bytes(64 * 1024)))?
    ///     .on_limit(|limit| eprintln!("the module was ended: {limit}"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_limit(mut self, tell: impl Fn(Limit) + Send + Sync + 'static) -> Self {
        self.landlock.applied.on_limit = OnLimit::new(tell);
        self
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
        let settings = self.landlock_settings();
        Applied::put(profile, settings)?;
        settings.applied.clone().give(self);
        Ok(self)
    }

    /// As [`WasiEnvBuilder::on_limit`], once for each environment that the runner builds.
    ///
    /// ```
    /// use wasmer_wasix::runners::wasi::WasiRunner;
    ///
    /// WasiRunner::new().with_on_limit(|limit| eprintln!("the module was ended: {limit}"));
    /// ```
    pub fn with_on_limit(&mut self, tell: impl Fn(Limit) + Send + Sync + 'static) -> &mut Self {
        self.landlock_settings().applied.on_limit = OnLimit::new(tell);
        self
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
    pub fn limit_reached(&self) -> Option<Limit> {
        self.state.fs.meter.reached()
    }
}
