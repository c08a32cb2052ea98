//! The threads that an instance's work runs on: each is asked whether it is restricted before it does anything.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::Future;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use virtual_fs::HostBacking;
use wasix_landlock::Membership;

use crate::Runtime;
use crate::landlock::error::BuildError;
use crate::os::task::thread::WasiThreadError;
use crate::runtime::VirtualTaskManager;
use crate::runtime::task_manager::TaskWasm;
use crate::runtime::task_manager::tokio::TokioTaskManager;

/// Upstream's task manager, with threads of the instance only.
pub(crate) struct Tasks {
    inner: TokioTaskManager,
    instance: Option<Membership>,
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tasks").field(&self.inner).finish()
    }
}

impl Tasks {
    pub(crate) fn new(tokio: Handle, instance: Option<Membership>) -> Self {
        Self {
            inner: TokioTaskManager::new(tokio),
            instance,
        }
    }

    /// The first act of a thread of the pool.
    fn first(&self) -> impl FnOnce() + Send + 'static {
        let instance = self.instance.clone();
        move || {
            if let Some(instance) = &instance {
                enter(instance);
            }
        }
    }
}

impl VirtualTaskManager for Tasks {
    fn sleep_now(
        &self,
        time: Duration,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync + 'static>> {
        self.inner.sleep_now(time)
    }

    fn task_shared(
        &self,
        task: Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send + 'static>,
    ) -> Result<(), WasiThreadError> {
        self.inner.task_shared(task)
    }

    fn task_wasm(&self, mut task: TaskWasm) -> Result<(), WasiThreadError> {
        let (first, tokio) = (self.first(), self.inner.runtime_handle());
        let run = task.callbacks.run;
        task.callbacks.run = Box::new(move |properties| {
            first();
            let _tokio = tokio.enter();
            run(properties);
        });
        self.inner.task_wasm(task)
    }

    fn task_dedicated(
        &self,
        task: Box<dyn FnOnce() + Send + 'static>,
    ) -> Result<(), WasiThreadError> {
        let (first, tokio) = (self.first(), self.inner.runtime_handle());
        self.inner.task_dedicated(Box::new(move || {
            first();
            let _tokio = tokio.enter();
            task();
        }))
    }

    fn thread_parallelism(&self) -> Result<usize, WasiThreadError> {
        self.inner.thread_parallelism()
    }
}

/// Makes the calling thread one of the instance.
///
/// # Panics
/// When the kernel shows that it isn't: nothing of the instance may run here then.
pub(crate) fn enter(instance: &Membership) {
    if let Err(error) = instance.enter() {
        panic!("a thread that is no instance's can't do its work: {error}");
    }
}

/// The instances' task managers, by the instance's number.
static TASKS: Mutex<Option<HashMap<u64, Weak<Tasks>>>> = Mutex::new(None);

fn registered() -> MutexGuard<'static, Option<HashMap<u64, Weak<Tasks>>>> {
    TASKS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn register(instance: u64, tasks: &Arc<Tasks>) {
    registered()
        .get_or_insert_default()
        .insert(instance, Arc::downgrade(tasks));
}

pub(crate) fn forget(instance: u64) {
    if let Some(registered) = registered().as_mut() {
        registered.remove(&instance);
    }
}

/// Checks, where the calling thread belongs to an instance, that what is being built does its work on the
/// instance's threads.
pub(crate) fn check_own(
    runtime: Option<&(dyn Runtime + Send + Sync)>,
    backings: &[HostBacking],
) -> Result<(), BuildError> {
    let Some(instance) = Membership::current() else {
        return Ok(());
    };
    let tasks = registered()
        .as_ref()
        .and_then(|registered| registered.get(&instance.id())?.upgrade());
    // Restricted by somebody who has no part in this, and so makes threads by his own rules.
    let Some(tasks) = tasks else {
        return Ok(());
    };
    let tokio = tasks.inner.runtime_handle().id();
    let refuse = |what: &str| {
        Err(BuildError::ForeignThreads {
            what: what.to_owned(),
        })
    };
    match runtime {
        Some(runtime) => {
            let given = Arc::as_ptr(runtime.task_manager()).cast::<()>();
            if given != Arc::as_ptr(&tasks).cast::<()>() {
                return refuse("a runtime with another task manager");
            }
        }
        None if Handle::try_current().is_ok_and(|current| current.id() == tokio) => {}
        None => return refuse("a runtime made by default here"),
    }
    #[cfg(not(feature = "host-fs"))]
    let _ = backings;
    #[cfg(feature = "host-fs")]
    for backing in backings {
        if backing.runtime.is_some_and(|runtime| runtime != tokio) {
            return refuse(&format!(
                "the file system at `{}` (`{}`)",
                backing.guest.display(),
                backing.host.display()
            ));
        }
    }
    Ok(())
}
