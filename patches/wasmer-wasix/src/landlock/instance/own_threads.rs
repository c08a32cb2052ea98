//! Environments that the operator makes instances: threads of their own around a program that nobody changes.
//!
//! The program's own threads can't be restricted for one environment and be free again. So an environment gets a first
//! thread, which is restricted and then starts all others: a thread that is started from elsewhere would be free.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use futures::Future;
use futures::future::BoxFuture;
use wasix_landlock::{Membership, Prepared, Report};

use super::error::InstanceError;
use super::own_runtime::{OnceRestricted, OwnRuntime};
use super::runtime::InstanceRuntime;
use super::spawn::GRACE;
use super::tasks::Tasks;
use crate::Runtime;
use crate::landlock::error::BuildError;
use crate::landlock::settings::Settings;
use crate::os::task::thread::WasiThreadError;
use crate::profile::Meter;
use crate::runtime::VirtualTaskManager;
use crate::runtime::task_manager::TaskWasm;

/// The name of the first thread, of which the kernel keeps 15 bytes.
const FIRST: &str = "wasix instance";

/// Work for the first thread.
type Job = Box<dyn FnOnce() + Send>;

/// The threads of an environment, before and after they are there.
#[derive(Debug, Default)]
pub(crate) struct OwnThreads(OnceRestricted);

/// The parts of a restricted environment that others use.
struct Begun {
    report: Arc<Report>,
    /// Missing where nothing is enforced on this system.
    instance: Option<Membership>,
    tasks: Arc<Tasks>,
}

impl OwnThreads {
    /// Returns the runtime with these threads in the place of its own, from when they are there.
    pub(crate) fn around(
        &self,
        runtime: Arc<dyn Runtime + Send + Sync>,
        report: &Report,
    ) -> Arc<dyn Runtime + Send + Sync> {
        let has_network = report.network.is_none();
        Arc::new(OwnRuntime::new(runtime, Arc::clone(&self.0), has_network))
    }

    /// Starts and restricts the first thread. All threads end when nobody has the runtime any more.
    pub(crate) fn begin(
        &self,
        prepared: Prepared,
        meter: &Meter,
    ) -> Result<Arc<Report>, BuildError> {
        // Whatever else compiles with the pool that rayon keeps for everybody must not find it inside an instance.
        rayon::current_num_threads();
        let (tell, told) = mpsc::sync_channel(1);
        let (first, jobs) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name(FIRST.to_owned())
            .spawn(move || match restricted(prepared) {
                Ok(inside) => {
                    let _caller_waits = tell.send(Ok(Begun {
                        report: Arc::clone(inside.report()),
                        instance: Membership::current(),
                        tasks: inside.own_tasks(),
                    }));
                    inside.enter(|| jobs.into_iter().for_each(|job| job()));
                    inside.end(GRACE);
                }
                Err(error) => {
                    let _caller_waits = tell.send(Err(error));
                }
            })
            .map_err(InstanceError::Thread)?;
        let Begun {
            report,
            instance,
            tasks,
        } = told.recv().map_err(|_| InstanceError::Panicked)??;
        let own = OwnTasks {
            tasks,
            instance: instance.as_ref().map(Membership::id),
            first,
        };
        // An environment is enforced once.
        let _ = self.0.set(Arc::new(own));
        if let Some(instance) = instance {
            let _ = meter.instance.set(instance);
        }
        Ok(report)
    }
}

/// Restricts the calling thread, and makes the runtime that its environment works on.
fn restricted(prepared: Prepared) -> Result<InstanceRuntime, BuildError> {
    let report = prepared.enforce()?;
    Ok(InstanceRuntime::new(Settings::default(), report)?)
}

/// The instance's task manager for everybody, also for the program's own threads.
struct OwnTasks {
    /// Dropped before `first`: the first thread then has the last one, and waits for the threads to end.
    tasks: Arc<Tasks>,
    instance: Option<u64>,
    first: mpsc::Sender<Job>,
}

impl fmt::Debug for OwnTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnTasks").field(&self.tasks).finish()
    }
}

impl OwnTasks {
    /// Calls `start` on a thread of the instance, so that the threads that it starts are restricted.
    fn inside(
        &self,
        start: impl FnOnce(&Tasks) -> Result<(), WasiThreadError> + Send + 'static,
    ) -> Result<(), WasiThreadError> {
        let here = Membership::current().map(|instance| instance.id());
        if here.is_some() && here == self.instance {
            return start(&self.tasks);
        }
        let (tell, told) = mpsc::sync_channel(1);
        let tasks = Arc::clone(&self.tasks);
        let job = move || {
            let _caller_waits = tell.send(start(&tasks));
        };
        let sent = self.first.send(Box::new(job)).ok();
        sent.and_then(|()| told.recv().ok())
            .unwrap_or(Err(WasiThreadError::InvalidWasmContext))
    }
}

impl VirtualTaskManager for OwnTasks {
    fn sleep_now(
        &self,
        time: Duration,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync + 'static>> {
        self.tasks.sleep_now(time)
    }

    /// The workers of the instance's tokio runtime are there already.
    fn task_shared(
        &self,
        task: Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send + 'static>,
    ) -> Result<(), WasiThreadError> {
        self.tasks.task_shared(task)
    }

    fn task_wasm(&self, task: TaskWasm) -> Result<(), WasiThreadError> {
        self.inside(|tasks| tasks.task_wasm(task))
    }

    fn task_dedicated(
        &self,
        task: Box<dyn FnOnce() + Send + 'static>,
    ) -> Result<(), WasiThreadError> {
        self.inside(|tasks| tasks.task_dedicated(task))
    }

    fn thread_parallelism(&self) -> Result<usize, WasiThreadError> {
        self.tasks.thread_parallelism()
    }
}
