//! A server on tokio: each request runs a module, several at once, each for the tenant that it names.
//!
//! ```text
//! cargo run --release --example server -- --tenants DIR        # a directory for each tenant in DIR
//! printf 'a read data/file\n' | nc 127.0.0.1 PORT
//! ```
//!
//! With `--scope instance` each request has threads of its own, under a policy of its own; the server stays free.
//! With `--scope process` the first request restricts the server: it has to say before what all of them may use.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use virtual_fs::{ArcFile, BufferFile};
use wasix_landlock_engine::engine;
use wasix_landlock_examples::offline_runtime;
use wasix_landlock_profile::Compiler;
use wasmer::{Engine, Module};
use wasmer_types::ModuleHash;
use wasmer_wasix::landlock::{Access, Instance, exit_code, with_causes};
use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};

/// A module that tries what its arguments say, and prints what came of it.
const GUEST: &[u8] = include_bytes!("guests/genrsa.wasm");

/// The most bytes of a request's line, and of a module's output.
const LIMIT: u64 = 4096;

/// Answers each connection by running a module for it.
#[derive(Parser)]
struct Arguments {
    /// A directory with a directory for each tenant.
    #[arg(long)]
    tenants: PathBuf,
    /// The scope that the requests share.
    #[arg(long, value_enum, default_value = "instance")]
    scope: Scope,
    /// The compiler of the module, which is compiled once.
    #[arg(
        long,
        value_name = "cranelift|singlepass",
        default_value = "singlepass"
    )]
    compiler: Compiler,
    /// Ends after so many requests.
    #[arg(long)]
    requests: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scope {
    /// The policy of the process, made by the first request.
    Process,
    /// Nothing: each has threads and a policy of its own.
    Instance,
}

/// The state that all requests use.
struct Server {
    scope: Scope,
    engine: Engine,
    module: Module,
    all: PathBuf,
    tenants: BTreeMap<String, PathBuf>,
}

/// A request's line: `TENANT ATTEMPT PATH…`.
struct Request {
    directory: PathBuf,
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let all = arguments
        .tenants
        .canonicalize()
        .with_context(|| format!("no directory {}", arguments.tenants.display()))?;
    let mut tenants = BTreeMap::new();
    for entry in std::fs::read_dir(&all)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            tenants.insert(name, entry.path());
        }
    }
    let engine = engine(arguments.compiler);
    let module = Module::new(&engine, GUEST)?;
    let server = Arc::new(Server {
        scope: arguments.scope,
        engine,
        module,
        all,
        tenants,
    });
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    tokio.block_on(serve(server, arguments.requests))
}

async fn serve(server: Arc<Server>, requests: Option<usize>) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let mut running = Vec::new();
    while requests.is_none_or(|requests| running.len() < requests) {
        let (connection, _) = listener.accept().await?;
        let server = Arc::clone(&server);
        running.push(tokio::spawn(async move {
            if let Err(error) = answer(server, connection).await {
                eprintln!("server: {}", with_causes(error.as_ref()));
            }
        }));
        if requests.is_none() {
            running.retain(|request| !request.is_finished());
        }
    }
    for request in running {
        request.await?;
    }
    Ok(())
}

async fn answer(server: Arc<Server>, mut connection: TcpStream) -> anyhow::Result<()> {
    let (from, mut to) = connection.split();
    let mut line = String::new();
    BufReader::new(from.take(LIMIT))
        .read_line(&mut line)
        .await?;
    let answer = match server.understand(&line) {
        // A module runs on a thread that may wait, not on one that serves connections.
        Some(request) => {
            let printed = ArcFile::new(Box::new(BufferFile::default()));
            let stdout = printed.clone();
            let ran = tokio::task::spawn_blocking(move || server.run(request, stdout)).await?;
            match ran {
                Ok(code) => format!("{}exit code {code}\n", text(printed).await?),
                Err(error) => format!("not run: {}\n", with_causes(error.as_ref())),
            }
        }
        None => "not understood\n".to_owned(),
    };
    to.write_all(answer.as_bytes()).await?;
    Ok(())
}

async fn text(mut printed: ArcFile<BufferFile>) -> anyhow::Result<String> {
    let mut text = Vec::new();
    printed.seek(SeekFrom::Start(0)).await?;
    printed.take(LIMIT).read_to_end(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl Server {
    /// The tenant has to be one by name: what a client says never becomes a path here.
    fn understand(&self, line: &str) -> Option<Request> {
        let mut words = line.split_whitespace();
        let directory = self.tenants.get(words.next()?)?.clone();
        let mut arguments = vec!["probe".to_owned()];
        arguments.extend(words.map(str::to_owned));
        Some(Request {
            directory,
            arguments,
        })
    }

    /// Runs the module and returns its exit code.
    fn run(&self, request: Request, stdout: ArcFile<BufferFile>) -> anyhow::Result<i32> {
        let Request {
            directory,
            arguments,
        } = request;
        match self.scope {
            Scope::Instance => {
                let (engine, module) = (self.engine.clone(), self.module.clone());
                Instance::new("request")
                    .preopen(|p| p.directory(&directory).alias("data").read(true))?
                    .spawn(move |inside| {
                        inside.run("guest", module, &engine, |runner| {
                            runner.with_args(arguments).with_stdout(Box::new(stdout));
                        })
                    })?
                    .join()?
                    .value
            }
            Scope::Process => {
                let mut runner = WasiRunner::new();
                runner
                    .with_preopen(|p| p.directory(&directory).alias("data").read(true))?
                    .with_landlock(|l| l.runtime_path(&self.all, Access::READ, "the tenants"))
                    .with_args(arguments)
                    .with_stdout(Box::new(stdout));
                let tokio = tokio::runtime::Handle::current();
                let runtime = RuntimeOrEngine::Runtime(offline_runtime(&self.engine, tokio));
                let hash = ModuleHash::random();
                match runner.run_wasm(runtime, "guest", self.module.clone(), hash) {
                    Ok(()) => Ok(0),
                    Err(error) => exit_code(&error).ok_or(error),
                }
            }
        }
    }
}
