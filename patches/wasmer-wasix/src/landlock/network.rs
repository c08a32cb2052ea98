//! The network that a runtime doesn't have.

use std::any::TypeId;
use std::sync::{Arc, LazyLock};

use virtual_net::{DynVirtualNetworking, UnsupportedVirtualNetworking, VirtualNetworking};

static NO_NETWORK: LazyLock<DynVirtualNetworking> =
    LazyLock::new(|| Arc::new(UnsupportedVirtualNetworking::default()));

/// Returns the network that supports nothing: always the same one, so that a runtime with it is known to resolve no
/// names ([`Runtime::resolves_host_names`](crate::Runtime::resolves_host_names)).
///
/// ```
/// use std::sync::Arc;
/// use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
/// use wasmer_wasix::{PluggableRuntime, Runtime, landlock};
///
/// # fn main() -> std::io::Result<()> {
/// let tokio = tokio::runtime::Runtime::new()?;
/// let _entered = tokio.enter();
/// let tasks = TokioTaskManager::new(tokio.handle().clone());
/// let mut runtime = PluggableRuntime::new(Arc::new(tasks));
/// assert!(runtime.resolves_host_names());
/// runtime.networking = landlock::no_network();
/// assert!(!runtime.resolves_host_names());
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn no_network() -> DynVirtualNetworking {
    Arc::clone(&NO_NETWORK)
}

/// True if it is the one of [`no_network`].
pub(crate) fn is_no_network(network: &DynVirtualNetworking) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(network), Arc::as_ptr(&*NO_NETWORK))
}

/// A network behind an `Arc`; if it supports nothing by its type, the one of [`no_network`].
pub(crate) fn shared_network<N: VirtualNetworking + Sync>(network: N) -> DynVirtualNetworking {
    if TypeId::of::<N>() == TypeId::of::<UnsupportedVirtualNetworking>() {
        return no_network();
    }
    Arc::new(network)
}
