//! Keeps a module from the functions of the groups that are off, and from running with limits that aren't built in.

use std::sync::Arc;

use wasix_landlock::SCOPE_VARIABLE;
use wasmer::{
    AsStoreMut, AsStoreRef, Extern, Function, FunctionEnv, FunctionEnvMut, Imports, Module,
    RuntimeError, Type, Value,
};

use super::compiled;
use super::imports::{self, is_wasi};
use super::meter::Meter;
use super::unasked::UNASKED;
use crate::types::wasi::{Errno, ExitCode};
use crate::{WasiEnv, WasiError, WasiThreadError};

/// Puts a function that answers `ENOTSUP` in the place of each that the profile has switched off, and looks at the
/// limits where upstream doesn't ask whether a module has to end.
pub(crate) fn withhold(
    store: &mut impl AsStoreMut,
    env: &FunctionEnv<WasiEnv>,
    imports: &mut Imports,
) {
    let meter = env.as_ref(store).state.fs.meter.clone();
    if !meter.does_anything() {
        return;
    }
    let of_wasi: Vec<(String, String, Function)> = imports
        .iter()
        .filter(|(module, _, _)| is_wasi(module))
        .filter_map(|(module, name, import)| match import {
            Extern::Function(function) => {
                Some((module.to_owned(), name.to_owned(), function.clone()))
            }
            _ => None,
        })
        .collect();
    for (module, name, function) in of_wasi {
        if !meter.groups().allow_function(&name) {
            imports.define(&module, &name, refusing(store, &name, &function));
        } else if UNASKED.contains(&&*name) {
            imports.define(&module, &name, asking(store, env, function));
        }
    }
}

fn refusing(store: &mut impl AsStoreMut, name: &str, function: &Function) -> Function {
    let ty = function.ty(store);
    let answer = not_supported(name, ty.results());
    Function::new(store, ty, move |_: &[Value]| match &answer {
        Some(answer) => Ok(answer.clone()),
        // It returns nothing, and so can't fail: `proc_exec` doesn't return at all.
        None => Err(exit(Errno::Notsup.into())),
    })
}

fn asking(store: &mut impl AsStoreMut, env: &FunctionEnv<WasiEnv>, function: Function) -> Function {
    let ty = function.ty(store);
    let ask = move |mut env: FunctionEnvMut<'_, WasiEnv>, values: &[Value]| match env
        .data()
        .state
        .fs
        .meter
        .exit_code()
    {
        Some(code) => Err(exit(code)),
        None => function.call(&mut env, values).map(Vec::from),
    };
    Function::new_with_env(store, env, ty, ask)
}

fn exit(code: ExitCode) -> RuntimeError {
    RuntimeError::user(Box::new(WasiError::Exit(code)))
}

fn not_supported(name: &str, results: &[Type]) -> Option<Vec<Value>> {
    let errno = i32::from(Errno::Notsup as u16);
    match results {
        // A thread's number, or an error below zero.
        [Type::I32] if name == "thread-spawn" => Some(vec![Value::I32(-errno)]),
        [Type::I32] => Some(vec![Value::I32(errno)]),
        _ => None,
    }
}

/// Refuses a thread that isn't the environment's, a module that imports what it may not call, if the profile says so, and a
/// module or an engine that was made without a limit that the profile has.
pub(crate) fn check(
    store: &impl AsStoreRef,
    module: &Module,
    meter: &Meter,
) -> Result<(), WasiThreadError> {
    meter.enter_instance().map_err(|error| {
        refused(format!(
            "the environment is an instance by {SCOPE_VARIABLE}, and the module would run elsewhere: {error}; run it with \
             `WasiRunner` or `spawn_exec_module`, or build the environment in a `landlock::Instance`"
        ))
    })?;
    if meter.groups().refuse {
        let unwanted: Vec<String> = imports::imports(module)
            .into_iter()
            .filter(|import| import.is_wasi && !meter.groups().allow_function(&import.name))
            .map(|import| match import.group {
                Some(group) => format!("{} ({group})", import.name),
                None => import.name,
            })
            .collect();
        if !unwanted.is_empty() {
            return Err(refused(format!(
                "the module imports functions that its profile or the policy from outside turns off: {}; allow the \
                 groups, or let the calls answer ENOTSUP (`refuse = false`)",
                unwanted.join(", ")
            )));
        }
    }
    compiled::check_engine(store, meter.limits())
        .and_then(|()| compiled::check_module(module, meter.limits()))
        .map_err(refused)
}

fn refused(message: String) -> WasiThreadError {
    tracing::warn!(target: "wasix_landlock", "{message}");
    WasiThreadError::ImportPreparationFailed(Arc::new(anyhow::Error::msg(message)))
}
