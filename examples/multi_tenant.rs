//! Runs one module for two tenants at once, each with a directory of its own.
//!
//! ```text
//! cargo run --release --example multi_tenant -- --scope worker
//! ```
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use wasix_landlock_engine::engine;
use wasix_landlock_worker::{Compiler, End, Launcher, Profile, Request, WorkerStreams};
use wasmer_wasix::landlock::{Instance, with_causes};

/// A module that tries what its arguments say, and prints what came of it.
const GUEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guests/genrsa.wasm");

/// The isolation between tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scope {
    /// Threads of their own, in this process. It stops bugs in the WASI layer, not native code.
    Instance,
    /// A process of its own each.
    Worker,
}

/// Runs one module for two tenants; the kernel keeps each to its directory.
#[derive(Parser)]
struct Arguments {
    #[arg(long, value_enum, default_value = "worker")]
    scope: Scope,
}

fn main() -> ExitCode {
    // Started by this program itself.
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return wasix_landlock_worker::serve();
    }
    match run(Arguments::parse().scope) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("multi_tenant: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(scope: Scope) -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let mut directories = Vec::new();
    for name in ["a", "b"] {
        let directory = work.path().join(name);
        std::fs::create_dir(&directory)?;
        std::fs::write(directory.join("file"), name)?;
        directories.push(directory);
    }
    // What each tries: its own file, and its neighbour's, by every name that it could have.
    let attempts = |other: &Path| {
        let other = other.join("file").display().to_string();
        [
            "probe",
            "read",
            "data/file",
            "--",
            "read",
            "../b/file",
            "--",
            "read",
            &other,
        ]
        .map(str::to_owned)
    };
    let [a, b] = [0, 1].map(|own| (directories[own].clone(), attempts(&directories[1 - own])));
    match scope {
        Scope::Instance => instances([a, b])?,
        Scope::Worker => workers([a, b])?,
    }
    // This process is as free as it was.
    for directory in &directories {
        std::fs::read(directory.join("file"))?;
    }
    println!("the host reads both");
    Ok(())
}

type Tenant = (PathBuf, [String; 9]);

fn instances(tenants: [Tenant; 2]) -> anyhow::Result<()> {
    let module = std::fs::read(GUEST)?;
    let mut running = Vec::new();
    for (directory, arguments) in tenants {
        let (engine, module) = (engine(Compiler::Singlepass), module.clone());
        let instance = Instance::new("tenant")
            .preopen(|p| p.directory(&directory).alias("data").read(true))?
            .spawn(move |inside| {
                let module = inside.compile(&engine, module)?;
                inside.run("guest", module, &engine, |runner| {
                    runner.with_args(arguments);
                })
            })?;
        running.push(instance);
    }
    for instance in running {
        let report = std::sync::Arc::clone(instance.report());
        let code = instance.join()?.value?;
        anyhow::ensure!(code == 0, "exit code {code}");
        print!("{report}");
    }
    Ok(())
}

fn workers(tenants: [Tenant; 2]) -> anyhow::Result<()> {
    let launcher = Launcher::new(std::env::current_exe()?).argument("worker");
    let mut running = Vec::new();
    for (directory, arguments) in tenants {
        let profile = Profile::as_without()
            .preopen(|p| p.directory(directory).alias("data").read(true))?
            .arguments(arguments);
        let request = Request::module_file(GUEST)
            .compiler(Compiler::Singlepass)
            .profile(profile);
        running.push(launcher.spawn(&request, WorkerStreams::inherit())?);
    }
    for mut worker in running {
        let outcome = worker.wait(Some(std::time::Duration::from_secs(60)))?;
        anyhow::ensure!(outcome.end == End::Exited(0), "{:?}", outcome.end);
        print!("{}", outcome.report.context("no report")?);
    }
    Ok(())
}
