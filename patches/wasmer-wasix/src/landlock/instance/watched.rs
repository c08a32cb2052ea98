//! A runtime that remembers why a module failed. Upstream's runner tells a trap from an exit code by a race.

use std::sync::{Arc, Mutex, PoisonError};

use virtual_net::DynVirtualNetworking;
use wasmer::{Engine, RuntimeError, Store};

use crate::http::DynHttpClient;
use crate::os::TtyBridge;
use crate::runtime::module_cache::ModuleCache;
use crate::runtime::package_loader::PackageLoader;
use crate::runtime::resolver::Source;
use crate::runtime::{TaintReason, VirtualTaskManager};
use crate::{PluggableRuntime, Runtime};

/// A runtime, and the first trap of what runs on it.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: PluggableRuntime,
    trap: Mutex<Option<RuntimeError>>,
}

impl Watched {
    pub(crate) fn new(inner: PluggableRuntime) -> Self {
        Self {
            inner,
            trap: Mutex::default(),
        }
    }

    pub(crate) fn take_trap(&self) -> Option<RuntimeError> {
        self.trap
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Runtime for Watched {
    fn networking(&self) -> &DynVirtualNetworking {
        self.inner.networking()
    }

    fn task_manager(&self) -> &Arc<dyn VirtualTaskManager> {
        self.inner.task_manager()
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

    fn http_client(&self) -> Option<&DynHttpClient> {
        self.inner.http_client()
    }

    fn tty(&self) -> Option<&(dyn TtyBridge + Send + Sync)> {
        self.inner.tty()
    }

    fn on_taint(&self, reason: TaintReason) {
        if let TaintReason::RuntimeError(error) = reason {
            let mut trap = self.trap.lock().unwrap_or_else(PoisonError::into_inner);
            trap.get_or_insert(error);
        }
    }
}
