//! The cost of starting a worker: from the host's call until the module's first system call is done, which prints
//! a byte; and until the host knows of its end.
//!
//! ```text
//! cargo bench --bench start_time
//! cargo bench --bench start_time -- --worker PROGRAM    # another worker than this program itself
//! ```
#![forbid(unsafe_code)]

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use serde::Serialize;
use wasix_landlock_benches::Spread;
use wasix_landlock_worker::{Compiler, End, Launcher, Mode, Profile, Request, WorkerStreams};

/// Measures the start of a worker.
#[derive(Parser)]
struct Arguments {
    /// Samples for each row.
    #[arg(long, default_value_t = 50)]
    samples: usize,
    /// Writes the results as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The worker. By default, this program itself.
    #[arg(long)]
    worker: Option<PathBuf>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Prints a byte and ends.
const SMALL: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\01\00\00\00.")
    (func (export "_start")
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

/// A real program, of about the size that programs in Rust have. It prints what came of a read.
const REAL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/guests/genrsa.wasm"
);

#[derive(Serialize)]
struct Row {
    module: &'static str,
    compiler: String,
    cached: bool,
    mode: String,
    /// Until the first byte, in microseconds.
    first: Spread,
    /// Until the host knows how it ended, in microseconds.
    end: Spread,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return wasix_landlock_worker::serve();
    }
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("start_time: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let launcher = match &arguments.worker {
        Some(program) => Launcher::new(std::path::absolute(program)?),
        None => Launcher::new(std::env::current_exe()?).argument("worker"),
    };
    let work = tempfile::tempdir()?;
    let directory = work.path();
    let real = std::fs::read(REAL).context("genrsa.wasm")?;
    println!(
        "starting a worker, milliseconds: median (least to 90th percentile), {} samples\n",
        arguments.samples
    );
    println!(
        "{:<8} {:<11} {:<9} {:<8} {:>26} {:>26}",
        "module", "compiler", "", "", "first byte", "end"
    );
    let mut rows = Vec::new();
    for (name, bytes) in [("small", SMALL.as_bytes().to_vec()), ("genrsa", real)] {
        for compiler in Compiler::ALL {
            let profile = Profile::as_without()
                .preopen(|p| p.directory(directory).alias("data").read(true))?
                .arguments(["probe", "list", "data"]);
            let complete = |request: Request| request.compiler(compiler).profile(profile.clone());
            let module = Request::module(bytes.clone());
            let mut first = launcher.spawn(
                &complete(module.clone().give_artifact()),
                WorkerStreams::none(),
            )?;
            let artifact = first.wait(None)?.artifact.context("no artifact")?;
            // Where a host would keep it.
            let file = directory.join("artifact");
            std::fs::write(&file, artifact)?;
            for (cached, request) in [(true, Request::artifact_file(&file)), (false, module)] {
                for mode in [Mode::Enforce, Mode::Off] {
                    let request = complete(request.clone()).mode(mode);
                    let (mut first, mut end) = (Vec::new(), Vec::new());
                    for _ in 0..arguments.samples {
                        let sample = take_sample(&launcher, &request)?;
                        first.push(sample.0.as_secs_f64() * 1e6);
                        end.push(sample.1.as_secs_f64() * 1e6);
                    }
                    let spread =
                        |samples: Vec<f64>| Spread::of(&samples).context("no samples were taken");
                    let row = Row {
                        module: name,
                        compiler: compiler.to_string(),
                        cached,
                        mode: mode.to_string(),
                        first: spread(first)?,
                        end: spread(end)?,
                    };
                    println!(
                        "{:<8} {:<11} {:<9} {:<8} {:>26} {:>26}",
                        row.module,
                        row.compiler,
                        if cached { "cached" } else { "compiled" },
                        row.mode,
                        show(row.first),
                        show(row.end)
                    );
                    rows.push(row);
                }
            }
        }
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)? + "\n")
            .with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

fn take_sample(launcher: &Launcher, request: &Request) -> anyhow::Result<(Duration, Duration)> {
    let begun = Instant::now();
    let mut worker = launcher.spawn(request, WorkerStreams::piped())?;
    let mut output = worker.output().context("no pipe")?;
    let mut byte = [0];
    output.read_exact(&mut byte)?;
    let first = begun.elapsed();
    // Whoever prints more must not wait for a reader.
    let rest = std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    let end = worker.wait(None)?.end;
    let ended = begun.elapsed();
    ensure!(end == End::Exited(0), "{end:?}");
    let _rest = rest.join();
    Ok((first, ended))
}

fn show(spread: Spread) -> String {
    format!(
        "{:.1} ({:.1} to {:.1})",
        spread.median / 1e3,
        spread.least / 1e3,
        spread.ninetieth / 1e3
    )
}
