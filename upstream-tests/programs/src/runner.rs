//! One run of a program through Wasmer, whichever of the two this is built with: the fork, or as published.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use wasix_landlock_engine::engine;
pub use wasix_landlock_profile::Compiler;
use wasmer::{Engine, Instance, Module, Store};
use wasmer_types::ModuleHash;
use wasmer_wasix::runners::MappedDirectory;
use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};
use wasmer_wasix::runtime::module_cache::{FileSystemCache, ModuleCache as _};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::virtual_fs::{FileSystem, host_fs};
use wasmer_wasix::{
    PluggableRuntime, Runtime, UnsupportedVirtualNetworking, WasiEnv, WasiError, WasiRuntimeError,
};

use crate::same_chance::Chance;

/// One run of a program, in a process of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// The file.
    pub module: PathBuf,
    /// The first is the program's name.
    pub arguments: Vec<String>,
    /// The environment variables of the module.
    #[serde(default)]
    pub environment: Vec<(String, String)>,
    /// Directories of the host, and what they are called inside.
    pub directories: Vec<(PathBuf, String)>,
    /// True if chance and time are the same in each run. Then it has one directory, and no file.
    pub same_chance: bool,
    /// A single file of the host, for the fork only.
    pub file: Option<(PathBuf, String)>,
    /// The compiler.
    pub compiler: Compiler,
    /// The directory of the cache of compiled modules.
    pub cache: PathBuf,
    /// The file to which the measurement is written.
    pub output: PathBuf,
}

/// The measurement of one process.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Measured {
    /// Making the engine and loading the compiled module, in milliseconds.
    pub load: f64,
    /// Making the environment, and the program's run, in milliseconds.
    pub run: f64,
    /// The most memory that the process had, in MiB.
    pub peak: f64,
    /// Compiling, in milliseconds; 0 where that was not asked for.
    pub compile: f64,
    /// The compiled module, in MiB; 0 likewise.
    pub size: f64,
}

impl Run {
    /// Reads what `Run` a file describes.
    ///
    /// # Errors
    /// What the file lacks.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
    }

    /// By the path: the file of a pinned program doesn't change, and to hash it is no part of a start.
    fn key(&self) -> ModuleHash {
        ModuleHash::new(self.module.display().to_string())
    }

    /// Compiles the module and keeps it.
    ///
    /// # Errors
    /// An error of the compiler.
    pub fn compile(&self) -> anyhow::Result<()> {
        let tokio = tokio::runtime::Runtime::new()?;
        let bytes = std::fs::read(&self.module)?;
        let begun = Instant::now();
        let engine = engine(self.compiler);
        let module = Module::new(&engine, bytes)?;
        let compile = milliseconds(begun);
        let peak = peak(&mut File::open("/proc/self/status")?)?;
        let size = module.serialize()?.len() as f64 / f64::from(1 << 20);
        let tasks = Arc::new(TokioTaskManager::new(tokio.handle().clone()));
        tokio.block_on(FileSystemCache::new(&self.cache, tasks).save(
            self.key(),
            &engine,
            &module,
        ))?;
        let measured = Measured {
            load: 0.0,
            run: 0.0,
            peak,
            compile,
            size,
        };
        File::create(&self.output)?.write_all(serde_json::to_string(&measured)?.as_bytes())?;
        Ok(())
    }

    /// Runs it, and returns its exit code. `more` has the last word on what the runner grants.
    ///
    /// # Errors
    /// An error that kept the program from running to its end.
    pub fn run(
        &self,
        more: impl FnOnce(&mut WasiRunner, &Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<i32> {
        // What is open stays usable when nothing else can be opened.
        let mut output = File::create(&self.output)?;
        let mut status = File::open("/proc/self/status")?;
        let tokio = tokio::runtime::Runtime::new()?;
        let _entered = tokio.enter();
        let tasks = Arc::new(TokioTaskManager::new(tokio.handle().clone()));

        let begun = Instant::now();
        let engine = engine(self.compiler);
        let cache = FileSystemCache::new(&self.cache, Arc::clone(&tasks));
        let module = tokio
            .block_on(cache.load(self.key(), &engine))
            .context("it was not compiled before")?;
        let load = milliseconds(begun);

        let begun = Instant::now();
        let mut runtime = PluggableRuntime::new(tasks);
        runtime
            .set_engine(engine.clone())
            .set_networking_implementation(UnsupportedVirtualNetworking::default());
        let runtime: Arc<dyn Runtime + Send + Sync> = Arc::new(runtime);
        let ended = if self.same_chance {
            self.run_with_the_same_chance(engine, runtime, &module)
        } else {
            let mut runner = WasiRunner::new();
            let (name, arguments) = self.name_and_arguments()?;
            runner.with_args(arguments);
            runner.with_envs(self.environment.iter().cloned());
            let mapped = |(host, guest): &(PathBuf, String)| MappedDirectory {
                host: host.clone(),
                guest: guest.clone(),
            };
            runner.with_mapped_directories(self.directories.iter().map(mapped));
            more(&mut runner, self)?;
            let runtime = RuntimeOrEngine::Runtime(runtime);
            runner.run_wasm(runtime, name, module, self.key())
        };
        let code = match ended {
            Ok(()) => 0,
            Err(error) => exit_code(&error).ok_or(error)?,
        };
        let measured = Measured {
            load,
            run: milliseconds(begun),
            peak: peak(&mut status)?,
            compile: 0.0,
            size: 0.0,
        };
        output.write_all(serde_json::to_string(&measured)?.as_bytes())?;
        Ok(code)
    }

    fn name_and_arguments(&self) -> anyhow::Result<(&str, &[String])> {
        let (name, arguments) = self
            .arguments
            .split_first()
            .context("a program has a name")?;
        Ok((name, arguments))
    }

    /// Without the runner, which takes no functions of others.
    fn run_with_the_same_chance(
        &self,
        engine: Engine,
        runtime: Arc<dyn Runtime + Send + Sync>,
        module: &Module,
    ) -> anyhow::Result<()> {
        let mut store = Store::new(engine);
        let (name, arguments) = self.name_and_arguments()?;
        let [(host, guest)] = &self.directories[..] else {
            anyhow::bail!("it has one directory");
        };
        let files = host_fs::FileSystem::new(tokio::runtime::Handle::current(), host)?;
        let files: Arc<dyn FileSystem + Send + Sync> = Arc::new(files);
        let builder = WasiEnv::builder(name)
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .runtime(runtime);
        let builder = builder.fs(files).map_dir(guest, "/")?;
        let mut env = builder.finalize(&mut store)?;
        let mut imports = env.import_object_for_all_wasi_versions(&mut store, module)?;
        let chance = Chance::put_into(&mut imports, &mut store, module);
        let instance = Instance::new(&mut store, module, &imports)?;
        let memory = instance.exports.get_memory("memory")?.clone();
        chance.as_mut(&mut store).writes_to(memory);
        env.initialize(&mut store, instance.clone())?;
        let start = instance.exports.get_function("_start")?;
        let ended = start.call(&mut store, &[]);
        env.on_exit(&mut store, None);
        match ended.map_err(wasmer::RuntimeError::downcast::<WasiError>) {
            Err(Ok(ended)) => Err(ended.into()),
            Err(Err(error)) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }
}

/// The exit code behind an error of a run, if the module ended by itself: `wasmer_wasix::landlock::exit_code`, which
/// Wasmer as published lacks.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> Option<i32> {
    error
        .chain()
        .find_map(|cause| match cause.downcast_ref::<WasiRuntimeError>() {
            Some(error) => error.as_exit_code(),
            None => match cause.downcast_ref::<WasiError>() {
                Some(WasiError::Exit(code)) => Some(*code),
                _ => None,
            },
        })
        .map(|code| code.raw())
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

/// The most memory that this process had, in MiB.
fn peak(status: &mut File) -> anyhow::Result<f64> {
    let mut text = String::new();
    status.read_to_string(&mut text)?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: f64 = kilobytes.context("no VmHWM")?.parse()?;
    Ok(kilobytes / 1024.0)
}
