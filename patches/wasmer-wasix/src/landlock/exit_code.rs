//! The end of a module that a runner has run.

use crate::{WasiError, WasiRuntimeError};

/// The exit code behind an error of a run, if the module ended by itself: a runner returns every exit code but 0 as an
/// error.
///
/// ```no_run
/// # fn run(engine: wasmer::Engine, module: wasmer::Module) -> anyhow::Result<i32> {
/// use wasmer_wasix::landlock::exit_code;
/// use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};
///
/// # let hash = wasmer_types::ModuleHash::random();
/// let ran = WasiRunner::new().run_wasm(RuntimeOrEngine::Engine(engine), "program", module, hash);
/// let code = match ran {
///     Ok(()) => 0,
///     Err(error) => exit_code(&error).ok_or(error)?,
/// };
/// # Ok(code)
/// # }
/// ```
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> Option<i32> {
    error.chain().find_map(|cause| {
        let code = match cause.downcast_ref::<WasiRuntimeError>() {
            Some(error) => error.as_exit_code(),
            None => match cause.downcast_ref::<WasiError>() {
                Some(WasiError::Exit(code)) => Some(*code),
                _ => None,
            },
        };
        code.map(|code| code.raw())
    })
}
