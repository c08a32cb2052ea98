//! One run of a program of PostgreSQL's, in a process of its own, through `WasiRunner`.
//!
//! This file is compiled with the forks and, in the workspace `upstream-tests/baseline`, with Wasmer as published.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::Compiler;
use wasix_landlock_programs::runner::exit_code;
use wasmer::{Engine, Module};
use wasmer_types::ModuleHash;
use wasmer_wasix::PluggableRuntime;
use wasmer_wasix::runners::MappedDirectory;
use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};
use wasmer_wasix::runtime::module_cache::{CacheError, FileSystemCache, ModuleCache, SharedCache};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::virtual_net::UnsupportedVirtualNetworking;
use wasmer_wasix::virtual_net::host::LocalNetworking;

/// The exit code of a process that could not run its module at all.
pub const NOT_RUN: u8 = 125;

/// The programs that may execute each other.
const PROGRAMS: [&str; 3] = ["bin/postgres", "bin/initdb", "bin/pg_dump"];

/// The libraries that PostgreSQL loads.
const LIBRARIES: [&str; 2] = [
    "lib/postgresql/plpgsql.so",
    "lib/postgresql/dict_snowball.so",
];

/// The places of PostgreSQL's files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Files {
    /// The directory that the module sees as `/pglite`.
    pub pglite: PathBuf,
    /// The directory for compiled modules.
    pub compiled: PathBuf,
}

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

/// A preparation of the runner, for what only one build of this file has.
pub type Prepare = fn(&mut WasiRunner, &Request, &Files) -> anyhow::Result<()>;

/// Runs a request for these files, both as JSON, and returns the exit code.
pub fn child(request: &str, prepare: Prepare) -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off")),
        )
        .with_writer(std::io::stderr)
        .init();
    ExitCode::from(run(request, prepare).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        NOT_RUN
    }))
}

/// Compiles what a run needs, unless that was done before, and returns a program as a worker takes it.
#[allow(dead_code, reason = "Wasmer as published has no workers")]
pub fn artifact(files: &Files, program: &str) -> anyhow::Result<Vec<u8>> {
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let tasks = Arc::new(TokioTaskManager::new(tokio.handle().clone()));
    let modules = compiled(files, &engine(Compiler::Cranelift), &tasks)?;
    let found = modules.iter().find(|(name, ..)| name == program);
    let (_, _, module) = found.with_context(|| format!("there is no {program}"))?;
    Ok(module.serialize()?.to_vec())
}

/// Compiles what a run needs, unless that was done before, and returns it.
fn compiled(
    files: &Files,
    engine: &Engine,
    tasks: &Arc<TokioTaskManager>,
) -> anyhow::Result<Vec<(String, ModuleHash, Module)>> {
    let cache = FileSystemCache::new(&files.compiled, Arc::clone(tasks));
    let tokio = tokio::runtime::Handle::current();
    let mut modules = Vec::new();
    for name in PROGRAMS.iter().chain(&LIBRARIES) {
        let bytes = fs::read(files.pglite.join(name))?;
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

fn run(request: &str, prepare: Prepare) -> anyhow::Result<u8> {
    let (request, files): (Request, Files) = serde_json::from_str(request)?;
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let tasks = Arc::new(TokioTaskManager::new(tokio.handle().clone()));
    let engine = engine(Compiler::Cranelift);
    // What is executed later is found here: the cache on the disk can't be read any more then.
    let cache = SharedCache::new();
    let path = format!("bin/{}", request.program);
    let mut program = None;
    for (name, hash, module) in compiled(&files, &engine, &tasks)? {
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
    let mapped = |host, guest: &str| MappedDirectory {
        host,
        guest: guest.to_owned(),
    };
    runner.with_mapped_directories([
        mapped(files.pglite.clone(), "/pglite"),
        mapped(request.data.clone(), "/data"),
    ]);
    prepare(&mut runner, &request, &files)?;
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
