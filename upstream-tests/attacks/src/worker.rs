//! The process that a module runs in: it builds the environment that the request describes, and runs the
//! module of [`crate::guest`].

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use virtual_fs::{FileSystem, MountFileSystem, TmpFileSystem, host_fs};
use wasix_landlock_engine::engine;
use wasix_landlock_profile::Compiler;
use wasmer::{Module, Store};
use wasmer_wasix::runners::MappedDirectory;
use wasmer_wasix::runners::wasi::{PackageOrHash, RuntimeOrEngine, WasiRunner};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::{PluggableRuntime, Runtime, WasiEnvBuilder, WasiError, WasiRuntimeError};

use crate::guest;

/// The first argument of a process that runs a module.
pub const WORKER: &str = "run-module";
/// The fork's environment variable; upstream doesn't know it.
pub const MODE_VARIABLE: &str = "WASIX_LANDLOCK";

/// The way in which the directories come into the module's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Mapped by a runner, as the command line does it, which records no rights.
    Runner,
    /// Mounted, and preopened by name with their rights.
    Mounts,
    /// Preopened with their rights in a tree that is the host's.
    HostTree,
    /// The fork's own `preopen`.
    Preopen,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Runner, Self::Mounts, Self::HostTree, Self::Preopen];
}

/// A host directory that the module gets, and with which rights.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Grant {
    /// The name inside, without slashes.
    pub guest: String,
    /// The path on the host.
    pub host: PathBuf,
    /// May be read and listed.
    pub read: bool,
    /// May be changed, and entries be removed.
    pub write: bool,
    /// Entries may be made.
    pub create: bool,
}

/// The request to a process.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The way in which the module gets them.
    pub way: Way,
    /// The module's grants.
    pub grants: Vec<Grant>,
    /// A file that nobody grants.
    pub forbidden: PathBuf,
    /// True if the kernel is to enforce it.
    pub enforced: bool,
}

/// Preopens what is granted, as the fork's builder does.
pub type PreopenAll = fn(WasiEnvBuilder, &[Grant]) -> anyhow::Result<WasiEnvBuilder>;

/// The parts that differ from program to program.
#[derive(Debug, Clone, Copy)]
pub struct Fork {
    /// Preopens what is granted; `None` where there is no such call.
    pub preopen: Option<PreopenAll>,
    /// Sees to it that the request's `enforced` comes true, or the process ends.
    pub insist: fn(WasiEnvBuilder, &Request) -> anyhow::Result<WasiEnvBuilder>,
}

/// The exit code of a process that could not run its module at all.
const NOT_RUN: u8 = 125;
/// The exit code of a process in which something else is enforced than was asked.
pub const NOT_ENFORCED: i32 = 126;

/// If this process is to run a module, runs it and returns the exit code.
#[must_use]
pub fn worker(fork: &Fork) -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(WORKER) {
        return None;
    }
    let code = run(&arguments.next().unwrap_or_default(), fork).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        NOT_RUN
    });
    Some(ExitCode::from(code))
}

/// Names another compiler than Singlepass, to see whether it makes a difference: `cranelift`.
const COMPILER_VARIABLE: &str = "WASIX_LANDLOCK_ATTACKS_COMPILER";

fn run(request: &str, fork: &Fork) -> anyhow::Result<u8> {
    let request: Request = serde_json::from_str(request)?;
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let compiler = match std::env::var(COMPILER_VARIABLE) {
        Ok(name) => name.parse().context(COMPILER_VARIABLE)?,
        Err(_) => Compiler::Singlepass,
    };
    let engine = engine(compiler);
    let module = Module::new(&engine, guest::text())?;
    let mut store = Store::new(engine.clone());
    let mut runtime =
        PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio.handle().clone())));
    runtime
        .set_engine(engine)
        .set_networking_implementation(wasmer_wasix::UnsupportedVirtualNetworking::default());
    let builder = builder(&request, Arc::new(runtime), fork)?;
    let builder = (fork.insist)(builder, &request)?;
    let (instance, env) = builder.instantiate(module, &mut store)?;
    let start = instance.exports.get_function("_start")?;
    let ended = start.call(&mut store, &[]);
    env.on_exit(&mut store, None);
    let Err(error) = ended else {
        return Ok(0);
    };
    let error = WasiRuntimeError::from(error);
    match &error {
        WasiRuntimeError::Wasi(WasiError::Exit(code)) => Ok(code.raw() as u8),
        _ => Err(error.into()),
    }
}

fn builder(
    request: &Request,
    runtime: Arc<dyn Runtime + Send + Sync>,
    fork: &Fork,
) -> anyhow::Result<WasiEnvBuilder> {
    let handle = tokio::runtime::Handle::current();
    let host = |root: &Path| host_fs::FileSystem::new(handle.clone(), root);
    let new = || WasiEnvBuilder::new("guest").runtime(Arc::clone(&runtime));
    let mut builder = match request.way {
        Way::Runner => {
            let mut runner = WasiRunner::new();
            runner.with_mapped_directories(request.grants.iter().map(|grant| MappedDirectory {
                host: grant.host.clone(),
                guest: format!("/{}", grant.guest),
            }));
            return runner.prepare_webc_env(
                "guest",
                &webc::metadata::annotations::Wasi::new("guest"),
                PackageOrHash::Hash(wasmer_types::ModuleHash::random()),
                RuntimeOrEngine::Runtime(runtime),
                None,
            );
        }
        Way::Preopen => {
            let preopen = fork
                .preopen
                .ok_or_else(|| anyhow::anyhow!("no such call"))?;
            return preopen(new(), &request.grants);
        }
        Way::Mounts => {
            let tree = MountFileSystem::new();
            tree.mount(Path::new("/"), Arc::new(TmpFileSystem::new()))?;
            for grant in &request.grants {
                tree.mount(
                    Path::new("/").join(&grant.guest),
                    Arc::new(host(&grant.host)?),
                )?;
            }
            new().fs(Arc::new(tree) as Arc<dyn FileSystem + Send + Sync>)
        }
        Way::HostTree => {
            new().fs(Arc::new(host(Path::new("/"))?) as Arc<dyn FileSystem + Send + Sync>)
        }
    };
    for grant in &request.grants {
        let path = match request.way {
            Way::HostTree => grant.host.clone(),
            _ => Path::new("/").join(&grant.guest),
        };
        builder.add_preopen_build(|p| {
            p.directory(&path)
                .alias(&grant.guest)
                .read(grant.read)
                .write(grant.write)
                .create(grant.create)
        })?;
    }
    Ok(builder)
}
