//! Learning without enforcement: one run of a module that is trusted.

use std::process::ExitCode;

use wasix_landlock_engine::limited;
use wasix_landlock_profile::{Ceiling, Profile};
use wasmer_types::ModuleHash;
use wasmer_wasix::landlock::{Learning, exit_code};
use wasmer_wasix::runners::wasi::RuntimeOrEngine;

use crate::child::preopen;
use crate::grants::flag;
use crate::program::Program;
use crate::{module, runner};

/// Runs the module once, and prints what it used.
///
/// # Errors
/// A module that can't be run.
pub fn learn(program: &Program, profile: &Profile) -> anyhow::Result<ExitCode> {
    let bytes = module::read(&program.module)?;
    let limits = Ceiling::limits_from_env(&profile.limits)?;
    let engine = limited(program.compiler, &limits);
    let module = module::compile(&engine, &program.module, &bytes)?;
    let mut profile = profile.clone();
    if profile.preopens.is_empty() {
        profile = profile.preopen(|p| p.directory(".").alias(".").read(true).create(true))?;
    }
    let mut runner = runner::runner(&profile)?;
    let learning = Learning::new();
    runner.with_learning(&learning);
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let runtime = runner::runtime(&profile.network, &engine, tokio.handle().clone());
    runner::watch(&limits)?;
    let name = program.module.file_stem().unwrap_or_default();
    let ended = runner.run_wasm(
        RuntimeOrEngine::Runtime(runtime),
        &name.to_string_lossy(),
        module,
        ModuleHash::new(&bytes),
    );
    let learned = learning.learned();
    let options = learned.text("#", |suggestion| flag(&preopen(suggestion)) + "\n");
    eprint!("{learned}# As options of `run`:\n{options}");
    match ended {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => match exit_code(&error) {
            Some(code) => Ok(ExitCode::from(code as u8)),
            None => Err(error),
        },
    }
}
