//! The runtime of an environment with threads of its own: the program's, but for the task manager.

use std::fmt;
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use virtual_net::DynVirtualNetworking;
use wasmer::{Engine, Imports, Instance, Memory, Module, Store, StoreMut};

use crate::http::DynHttpClient;
#[cfg(feature = "journal")]
use crate::journal::{DynJournal, DynReadableJournal};
use crate::landlock::no_network;
use crate::os::TtyBridge;
use crate::runtime::module_cache::{ModuleCache, progress::ModuleLoadProgressReporter};
use crate::runtime::package_loader::PackageLoader;
use crate::runtime::resolver::Source;
use crate::runtime::{InstantiationState, ModuleInput, TaintReason, VirtualTaskManager};
use crate::{Runtime, SpawnError};

/// The task manager of an environment, once the environment is restricted.
pub(super) type OnceRestricted = Arc<OnceLock<Arc<dyn VirtualTaskManager>>>;

/// A runtime with another task manager, from when there is one: until then, nothing of the module runs.
pub(super) struct OwnRuntime {
    inner: Arc<dyn Runtime + Send + Sync>,
    tasks: OnceRestricted,
    /// In the place of the runtime's, where ports are restricted: threads of the program would wait for its sockets.
    no_network: Option<DynVirtualNetworking>,
}

impl OwnRuntime {
    pub(super) fn new(
        inner: Arc<dyn Runtime + Send + Sync>,
        tasks: OnceRestricted,
        has_network: bool,
    ) -> Self {
        Self {
            inner,
            tasks,
            no_network: (!has_network).then(no_network),
        }
    }
}

impl fmt::Debug for OwnRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnRuntime").field(&self.inner).finish()
    }
}

impl Runtime for OwnRuntime {
    fn networking(&self) -> &DynVirtualNetworking {
        match &self.no_network {
            Some(none) => none,
            None => self.inner.networking(),
        }
    }

    fn resolves_host_names(&self) -> bool {
        self.no_network.is_none() && self.inner.resolves_host_names()
    }

    fn task_manager(&self) -> &Arc<dyn VirtualTaskManager> {
        match self.tasks.get() {
            Some(own) => own,
            None => self.inner.task_manager(),
        }
    }

    fn package_loader(&self) -> Arc<dyn PackageLoader + Send + Sync> {
        self.inner.package_loader()
    }

    fn module_cache(&self) -> Arc<dyn ModuleCache + Send + Sync> {
        self.inner.module_cache()
    }

    fn source(&self) -> Arc<dyn Source + Send + Sync> {
        self.inner.source()
    }

    fn engine(&self) -> Engine {
        self.inner.engine()
    }

    fn new_store(&self) -> Store {
        self.inner.new_store()
    }

    fn additional_imports(
        &self,
        module: &Module,
        store: &mut StoreMut,
    ) -> anyhow::Result<(Imports, InstantiationState)> {
        self.inner.additional_imports(module, store)
    }

    fn prepare_imports(
        &self,
        module: &Module,
        store: &mut StoreMut,
        imports: &mut Imports,
    ) -> anyhow::Result<InstantiationState> {
        self.inner.prepare_imports(module, store, imports)
    }

    fn configure_new_instance(
        &self,
        module: &Module,
        store: &mut StoreMut,
        instance: &Instance,
        imported_memory: Option<&Memory>,
        state: InstantiationState,
    ) -> anyhow::Result<()> {
        self.inner
            .configure_new_instance(module, store, instance, imported_memory, state)
    }

    fn http_client(&self) -> Option<&DynHttpClient> {
        match &self.no_network {
            Some(_) => None,
            None => self.inner.http_client(),
        }
    }

    fn tty(&self) -> Option<&(dyn TtyBridge + Send + Sync)> {
        self.inner.tty()
    }

    fn resolve_module<'a>(
        &'a self,
        input: ModuleInput<'a>,
        engine: Option<&Engine>,
        on_progress: Option<ModuleLoadProgressReporter>,
    ) -> BoxFuture<'a, Result<Module, SpawnError>> {
        self.inner.resolve_module(input, engine, on_progress)
    }

    fn resolve_module_sync(
        &self,
        input: ModuleInput<'_>,
        engine: Option<&Engine>,
        on_progress: Option<ModuleLoadProgressReporter>,
    ) -> Result<Module, SpawnError> {
        self.inner.resolve_module_sync(input, engine, on_progress)
    }

    fn on_taint(&self, reason: TaintReason) {
        self.inner.on_taint(reason);
    }

    #[cfg(feature = "journal")]
    fn read_only_journals<'a>(&'a self) -> Box<dyn Iterator<Item = Arc<DynReadableJournal>> + 'a> {
        self.inner.read_only_journals()
    }

    #[cfg(feature = "journal")]
    fn writable_journals<'a>(&'a self) -> Box<dyn Iterator<Item = Arc<DynJournal>> + 'a> {
        self.inner.writable_journals()
    }

    #[cfg(feature = "journal")]
    fn active_journal(&self) -> Option<&DynJournal> {
        self.inner.active_journal()
    }
}
