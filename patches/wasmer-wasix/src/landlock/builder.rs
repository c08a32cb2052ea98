//! The calls of upstream's builder and runner that set and show what is enforced.

use std::sync::Arc;

use wasix_landlock::Report;
use wasmer_types::ModuleHash;

use super::enforce::{OnlyShown, creation_error};
use super::record::preopen::HostPreopenBuilder;
use super::settings::Landlock;
use crate::runners::wasi::{PackageOrHash, RuntimeOrEngine, WasiRunner};
use crate::{WasiEnvBuilder, WasiStateCreationError};

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

    /// Says how the preopens are enforced.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::{Access, Network, Protection, WasiState};
    ///
    /// let env = WasiState::new("worker")
    ///     .preopen(|p| p.directory("/srv/data").alias("/data").read(true))?
    ///     .landlock(|l| {
    ///         l.host_path("/var/log/app", Access::ALL, "the program's own log")
    ///             .network(Network::none().connect(443))
    ///             .optional(Protection::Truncate)
    ///     })
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn landlock<F>(mut self, configure: F) -> Self
    where
        F: FnOnce(&mut Landlock) -> &mut Landlock,
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
    pub fn landlock_show(mut self) -> Result<Report, WasiStateCreationError> {
        let shown = Arc::default();
        self.landlock.shown = Some(Arc::clone(&shown));
        match (self.build_init(), shown.get()) {
            (_, Some(report)) => Ok(report.clone()),
            (Err(error), None) => Err(error),
            (Ok(_), None) => Err(creation_error(&OnlyShown)),
        }
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
        F: FnOnce(&mut Landlock) -> &mut Landlock,
    {
        self.landlock.configure(configure);
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
    /// // A runner gives out no environment to ask for its report.
    /// WasiRunner::new().with_landlock(|l| l.on_enforced(|report| println!("{report}")));
    /// ```
    pub fn with_landlock<F>(&mut self, configure: F) -> &mut Self
    where
        F: FnOnce(&mut Landlock) -> &mut Landlock,
    {
        self.landlock_settings().configure(configure);
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
