//! What `build()` costs: each count of preopens with each count of threads, without and with enforcement.
//!
//! ```text
//! cargo bench --bench build_time
//! ```
//!
//! A process can be restricted once, so each sample is a process of its own. Both kinds of samples are taken
//! in turns, so that whatever else the machine does falls on both.
#![forbid(unsafe_code)]

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Parser;
use serde::Serialize;
use wasix_landlock_benches::Spread;
use wasix_landlock_examples::{Compiler, offline_runtime};
use wasmer_wasix::WasiEnv;
use wasmer_wasix::landlock::MODE_VARIABLE;

/// Measures `build()`.
#[derive(Parser)]
struct Arguments {
    /// Samples of each kind for each row.
    #[arg(long, default_value_t = 25)]
    samples: usize,
    /// Writes the results as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Takes one sample: so many preopens, below this directory, with so many threads.
    #[arg(long, hide = true, num_args = 3, value_names = ["PREOPENS", "DIRECTORY", "THREADS"])]
    sample: Option<Vec<String>>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

const PREOPENS: [usize; 3] = [1, 10, 1000];
/// Threads of the process, with the one that builds.
const THREADS: [usize; 4] = [1, 8, 64, 200];

#[derive(Serialize)]
struct Row {
    preopens: usize,
    threads: usize,
    /// `build()` with the switch on *off*, in microseconds.
    off: Spread,
    /// `build()` as it is by default, in microseconds.
    enforce: Spread,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(sample) = &arguments.sample {
        let [preopens, directory, threads] = &sample[..] else {
            bail!("three values are needed");
        };
        println!(
            "{}",
            take_sample(preopens.parse()?, directory.as_ref(), threads.parse()?)?
        );
        return Ok(());
    }

    let work = tempfile::tempdir()?;
    for number in 0..PREOPENS[PREOPENS.len() - 1] {
        std::fs::create_dir(directory(work.path(), number))?;
    }
    println!(
        "build(), microseconds: median (least to 90th percentile), {} samples\n",
        arguments.samples
    );
    println!(
        "preopens threads {:>28} {:>28} {:>10}",
        "off", "enforced", "added"
    );
    let mut rows = Vec::new();
    for preopens in PREOPENS {
        for threads in THREADS {
            let row = measure(&arguments, work.path(), preopens, threads)?;
            println!(
                "{preopens:>8} {threads:>7} {:>28} {:>28} {:>10.0}",
                show(row.off),
                show(row.enforce),
                row.enforce.median - row.off.median
            );
            rows.push(row);
        }
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)? + "\n")
            .with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

fn measure(
    arguments: &Arguments,
    work: &Path,
    preopens: usize,
    threads: usize,
) -> anyhow::Result<Row> {
    let (mut off, mut enforce) = (Vec::new(), Vec::new());
    for number in 0..arguments.samples {
        if std::io::stderr().is_terminal() {
            eprint!(
                "\r{preopens} preopens, {threads} threads: {number} of {}  \r",
                arguments.samples
            );
        }
        for (mode, samples) in [("off", &mut off), ("enforce", &mut enforce)] {
            let output = Command::new(std::env::current_exe()?)
                .arg("--sample")
                .arg(preopens.to_string())
                .arg(work)
                .arg(threads.to_string())
                .env(MODE_VARIABLE, mode)
                .stderr(std::process::Stdio::inherit())
                .output()?;
            if !output.status.success() {
                bail!("a sample failed: {}", output.status);
            }
            samples.push(String::from_utf8(output.stdout)?.trim().parse()?);
        }
    }
    let spread = |samples| Spread::of(samples).context("no samples were taken");
    Ok(Row {
        preopens,
        threads,
        off: spread(off)?,
        enforce: spread(enforce)?,
    })
}

/// Builds once, and returns how long that took, in microseconds.
fn take_sample(preopens: usize, work: &Path, threads: usize) -> anyhow::Result<f64> {
    // No thread but those that are asked for.
    let tokio = tokio::runtime::Builder::new_current_thread().build()?;
    let _entered = tokio.enter();
    let engine = Compiler::Singlepass.engine();
    let mut builder =
        WasiEnv::builder("sample").runtime(offline_runtime(&engine, tokio.handle().clone()));
    for number in 0..preopens {
        let host = directory(work, number);
        builder.add_preopen(|p| p.directory(host).alias(&format!("d{number}")).read(true))?;
    }
    // Making the engine has left threads of its own behind.
    let already = std::fs::read_dir("/proc/self/task")?.count();
    for _ in already..threads {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        });
    }
    let begun = Instant::now();
    let env = builder.build()?;
    let took = begun.elapsed();
    drop(env);
    Ok(took.as_secs_f64() * 1e6)
}

fn directory(work: &Path, number: usize) -> PathBuf {
    work.join(format!("d{number}"))
}

fn show(spread: Spread) -> String {
    format!(
        "{:.0} ({:.0} to {:.0})",
        spread.median, spread.least, spread.ninetieth
    )
}
