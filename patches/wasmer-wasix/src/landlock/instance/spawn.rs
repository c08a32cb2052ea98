//! Instances on threads of their own.

use std::fmt;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasix_landlock::{Policy, Report, Scope};

use super::error::InstanceError;
use super::runtime::InstanceRuntime;
use crate::WasiStateCreationError;
use crate::landlock::record::recorder::Recorder;
use crate::landlock::settings::Settings;
use crate::profile::{Applied, HostPreopenBuilder, Profile, ProfileError};

/// The time in which the threads of an instance may end when its own work is done.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// The grants of one instance, named before anything of it is there.
///
/// [`build()`](crate::WasiEnvBuilder::build) restricts the whole process. This is for several instances in one:
/// [`spawn`](Self::spawn) starts a thread, restricts it, and only then makes there whatever an instance runs on:
/// a tokio runtime, a task manager with its pool of guest threads, threads that compile. They are all born under
/// the restriction, none is shared with another instance or with the host, and they end with the instance. The
/// host's own threads stay free.
///
/// **It stops bugs in the WASI layer, not native code.** Threads share their memory: a module that has broken out
/// of the compiler's sandbox can write into a thread of the host, which may open anything. Where tenants don't
/// trust each other, give each a process (the crate `wasix-landlock-worker`). A guest that doesn't end can't be
/// ended from outside either.
///
/// # Example
///
/// ```no_run
/// use wasmer_wasix::landlock::Instance;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (engine, bytes) = (wasmer::Engine::default(), Vec::<u8>::new());
/// let tenant = Instance::new("tenant a")
///     .preopen(|p| p.directory("/srv/a").alias("/data").read(true).write(true))?
///     .landlock(|l| l.harden())
///     .spawn(move |inside| {
///         let module = inside.compile(&engine, &bytes)?;
///         inside.run("guest", module, &engine, |_runner| {})
///     })?;
/// println!("{}, done: {}", tenant.report(), tenant.is_finished());
/// let ended = tenant.join()?;
/// let exit_code = ended.value?;
/// assert_eq!(ended.threads_left, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "it is restricted and run by `spawn`"]
pub struct Instance {
    name: String,
    settings: Settings,
}

impl Instance {
    /// One that may use nothing. `name` is for the thread, of which the kernel keeps 15 bytes.
    ///
    /// [Example](Instance#example).
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            settings: Settings::default(),
        }
    }

    /// Preopens a host file or directory, as [`WasiEnvBuilder::preopen`](crate::WasiEnvBuilder::preopen) does.
    ///
    /// [Example](Instance#example).
    ///
    /// # Errors
    /// As there.
    pub fn preopen<F>(mut self, describe: F) -> Result<Self, WasiStateCreationError>
    where
        F: FnOnce(&mut HostPreopenBuilder) -> &mut HostPreopenBuilder,
    {
        self.settings.add_preopen(describe)?;
        Ok(self)
    }

    /// Gives the module what the profile says, as [`WasiEnvBuilder::profile`](crate::WasiEnvBuilder::profile) does.
    ///
    /// ```
    /// # fn main() -> Result<(), wasmer_wasix::profile::ProfileError> {
    /// use wasmer_wasix::{landlock::Instance, profile::Profile};
    ///
    /// let instance = Instance::new("tenant").profile(&Profile::new().argument("serve"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn profile(mut self, profile: &Profile) -> Result<Self, ProfileError> {
        Applied::put(profile, &mut self.settings)?;
        Ok(self)
    }

    /// Configures the policy, as [`WasiEnvBuilder::landlock`](crate::WasiEnvBuilder::landlock) does. What the
    /// runtime reads by itself is not granted unless named here.
    ///
    /// [Example](Instance#example).
    pub fn landlock<F>(mut self, configure: F) -> Self
    where
        F: FnOnce(Policy) -> Policy,
    {
        self.settings.configure(configure);
        self
    }

    fn enforce(&self, scope: Scope) -> Result<Arc<Report>, InstanceError> {
        // An environment in the instance reads the policy from outside again, for its own report.
        let mut settings = self.settings.clone();
        settings.narrow_from_outside(None)?;
        let mut recorder = Recorder::default();
        for preopen in &settings.host_preopens {
            recorder.host_preopen(preopen);
        }
        let policy = settings
            .policy(scope, |policy| policy)
            .preopens(recorder.into_preopens());
        let prepared = policy.prepare().map_err(wasix_landlock::Error::from)?;
        settings.check_outside(prepared.report())?;
        let report = prepared.enforce().map_err(wasix_landlock::Error::from)?;
        if let Some(receiver) = &self.settings.on_enforced {
            receiver.tell(&report);
        }
        Ok(report)
    }

    /// Runs `run` on a thread of its own that is restricted before, and returns when it is.
    ///
    /// [Example](Instance#example).
    ///
    /// # Errors
    /// [`InstanceError::Policy`] when it can't be restricted, such as in a process that is restricted already;
    /// [`InstanceError::Thread`] when the system starts no thread, and [`InstanceError::Tokio`] no runtime.
    pub fn spawn<T, F>(self, run: F) -> Result<Running<T>, InstanceError>
    where
        T: Send + 'static,
        F: FnOnce(&InstanceRuntime) -> T + Send + 'static,
    {
        // Whatever else compiles with the pool that rayon keeps for everybody must not find it inside an
        // instance.
        rayon::current_num_threads();
        let (tell, told) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name(self.name.clone())
            .spawn(move || {
                let inside = self
                    .enforce(Scope::Instance)
                    .and_then(|report| InstanceRuntime::new(self.settings, report));
                let inside = match inside {
                    Ok(inside) => inside,
                    Err(error) => {
                        let _caller_waits = tell.send(Err(error));
                        return None;
                    }
                };
                let _caller_waits = tell.send(Ok(Arc::clone(inside.report())));
                let value = inside.enter(|| run(&inside));
                Some(InstanceOutcome {
                    value,
                    threads_left: inside.end(GRACE),
                })
            })
            .map_err(InstanceError::Thread)?;
        let report = told.recv().map_err(|_| InstanceError::Panicked)??;
        Ok(Running { report, thread })
    }

    /// Restricts the whole process, for this instance alone: what a worker does first, while it has one thread.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use wasmer_wasix::landlock::Instance;
    /// # let (engine, bytes) = (wasmer::Engine::default(), Vec::<u8>::new());
    ///
    /// // First of all, in a process that was started for this.
    /// let inside = Instance::new("worker")
    ///     .preopen(|p| p.directory("/srv/a").alias("/data").read(true))?
    ///     .take_process()?;
    /// let module = inside.compile(&engine, &bytes)?;
    /// let exit_code = inside.run("guest", module, &engine, |runner| {
    ///     runner.with_args(["--verbose"]);
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InstanceError::Policy`] when it can't be restricted, and [`InstanceError::Tokio`] when there is no
    /// runtime to be had.
    pub fn take_process(self) -> Result<InstanceRuntime, InstanceError> {
        let report = self.enforce(Scope::Worker)?;
        InstanceRuntime::new(self.settings, report)
    }
}

/// An instance on a thread of its own.
pub struct Running<T> {
    report: Arc<Report>,
    thread: JoinHandle<Option<InstanceOutcome<T>>>,
}

impl<T> fmt::Debug for Running<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

impl<T> Running<T> {
    /// Returns the report of its restriction.
    ///
    /// [Example](Instance#example).
    pub fn report(&self) -> &Arc<Report> {
        &self.report
    }

    /// True if its own work is done.
    ///
    /// [Example](Instance#example).
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    ///
    /// [Example](Instance#example).
    ///
    /// # Errors
    /// [`InstanceError::Panicked`].
    pub fn join(self) -> Result<InstanceOutcome<T>, InstanceError> {
        match self.thread.join() {
            Ok(Some(ended)) => Ok(ended),
            _ => Err(InstanceError::Panicked),
        }
    }
}

/// The result of an instance.
#[derive(Debug)]
#[non_exhaustive]
pub struct InstanceOutcome<T> {
    /// The closure's return value.
    pub value: T,
    /// Threads that went on when it was over, such as a guest's that loops or waits for a terminal. They stay
    /// restricted and can't be ended from outside; no other instance uses them.
    pub threads_left: usize,
}
