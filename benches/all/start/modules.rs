//! The modules that are started.

use std::path::PathBuf;

use anyhow::Context as _;
use wasix_landlock_programs::runner::{Compiler, Run};
use wasix_landlock_worker::{Launcher, Mode, Profile, Request, WorkerStreams};

use crate::context::Context;
use crate::own;

/// The name of the preopened directory in the modules.
pub const PREOPEN: &str = "data";

/// Prints a byte and ends.
const SMALL: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\01\00\00\00.")
    (func (export "_start")
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

/// A module, its file, and its arguments.
pub struct Started {
    /// The name in the tables.
    pub name: &'static str,
    /// The module.
    pub file: PathBuf,
    /// The arguments after the name.
    pub arguments: &'static [&'static str],
    /// The directory that it gets.
    pub granted: PathBuf,
    /// The directory of compiled modules.
    kept: PathBuf,
}

/// The module that prints a byte, and a real program of about the size that programs in Rust have, which prints what it
/// found in its directory.
///
/// # Errors
/// An error of the file system.
pub fn both(context: &Context) -> anyhow::Result<[Started; 2]> {
    let kept = context.work.join("started");
    let granted = kept.join("granted");
    std::fs::create_dir_all(&granted)?;
    let file = kept.join("small.wat");
    std::fs::write(&file, SMALL)?;
    Ok([
        Started {
            name: "small",
            file,
            arguments: &[],
            granted: granted.clone(),
            kept: kept.clone(),
        },
        Started {
            name: "genrsa",
            file: own("../examples/guests/genrsa.wasm"),
            arguments: &["probe", "list", PREOPEN],
            granted,
            kept,
        },
    ])
}

/// Starts workers of this program itself, or of the one that was asked for.
///
/// # Errors
/// If it isn't known where this program is.
pub fn launcher(context: &Context) -> anyhow::Result<Launcher> {
    Ok(match &context.worker {
        Some(program) => Launcher::new(std::path::absolute(program)?),
        None => Launcher::new(std::env::current_exe()?).argument("worker"),
    })
}

impl Started {
    /// A worker's requests: for what a worker has compiled before, in a file as a host would keep it, and for the module.
    ///
    /// # Errors
    /// A module that can't be compiled.
    pub fn requests(
        &self,
        launcher: &Launcher,
        compiler: Compiler,
    ) -> anyhow::Result<[Request; 2]> {
        let profile = Profile::as_without()
            .preopen(|p| p.directory(&self.granted).alias(PREOPEN).read(true))?
            .arguments(self.arguments.iter().copied());
        let complete = |request: Request| request.compiler(compiler).profile(profile.clone());
        let module = Request::module(std::fs::read(&self.file)?);
        let asked = complete(module.clone().give_artifact()).mode(Mode::Off);
        let outcome = launcher.spawn(&asked, WorkerStreams::none())?.wait(None)?;
        let artifact = outcome
            .artifact
            .with_context(|| format!("no artifact: {:?}", outcome.end))?;
        let file = self.kept.join(format!("{}-{compiler}", self.name));
        std::fs::write(&file, artifact)?;
        Ok([complete(Request::artifact_file(&file)), complete(module)])
    }

    /// The run of Wasmer as published, with the module compiled before.
    ///
    /// # Errors
    /// A module that can't be compiled.
    pub fn run_of_upstream(&self) -> anyhow::Result<PathBuf> {
        let arguments = [self.name]
            .into_iter()
            .chain(self.arguments.iter().copied());
        let run = Run {
            module: self.file.clone(),
            arguments: arguments.map(str::to_owned).collect(),
            environment: Vec::new(),
            directories: vec![(self.granted.clone(), format!("/{PREOPEN}"))],
            same_chance: false,
            file: None,
            compiler: Compiler::Cranelift,
            cache: self.kept.join("cache"),
            output: self.kept.join("measured"),
        };
        run.compile()?;
        let path = self.kept.join(format!("{}.json", self.name));
        std::fs::write(&path, serde_json::to_string(&run)?)?;
        Ok(path)
    }

    /// The directory for wasmtime's own cache.
    pub fn wasmtime_cache(&self) -> PathBuf {
        self.kept.join("wasmtime-cache")
    }
}
