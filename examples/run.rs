//! Runs a WASI module that sees the named host files and directories and nothing else.
//!
//! ```text
//! cargo run --release --example run -- --dir . openssl.wasm genrsa -out key.pem 2048
//! ```
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tracing_subscriber::EnvFilter;
use wasix_landlock_engine::{engine, limited};
use wasix_landlock_examples::{Given, Instead, learned, runtime_for, watch};
use wasix_landlock_profile::Compiler;
use wasmer::Module;
use wasmer_types::ModuleHash;
use wasmer_wasix::landlock::{exit_code, with_causes};
use wasmer_wasix::profile::ImportTable;
use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};

/// Runs a WASI module; the kernel refuses what is not named here.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    given: Given,
    /// The compiler of the module.
    #[arg(long, value_name = "cranelift|singlepass", default_value_t)]
    compiler: Compiler,
    /// Prints what was granted and enforced, to standard error, before the module runs.
    #[arg(long)]
    report: bool,
    /// Prints what the module imports, by group, and which groups it does not need, instead of running it.
    #[arg(long)]
    imports: bool,
    #[command(flatten)]
    instead: Instead,
    /// The module, in binary or text form.
    module: PathBuf,
    /// The module's arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            // What is refused is for whoever runs it, unless they say otherwise.
            EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| EnvFilter::new("error,wasix_landlock=warn")),
        )
        .with_writer(std::io::stderr)
        .init();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match exit_code(&error) {
            // A process has eight bits for it, as the shell's `$?` shows.
            Some(code) => ExitCode::from(code as u8),
            None => {
                eprintln!("run: {}", with_causes(error.as_ref()));
                ExitCode::FAILURE
            }
        },
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let bytes = std::fs::read(&arguments.module)
        .with_context(|| format!("can't read {}", arguments.module.display()))?;
    let profile = arguments.given.profile(&arguments.arguments)?;
    let engine = match arguments.imports {
        true => engine(arguments.compiler),
        false => limited(arguments.compiler, &profile.limits),
    };
    let module = Module::new(&engine, &bytes)
        .with_context(|| format!("can't compile {}", arguments.module.display()))?;
    if arguments.imports {
        print!("{}", ImportTable::of(&module));
        return Ok(());
    }

    let mut runner = WasiRunner::new();
    runner.with_profile(&profile)?;
    if arguments.report {
        runner.with_on_enforced(|report| eprintln!("{report}"));
    }

    let narrow = !profile.preopens.is_empty();
    let learning = arguments.instead.learn(&mut runner, narrow)?;
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let runtime = runtime_for(&profile.network, &engine, tokio.handle().clone());
    if arguments
        .instead
        .shown(&runner, RuntimeOrEngine::Runtime(runtime.clone()))?
    {
        return Ok(());
    }
    watch(&profile)?;
    let name = arguments.module.file_stem().unwrap_or_default();
    let ended = runner.run_wasm(
        RuntimeOrEngine::Runtime(runtime),
        &name.to_string_lossy(),
        module,
        ModuleHash::new(&bytes),
    );
    if let Some(learning) = learning {
        eprint!("{}", learned(&learning.learned()));
    }
    ended
}
