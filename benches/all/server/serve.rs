//! The server's answers through Wasmer, whichever of the two this is built with: the fork, or as published.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use wasix_landlock_engine::engine;
use wasix_landlock_front::Answer;
use wasix_landlock_profile::Compiler;
use wasmer::{Engine, Instance, Module, Store};
use wasmer_types::ModuleHash;
use wasmer_wasix::runners::MappedDirectory;
use wasmer_wasix::runners::wasi::{PackageOrHash, RuntimeOrEngine, WasiRunner};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::virtual_fs::Pipe;
use wasmer_wasix::{
    PluggableRuntime, Runtime, UnsupportedVirtualNetworking, WasiEnvBuilder, WasiFunctionEnv,
};
use webc::metadata::annotations::Wasi;

use super::page;

/// The compiled module, and what it is given.
#[derive(Clone)]
pub struct Site {
    engine: Engine,
    module: Module,
    hash: ModuleHash,
    directory: PathBuf,
}

/// An instance, and the end of its output.
struct Live {
    store: Store,
    instance: Instance,
    env: WasiFunctionEnv,
    output: Pipe,
}

impl Site {
    /// Compiles the module, which sees `directory`.
    ///
    /// # Errors
    /// An error of the compiler.
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        let engine = engine(Compiler::Cranelift);
        let text = page::text();
        Ok(Self {
            module: Module::new(&engine, &text)?,
            hash: ModuleHash::new(text),
            engine,
            directory: directory.to_owned(),
        })
    }

    fn runtime(&self, tokio: tokio::runtime::Handle) -> Arc<dyn Runtime + Send + Sync> {
        let mut runtime = PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio)));
        runtime
            .set_engine(self.engine.clone())
            .set_networking_implementation(UnsupportedVirtualNetworking::default());
        Arc::new(runtime)
    }

    fn builder(
        &self,
        runtime: &Arc<dyn Runtime + Send + Sync>,
    ) -> anyhow::Result<(WasiEnvBuilder, Pipe)> {
        let (theirs, output) = Pipe::channel();
        let mut runner = WasiRunner::new();
        runner
            .with_mapped_directories([MappedDirectory {
                host: self.directory.clone(),
                guest: page::PREOPEN.to_owned(),
            }])
            .with_stdout(Box::new(theirs));
        let builder = runner.prepare_webc_env(
            "page",
            &Wasi::new("page"),
            PackageOrHash::Hash(self.hash),
            RuntimeOrEngine::Runtime(Arc::clone(runtime)),
            None,
        )?;
        Ok((builder, output))
    }

    fn instantiate(&self, runtime: &Arc<dyn Runtime + Send + Sync>) -> anyhow::Result<Live> {
        let (builder, output) = self.builder(runtime)?;
        let mut store = Store::new(self.engine.clone());
        let (instance, env) = builder.instantiate(self.module.clone(), &mut store)?;
        Ok(Live {
            store,
            instance,
            env,
            output,
        })
    }

    /// An instance for each request: environment, store and instance are made for it, and nothing is left of them.
    ///
    /// # Errors
    /// None; what goes wrong is the answer's.
    pub fn new_for_each(&self, tokio: tokio::runtime::Handle) -> anyhow::Result<Answer> {
        let (site, runtime) = (self.clone(), self.runtime(tokio));
        Ok(Box::new(move || {
            let mut live = site.instantiate(&runtime)?;
            let page = live.call("_start")?;
            live.env.on_exit(&mut live.store, None);
            Ok(page)
        }))
    }

    /// One instance that answers all requests of this thread, and keeps its memory and descriptors from one to the next.
    ///
    /// # Errors
    /// An instance that can't be made.
    pub fn pooled(&self, tokio: tokio::runtime::Handle) -> anyhow::Result<Answer> {
        let mut live = self.instantiate(&self.runtime(tokio))?;
        Ok(Box::new(move || live.call(page::HANDLE)))
    }
}

impl Live {
    fn call(&mut self, name: &str) -> anyhow::Result<Vec<u8>> {
        let function = self.instance.exports.get_function(name)?;
        function.call(&mut self.store, &[])?;
        read_page(&mut self.output)
    }
}

/// Reads a page that was printed.
///
/// # Errors
/// A page that isn't whole.
pub fn read_page(output: &mut Pipe) -> anyhow::Result<Vec<u8>> {
    let mut page = vec![0; page::PAGE];
    let mut length = 0;
    while length < page.len() {
        let rest = page.get_mut(length..).unwrap_or_default();
        match output.try_read(rest) {
            Some(read) if read > 0 => length += read,
            _ => anyhow::bail!("the module printed {length} bytes"),
        }
    }
    Ok(page)
}

/// Serves in a mode of which nothing but the runtime is needed: `new` or `pooled`.
///
/// # Errors
/// An address or a module that can't be served.
pub fn serve(mode: &str, directory: &Path) -> anyhow::Result<()> {
    let make = match mode {
        "new" => Site::new_for_each,
        "pooled" => Site::pooled,
        _ => anyhow::bail!("no mode is called {mode}"),
    };
    let site = Site::new(directory).context("the module can't be compiled")?;
    wasix_landlock_front::serve(move |tokio| make(&site, tokio))
}
