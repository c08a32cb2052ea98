//! The examples' shared parts.
#![forbid(unsafe_code)]

mod given;
mod learn;

use std::sync::Arc;
use std::time::Duration;

pub use given::{Given, Leads};

use clap::ValueEnum;
pub use learn::Instead;
use wasmer::Engine;
use wasmer::sys::{Cranelift, EngineBuilder, Singlepass};
use wasmer_wasix::profile::{Limit, Profile};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::{PluggableRuntime, Runtime, WasiError, WasiRuntimeError};

/// The compilers that this project is tested with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compiler {
    /// Slower to compile, faster code.
    Cranelift,
    /// Faster to compile, in one pass, slower code.
    Singlepass,
}

impl Compiler {
    /// An engine with this compiler.
    pub fn engine(self) -> Engine {
        match self {
            Self::Cranelift => EngineBuilder::new(Cranelift::default()).engine(),
            Self::Singlepass => EngineBuilder::new(Singlepass::default()).engine(),
        }
        .into()
    }

    /// An engine with this compiler, which builds the limits of the profile into one module.
    pub fn limited_engine(self, profile: &Profile) -> Engine {
        match self {
            Self::Cranelift => {
                let mut compiler = Cranelift::default();
                profile.limit_compiler(&mut compiler);
                EngineBuilder::new(compiler).engine()
            }
            Self::Singlepass => {
                let mut compiler = Singlepass::default();
                profile.limit_compiler(&mut compiler);
                EngineBuilder::new(compiler).engine()
            }
        }
        .into()
    }
}

/// The time in which a module that has reached its deadline may end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// Ends the whole process some time after the module's time is over: a module that computes and calls nothing can't
/// be ended otherwise. The clock of the module starts when it is built, this one now.
///
/// # Errors
/// If no thread can be started.
pub fn watch(profile: &Profile) -> std::io::Result<()> {
    let Some(milliseconds) = profile.limits.wall_clock_ms else {
        return Ok(());
    };
    let time = Duration::from_millis(milliseconds).saturating_add(GRACE);
    std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || {
            std::thread::sleep(time);
            std::process::exit(Limit::WallClock.code());
        })
        .map(drop)
}

/// A runtime without network: nothing is resolved or connected to, so nothing is granted for it.
pub fn offline_runtime(
    engine: &Engine,
    tokio: tokio::runtime::Handle,
) -> Arc<dyn Runtime + Send + Sync> {
    runtime_for(&Profile::new(), engine, tokio)
}

/// A runtime with the network of a profile.
pub fn runtime_for(
    profile: &Profile,
    engine: &Engine,
    tokio: tokio::runtime::Handle,
) -> Arc<dyn Runtime + Send + Sync> {
    let mut runtime = PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio)));
    runtime.set_engine(engine.clone());
    runtime.networking = profile.networking();
    Arc::new(runtime)
}

/// The exit code behind an error of a run, if the module ended by itself.
pub fn exit_code(error: &anyhow::Error) -> Option<i32> {
    error.chain().find_map(|cause| {
        match cause.downcast_ref::<WasiRuntimeError>() {
            Some(error) => error.as_exit_code(),
            None => match cause.downcast_ref::<WasiError>() {
                Some(WasiError::Exit(code)) => Some(*code),
                _ => None,
            },
        }
        .map(|code| code.raw())
    })
}
