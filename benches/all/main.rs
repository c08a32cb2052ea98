//! Measures costs: single operations, real programs, compilers, scale, a server and starts, compared with no module at
//! all, Wasmer as published and wasmtime, in one run.
//!
//! ```text
//! cargo bench --bench all                                       # prints the tables
//! cargo bench --bench all -- --write                            # also writes RESULTS.md, and results/ with the page and the JSON
//! cargo bench --bench all -- --short                            # some minutes: whether it works
//! cargo bench --bench all -- --parts server,start --write       # writes these parts anew and leaves the others
//! cargo bench --bench all -- --parts server --soak 60 --write   # an hour: whether a server grows
//! ```
//!
//! Each sample is a process of its own, and the columns are taken in turns, so that whatever else the machine does
//! falls on all of them. Wasmer as published is a program of another workspace, `upstream-tests/baseline`, which is
//! built first. What the registries have to give is got when it is first needed, by checksum, and kept in the
//! user's cache: `npm`, and `python3` with `pip`, are needed for it.
#![forbid(unsafe_code)]

mod compilers;
mod context;
mod memory;
mod operations;
mod programs;
mod scale;
mod server;
mod start;

use std::cell::{Cell, OnceCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use context::Context;
use wasix_landlock_benches::{
    Machine, Results, cost_table, fastest_file_system, markdown, page, write_part,
};
use wasix_landlock_programs::runner::Run;

/// Measures what it costs.
#[derive(Parser)]
struct Arguments {
    /// Writes the results into this project: `benches/RESULTS.md`, `benches/results`, and the cost table in
    /// `README.md`.
    #[arg(long)]
    write: bool,
    /// Few samples of few things, to see that it works.
    #[arg(long)]
    short: bool,
    /// Only these parts.
    #[arg(long, value_delimiter = ',')]
    parts: Vec<String>,
    /// Only the rows whose names contain this.
    #[arg(long, default_value = "")]
    only: String,
    /// Only these columns.
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    /// Rounds, with one sample of each column in each.
    #[arg(long)]
    samples: Option<usize>,
    /// The program for Wasmer as published, if it is built already.
    #[arg(long)]
    upstream: Option<PathBuf>,
    /// The program for wasmtime's crate, if it is built already.
    #[arg(long)]
    wasmtime: Option<PathBuf>,
    /// The directory of the files that are worked on; in memory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Has the part `server` watch servers under load for so many minutes, in place of what it measures otherwise.
    #[arg(long, value_name = "MINUTES")]
    soak: Option<u64>,
    /// Has the part `start` start this worker, in place of this program itself.
    #[arg(long, value_name = "PROGRAM")]
    worker: Option<PathBuf>,
    /// Measures nothing, and writes what is in `benches/results/results.json` anew.
    #[arg(long)]
    render: bool,
    /// Takes one sample, in a process that was started for it.
    #[arg(long, hide = true, num_args = 2.., value_names = ["KIND", "ARGUMENT"])]
    sample: Option<Vec<String>>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

type Part = (
    &'static str,
    fn(&Context) -> anyhow::Result<Vec<wasix_landlock_benches::Table>>,
);

const PARTS: [Part; 7] = [
    ("operations", operations::measure),
    ("programs", programs::measure),
    ("hostile", programs::hostile::measure),
    ("compilers", compilers::measure),
    ("scale", scale::measure),
    ("server", server::measure),
    ("start", start::measure),
];

const VERSIONS: [&str; 3] = [
    "Wasmer 7.4.2",
    "wasmtime 50.0.1 (its Python package)",
    "wasmtime 48.0.8 (its crate, for servers and starts: 50 needs Rust 1.97)",
];

/// A file of this crate's own.
pub(crate) fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn main() -> ExitCode {
    // Started by this program itself.
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return wasix_landlock_worker::serve();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nall: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(sample) = &arguments.sample {
        return take_sample(sample);
    }
    if arguments.render {
        let path = own("results/results.json");
        return write(&serde_json::from_str(&fs::read_to_string(path)?)?);
    }
    for part in &arguments.parts {
        ensure!(
            PARTS.iter().any(|(name, _)| name == part),
            "no part is called {part}"
        );
    }
    let parent = arguments
        .directory
        .clone()
        .unwrap_or_else(fastest_file_system);
    let work = tempfile::tempdir_in(parent)?;
    let context = Context {
        samples: arguments
            .samples
            .unwrap_or(if arguments.short { 1 } else { 7 }),
        short: arguments.short,
        wanted: arguments.columns,
        only: arguments.only,
        work: work.path().to_owned(),
        upstream: arguments
            .upstream
            .map_or_else(OnceCell::new, OnceCell::from),
        begun: Instant::now(),
        said: Cell::new(None),
        skipped: Cell::new(0),
        soak: arguments.soak,
        worker: arguments.worker,
        wasmtime_server: arguments
            .wasmtime
            .map_or_else(OnceCell::new, OnceCell::from),
    };
    if context.columns().contains(&"upstream") {
        context.upstream()?;
    }
    let versions = VERSIONS.map(str::to_owned);
    let mut results = Results {
        machine: Machine::here(work.path(), versions.to_vec(), context.short),
        tables: Vec::new(),
        apart: Vec::new(),
    };
    // A part that fails doesn't take away what the others have measured.
    let mut failed = Vec::new();
    for (name, measure) in PARTS {
        if arguments.parts.is_empty() || arguments.parts.iter().any(|part| part == name) {
            match measure(&context) {
                Ok(tables) => results.tables.extend(tables),
                Err(error) => {
                    eprintln!("\n{name}: {error:#}");
                    failed.push(name);
                }
            }
        }
    }
    results.machine.took = Some(context.begun.elapsed().as_secs_f64());
    eprintln!();
    print!("{}", markdown::document(&results));
    if arguments.write {
        let kept = own("results/results.json");
        let kept = (!arguments.parts.is_empty() && kept.exists())
            .then(|| fs::read_to_string(kept))
            .transpose()?;
        write(&match kept {
            Some(kept) => serde_json::from_str::<Results>(&kept)?.with(results),
            None => results,
        })?;
    }
    if context.skipped.get() > 0 {
        eprintln!("{} measurements were skipped", context.skipped.get());
    }
    ensure!(
        failed.is_empty(),
        "without {}, which failed",
        failed.join(", ")
    );
    Ok(())
}

/// Writes the results in the three forms in which they are kept.
fn write(results: &Results) -> anyhow::Result<()> {
    let folder = own("results");
    fs::create_dir_all(&folder)?;
    let files = [
        (own("RESULTS.md"), markdown::document(results)),
        (
            folder.join("results.json"),
            serde_json::to_string(results)? + "\n",
        ),
        (folder.join("index.html"), page::page(results)?),
    ];
    for (path, text) in files {
        fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    let Some(costs) = cost_table(results) else {
        eprintln!("README.md stays as it is: a column is missing");
        return Ok(());
    };
    write_part(&own("../README.md"), "costs", &costs)
}

fn take_sample(sample: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = sample.iter().map(String::as_str).collect();
    match words[..] {
        [kind @ ("native" | "calls" | "operations"), plan, directory] => {
            operations::take_sample(kind, plan.as_ref(), directory.as_ref())
        }
        ["compile", run] => Run::load(Path::new(run))?.compile(),
        ["run", run] => {
            if std::env::var_os("RUST_LOG").is_some() {
                tracing_subscriber::fmt()
                    .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
                    .with_writer(std::io::stderr)
                    .init();
            }
            let code = Run::load(Path::new(run))?.run(|runner, run| {
                if let Some((host, guest)) = &run.file {
                    runner.with_preopen(|p| p.path(host).alias(guest).read(true))?;
                }
                Ok(())
            })?;
            ensure!(code == 0, "the program's exit code is {code}");
            Ok(())
        }
        ["preopens", preopens, threads, work] => {
            scale::take_preopens_sample(preopens.parse()?, threads.parse()?, work.as_ref())
        }
        ["rules", access, distance, work] => {
            scale::take_rules_sample(access, distance.parse()?, work.as_ref())
        }
        ["instances", scope, count, work] => {
            scale::take_instances_sample(scope, count.parse()?, work.as_ref())
        }
        ["limit", scope, most, work] => {
            scale::take_limit_sample(scope, most.parse()?, work.as_ref())
        }
        ["serve", mode, data, compiled] => {
            server::take_sample(mode, data.as_ref(), compiled.as_ref())
        }
        _ => bail!("no such sample: {words:?}"),
    }
}
