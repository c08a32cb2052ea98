//! Runs a WASI module that sees the named host files and directories and nothing else.
//!
//! ```text
//! cargo run --release --example run -- --dir . openssl.wasm genrsa -out key.pem 2048
//! ```
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;
use wasix_landlock_examples::{Compiler, exit_code, offline_runtime};
use wasmer::Module;
use wasmer_types::ModuleHash;
use wasmer_wasix::landlock::{HostPreopenBuilder, Network};
use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};

/// Runs a WASI module; the kernel refuses what is not named here.
#[derive(Parser)]
struct Arguments {
    /// A host directory, what it is called inside, and `ro` if it is only read.
    #[arg(long, value_name = "HOST[::GUEST][:ro]")]
    dir: Vec<String>,
    /// A single host file; `ro` (the default) reads, `rw` also writes, `create` only writes and may make it.
    #[arg(long, value_name = "HOST[::GUEST][:ro|:rw|:create]")]
    file: Vec<String>,
    /// An environment variable. None of the host's are passed on.
    #[arg(long, value_name = "K=V")]
    env: Vec<String>,
    /// A TCP port that may be bound, or connected to; with this or `harden`, every other is refused.
    #[arg(long, value_name = "PORT")]
    bind: Vec<u16>,
    #[arg(long, value_name = "PORT")]
    connect: Vec<u16>,
    /// Everything that a module has no use for is refused to the whole program, not only files.
    #[arg(long)]
    harden: bool,
    /// What compiles the module.
    #[arg(long, value_enum, default_value = "cranelift")]
    compiler: Compiler,
    /// Prints what was granted and enforced, to standard error, before the module runs.
    #[arg(long)]
    report: bool,
    /// The module, in binary or text form.
    module: PathBuf,
    /// What the module gets as its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// `HOST[::GUEST][:MODE]`, taken apart.
struct Mapping<'a> {
    host: &'a str,
    guest: &'a str,
    mode: Option<&'a str>,
}

impl<'a> Mapping<'a> {
    fn parse(text: &'a str, modes: &[&str]) -> Self {
        let (rest, mode) = match text.rsplit_once(':') {
            Some((rest, mode)) if modes.contains(&mode) && !rest.ends_with(':') => {
                (rest, Some(mode))
            }
            _ => (text, None),
        };
        let (host, guest) = rest.split_once("::").unwrap_or((rest, rest));
        Self { host, guest, mode }
    }

    fn directory<'b>(&self, preopen: &'b mut HostPreopenBuilder) -> &'b mut HostPreopenBuilder {
        let writable = self.mode != Some("ro");
        preopen
            .directory(self.host)
            .alias(self.guest)
            .read(true)
            .write(writable)
            .create(writable)
    }

    fn file<'b>(&self, preopen: &'b mut HostPreopenBuilder) -> &'b mut HostPreopenBuilder {
        let preopen = preopen.path(self.host).alias(self.guest);
        match self.mode {
            Some("create") => preopen.create(true),
            Some("rw") => preopen.read(true).write(true),
            _ => preopen.read(true),
        }
    }
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match exit_code(&error) {
            // A process has eight bits for it, as the shell's `$?` shows.
            Some(code) => ExitCode::from(code as u8),
            None => {
                eprintln!("run: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let bytes = std::fs::read(&arguments.module)
        .with_context(|| format!("can't read {}", arguments.module.display()))?;
    let engine = arguments.compiler.engine();
    let module = Module::new(&engine, &bytes)
        .with_context(|| format!("can't compile {}", arguments.module.display()))?;

    let mut runner = WasiRunner::new();
    runner.with_args(&arguments.arguments);
    for variable in &arguments.env {
        let Some((name, value)) = variable.split_once('=') else {
            bail!("--env {variable}: expected K=V");
        };
        runner.with_envs([(name, value)]);
    }
    for text in &arguments.dir {
        let mapping = Mapping::parse(text, &["ro"]);
        runner.with_preopen(|p| mapping.directory(p))?;
    }
    for text in &arguments.file {
        let mapping = Mapping::parse(text, &["ro", "rw", "create"]);
        runner.with_preopen(|p| mapping.file(p))?;
    }
    if arguments.harden {
        runner.with_landlock(|l| l.harden());
    }
    if !arguments.bind.is_empty() || !arguments.connect.is_empty() {
        let network = arguments
            .bind
            .iter()
            .fold(Network::none(), |n, port| n.bind(*port));
        let network = arguments
            .connect
            .iter()
            .fold(network, |n, port| n.connect(*port));
        runner.with_landlock(|l| l.network(network));
    }
    if arguments.report {
        runner.with_landlock(|l| l.on_enforced(|report| eprintln!("{report}")));
    }

    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let runtime = offline_runtime(&engine, tokio.handle().clone());
    let name = arguments.module.file_stem().unwrap_or_default();
    runner.run_wasm(
        RuntimeOrEngine::Runtime(runtime),
        &name.to_string_lossy(),
        module,
        ModuleHash::new(&bytes),
    )
}
