//! The runtime of an instance, made when it is restricted.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Runtime as Tokio};
use wasix_landlock::Report;
use wasmer::{CompileError, Engine, Module};
use wasmer_types::ModuleHash;

use super::error::InstanceError;
use super::tasks::{self, Tasks};
use super::watched::Watched;
use crate::landlock::exit_code::exit_code;
use crate::landlock::settings::Settings;
use crate::profile::{self, Network};
use crate::runners::wasi::{RuntimeOrEngine, WasiRunner};
use crate::runtime::VirtualTaskManager;
use crate::{PluggableRuntime, Runtime, WasiEnvBuilder, WasiRuntimeError};

/// Threads of the tokio runtime, beside those for blocking work.
const WORKERS: usize = 1;

/// An instance as seen from its own thread: the runtime, the threads and the preopens that are its own.
///
/// Make the module and the environment with it. In an instance, `build()` joins the instance's policy, and fails
/// for a task manager, a runtime or a file system that would do the module's work on a foreign thread.
///
/// # Example
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wasmer_wasix::landlock::Instance;
/// # let (engine, bytes) = (wasmer::Engine::default(), Vec::<u8>::new());
///
/// let tenant = Instance::new("tenant")
///     .preopen(|p| p.directory("/srv/a").alias("/data").read(true))?
///     .spawn(move |inside| -> Result<i32, Box<dyn std::error::Error + Send + Sync>> {
///         println!("{}", inside.report());
///         inside.tokio().spawn(async { /* also restricted */ });
///         let module = inside.compile(&engine, &bytes)?;
///         let mut store = wasmer::Store::new(engine.clone());
///         // With `inside.runtime(&engine)`, which has `inside.task_manager()`.
///         let builder = inside.builder("guest", &engine).arg("serve");
///         let (instance, _env) = builder.instantiate(module, &mut store)?;
///         let serve = instance.exports.get_typed_function::<(), i32>(&store, "serve")?;
///         Ok(serve.call(&mut store)?)
///     })?;
/// let served = tenant.join()?.value;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct InstanceRuntime {
    settings: Settings,
    report: Arc<Report>,
    /// Missing where the whole process is restricted.
    instance: Option<wasix_landlock::Membership>,
    tasks: Arc<Tasks>,
    tokio: Tokio,
}

impl InstanceRuntime {
    pub(crate) fn new(settings: Settings, report: Arc<Report>) -> Result<Self, InstanceError> {
        let instance = wasix_landlock::Membership::current();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(WORKERS).enable_all();
        if let Some(instance) = instance.clone() {
            builder.on_thread_start(move || tasks::enter(&instance));
        }
        let tokio = builder.build().map_err(InstanceError::Tokio)?;
        let tasks = Arc::new(Tasks::new(tokio.handle().clone(), instance.clone()));
        if let Some(instance) = &instance {
            tasks::register(instance.id(), &tasks);
        }
        Ok(Self {
            settings,
            report,
            instance,
            tasks,
            tokio,
        })
    }

    /// Returns the report of the restriction.
    ///
    /// [Example](InstanceRuntime#example).
    pub fn report(&self) -> &Arc<Report> {
        &self.report
    }

    /// The instance's tokio runtime.
    ///
    /// [Example](InstanceRuntime#example).
    pub fn tokio(&self) -> &Handle {
        self.tokio.handle()
    }

    /// The instance's task manager.
    ///
    /// [Example](InstanceRuntime#example).
    pub fn task_manager(&self) -> Arc<dyn VirtualTaskManager> {
        Arc::clone(&self.tasks) as _
    }

    pub(super) fn own_tasks(&self) -> Arc<Tasks> {
        Arc::clone(&self.tasks)
    }

    /// A runtime with the instance's task manager. Where the whole process is restricted, it has the ports that the
    /// report names. An instance has no network: the thread that would wait for its sockets is no member of it.
    ///
    /// [Example](InstanceRuntime#example).
    pub fn runtime(&self, engine: &Engine) -> PluggableRuntime {
        let _tokio = self.tokio.enter();
        let network = match (&self.instance, &self.report.network) {
            (None, Some(network)) => network.clone(),
            _ => Network::none(),
        };
        let mut runtime = PluggableRuntime::new(self.task_manager());
        runtime.set_engine(engine.clone());
        runtime.networking = profile::networking(&network);
        runtime
    }

    /// A builder with the instance's preopens and [`runtime`](Self::runtime).
    ///
    /// [Example](InstanceRuntime#example).
    #[must_use]
    pub fn builder(&self, program_name: &str, engine: &Engine) -> WasiEnvBuilder {
        let runtime: Arc<dyn Runtime + Send + Sync> = Arc::new(self.runtime(engine));
        let mut builder = WasiEnvBuilder::new(program_name).runtime(runtime);
        builder.landlock = self.own_settings();
        self.settings.applied.give_to_builder(&mut builder);
        builder
    }

    /// The instance has told about its own enforcement.
    fn own_settings(&self) -> Settings {
        let mut settings = self.settings.clone();
        settings.on_enforced = None;
        settings
    }

    /// Compiles a module on threads of the instance's own.
    ///
    /// `Module::new` does so too, but for a part of the analysis, which runs on the pool that rayon keeps for the
    /// whole process: outside of the restriction, though no code of the module's is run there.
    ///
    /// [Example](InstanceRuntime#example).
    ///
    /// # Errors
    /// As `Module::new`.
    pub fn compile(
        &self,
        engine: &Engine,
        bytes: impl AsRef<[u8]> + Send,
    ) -> Result<Module, CompileError> {
        let mut pool = rayon::ThreadPoolBuilder::new();
        if let Some(instance) = self.instance.clone() {
            pool = pool.start_handler(move |_| tasks::enter(&instance));
        }
        let pool = pool
            .build()
            .map_err(|error| CompileError::Resource(error.to_string()))?;
        pool.install(|| Module::new(engine, bytes))
    }

    /// Runs a module to its end and returns its exit code. `configure` gets the runner with the instance's
    /// preopens.
    ///
    /// [Example](super::Instance#example).
    ///
    /// # Errors
    /// As [`WasiRunner::run_wasm`], but for the module's own exit code; [`WasiRuntimeError::Runtime`] is in it
    /// when the module trapped.
    pub fn run(
        &self,
        program_name: &str,
        module: Module,
        engine: &Engine,
        configure: impl FnOnce(&mut WasiRunner),
    ) -> Result<i32, anyhow::Error> {
        let mut runner = WasiRunner::new();
        *runner.landlock_settings() = self.own_settings();
        self.settings.applied.give(&mut runner);
        configure(&mut runner);
        let runtime = Arc::new(Watched::new(self.runtime(engine)));
        let ran = self.enter(|| {
            let runtime = RuntimeOrEngine::Runtime(Arc::clone(&runtime) as _);
            runner.run_wasm(runtime, program_name, module, ModuleHash::random())
        });
        if let Some(trap) = runtime.take_trap() {
            return Err(WasiRuntimeError::from(trap).into());
        }
        match ran {
            Ok(()) => Ok(0),
            Err(error) => exit_code(&error).ok_or(error),
        }
    }

    pub(crate) fn enter<T>(&self, run: impl FnOnce() -> T) -> T {
        let _tokio = self.tokio.enter();
        run()
    }

    /// Ends the threads, and returns how many have not ended in time.
    pub(crate) fn end(self, grace: Duration) -> usize {
        let Self {
            instance,
            tasks,
            tokio,
            ..
        } = self;
        // The last one who knows of the pool lets its threads end.
        drop(tasks);
        tokio.shutdown_timeout(grace);
        let Some(instance) = instance else {
            return 0;
        };
        tasks::forget(instance.id());
        // This one is still there.
        wait(grace, || instance.threads() <= 1);
        instance.threads().saturating_sub(1)
    }
}

/// Waits until `done`, and returns whether it came to that.
fn wait(time: Duration, done: impl Fn() -> bool) -> bool {
    let until = Instant::now() + time;
    while !done() {
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}
