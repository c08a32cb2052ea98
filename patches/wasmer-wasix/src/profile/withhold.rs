//! Keeps a module from the functions of the groups that are off, and from running with limits that aren't built in.

use std::sync::Arc;

use wasmer::{
    AsStoreMut, Extern, Function, FunctionEnv, Imports, Module, RuntimeError, Type, Value,
};

use super::imports::{self, is_wasi};
use super::meter::Meter;
use crate::types::wasi::Errno;
use crate::{WasiEnv, WasiError, WasiThreadError};

/// Puts a function that answers `ENOTSUP` in the place of each that the profile has switched off.
pub(crate) fn withhold(
    store: &mut impl AsStoreMut,
    env: &FunctionEnv<WasiEnv>,
    imports: &mut Imports,
) {
    let meter = env.as_ref(store).state.fs.meter.clone();
    if meter.groups().are_all_on() {
        return;
    }
    let off: Vec<(String, String, Function)> = imports
        .iter()
        .filter(|(module, name, _)| is_wasi(module) && !meter.groups().allow_function(name))
        .filter_map(|(module, name, import)| match import {
            Extern::Function(function) => {
                Some((module.to_owned(), name.to_owned(), function.clone()))
            }
            _ => None,
        })
        .collect();
    for (module, name, function) in off {
        let ty = function.ty(store);
        let answer = not_supported(&name, ty.results());
        let refusing = Function::new(store, ty, move |_: &[Value]| match &answer {
            Some(answer) => Ok(answer.clone()),
            // It returns nothing, and so can't fail: `proc_exec` doesn't return at all.
            None => Err(RuntimeError::user(Box::new(WasiError::Exit(
                Errno::Notsup.into(),
            )))),
        });
        imports.define(&module, &name, refusing);
    }
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

/// Refuses a module that imports what it may not call, if the profile says so, or that was compiled without a limit
/// that the profile has.
pub(crate) fn check(module: &Module, meter: &Meter) -> Result<(), WasiThreadError> {
    let refused = |message: String| {
        tracing::warn!(target: "wasix_landlock", "{message}");
        Err(WasiThreadError::ImportPreparationFailed(Arc::new(
            anyhow::Error::msg(message),
        )))
    };
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
            return refused(format!(
                "the module imports what its profile has switched off: {}; allow the groups, or let the calls answer \
                 ENOTSUP (`refuse = false`)",
                unwanted.join(", ")
            ));
        }
    }
    meter.check_compiled(module).or_else(refused)
}
