//! A module cache that keeps compiled modules on the host can be written before enforcement only: a module that has
//! broken out of the WASI layer must not choose the native code of the next run.

use std::sync::Arc;

use crate::bin_factory::BinaryPackageCommand;
use crate::runners::wasi::RuntimeOrEngine;
use crate::runtime::ModuleInput;
use crate::runtime::task_manager::VirtualTaskManagerExt;

/// Compiles `command` into such a cache if it isn't there, as upstream does when the environment is built. What goes
/// wrong is told then. Without such a cache it is left for then too, when compiling is restricted.
pub(crate) fn fill_module_cache(runtime: &RuntimeOrEngine, command: &BinaryPackageCommand) {
    let RuntimeOrEngine::Runtime(runtime) = runtime else {
        return;
    };
    if runtime.module_cache().host_directories().is_empty() {
        return;
    }
    let (loading, command) = (Arc::clone(runtime), command.clone());
    let loaded = runtime.task_manager().spawn_and_block_on(async move {
        let command = ModuleInput::Command(std::borrow::Cow::Owned(command));
        let loaded = loading.resolve_module(command, None, None).await;
        loaded.map(drop).map_err(anyhow::Error::from)
    });
    if let Err(error) = loaded.and_then(|loaded| loaded) {
        tracing::debug!(%error, "not compiled ahead");
    }
}
