//! The calls of upstream's builder: the recorded preopens are prepared before the file system is made, and
//! enforced as the last step, when nothing can fail any more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;

use virtual_fs::FileSystem;
use wasix_landlock::{Access, Prepared, Report};
use wasmer_types::ModuleHash;

use super::learning::{Learner, Wide};
use super::limit;
use super::preopen::{HostPreopen, HostPreopenBuilder};
use super::record::Recorder;
use super::runtime_paths;
use super::settings::{Landlock, OnEnforced, Settings};
use super::unsaved::UnsavedFile;
use crate::capabilities::Capabilities;
use crate::fs::WasiFsRoot;
use crate::runners::wasi::{PackageOrHash, RuntimeOrEngine, WasiRunner};
use crate::state::PreopenedDir;
use crate::{Runtime, WasiEnv, WasiEnvBuilder, WasiStateCreationError};

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

impl WasiEnv {
    /// Returns the report of this environment's `build()`, with the denials to the module since.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::{Protection, WasiState};
    ///
    /// let env = WasiState::new("worker").build()?;
    /// let report = env.landlock_report().expect("a built environment has one");
    /// assert!(report.enforced && report.protects(Protection::AllThreads));
    /// println!("{report}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn landlock_report(&self) -> Option<Arc<Report>> {
        let mut report = self.state.landlock.get().cloned()?;
        let denials = self.landlock_denials();
        if denials.refused > 0 {
            Arc::make_mut(&mut report).denials = (&denials).into();
        }
        let unsaved = self.landlock_unsaved_files();
        if !unsaved.is_empty() {
            let warnings = unsaved.iter().map(UnsavedFile::to_string);
            Arc::make_mut(&mut report).warnings.extend(warnings);
        }
        Some(report)
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

/// The builder's state when `build_init` calls [`Settings::prepare`].
pub(crate) struct Recorded<'a> {
    pub(crate) preopens: &'a [PreopenedDir],
    pub(crate) vfs_preopens: &'a [String],
    pub(crate) current_dir: Option<&'a Path>,
    pub(crate) runtime: Option<&'a (dyn Runtime + Send + Sync)>,
    pub(crate) capabilities: &'a Capabilities,
    pub(crate) root: &'a WasiFsRoot,
}

impl Settings {
    /// Makes the ruleset, and the files that are to be created, and mounts the host preopens.
    pub(crate) fn prepare(
        &self,
        recorded: &Recorded<'_>,
    ) -> Result<Pending, WasiStateCreationError> {
        let mut recorder = Recorder::default();
        // Before the host preopens are mounted: these are recorded by themselves.
        let backings = recorded.root.host_backing();
        #[cfg(feature = "sys-thread")]
        super::tasks::check_own(recorded.runtime, &backings)?;
        for preopen in recorded.preopens {
            recorder.preopened_dir(preopen, &backings);
        }
        for name in recorded.vfs_preopens {
            recorder.vfs_preopen(name, &backings);
        }
        for preopen in &self.host_preopens {
            recorded.check_reachable(preopen)?;
            recorder.host_preopen(preopen);
        }
        let policy = self
            .policy(|| runtime_paths::needed(recorded.runtime, recorded.capabilities))
            .preopens(recorder.into_preopens());
        if let Some(shown) = &self.shown {
            let report = policy.show().map_err(|error| creation_error(&error))?;
            self.mount(recorded)?;
            let _ = shown.set(report);
            return Err(creation_error(&OnlyShown));
        }
        let prepared = policy.prepare().map_err(|error| creation_error(&error))?;
        self.mount(recorded)?;
        Ok(Pending {
            prepared,
            tell: self.landlock.listener(),
            learner: self.landlock.learning().map(|learning| {
                let preopens = self.host_preopens.iter();
                let wide = preopens.map(|p| Wide::of(p, recorded.current_dir));
                learning.learner(recorded.root, wide)
            }),
        })
    }

    fn mount(&self, recorded: &Recorded<'_>) -> Result<(), WasiStateCreationError> {
        limit::recorded_preopens(recorded)?;
        for preopen in &self.host_preopens {
            mount(preopen, recorded)?;
        }
        Ok(())
    }
}

/// The end of a `build` that was only asked to show the restriction.
#[derive(Debug, thiserror::Error)]
#[error("nothing is built: it is only shown what would be enforced")]
struct OnlyShown;

impl Recorded<'_> {
    /// A file in a directory that was recorded with fewer rights could not be used, and the module would only
    /// see that its calls fail.
    fn check_reachable(&self, preopen: &HostPreopen) -> Result<(), WasiStateCreationError> {
        let directory = preopen.guest_directory(self.current_dir);
        let access = preopen.access;
        let hidden = self.preopens.iter().any(|recorded| {
            let has = Access {
                read: recorded.read,
                write: recorded.write,
                // The file is made before.
                create: true,
            };
            recorded.name() == directory.name() && !has.contains(access)
        });
        if hidden {
            return Err(WasiStateCreationError::PreopenedDirectoryError(format!(
                "`{}` ({access}) shows in `{}`, which is preopened with fewer rights: give it an alias elsewhere",
                preopen.host.display(),
                directory.name()
            )));
        }
        Ok(())
    }

    /// The recorded preopens, and the directories through which the module reaches the host preopens.
    pub(crate) fn all_preopens(&self, settings: &Settings) -> Vec<PreopenedDir> {
        let mut all = self.preopens.to_vec();
        let recorded = all.len();
        let mut places: HashMap<String, usize> = all
            .iter()
            .enumerate()
            .map(|(place, directory)| (directory.name().into_owned(), place))
            .collect();
        for preopen in &settings.host_preopens {
            let directory = preopen.guest_directory(self.current_dir);
            match places.entry(directory.name().into_owned()) {
                Entry::Vacant(place) => {
                    place.insert(all.len());
                    all.push(directory);
                }
                // A file in a directory that is a preopen as well: the module reaches both through one
                // descriptor. What stands at the host paths keeps its own rights.
                Entry::Occupied(place) if *place.get() >= recorded => {
                    all[*place.get()].widen(&directory);
                }
                Entry::Occupied(_) => {}
            }
        }
        if cfg!(feature = "landlock-kernel-alone") {
            for directory in &mut all {
                (directory.read, directory.write, directory.create) = (true, true, true);
            }
        }
        all
    }
}

/// A prepared policy, which the builder's environment has to enforce.
pub(crate) struct Pending {
    prepared: Prepared,
    tell: Option<OnEnforced>,
    learner: Option<Learner>,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// Puts the process under what was prepared.
pub(crate) fn enforce(pending: Option<Pending>) -> Result<Arc<Report>, WasiStateCreationError> {
    // Only a builder prepares. An environment that reaches this point without one would run unrestricted.
    let Some(Pending {
        prepared,
        tell,
        learner,
    }) = pending
    else {
        return Err(WasiStateCreationError::WasiFsSetupError(
            "nothing was prepared for enforcement: make the environment with a builder".to_owned(),
        ));
    };
    let report = prepared.enforce().map_err(|error| creation_error(&error))?;
    if let Some(tell) = tell {
        tell(&report);
    }
    if let Some(learner) = learner {
        learner.begin();
    }
    Ok(report)
}

#[cfg(feature = "host-fs")]
fn mount(preopen: &HostPreopen, recorded: &Recorded<'_>) -> Result<(), WasiStateCreationError> {
    use virtual_fs::host_backing::HostAccess;
    use virtual_fs::host_fs;
    use virtual_fs::host_preopen::HostFile;
    use virtual_fs::limited::Limited;
    use wasix_landlock::HostKind;

    let access = HostAccess {
        read: preopen.access.read,
        write: preopen.access.write,
        create: preopen.access.create,
    };
    let handle = tokio::runtime::Handle::current();
    let file_system: Arc<dyn FileSystem + Send + Sync> = match preopen.kind {
        HostKind::File => Arc::new(HostFile::new(handle, absolute(&preopen.host)?, access)),
        _ => {
            let directory = Arc::new(host_fs::FileSystem::new(handle, &preopen.host)?);
            Arc::new(Limited::new(directory, "/", access))
        }
    };
    let point = preopen.mount_point(recorded.current_dir);
    let root = recorded.root.root();
    if point == Path::new("/") && preopen.kind != HostKind::File {
        return Ok(root.set_mount(&point, file_system)?);
    }
    root.mount(&point, file_system).map_err(|_| {
        WasiStateCreationError::PreopenedDirectoryError(format!(
            "`{}` can't show as `{}`: something else is there",
            preopen.host.display(),
            point.display()
        ))
    })
}

/// The host's current directory may change; the file's place must not.
#[cfg(feature = "host-fs")]
fn absolute(host: &Path) -> Result<std::path::PathBuf, WasiStateCreationError> {
    std::path::absolute(host).map_err(|error| {
        WasiStateCreationError::PreopenedDirectoryError(format!("{}: {error}", host.display()))
    })
}

#[cfg(not(feature = "host-fs"))]
fn mount(preopen: &HostPreopen, _recorded: &Recorded<'_>) -> Result<(), WasiStateCreationError> {
    Err(WasiStateCreationError::PreopenedDirectoryError(format!(
        "`{}` can't be preopened: this build has no host file system (feature `host-fs`)",
        preopen.host.display()
    )))
}

fn creation_error(error: &dyn std::error::Error) -> WasiStateCreationError {
    WasiStateCreationError::WasiFsSetupError(error.to_string())
}

/// Enters a tokio runtime if the caller is in none: host files and the default task manager need one.
#[cfg(feature = "sys-thread")]
pub(crate) fn enter_tokio() -> Option<tokio::runtime::EnterGuard<'static>> {
    use std::sync::OnceLock;
    static RUNTIME: OnceLock<Option<tokio::runtime::Runtime>> = OnceLock::new();

    // That one is the host's: work of an instance has no place there, and threads that an instance makes none
    // here.
    if tokio::runtime::Handle::try_current().is_ok() || wasix_landlock::Membership::is_around() {
        return None;
    }
    let runtime = RUNTIME.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        runtime
            .inspect_err(|error| tracing::error!(%error, "no tokio runtime"))
            .ok()
    });
    runtime.as_ref().map(tokio::runtime::Runtime::enter)
}

#[cfg(not(feature = "sys-thread"))]
pub(crate) fn enter_tokio() {}
