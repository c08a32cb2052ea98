//! A program that loads a plug-in and offers it a function of its own, and what a hostile plug-in makes of that.
//!
//! ```text
//! cargo run --release --example plugin_host
//! cargo run --release --example plugin_host -- --naive
//! WASIX_LANDLOCK=off cargo run --release --example plugin_host -- --naive
//! ```
//!
//! The second one has a host function that takes a plug-in's word for a path, as such functions have; the kernel
//! holds it. In the third one nothing does. See examples/README.md for the checklist.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use wasix_landlock_engine::engine;
use wasix_landlock_examples::offline_runtime;
use wasix_landlock_profile::Compiler;
use wasmer::{Function, FunctionEnv, FunctionEnvMut, Instance, Memory, Module, Store, WasmPtr};
use wasmer_wasix::landlock::{Access, WasiState, with_causes};

/// The longest name that is looked at. The length is the plug-in's word, and what it says is allocated.
const LONGEST_NAME: u32 = 64;

/// Calls every function of a hostile plug-in.
#[derive(Parser)]
struct Arguments {
    /// The host function joins the plug-in's name to its directory, and opens what comes of it.
    #[arg(long)]
    naive: bool,
    /// The compiler of the plug-in.
    #[arg(
        long,
        value_name = "cranelift|singlepass",
        default_value = "singlepass"
    )]
    compiler: Compiler,
}

/// The state that the host function works on.
struct Host {
    assets: PathBuf,
    naive: bool,
    memory: Option<Memory>,
}

/// The error that the host function returns to the plug-in: no path, and no host data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
enum Refusal {
    /// A pointer or a length that is not the plug-in's.
    Memory = -1,
    /// No such asset.
    NoSuchAsset = -2,
    /// The answer doesn't fit.
    TooLong = -3,
    /// The kernel refused it.
    Kernel = -4,
}

impl Refusal {
    const ALL: [Self; 4] = [Self::Memory, Self::NoSuchAsset, Self::TooLong, Self::Kernel];
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Kernel,
            _ => Self::NoSuchAsset,
        }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plugin_host: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let assets = work.path().join("assets");
    std::fs::create_dir(&assets)?;
    std::fs::write(assets.join("greeting"), "hello")?;
    std::fs::create_dir(work.path().join("outside"))?;
    std::fs::write(work.path().join("outside/secret"), "a secret")?;
    std::os::unix::fs::symlink("../outside/secret", assets.join("link"))?;

    let engine = engine(arguments.compiler);
    let mut store = Store::new(engine.clone());
    let module = Module::new(&store, include_str!("guests/hostile.wat"))?;
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();

    // The plug-in gets no preopen at all. The host function's directory is granted to the program around it.
    let mut wasi = WasiState::new("plug-in")
        .runtime(offline_runtime(&engine, tokio.handle().clone()))
        .landlock(|l| l.runtime_path(&assets, Access::READ, "the host function `asset`"))
        .finalize(&mut store)?;
    let host = FunctionEnv::new(
        &mut store,
        Host {
            assets,
            naive: arguments.naive,
            memory: None,
        },
    );
    let mut imports = wasi.import_object(&mut store, &module)?;
    let function = Function::new_typed_with_env(&mut store, &host, asset);
    imports.define("host", "asset", function);
    let instance = Instance::new(&mut store, &module, &imports)?;
    let memory = instance.exports.get_memory("memory")?.clone();
    host.as_mut(&mut store).memory = Some(memory);
    wasi.initialize(&mut store, instance.clone())?;

    for export in module.exports().functions() {
        let attempt = instance
            .exports
            .get_typed_function::<(), i32>(&store, export.name())?;
        let result = attempt
            .call(&mut store)
            .with_context(|| format!("the plug-in trapped in `{}`", export.name()))?;
        match Refusal::ALL
            .into_iter()
            .find(|refusal| *refusal as i32 == result)
        {
            Some(refusal) => println!("{}\trefused: {refusal:?}", export.name()),
            None => println!("{}\tgot {result} bytes", export.name()),
        }
    }
    Ok(())
}

/// The host function: puts the content of the asset `name` into the plug-in's memory.
fn asset(
    mut call: FunctionEnvMut<Host>,
    name: WasmPtr<u8>,
    name_length: u32,
    content: WasmPtr<u8>,
    room: u32,
) -> i32 {
    let (host, store) = call.data_and_store_mut();
    let Some(memory) = &host.memory else {
        return Refusal::Memory as i32;
    };
    let memory = memory.view(&store);
    let give = || {
        if name_length > LONGEST_NAME {
            return Err(Refusal::NoSuchAsset);
        }
        // Copied out before it is looked at: another thread of the plug-in could change it in between.
        let name = name
            .slice(&memory, name_length)
            .and_then(|name| name.read_to_vec())
            .map_err(|_| Refusal::Memory)?;
        let bytes = host.read(&name)?;
        let length = u32::try_from(bytes.len()).map_err(|_| Refusal::TooLong)?;
        if length > room {
            return Err(Refusal::TooLong);
        }
        content
            .slice(&memory, length)
            .and_then(|content| content.write_slice(&bytes))
            .map_err(|_| Refusal::Memory)?;
        i32::try_from(length).map_err(|_| Refusal::TooLong)
    };
    give().unwrap_or_else(|refusal| refusal as i32)
}

impl Host {
    fn read(&self, name: &[u8]) -> Result<Vec<u8>, Refusal> {
        let name = str::from_utf8(name).map_err(|_| Refusal::NoSuchAsset)?;
        if self.naive {
            // `join` takes an absolute path as it is, `..` leads above the directory, and links are followed.
            return Ok(std::fs::read(self.assets.join(name))?);
        }
        let name = plain_name(name).ok_or(Refusal::NoSuchAsset)?;
        // Found by listing what there is, so that nothing is opened that isn't a file of the directory itself.
        for entry in std::fs::read_dir(&self.assets)? {
            let entry = entry?;
            if entry.file_name() == name && entry.file_type()?.is_file() {
                return Ok(std::fs::read(entry.path())?);
            }
        }
        Err(Refusal::NoSuchAsset)
    }
}

/// A name of one part, as it is written: not `.`, not `..`, no slash.
fn plain_name(name: &str) -> Option<&OsStr> {
    match Path::new(name).components().next() {
        Some(Component::Normal(part)) if part == name => Some(part),
        _ => None,
    }
}
