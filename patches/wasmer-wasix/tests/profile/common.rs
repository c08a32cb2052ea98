//! A module that is run with a profile.

use std::sync::{Arc, LazyLock, Mutex};

use tokio::runtime::Runtime as Tokio;
use wasix_landlock_engine::limited;
use wasmer::{Engine, Module};
use wasmer_types::ModuleHash;
use wasmer_wasix::os::tty_sys::SysTty;
use wasmer_wasix::profile::{self, Compiler, Limit, Profile};
use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::{PluggableRuntime, WasiRuntimeError};

/// The end of a module.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: i32,
    /// The limit that was told.
    pub limit: Option<Limit>,
}

pub const WELL: Ended = Ended {
    code: 0,
    limit: None,
};

pub fn at(limit: Limit) -> Ended {
    Ended {
        code: limit.exit_code().unwrap(),
        limit: Some(limit),
    }
}

pub fn tokio() -> &'static Tokio {
    static TOKIO: LazyLock<Tokio> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    });
    &TOKIO
}

/// Runs a module by a runner.
pub fn run(compiler: Compiler, profile: Profile, module: &str) -> anyhow::Result<Ended> {
    let engine = limited(compiler, &profile.limits);
    run_on(engine, profile, module)
}

pub fn run_on(engine: Engine, profile: Profile, module: &str) -> anyhow::Result<Ended> {
    let module = Module::new(&engine, module)?;
    run_module(engine, profile, module)
}

/// Runs what a compiler of this test has made.
#[allow(unsafe_code, reason = "an artifact can't be loaded otherwise")]
pub fn run_artifact(engine: Engine, profile: Profile, artifact: &[u8]) -> anyhow::Result<Ended> {
    // SAFETY: the artifact comes from Wasmer's own compiler, in the same process.
    let module = unsafe { Module::deserialize(&engine, artifact) }?;
    run_module(engine, profile, module)
}

fn run_module(engine: Engine, profile: Profile, module: Module) -> anyhow::Result<Ended> {
    let told: Arc<Mutex<Vec<Limit>>> = Arc::default();
    let tell = Arc::clone(&told);
    let mut runner = WasiRunner::new();
    runner
        .with_profile(&profile)?
        .with_on_limit(move |limit| tell.lock().unwrap().push(limit));
    let _entered = tokio().enter();
    let mut runtime =
        PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio().handle().clone())));
    runtime.set_engine(engine);
    runtime.networking = profile::networking(&profile.network);
    runtime.set_tty(Arc::new(SysTty));
    let runtime = RuntimeOrEngine::Runtime(Arc::new(runtime));
    let code = match runner.run_wasm(runtime, "module", module, ModuleHash::random()) {
        Ok(()) => 0,
        Err(error) => {
            let exit = error
                .chain()
                .find_map(|cause| cause.downcast_ref::<WasiRuntimeError>()?.as_exit_code());
            match exit {
                Some(code) => code.raw(),
                None => return Err(error),
            }
        }
    };
    let told = told.lock().unwrap();
    assert!(told.len() <= 1, "{told:?}");
    Ok(Ended {
        code,
        limit: told.first().copied(),
    })
}

/// Makes a test of a body with each compiler.
macro_rules! for_both_compilers {
    ($(#[$doc:meta])* fn $name:ident($compiler:ident) $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn body($compiler: wasmer_wasix::profile::Compiler) $body

            #[test]
            fn with_cranelift() {
                isolated!(|| body(wasmer_wasix::profile::Compiler::Cranelift));
            }

            #[test]
            fn with_singlepass() {
                isolated!(|| body(wasmer_wasix::profile::Compiler::Singlepass));
            }
        }
    };
}
