//! The process that a module runs in: it builds the environment, and makes the calls that it gets from a socket.

mod threads;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, ensure};
use nix::sys::resource::{Resource, setrlimit};
use virtual_fs::{FileSystem, host_fs};
use wasix_landlock_differential::guest::call::{Call, Message, Reply};
use wasix_landlock_differential::guest::process::{Request, WORKER};
use wasix_landlock_differential::guest::text::{FUNCTIONS, text};
use wasix_landlock_differential::way::Way;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::Compiler;
use wasmer::{AsStoreMut, Instance, Module, Store, Value};
use wasmer_wasix::runners::MappedDirectory;
use wasmer_wasix::runners::wasi::{PackageOrHash, RuntimeOrEngine, WasiRunner};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::{PluggableRuntime, Runtime, WasiEnvBuilder};

use threads::Work;

/// The exit code of a process that could not run its module.
const NOT_RUN: u8 = 125;
/// The exit code of a process in which nothing is enforced.
const NOT_ENFORCED: i32 = 126;
/// The address space, so that an allocation of any size fails at once and not when memory is used up.
const ADDRESS_SPACE: u64 = 64 << 30;

/// If this process is to run a module, runs it and returns the exit code.
pub fn worker() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(WORKER) {
        return None;
    }
    let done = run(&arguments.next().unwrap_or_default());
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(NOT_RUN)
        }
    })
}

fn run(request: &str) -> anyhow::Result<()> {
    let request: Request = serde_json::from_str(request)?;
    setrlimit(Resource::RLIMIT_AS, ADDRESS_SPACE, ADDRESS_SPACE)?;
    let mut socket = UnixStream::connect(&request.socket)?;
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let _entered = tokio.enter();
    let engine = engine(Compiler::Singlepass);
    let module = Module::new(&engine, text(request.threads))?;
    let mut store = Store::new(engine.clone());
    let mut runtime =
        PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio.handle().clone())));
    runtime
        .set_engine(engine)
        .set_networking_implementation(wasmer_wasix::UnsupportedVirtualNetworking::default());
    let work = Work::new(&request.root);
    runtime.with_instantiation_hook(work.clone());
    let mut builder = builder(&request, Arc::new(runtime))?.on_enforced(|report| {
        if !report.enforced {
            eprintln!("nothing is enforced: {report}");
            std::process::exit(NOT_ENFORCED);
        }
    });
    if request.harden {
        builder.configure_landlock(|policy| policy.harden());
    }
    let (instance, env) = builder.instantiate(module, &mut store)?;
    socket.write_all(b"ready\n")?;
    for line in BufReader::new(socket.try_clone()?).lines() {
        let mut line = match serde_json::from_str(&line?)? {
            Message::Call(wanted) => serde_json::to_vec(&call(&instance, &mut store, &wanted)?)?,
            Message::Threads(threads) => {
                let outcomes = work.threads(&instance, &mut store, threads);
                serde_json::to_vec(&outcomes.map_err(|error| format!("{error:#}")))?
            }
        };
        line.push(b'\n');
        socket.write_all(&line)?;
    }
    env.on_exit(&mut store, None);
    Ok(())
}

fn call(instance: &Instance, store: &mut impl AsStoreMut, call: &Call) -> anyhow::Result<Reply> {
    let (_, parameters) = FUNCTIONS
        .iter()
        .find(|(name, _)| *name == call.function)
        .context("no such function")?;
    ensure!(parameters.len() == call.arguments.len(), "{call:?}");
    let arguments: Vec<Value> = parameters
        .chars()
        .zip(&call.arguments)
        .map(|(parameter, argument)| match parameter {
            'I' => Value::I64(argument.cast_signed()),
            _ => Value::I32((*argument as u32).cast_signed()),
        })
        .collect();
    let memory = instance.exports.get_memory("memory")?;
    memory
        .view(store)
        .write(call.data_at().into(), &call.data)?;
    let function = instance.exports.get_function(&call.function)?;
    let results = match function.call(store, &arguments) {
        Ok(results) => results,
        Err(error) => return Ok(Reply::Trapped(error.to_string())),
    };
    let number = results[0].i32().context("no error number")?;
    let mut answer = vec![0; call.answer as usize];
    memory
        .view(store)
        .read(call.answer_at().into(), &mut answer)?;
    Ok(Reply::Returned(number.cast_unsigned(), answer))
}

/// The directories of the request, through its way in.
fn builder(
    request: &Request,
    runtime: Arc<dyn Runtime + Send + Sync>,
) -> anyhow::Result<WasiEnvBuilder> {
    let handle = tokio::runtime::Handle::current();
    let host = |root: &Path| -> anyhow::Result<Arc<dyn FileSystem + Send + Sync>> {
        Ok(Arc::new(host_fs::FileSystem::new(handle.clone(), root)?))
    };
    let directories = ["p", "q"].map(|name| (name, request.root.join(name)));
    let mut runner = WasiRunner::new();
    match request.way {
        Way::Preopen => {
            let mut builder = WasiEnvBuilder::new("guest").runtime(runtime);
            builder.set_virtual_root(false);
            for (name, path) in &directories {
                builder.add_preopen(|p| {
                    p.directory(path)
                        .alias(name)
                        .read(true)
                        .write(true)
                        .create(true)
                })?;
            }
            return Ok(builder);
        }
        Way::Fs => {
            let mut builder = WasiEnvBuilder::new("guest")
                .runtime(runtime)
                .fs(host(Path::new("/"))?);
            for (name, path) in &directories {
                builder.add_preopen_build(|p| {
                    p.directory(path)
                        .alias(name)
                        .read(true)
                        .write(true)
                        .create(true)
                })?;
            }
            return Ok(builder);
        }
        Way::Mount => {
            for (name, path) in &directories {
                runner.with_mount(format!("/{name}"), host(path)?);
            }
        }
        Way::Mapped => {
            runner.with_mapped_directories(directories.map(|(name, host)| MappedDirectory {
                host,
                guest: format!("/{name}"),
            }));
        }
    }
    runner.prepare_webc_env(
        "guest",
        &webc::metadata::annotations::Wasi::new("guest"),
        PackageOrHash::Hash(wasmer_types::ModuleHash::random()),
        RuntimeOrEngine::Runtime(runtime),
        None,
    )
}
