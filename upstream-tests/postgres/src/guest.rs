//! One run of a program of PostgreSQL's, in a process of its own, through `WasiRunner` and under enforcement.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::Compiler;
use wasix_landlock_programs::runner::exit_code;
use wasmer::{Engine, Module};
use wasmer_types::ModuleHash;
use wasmer_wasix::PluggableRuntime;
use wasmer_wasix::landlock::Network;
use wasmer_wasix::runners::MappedDirectory;
use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};
use wasmer_wasix::runtime::module_cache::{CacheError, FileSystemCache, ModuleCache, SharedCache};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::virtual_net::UnsupportedVirtualNetworking;
use wasmer_wasix::virtual_net::host::LocalNetworking;

use crate::assets::Assets;

/// The exit code of a process that could not run its module at all.
const NOT_RUN: u8 = 125;

/// The programs that may execute each other.
const PROGRAMS: [&str; 3] = ["bin/postgres", "bin/initdb", "bin/pg_dump"];

/// The libraries that PostgreSQL loads.
const LIBRARIES: [&str; 2] = [
    "lib/postgresql/plpgsql.so",
    "lib/postgresql/dict_snowball.so",
];

/// A request to run a program in a process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// The program's name below `/pglite/bin`.
    pub program: String,
    /// The arguments after the program's name.
    pub arguments: Vec<String>,
    /// The directory that the module sees as `/data`.
    pub data: PathBuf,
    /// True to require the second layer too.
    pub harden: bool,
    /// The port that the module may bind to, and connect to.
    pub port: Option<u16>,
}

/// Runs what `request` says and returns the exit code.
pub fn child(request: &str) -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off")),
        )
        .with_writer(std::io::stderr)
        .init();
    ExitCode::from(run(request).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        NOT_RUN
    }))
}

/// Compiles what a run needs, unless that was done before, and returns a program as a worker takes it.
pub fn artifact(assets: &Assets, program: &str) -> anyhow::Result<Vec<u8>> {
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let tasks = Arc::new(TokioTaskManager::new(tokio.handle().clone()));
    let modules = compiled(assets, &engine(Compiler::Cranelift), &tasks)?;
    let found = modules.iter().find(|(name, ..)| name == program);
    let (_, _, module) = found.with_context(|| format!("there is no {program}"))?;
    Ok(module.serialize()?.to_vec())
}

/// Compiles what a run needs, unless that was done before, and returns it.
fn compiled(
    assets: &Assets,
    engine: &Engine,
    tasks: &Arc<TokioTaskManager>,
) -> anyhow::Result<Vec<(String, ModuleHash, Module)>> {
    let cache = FileSystemCache::new(&assets.compiled, Arc::clone(tasks));
    let tokio = tokio::runtime::Handle::current();
    let mut modules = Vec::new();
    for name in PROGRAMS.iter().chain(&LIBRARIES) {
        let bytes = fs::read(assets.pglite.join(name))?;
        let hash = ModuleHash::new(&bytes);
        let module = match tokio.block_on(cache.load(hash, engine)) {
            Ok(module) => module,
            Err(CacheError::NotFound) => {
                eprintln!("compiling {name}, which takes long and is done once");
                let module =
                    Module::new(engine, &bytes).with_context(|| format!("can't compile {name}"))?;
                tokio.block_on(cache.save(hash, engine, &module))?;
                module
            }
            Err(error) => return Err(error.into()),
        };
        modules.push(((*name).to_owned(), hash, module));
    }
    Ok(modules)
}

fn run(request: &str) -> anyhow::Result<u8> {
    let request: Request = serde_json::from_str(request)?;
    let assets = Assets::get()?;
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let tasks = Arc::new(TokioTaskManager::new(tokio.handle().clone()));
    let engine = engine(Compiler::Cranelift);
    // What is executed later is found here: the cache on the disk can't be read any more then.
    let cache = SharedCache::new();
    let path = format!("bin/{}", request.program);
    let mut program = None;
    for (name, hash, module) in compiled(&assets, &engine, &tasks)? {
        tokio.block_on(cache.save(hash, &engine, &module))?;
        if name == path {
            program = Some((hash, module));
        }
    }
    let (hash, module) = program.with_context(|| format!("there is no {path}"))?;

    let mut runtime = PluggableRuntime::new(tasks);
    runtime.set_engine(engine).set_module_cache(cache);
    match request.port {
        Some(_) => runtime.set_networking_implementation(LocalNetworking::default()),
        None => runtime.set_networking_implementation(UnsupportedVirtualNetworking::default()),
    };
    let mut runner = WasiRunner::new();
    runner.with_args(&request.arguments);
    let outside = assets.compiled.clone();
    let mapped = |host, guest: &str| MappedDirectory {
        host,
        guest: guest.to_owned(),
    };
    runner.with_mapped_directories([
        mapped(assets.pglite, "/pglite"),
        mapped(request.data, "/data"),
    ]);
    ensure!(
        File::open(&outside).is_ok(),
        "{} can't be opened, so its refusal shows nothing",
        outside.display()
    );
    // A run that enforcement would have stopped must not pass because there was none.
    let refused = move || {
        File::open(&outside).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    };
    if request.harden {
        runner.with_landlock(|policy| policy.harden());
    }
    if let Some(port) = request.port {
        runner.with_landlock(|policy| policy.network(Network::none().bind(port).connect(port)));
    }
    runner.with_on_enforced(move |report| {
        if !report.enforced || !refused() {
            eprintln!("nothing is enforced: {report}");
            std::process::exit(NOT_RUN.into());
        }
    });
    let name = format!("/pglite/bin/{}", request.program);
    let runtime = RuntimeOrEngine::Runtime(Arc::new(runtime));
    match runner.run_wasm(runtime, &name, module, hash) {
        Ok(()) => Ok(0),
        Err(error) => match exit_code(&error) {
            Some(code) => Ok(code as u8),
            None => Err(error),
        },
    }
}
