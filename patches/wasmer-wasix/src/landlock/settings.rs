//! The program's settings for enforcement, beyond its preopens.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use virtual_fs::FileSystem;
use wasix_landlock::{
    Access, Inherited, Level, Mode, Network, Policy, Protection, Report, RuntimePath,
};

use super::enforce::{Learner, OnEnforced, OnlyShown, Pending, creation_error};
use super::learn::learning::Learning;
use super::learn::seen::GrantedPreopen;
use super::record::preopen::{HostPreopen, HostPreopenBuilder};
use super::record::recorded::Recorded;
use super::record::recorder::Recorder;
use super::record::{mounts, runtime_paths};
use crate::WasiStateCreationError;
use crate::profile::Applied;

/// The enforcement of a builder's preopens. The default is strict: a preopen that can't be enforced is an error.
///
/// # Example
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use wasmer_wasix::landlock::{Access, Inherited, Mode, Network, Protection, WasiState};
///
/// let env = WasiState::new("service")
///     .landlock(|l| {
///         l.mode(Mode::Enforce) // whatever the environment says
///             .harden()
///             .without(Protection::UnixSockets) // the program logs to one
///             .require(Protection::ResolveUnix) // needs Linux 7.1
///             .optional(Protection::Truncate) // an older kernel will do
///             .network(Network::none().connect(443))
///             .inherited(Inherited::Refuse { allowed: [].into() })
///             .deadline(Duration::from_secs(1))
///             .runtime_paths(false) // no names are resolved
///             .host_path("/var/lib/app", Access::READ, "the program's own data")
///             .on_enforced(|report| println!("{report}"))
///     })
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Landlock {
    mode: Option<Mode>,
    levels: Vec<(Protection, Level)>,
    network: Option<Network>,
    harden: bool,
    inherited: Inherited,
    deadline: Option<Duration>,
    runtime_paths: bool,
    host_paths: Vec<RuntimePath>,
    on_enforced: Option<OnEnforced>,
    learning: Option<Learning>,
}

impl fmt::Debug for Landlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Landlock")
            .field("mode", &self.mode)
            .field("levels", &self.levels)
            .field("network", &self.network)
            .field("harden", &self.harden)
            .field("inherited", &self.inherited)
            .field("deadline", &self.deadline)
            .field("runtime_paths", &self.runtime_paths)
            .field("host_paths", &self.host_paths)
            .finish_non_exhaustive()
    }
}

impl Default for Landlock {
    fn default() -> Self {
        Self {
            mode: None,
            levels: Vec::new(),
            network: None,
            harden: false,
            inherited: Inherited::default(),
            deadline: None,
            runtime_paths: true,
            host_paths: Vec::new(),
            on_enforced: None,
            learning: None,
        }
    }
}

impl Landlock {
    /// Sets what happens when something can't be enforced, whatever the variable `WASIX_LANDLOCK` says.
    ///
    /// Without this call, whoever starts the program may switch enforcement off by that variable, unless the program
    /// was executed with more privileges than its caller has.
    ///
    /// [Example](Landlock#example).
    pub fn mode(&mut self, mode: Mode) -> &mut Self {
        self.mode = Some(mode);
        self
    }

    /// Says how much a protection is wanted.
    pub(crate) fn level(&mut self, protection: Protection, level: Level) {
        self.levels.push((protection, level));
    }

    /// As [`Landlock::level`], but what the program said of it goes before.
    pub(crate) fn level_unless_named(&mut self, protection: Protection, level: Level) {
        if !self.levels.iter().any(|(named, _)| *named == protection) {
            self.level(protection, level);
        }
    }

    /// Goes on without `protection` where the kernel lacks it. The report says whether it is enforced.
    ///
    /// [Example](Landlock#example).
    pub fn optional(&mut self, protection: Protection) -> &mut Self {
        self.level(protection, Level::Degradable);
        self
    }

    /// Fails where the kernel lacks `protection`, also if it is optional by default.
    ///
    /// [Example](Landlock#example).
    pub fn require(&mut self, protection: Protection) -> &mut Self {
        self.level(protection, Level::Strict);
        self
    }

    /// Does without `protection`, which the program around the module can't live with.
    ///
    /// [Example](Landlock#example).
    pub fn without(&mut self, protection: Protection) -> &mut Self {
        self.level(protection, Level::Off);
        self
    }

    /// Restricts the network to these ports, for the whole process, besides Wasmer's own rules for the module.
    /// Without this or [`Landlock::harden`] it stays as it is.
    ///
    /// [Example](Landlock#example).
    pub fn network(&mut self, network: Network) -> &mut Self {
        self.network = Some(network);
        self
    }

    /// Requires every protection that a WASI runtime can live with, for the whole process: no network unless
    /// [`Landlock::network`] grants some, no executing, no changes of modes and owners, and so on. What the program
    /// around the module needs of that is given back with [`Landlock::without`].
    ///
    /// [Example](Landlock#example).
    pub fn harden(&mut self) -> &mut Self {
        self.harden = true;
        self
    }

    /// Says what may be open at `build()`, as no restriction touches that. By default an io_uring is an error; the
    /// report lists everything else, and warns of what gives a way out.
    ///
    /// A tokio runtime has a socket pair, which [`Inherited::Refuse`] refuses unless it is named: start the runtime,
    /// and allow the pairs that [`DescriptorsReport::now`](super::DescriptorsReport::now) lists.
    ///
    /// [Example](Landlock#example).
    pub fn inherited(&mut self, inherited: Inherited) -> &mut Self {
        self.inherited = inherited;
        self
    }

    /// Sets the time that `build()` may take to reach every thread.
    ///
    /// [Example](Landlock#example).
    pub fn deadline(&mut self, deadline: Duration) -> &mut Self {
        self.deadline = Some(deadline);
        self
    }

    /// May the runtime read what it needs by itself later: the DNS files when networking is on, the TLS roots
    /// when HTTP is allowed, the directory of a module cache? On by default; each is in the report.
    ///
    /// [Example](Landlock#example).
    pub fn runtime_paths(&mut self, allowed: bool) -> &mut Self {
        self.runtime_paths = allowed;
        self
    }

    /// Grants a host path that not the module but the program around it needs after `build()`, such as its
    /// log directory, or what a later `build()` in the same process will preopen. `reason` is for the report.
    ///
    /// The restriction holds for the whole process, so a module that has broken out of the WASI layer can
    /// reach this path too.
    ///
    /// [Example](Landlock#example).
    pub fn host_path(
        &mut self,
        path: impl Into<PathBuf>,
        access: Access,
        reason: impl Into<String>,
    ) -> &mut Self {
        self.host_paths.push(RuntimePath {
            path: path.into(),
            access,
            reason: reason.into(),
        });
        self
    }

    /// Calls `tell` with the report as soon as it is enforced, before the module runs. A runner gives out no
    /// environment to ask.
    ///
    /// [Example](Landlock#example).
    pub fn on_enforced(&mut self, tell: impl Fn(&Report) + Send + Sync + 'static) -> &mut Self {
        self.on_enforced = Some(Arc::new(tell));
        self
    }

    /// Enforces nothing, and records what a **trusted** program uses of what it is preopened, for
    /// [`Learning::learned`]. The preopens have to be wide enough for the program to do all that it does. What they
    /// don't allow is refused by the WASI layer as ever.
    ///
    /// [Example](Learning#example).
    pub fn learn(&mut self, learning: &Learning) -> &mut Self {
        self.learning = Some(learning.clone());
        self
    }

    pub(super) fn learning(&self) -> Option<&Learning> {
        self.learning.as_ref()
    }

    #[cfg(feature = "sys-thread")]
    pub(super) fn tell_nobody(&mut self) {
        self.on_enforced = None;
    }

    pub(super) fn listener(&self) -> Option<OnEnforced> {
        self.on_enforced.clone()
    }
}

/// All that a builder or a runner keeps for enforcement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) host_preopens: Vec<HostPreopen>,
    pub(super) landlock: Landlock,
    /// The profile that was put into it last.
    pub(crate) applied: Option<Applied>,
    /// The receiver of the report if the restriction is only shown.
    pub(super) shown: Option<Arc<OnceLock<Report>>>,
}

impl Settings {
    pub(crate) fn add_preopen(
        &mut self,
        describe: impl FnOnce(&mut HostPreopenBuilder) -> &mut HostPreopenBuilder,
    ) -> Result<(), WasiStateCreationError> {
        let mut builder = HostPreopenBuilder::default();
        self.host_preopens.push(describe(&mut builder).build()?);
        Ok(())
    }

    pub(crate) fn configure(&mut self, configure: impl FnOnce(&mut Landlock) -> &mut Landlock) {
        configure(&mut self.landlock);
    }

    /// A policy with all but the preopens; `own` are the paths that the runtime needs by itself.
    pub(super) fn policy(&self, own: impl FnOnce() -> Vec<RuntimePath>) -> Policy {
        let Landlock {
            mode,
            levels,
            network,
            harden,
            inherited,
            deadline,
            runtime_paths,
            host_paths,
            on_enforced: _,
            learning,
        } = &self.landlock;
        let mut policy = Policy::default().inherited(inherited.clone());
        if let Some(mode) = mode {
            policy = policy.mode(*mode);
        }
        for (protection, level) in levels {
            policy = policy.protect(*protection, *level);
        }
        if let Some(network) = network {
            policy = policy.network(network.clone());
        }
        if *harden {
            policy = policy.harden();
        }
        if let Some(deadline) = deadline {
            policy = policy.deadline(*deadline);
        }
        if learning.is_some() {
            policy = policy
                .mode(Mode::Off)
                .warning("what the module uses is learned: nothing is restricted");
        }
        if let Some(warning) = self.applied.as_ref().and_then(Applied::warning) {
            policy = policy.warning(warning);
        }
        if cfg!(feature = "landlock-kernel-alone") {
            policy = policy.warning(
                "built with the feature `landlock-kernel-alone`, which is for tests: the WASI layer checks nothing",
            );
        }
        let own = if *runtime_paths { own() } else { Vec::new() };
        for path in own.into_iter().chain(host_paths.iter().cloned()) {
            policy = policy.runtime_path(path);
        }
        policy
    }
    /// Makes the ruleset, and the files that are to be created, and mounts the host preopens.
    pub(crate) fn prepare(
        &self,
        recorded: &Recorded<'_>,
    ) -> Result<Pending, WasiStateCreationError> {
        let mut recorder = Recorder::default();
        // Before the host preopens are mounted: these are recorded by themselves.
        let backings = recorded.root.host_backing();
        #[cfg(feature = "sys-thread")]
        super::instance::tasks::check_own(recorded.runtime, &backings)?;
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
            mounts::mount_all(recorded, &self.host_preopens)?;
            let _ = shown.set(report);
            return Err(creation_error(&OnlyShown));
        }
        let prepared = policy.prepare().map_err(|error| creation_error(&error))?;
        mounts::mount_all(recorded, &self.host_preopens)?;
        Ok(Pending {
            prepared,
            tell: self.landlock.listener(),
            learner: self.landlock.learning().map(|learning| {
                let preopens = self.host_preopens.iter();
                let preopens = preopens.map(|p| GrantedPreopen::of(p, recorded.current_dir));
                learning.watch(recorded.root, preopens);
                Learner {
                    learning: learning.clone(),
                    observer: Arc::clone(&recorded.root.observer),
                }
            }),
        })
    }
}
