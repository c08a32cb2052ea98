//! The use of one environment's limits: counted for all its threads and child processes together.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use wasix_landlock::{EnforceError, Membership};

use crate::os::task::control_plane::WasiControlPlaneHandle;
use crate::syscalls::platform_clock_time_get;
use crate::types::Signal;
use crate::types::wasi::{Errno, ExitCode, Snapshot0Clockid};
use crate::{WasiEnv, WasiProcess};

use super::interrupts::Interrupts;
use super::shares::Shares;
use super::{Groups, Limit, Limits};

/// A receiver of the limit that was reached.
#[derive(Clone, Default)]
pub(super) struct OnLimit(Option<Arc<dyn Fn(Limit) + Send + Sync>>);

impl OnLimit {
    pub(super) fn new(tell: impl Fn(Limit) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }
}

impl std::fmt::Debug for OnLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Some" } else { "None" })
    }
}

/// The limits of one environment, and what is used of them.
pub(crate) struct Meter {
    limits: Limits,
    groups: Groups,
    /// A panic in it leaves nothing half done here. Upstream's types that hold a meter are unwind safe.
    tell: AssertUnwindSafe<OnLimit>,
    reached: OnceLock<Limit>,
    processes: AtomicU64,
    disk_bytes: AtomicU64,
    stream_bytes: AtomicU64,
    /// True if the event was logged that a descriptor was refused.
    refused_a_descriptor: AtomicBool,
    spawning: Mutex<()>,
    started: OnceLock<Started>,
    /// True if an instance was given the instructions.
    pub(super) instructions_given: AtomicBool,
    pub(super) shares: Shares,
    /// The means to end threads that compute.
    pub(super) interrupts: Arc<Interrupts>,
    /// The instance that the environment is, if the operator wants it to be one.
    pub(crate) instance: OnceLock<Membership>,
}

/// The parts that are known when the environment is there.
struct Started {
    plane: WasiControlPlaneHandle,
    /// By [`now`].
    deadline: Option<Duration>,
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter")
            .field("limits", &self.limits)
            .field("reached", &self.reached)
            .finish_non_exhaustive()
    }
}

/// The exit code of a module that has reached the limit, as WASI's functions have it.
pub(super) fn exit_code(limit: Limit) -> ExitCode {
    // Only limits that end a module are reached.
    ExitCode::from(limit.exit_code().unwrap_or(1))
}

/// Returns the time, by upstream's own clock: the standard library has none in a browser. A clock that can't be read is
/// past every deadline.
fn now() -> Duration {
    let time = platform_clock_time_get(Snapshot0Clockid::Monotonic, 1_000_000);
    let time = time.ok().and_then(|time| u64::try_from(time).ok());
    time.map_or(Duration::MAX, Duration::from_nanos)
}

/// Without a profile: nothing is limited or withheld.
impl Default for Meter {
    fn default() -> Self {
        Self::new(Limits::none(), Groups::all(), OnLimit::default())
    }
}

impl Meter {
    pub(super) fn new(limits: Limits, groups: Groups, tell: OnLimit) -> Self {
        Self {
            limits,
            groups,
            tell: AssertUnwindSafe(tell),
            reached: OnceLock::new(),
            processes: AtomicU64::new(0),
            disk_bytes: AtomicU64::new(0),
            stream_bytes: AtomicU64::new(0),
            refused_a_descriptor: AtomicBool::new(false),
            spawning: Mutex::new(()),
            started: OnceLock::new(),
            instructions_given: AtomicBool::new(false),
            shares: Shares::default(),
            interrupts: Arc::default(),
            instance: OnceLock::new(),
        }
    }

    /// True if a profile has limits or has switched groups off.
    pub(super) fn does_anything(&self) -> bool {
        self.limits != Limits::none() || !self.groups.are_all_on()
    }

    /// Makes the calling thread known as one of the environment's, which has to be an instance's if the environment is one.
    pub(super) fn enter_instance(&self) -> Result<(), EnforceError> {
        self.instance.get().map_or(Ok(()), Membership::enter)
    }

    pub(super) fn groups(&self) -> &Groups {
        &self.groups
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn reached(&self) -> Option<Limit> {
        self.reached.get().copied()
    }

    /// Asked at each call of WASI: the exit code, if the module has to end.
    pub(crate) fn exit_code(&self) -> Option<ExitCode> {
        let deadline = self.started.get().and_then(|started| started.deadline);
        if deadline.is_some_and(|deadline| now() >= deadline) {
            self.reach(Limit::WallClock);
        }
        self.reached().map(exit_code)
    }

    /// Starts the clock, with all that was built.
    pub(crate) fn start(self: &Arc<Self>, env: &WasiEnv) {
        let time = self.limits.wall_clock_ms.map(Duration::from_millis);
        let deadline = time.map(|time| now().saturating_add(time));
        let started = Started {
            plane: env.control_plane.handle(),
            deadline,
        };
        if self.started.set(started).is_err() {
            return;
        }
        if let Some(time) = time {
            // Wakes what waits; what doesn't notices by itself.
            let meter = Arc::downgrade(self);
            let sleep = env.tasks().sleep_now(time);
            let watch = async move {
                sleep.await;
                if let Some(meter) = meter.upgrade() {
                    meter.reach(Limit::WallClock);
                }
            };
            if let Err(error) = env.tasks().task_shared(Box::new(|| Box::pin(watch))) {
                tracing::warn!(%error, "a module that waits will not be ended at its deadline");
            }
        }
    }

    /// Ends the module, all its threads and child processes. What they wait for is interrupted.
    pub(super) fn reach(&self, limit: Limit) {
        if self.reached.set(limit).is_err() {
            return;
        }
        tracing::warn!(
            target: "wasix_landlock",
            %limit,
            allowed = self.limits.of(limit),
            exit_code = limit.exit_code(),
            "the module has reached a limit and is ended"
        );
        // The module ends also if the program's own function panics.
        let told = catch_unwind(AssertUnwindSafe(|| {
            if let Some(tell) = &self.tell.0.0 {
                tell(limit);
            }
        }));
        for process in self.processes() {
            process.terminate(exit_code(limit));
            process.signal_process(Signal::Sigkill);
        }
        Interrupts::begin(&self.interrupts);
        if let Err(panic) = told {
            resume_unwind(panic);
        }
    }

    fn processes(&self) -> Vec<WasiProcess> {
        let plane = self.started.get().and_then(|s| s.plane.upgrade());
        plane.map_or_else(Vec::new, |plane| plane.processes())
    }

    /// Before so many bytes are written.
    pub(super) fn write(&self, bytes: u64, is_stream: bool) -> Result<(), Limit> {
        let (limit, used) = match is_stream {
            true => (Limit::StreamBytes, &self.stream_bytes),
            false => (Limit::DiskBytes, &self.disk_bytes),
        };
        let Some(most) = self.limits.of(limit) else {
            return Ok(());
        };
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= most);
        match used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => Ok(()),
            Err(_) => {
                self.reach(limit);
                Err(self.reached().unwrap_or(limit))
            }
        }
    }

    /// Before a file grows by so many bytes otherwise than by writing.
    pub(crate) fn grow(&self, bytes: u64) -> Result<(), Errno> {
        self.write(bytes, false).map_err(|_| Errno::Nospc)
    }

    /// Before a descriptor is added to so many.
    pub(crate) fn open(&self, open: usize) -> Result<(), Errno> {
        match self.limits.descriptors {
            Some(most) if open >= most as usize => {
                if !self.refused_a_descriptor.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        target: "wasix_landlock",
                        limit = %Limit::Descriptors,
                        allowed = most,
                        "the module has as many descriptors open as it may, and gets EMFILE"
                    );
                }
                Err(Errno::Mfile)
            }
            _ => Ok(()),
        }
    }

    /// True if it matters how much is written.
    pub(crate) fn counts_writes(&self, is_stream: bool) -> bool {
        match is_stream {
            true => self.limits.stream_bytes.is_some(),
            false => self.limits.disk_bytes.is_some(),
        }
    }

    /// Before a thread is made. Until what is returned is dropped, nobody else makes one.
    pub(crate) fn thread(&self) -> Result<MutexGuard<'_, ()>, Errno> {
        let guard = self.spawning.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(most) = self.limits.threads {
            let beside_the_first =
                |process: WasiProcess| u64::from(process.active_threads().saturating_sub(1));
            let threads: u64 = self.processes().into_iter().map(beside_the_first).sum();
            if threads >= u64::from(most) {
                self.reach(Limit::Threads);
                return Err(Errno::Again);
            }
        }
        Ok(guard)
    }

    /// Before a child process is made.
    pub(crate) fn process(&self) -> bool {
        let Some(most) = self.limits.processes else {
            return true;
        };
        let fits = self.processes.fetch_add(1, Ordering::AcqRel) < u64::from(most);
        if !fits {
            self.reach(Limit::Processes);
        }
        fits
    }
}
