//! The application around the module: engines, a tokio runtime, and file systems on the host.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use tokio::runtime::{Handle, Runtime as Tokio};
use virtual_fs::{FileSystem, host_fs};
use wasix_landlock::Access;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::Compiler;
use wasmer::Engine;
use wasmer_wasix::landlock::{HostKind, HostPreopenBuilder, Suggestion};
use wasmer_wasix::{
    PluggableRuntime, Runtime, UnsupportedVirtualNetworking, WasiEnv, WasiEnvBuilder,
    runtime::task_manager::tokio::TokioTaskManager,
};

use super::tree::Tree;

pub type AnyFileSystem = Arc<dyn FileSystem + Send + Sync>;

pub fn cranelift() -> Engine {
    engine(Compiler::Cranelift)
}

pub fn singlepass() -> Engine {
    engine(Compiler::Singlepass)
}

/// The process's tokio runtime, with workers that are there before anything is enforced.
pub fn tokio() -> Handle {
    static TOKIO: LazyLock<Tokio> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    });
    TOKIO.handle().clone()
}

/// A host directory as upstream shows it.
pub fn host_fs(root: impl Into<PathBuf>) -> host_fs::FileSystem {
    host_fs::FileSystem::new(tokio(), root).unwrap()
}

/// As [`host_fs`], behind an `Arc`.
pub fn any_host_fs(root: impl Into<PathBuf>) -> AnyFileSystem {
    Arc::new(host_fs(root))
}

/// A builder that can be built as it is.
pub fn builder() -> WasiEnvBuilder {
    WasiEnv::builder("guest").engine(singlepass())
}

/// A builder whose file system is the host's, as a whole: its preopens are host paths.
pub fn host_builder() -> WasiEnvBuilder {
    builder().fs(any_host_fs(Path::new("/")))
}

/// Preopens `granted` as `data`, to be read, and changed if `writable`.
pub fn with_data(builder: WasiEnvBuilder, tree: &Tree, writable: bool) -> WasiEnvBuilder {
    let builder = builder.preopen(|p| {
        p.directory(tree.granted())
            .alias("data")
            .read(true)
            .write(writable)
            .create(writable)
    });
    builder.unwrap()
}

/// Preopens what was suggested, and no more.
pub fn as_suggested<'a>(
    preopen: &'a mut HostPreopenBuilder,
    suggestion: &Suggestion,
) -> &'a mut HostPreopenBuilder {
    let preopen = match suggestion.kind {
        HostKind::File => preopen.path(&suggestion.host),
        _ => preopen.directory(&suggestion.host),
    };
    let Access {
        read,
        write,
        create,
    } = suggestion.access;
    preopen
        .alias(&suggestion.guest)
        .read(read)
        .write(write)
        .create(create)
}

/// A runtime without network.
pub fn offline(engine: &Engine) -> PluggableRuntime {
    let _tokio = tokio().enter();
    let mut runtime = PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio())));
    runtime
        .set_engine(engine.clone())
        .set_networking_implementation(UnsupportedVirtualNetworking::default());
    runtime
}

/// As [`offline`], to be shared.
pub fn any_offline(engine: &Engine) -> Arc<dyn Runtime + Send + Sync> {
    Arc::new(offline(engine))
}
