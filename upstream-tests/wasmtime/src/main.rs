//! The benchmark's column for wasmtime's crate: `wasmtime-column serve MODE DIRECTORY CACHE` or
//! `wasmtime-column once MODULE CACHE DIRECTORY PREOPEN ARGUMENT…`.
//!
//! Configured for speed as its documentation advises: the pooling allocator, a pre-linked instance, and files read and
//! written on the thread that asks.
#![forbid(unsafe_code)]

mod output;
#[allow(dead_code)]
#[path = "../../../benches/all/server/page.rs"]
mod page;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use output::Output;
use wasix_landlock_front::{Answer, output_of};
use wasmtime::{
    Cache, CacheConfig, Config, Engine, Instance, InstanceAllocationStrategy, InstancePre, Linker,
    Module, Store,
};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", "worker", directory, cache] => serve_by_processes(directory, cache),
        ["serve", mode, directory, _] => serve(mode, directory),
        [
            "once",
            module,
            cache,
            directory,
            preopen,
            ref arguments @ ..,
        ] => once(module, cache, (directory, preopen), arguments),
        _ => bail!(
            "wasmtime-column serve MODE DIRECTORY CACHE, or wasmtime-column once MODULE CACHE DIRECTORY PREOPEN ARGUMENT…"
        ),
    }
}

/// The linked module, and what it is given.
struct Site {
    instance: InstancePre<WasiP1Ctx>,
    directory: String,
}

/// An instance, and what it prints.
struct Live {
    store: Store<WasiP1Ctx>,
    instance: Instance,
    output: Output,
}

fn serve(mode: &str, directory: &str) -> anyhow::Result<()> {
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::pooling());
    let engine = Engine::new(&config)?;
    let site = Arc::new(Site {
        instance: linked(&engine, &Module::new(&engine, page::text())?)?,
        directory: directory.to_owned(),
    });
    let make: fn(Arc<Site>) -> anyhow::Result<Answer> = match mode {
        "new" => |site| Ok(Box::new(move || site.instantiate()?.call("_start"))),
        "pooled" => |site| {
            let mut live = site.instantiate()?;
            Ok(Box::new(move || live.call(page::HANDLE)))
        },
        _ => bail!("no mode is called {mode}"),
    };
    wasix_landlock_front::serve(move |_| make(Arc::clone(&site)))
}

/// Serves by a process for each request.
fn serve_by_processes(directory: &str, cache: &str) -> anyhow::Result<()> {
    let module = Path::new(cache).with_extension("wat");
    std::fs::write(&module, page::text())?;
    let (directory, cache) = (directory.to_owned(), cache.to_owned());
    wasix_landlock_front::serve(move |_| {
        let (module, directory, cache) = (module.clone(), directory.clone(), cache.clone());
        let program = std::env::current_exe()?;
        let answer: Answer = Box::new(move || {
            let mut command = Command::new(&program);
            command
                .arg("once")
                .arg(&module)
                .args([&cache, &directory, page::PREOPEN]);
            output_of(command)
        });
        Ok(answer)
    })
}

/// Runs a module that was compiled before, if the cache has it.
fn once(
    module: &str,
    cache: &str,
    (directory, preopen): (&str, &str),
    arguments: &[&str],
) -> anyhow::Result<()> {
    let mut in_directory = CacheConfig::new();
    in_directory.with_directory(cache);
    let mut config = Config::new();
    config.cache(Some(Cache::new(in_directory)?));
    let engine = Engine::new(&config)?;
    let instance = linked(&engine, &Module::from_file(&engine, module)?)?;
    let mut given = given(directory, preopen)?;
    given.inherit_stdio().args(arguments);
    let mut store = Store::new(&engine, given.build_p1());
    let instance = instance.instantiate(&mut store)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    match start.call(&mut store, ()) {
        Ok(()) => Ok(()),
        Err(error) => match error.downcast_ref::<wasmtime_wasi::I32Exit>() {
            Some(exit) => std::process::exit(exit.0),
            None => Err(error.into()),
        },
    }
}

fn linked(engine: &Engine, module: &Module) -> anyhow::Result<InstancePre<WasiP1Ctx>> {
    let mut linker = Linker::new(engine);
    add_to_linker_sync(&mut linker, |given| given)?;
    Ok(linker.instantiate_pre(module)?)
}

fn given(directory: &str, preopen: &str) -> anyhow::Result<WasiCtxBuilder> {
    let mut given = WasiCtxBuilder::new();
    // Of the directory's files too, so that it comes first.
    given.allow_blocking_current_thread(true);
    given.preopened_dir(directory, preopen, FsPerms::ReadWrite)?;
    Ok(given)
}

impl Site {
    fn instantiate(&self) -> anyhow::Result<Live> {
        let output = Output::default();
        let mut given = given(&self.directory, page::PREOPEN)?;
        given.arg("page").stdout(output.clone());
        let mut store = Store::new(self.instance.module().engine(), given.build_p1());
        let instance = self.instance.instantiate(&mut store)?;
        Ok(Live {
            store,
            instance,
            output,
        })
    }
}

impl Live {
    fn call(&mut self, name: &str) -> anyhow::Result<Vec<u8>> {
        let function = self
            .instance
            .get_typed_func::<(), ()>(&mut self.store, name)?;
        function.call(&mut self.store, ())?;
        let page = self.output.take();
        (page.len() == page::PAGE)
            .then_some(page)
            .context("the module printed another page")
    }
}
