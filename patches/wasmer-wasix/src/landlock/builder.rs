//! The calls of upstream's builder and runner that set and show what is enforced.

use std::io::Write;

use wasix_landlock::{Policy, Report};
use wasix_landlock_profile::{HostPreopenBuilder, UnsavedWrites};
use wasmer_types::ModuleHash;

use super::denial::counts::{DenialCounts, OnDenial};
use super::denial::denials::Denial;
use super::error::BuildError;
use super::learn::learning::Learning;
use super::settings::OnEnforced;
use super::stopped::{Slot, Stopped};
use crate::runners::wasi::{PackageOrHash, RuntimeOrEngine, WasiRunner};
use crate::state::WasiEnvInit;
use crate::{WasiEnv, WasiEnvBuilder, WasiStateCreationError};

impl WasiEnvBuilder {
    /// Preopens a host file, or a host directory, with the rights that it is given.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::WasiState;
    ///
    /// let env = WasiState::new("genrsa-wasi")
    ///     .args(&["genrsa", "-out", "keys/key.pem", "2048"])
    ///     .preopen(|p| p.path("keys/key.pem").read(false).write(true).create(true))?
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`WasiStateCreationError::PreopenedDirectoryError`] if no path or no right is set, or if the name
    /// inside is empty, contains `..` or a NUL byte, or is not UTF-8. The host path itself is looked at in
    /// `build()`.
    pub fn preopen<F>(mut self, describe: F) -> Result<Self, WasiStateCreationError>
    where
        F: FnOnce(&mut HostPreopenBuilder) -> &mut HostPreopenBuilder,
    {
        self.add_preopen(describe)?;
        Ok(self)
    }

    /// As [`preopen`](Self::preopen), on a builder that is kept.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::WasiState;
    ///
    /// let mut builder = WasiState::new("reader");
    /// for directory in ["/srv/a", "/srv/b"] {
    ///     builder.add_preopen(|p| p.directory(directory).read(true))?;
    /// }
    /// let env = builder.build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`preopen`](Self::preopen).
    pub fn add_preopen<F>(&mut self, describe: F) -> Result<(), WasiStateCreationError>
    where
        F: FnOnce(&mut HostPreopenBuilder) -> &mut HostPreopenBuilder,
    {
        self.landlock.add_preopen(describe)
    }

    /// Configures the [`Policy`] by which the preopens are enforced: which protections are optional, the second layer,
    /// the network, open descriptors, what else the process needs later. The default is strict: a preopen that can't be
    /// enforced is an error.
    ///
    /// The policy is one for the whole process, whatever scope is set here. [`Policy::preopen`] grants a path to the
    /// process and doesn't show it to the module; that is [`preopen`](Self::preopen).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use wasmer_wasix::landlock::{Access, Inherited, Mode, Network, Protection, WasiState};
    ///
    /// let env = WasiState::new("service")
    ///     .preopen(|p| p.directory("/srv/data").alias("/data").read(true))?
    ///     .landlock(|policy| {
    ///         policy
    ///             .mode(Mode::Enforce) // whatever the environment says
    ///             .harden()
    ///             .without(Protection::UnixSockets) // the program logs to one
    ///             .require(Protection::ResolveUnix) // needs Linux 7.1
    ///             .optional(Protection::Truncate) // an older kernel will do
    ///             .network(Network::none().connect(443))
    ///             .inherited(Inherited::Refuse { allowed: [].into() })
    ///             .deadline(Duration::from_secs(1))
    ///             .runtime_path("/var/log/app", Access::ALL, "the program's own log")
    ///     })
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn landlock<F>(mut self, configure: F) -> Self
    where
        F: FnOnce(Policy) -> Policy,
    {
        self.configure_landlock(configure);
        self
    }

    /// Says what `build()` would enforce here, and neither builds nor enforces anything: no file is made.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = wasmer_wasix::WasiEnv::builder("list")
    ///     .preopen(|p| p.directory("/srv/data").alias("data").read(true))?;
    /// print!("{}", builder.landlock_show()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As `build()`, as far as it comes: what can't be granted or enforced.
    pub fn landlock_show(mut self) -> Result<Report, BuildError> {
        self.landlock.only_show = true;
        match self.init_or_stop() {
            Err(Stopped::Shown(report)) => Ok(*report),
            Err(Stopped::Failed(error)) => Err(error),
            Ok(_) => Err(BuildError::NotPrepared),
        }
    }

    /// Builds the environment as `build()` does, and says what failed by its type.
    ///
    /// ```no_run
    /// use wasmer_wasix::landlock::{BuildError, WasiState, with_causes};
    ///
    /// # fn main() -> Result<(), BuildError> {
    /// let env = WasiState::new("hello").build_enforced().inspect_err(|error| {
    ///     eprintln!("{}", with_causes(error));
    ///     if error.process_must_end() {
    ///         std::process::exit(1);
    ///     }
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`BuildError`]. If [`process_must_end`](BuildError::process_must_end) says so, a part of the process is
    /// restricted and nothing can undo that; otherwise nothing is.
    pub fn build_enforced(self) -> Result<WasiEnv, BuildError> {
        Ok(self.build()?)
    }

    /// Does what `build_init` does, with errors that keep their type.
    pub(crate) fn init_enforced(self) -> Result<WasiEnvInit, BuildError> {
        self.init_or_stop().map_err(|stopped| match stopped {
            Stopped::Failed(error) => error,
            Stopped::Shown(_) => BuildError::NotPrepared,
        })
    }

    /// As [`init_enforced`](Self::init_enforced), for a call that leaves it to its caller to run the module.
    pub(crate) fn init_for_caller(mut self, call: &'static str) -> Result<WasiEnvInit, BuildError> {
        self.landlock.callers_thread = Some(call);
        self.init_enforced()
    }

    fn init_or_stop(mut self) -> Result<WasiEnvInit, Stopped> {
        // What was cloned from the same settings has a slot of its own.
        let slot = Slot::default();
        self.landlock.stopped = slot.clone();
        self.build_init()
            .map_err(|error| slot.take().unwrap_or_else(|| error.into()))
    }

    /// As [`landlock`](Self::landlock), on a builder that is kept.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::WasiState;
    ///
    /// let mut builder = WasiState::new("worker");
    /// builder.configure_landlock(|l| l.harden());
    /// let env = builder.build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn configure_landlock<F>(&mut self, configure: F)
    where
        F: FnOnce(Policy) -> Policy,
    {
        self.landlock.configure(configure);
    }

    /// May the runtime read what it needs by itself later: the DNS files when networking is on, the TLS roots
    /// when HTTP is allowed, the directory of a module cache? On by default; each is in the report.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::WasiState;
    ///
    /// // No names are resolved.
    /// let env = WasiState::new("service").default_runtime_paths(false).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn default_runtime_paths(mut self, allowed: bool) -> Self {
        self.landlock.without_default_paths = !allowed;
        self
    }

    /// Sets the answer to a write where nothing is preopened. Without this call such a file is kept in memory, as
    /// upstream does, and reported at the end.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::{UnsavedWrites, WasiState};
    ///
    /// let env = WasiState::new("service").unsaved_writes(UnsavedWrites::Refuse).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn unsaved_writes(mut self, writes: UnsavedWrites) -> Self {
        self.landlock.refuses_unsaved_writes = writes == UnsavedWrites::Refuse;
        self
    }

    /// Calls `tell` with the report as soon as the policy is enforced, before the module runs.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::WasiState;
    ///
    /// let env = WasiState::new("service").on_enforced(|report| println!("{report}")).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_enforced(mut self, tell: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        self.landlock.on_enforced = Some(OnEnforced::new(tell));
        self
    }

    /// Calls `tell` with each new denial, up to [`DENIALS_KEPT`](super::DENIALS_KEPT). It is called on the module's
    /// thread, and must not wait for the module.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::WasiState;
    ///
    /// let env = WasiState::new("guest")
    ///     .on_denial(|denial| eprintln!("{denial}"))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_denial(mut self, tell: impl Fn(&Denial) + Send + Sync + 'static) -> Self {
        self.landlock.receivers.on_denial = Some(OnDenial::new(tell));
        self
    }

    /// Writes each new denial as a line of JSON ([`DenialEvent`](super::DenialEvent)), in the place of
    /// [`on_denial`](Self::on_denial). `profile/denial.schema.json` in the repository is the schema.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::WasiState;
    ///
    /// let file = std::fs::File::create("denials.jsonl")?;
    /// let env = WasiState::new("guest").write_denials(file).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn write_denials(mut self, writer: impl Write + Send + 'static) -> Self {
        self.landlock.receivers.on_denial = Some(OnDenial::lines(writer));
        self
    }

    /// Adds each denial to these counters.
    ///
    /// [Example](DenialCounts).
    #[must_use]
    pub fn count_denials(mut self, counts: &DenialCounts) -> Self {
        self.landlock.receivers.counts = Some(counts.clone());
        self
    }

    /// Enforces nothing, and records what a **trusted** program uses of what it is preopened, for
    /// [`Learning::learned`]. The preopens have to be wide enough for the program to do all that it does. What they
    /// don't allow is refused by the WASI layer as ever.
    ///
    /// [Example](Learning#example).
    #[must_use]
    pub fn learn(mut self, learning: &Learning) -> Self {
        self.landlock.learning = Some(learning.clone());
        self.landlock.learns_unenforced = true;
        self
    }

    /// Records the grants that a program uses, **under enforcement**: the grants that [`Learning::learned`] lacks were
    /// never used.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::{Learning, WasiState};
    ///
    /// let used = Learning::new();
    /// let env = WasiState::new("service")
    ///     .preopen(|p| p.directory("/srv/data").alias("data").read(true))?
    ///     .observe(&used)
    ///     .build()?;
    /// // … run the module …
    /// println!("{} preopens were used", used.learned().preopens.len());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn observe(mut self, used: &Learning) -> Self {
        self.landlock.learning = Some(used.clone());
        self
    }
}

impl WasiRunner {
    /// As [`WasiEnvBuilder::preopen`].
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::runners::wasi::WasiRunner;
    ///
    /// let mut runner = WasiRunner::new();
    /// runner
    ///     .with_preopen(|p| p.directory("/srv/data").alias("/data").read(true))?
    ///     .with_preopen(|p| p.path("/srv/out/result").alias("/result").create(true))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn with_preopen<F>(&mut self, describe: F) -> Result<&mut Self, WasiStateCreationError>
    where
        F: FnOnce(&mut HostPreopenBuilder) -> &mut HostPreopenBuilder,
    {
        self.landlock_settings().add_preopen(describe)?;
        Ok(self)
    }

    /// As [`WasiEnvBuilder::landlock`].
    ///
    /// ```
    /// use wasmer_wasix::runners::wasi::WasiRunner;
    ///
    /// WasiRunner::new().with_landlock(|policy| policy.harden());
    /// ```
    pub fn with_landlock<F>(&mut self, configure: F) -> &mut Self
    where
        F: FnOnce(Policy) -> Policy,
    {
        self.landlock_settings().configure(configure);
        self
    }

    /// As [`WasiEnvBuilder::default_runtime_paths`].
    ///
    /// ```
    /// wasmer_wasix::runners::wasi::WasiRunner::new().with_default_runtime_paths(false);
    /// ```
    pub fn with_default_runtime_paths(&mut self, allowed: bool) -> &mut Self {
        self.landlock_settings().without_default_paths = !allowed;
        self
    }

    /// As [`WasiEnvBuilder::unsaved_writes`].
    ///
    /// ```
    /// use wasmer_wasix::{landlock::UnsavedWrites, runners::wasi::WasiRunner};
    ///
    /// WasiRunner::new().with_unsaved_writes(UnsavedWrites::Refuse);
    /// ```
    pub fn with_unsaved_writes(&mut self, writes: UnsavedWrites) -> &mut Self {
        self.landlock_settings().refuses_unsaved_writes = writes == UnsavedWrites::Refuse;
        self
    }

    /// As [`WasiEnvBuilder::on_enforced`]. A runner gives out no environment to ask for its report.
    ///
    /// ```
    /// use wasmer_wasix::runners::wasi::WasiRunner;
    ///
    /// WasiRunner::new().with_on_enforced(|report| println!("{report}"));
    /// ```
    pub fn with_on_enforced(
        &mut self,
        tell: impl Fn(&Report) + Send + Sync + 'static,
    ) -> &mut Self {
        self.landlock_settings().on_enforced = Some(OnEnforced::new(tell));
        self
    }

    /// As [`WasiEnvBuilder::on_denial`].
    ///
    /// ```
    /// use wasmer_wasix::runners::wasi::WasiRunner;
    ///
    /// WasiRunner::new().with_on_denial(|denial| eprintln!("{denial}"));
    /// ```
    pub fn with_on_denial(&mut self, tell: impl Fn(&Denial) + Send + Sync + 'static) -> &mut Self {
        self.landlock_settings().receivers.on_denial = Some(OnDenial::new(tell));
        self
    }

    /// As [`WasiEnvBuilder::write_denials`].
    ///
    /// ```
    /// wasmer_wasix::runners::wasi::WasiRunner::new().with_written_denials(std::io::stderr());
    /// ```
    pub fn with_written_denials(&mut self, writer: impl Write + Send + 'static) -> &mut Self {
        self.landlock_settings().receivers.on_denial = Some(OnDenial::lines(writer));
        self
    }

    /// As [`WasiEnvBuilder::count_denials`].
    ///
    /// [Example](DenialCounts).
    pub fn with_denial_counts(&mut self, counts: &DenialCounts) -> &mut Self {
        self.landlock_settings().receivers.counts = Some(counts.clone());
        self
    }

    /// As [`WasiEnvBuilder::learn`].
    ///
    /// [Example](Learning#example).
    pub fn with_learning(&mut self, learning: &Learning) -> &mut Self {
        let settings = self.landlock_settings();
        settings.learning = Some(learning.clone());
        settings.learns_unenforced = true;
        self
    }

    /// As [`WasiEnvBuilder::observe`].
    ///
    /// ```
    /// use wasmer_wasix::{landlock::Learning, runners::wasi::WasiRunner};
    ///
    /// let used = Learning::new();
    /// WasiRunner::new().with_observing(&used);
    /// ```
    pub fn with_observing(&mut self, used: &Learning) -> &mut Self {
        self.landlock_settings().learning = Some(used.clone());
        self
    }
}

impl WasiRunner {
    /// As [`WasiEnvBuilder::landlock_show`], for what `run_wasm` would run on this runtime or engine.
    ///
    /// ```no_run
    /// # use std::{error::Error, sync::Arc};
    /// # fn shown(runtime: Arc<wasmer_wasix::PluggableRuntime>) -> Result<(), Box<dyn Error>> {
    /// use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};
    ///
    /// let mut runner = WasiRunner::new();
    /// runner.with_preopen(|p| p.directory("/srv/data").alias("data").read(true))?;
    /// print!("{}", runner.landlock_show(RuntimeOrEngine::Runtime(runtime))?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn landlock_show(&self, runtime_or_engine: RuntimeOrEngine) -> anyhow::Result<Report> {
        let name = "shown";
        let annotations = webc::metadata::annotations::Wasi::new(name);
        let hash = PackageOrHash::Hash(ModuleHash::random());
        let builder = self.prepare_webc_env(name, &annotations, hash, runtime_or_engine, None)?;
        Ok(builder.landlock_show()?)
    }
}
