//! The examples' shared parts.
#![forbid(unsafe_code)]

use std::sync::Arc;

use wasmer::Engine;
use wasmer_wasix::profile::{self, Network};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::{PluggableRuntime, Runtime};

/// A runtime without network: nothing is resolved or connected to, so nothing is granted for it.
pub fn offline_runtime(
    engine: &Engine,
    tokio: tokio::runtime::Handle,
) -> Arc<dyn Runtime + Send + Sync> {
    let mut runtime = PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio)));
    runtime.set_engine(engine.clone());
    runtime.networking = profile::networking(&Network::none());
    Arc::new(runtime)
}
