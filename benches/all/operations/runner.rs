//! The operations through Wasmer, whichever of the two this is built with: the fork, or as published.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use wasix_landlock_engine::engine;
use wasix_landlock_profile::Compiler;
use wasmer::{Instance, Memory, Module, Store};
use wasmer_types::ModuleHash;
use wasmer_wasix::runners::MappedDirectory;
use wasmer_wasix::runners::wasi::{PackageOrHash, RuntimeOrEngine, WasiRunner};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::{PluggableRuntime, UnsupportedVirtualNetworking};
use webc::metadata::annotations::Wasi;

use super::guest;
use super::plan::{Needs, Operation, PREOPEN, second};

struct Guest {
    store: Store,
    instance: Instance,
    memory: Memory,
}

/// Does the operations in a module that sees the directory, and gives each the microseconds that it took.
///
/// # Errors
/// An operation that failed, and what a runner's user would see.
pub fn measure(
    operations: &[Operation],
    directory: &Path,
    mut took: impl FnMut(&Operation, f64),
) -> anyhow::Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let _entered = tokio.enter();
    let mut guest = Guest::new(directory, tokio.handle().clone())?;
    let (descriptor, prefix) = guest.find_directory()?;
    for operation in operations {
        let path = format!("{prefix}{}", operation.path);
        guest.put(guest::PATH, &path)?;
        guest.put(guest::SECOND_PATH, &second(&path))?;
        guest.call("use", &[descriptor, i32::try_from(path.len())?])?;
        let function = guest
            .instance
            .exports
            .get_typed_function::<i32, i32>(&guest.store, &operation.call)?;
        let begun = Instant::now();
        let errno = function.call(&mut guest.store, operation.count.cast_signed())?;
        let elapsed = begun.elapsed();
        ensure!(errno == 0, "{}: error number {errno}", operation.name);
        if let Needs::Entries(entries) = operation.needs {
            let found = guest
                .instance
                .exports
                .get_global("entries")?
                .get(&mut guest.store);
            // With `.` and `..`.
            ensure!(
                found.i32() == Some(entries.cast_signed() + 2),
                "{}: found {found:?}",
                operation.name
            );
        }
        took(
            operation,
            elapsed.as_secs_f64() * 1e6 / f64::from(operation.count),
        );
    }
    Ok(())
}

impl Guest {
    fn new(directory: &Path, tokio: tokio::runtime::Handle) -> anyhow::Result<Self> {
        let engine = engine(Compiler::Cranelift);
        let module = Module::new(&engine, guest::text())?;
        let mut runtime = PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio)));
        runtime
            .set_engine(engine.clone())
            .set_networking_implementation(UnsupportedVirtualNetworking::default());
        let mut runner = WasiRunner::new();
        runner.with_mapped_directories([MappedDirectory {
            host: directory.to_owned(),
            guest: PREOPEN.to_owned(),
        }]);
        let builder = runner.prepare_webc_env(
            "operations",
            &Wasi::new("operations"),
            PackageOrHash::Hash(ModuleHash::new(guest::text())),
            RuntimeOrEngine::Runtime(Arc::new(runtime)),
            None,
        )?;
        let mut store = Store::new(engine);
        let (instance, _) = builder.instantiate(module, &mut store)?;
        let memory = instance.exports.get_memory("memory")?.clone();
        Ok(Self {
            store,
            instance,
            memory,
        })
    }

    fn call(&mut self, name: &str, arguments: &[i32]) -> anyhow::Result<Option<i32>> {
        let arguments: Vec<_> = arguments.iter().map(|&number| number.into()).collect();
        let function = self.instance.exports.get_function(name)?;
        let results = function.call(&mut self.store, &arguments)?;
        Ok(results.first().and_then(wasmer::Value::i32))
    }

    fn put(&self, at: usize, text: &str) -> anyhow::Result<()> {
        Ok(self
            .memory
            .view(&self.store)
            .write(at as u64, text.as_bytes())?)
    }

    /// The descriptor to begin at, and the way from there to the directory: a runner preopens the root.
    fn find_directory(&mut self) -> anyhow::Result<(i32, String)> {
        for descriptor in 3.. {
            let length = self
                .call("preopen_name", &[descriptor])?
                .context("no result")?;
            let Ok(length) = usize::try_from(length) else {
                break;
            };
            let mut name = vec![0; length];
            self.memory
                .view(&self.store)
                .read(guest::NAME as u64, &mut name)?;
            let name = String::from_utf8(name)?;
            if let Some(way) = PREOPEN.strip_prefix(name.trim_end_matches('\0')) {
                let way = way.trim_start_matches('/');
                return Ok((
                    descriptor,
                    if way.is_empty() {
                        String::new()
                    } else {
                        format!("{way}/")
                    },
                ));
            }
        }
        anyhow::bail!("{PREOPEN} isn't preopened")
    }
}
