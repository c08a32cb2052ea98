//! The end of a module that a runner has run.

use crate::{WasiError, WasiRuntimeError};

/// The exit code behind an error of a run, if the module ended by itself: a runner returns every exit code but 0 as an
/// error.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wasmer_wasix::landlock::exit_code;
/// # let (engine, module): (wasmer::Engine, wasmer::Module) = unimplemented!();
/// # let hash = wasmer_types::ModuleHash::random();
/// use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};
///
/// let ran = WasiRunner::new().run_wasm(RuntimeOrEngine::Engine(engine), "program", module, hash);
/// let code = match ran {
///     Ok(()) => 0,
///     Err(error) => exit_code(&error).ok_or(error)?,
/// };
/// # Ok(())
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
