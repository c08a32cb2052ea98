//! What the examples share.
#![forbid(unsafe_code)]

use std::sync::Arc;

use clap::ValueEnum;
use wasmer::Engine;
use wasmer::sys::{Cranelift, EngineBuilder, Singlepass};
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
}

/// A runtime without network: nothing is resolved or connected to, so nothing is granted for it.
pub fn offline_runtime(
    engine: &Engine,
    tokio: tokio::runtime::Handle,
) -> Arc<dyn Runtime + Send + Sync> {
    let mut runtime = PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio)));
    runtime
        .set_engine(engine.clone())
        .set_networking_implementation(wasmer_wasix::UnsupportedVirtualNetworking::default());
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
