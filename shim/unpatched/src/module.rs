//! The module of a container, on Wasmer as published.

use std::sync::Arc;

use anyhow::Context as _;
use oci_spec::runtime::Spec;
use wasix_landlock_engine::limited;
use wasix_landlock_profile::HostKind;
use wasmer::Module;
use wasmer_types::ModuleHash;
use wasmer_wasix::{
    PluggableRuntime, WasiError, WasiRuntimeError,
    runners::{
        MappedDirectory,
        wasi::{RuntimeOrEngine, WasiRunner},
    },
    runtime::task_manager::tokio::TokioTaskManager,
};

use crate::{
    grants,
    program::{self, FAILED},
    settings::Settings,
};

/// Runs the module of a container, and returns the exit code of the container. Prints an error to standard error.
pub(crate) fn run(spec: &Spec, settings: &Settings) -> i32 {
    program::exit_at_panics();
    match try_run(spec, settings) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("unpatched: {error:#}");
            FAILED
        }
    }
}

fn try_run(spec: &Spec, settings: &Settings) -> anyhow::Result<i32> {
    let process = program::process_of(spec)?;
    let bytes = program::read(process, &settings.module)?;
    let profile = grants::add(settings.profile.clone(), spec, settings.root)?;
    let profile = program::with_process(profile, process);
    log::set_max_level(log::LevelFilter::Off);

    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let _tokio = tokio.enter();
    let engine = limited(settings.compiler, &profile.limits);
    let module = Module::new(&engine, bytes).context("the module can't be compiled")?;
    // The network is the host's, as Wasmer has it by default.
    let mut runtime =
        PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio.handle().clone())));
    runtime.set_engine(engine);

    // All that the published runner can say of a mount: it maps no single file, and the rights are the mount's own.
    let directories = profile
        .preopens
        .iter()
        .filter(|preopen| preopen.kind == HostKind::Directory);
    let mapped = directories.map(|preopen| MappedDirectory {
        host: preopen.host.clone(),
        guest: preopen.host.to_string_lossy().into_owned(),
    });
    let mut runner = WasiRunner::new();
    runner
        .with_args(profile.arguments.iter().cloned())
        .with_envs(profile.environment.clone())
        .with_mapped_directories(mapped);
    let ran = runner.run_wasm(
        RuntimeOrEngine::Runtime(Arc::new(runtime)),
        &program::name(process)?,
        module,
        ModuleHash::random(),
    );
    let Err(error) = ran else {
        return Ok(0);
    };
    match error.chain().find_map(|cause| cause.downcast_ref()) {
        Some(WasiRuntimeError::Wasi(WasiError::Exit(code))) => Ok(code.raw()),
        _ => Err(error),
    }
}
