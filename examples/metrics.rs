//! Denials as counters for a monitoring system, and as lines of JSON.
//!
//! ```text
//! cargo run --release --example metrics >metrics.prom 2>denials.jsonl
//! ```
//!
//! A module looks for files that nobody granted. The counters are printed in Prometheus' text format, which an
//! OpenTelemetry collector reads as well; a counter of an OpenTelemetry SDK takes the same names and numbers. Each
//! different denial is a line of JSON on standard error (`profile/denial.schema.json`).
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use wasix_landlock_engine::engine;
use wasix_landlock_examples::offline_runtime;
use wasix_landlock_profile::Compiler;
use wasmer::Module;
use wasmer_types::ModuleHash;
use wasmer_wasix::landlock::{DenialCounts, with_causes};
use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("metrics: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// The counters in Prometheus' text format. The names are short words, which need no escapes.
fn exposition(counts: &DenialCounts) -> String {
    let mut text = "# HELP wasi_denials_total Accesses of modules that were refused.\n\
                    # TYPE wasi_denials_total counter\n"
        .to_owned();
    for ((operation, cause), count) in counts.so_far() {
        let _ = writeln!(
            text,
            "wasi_denials_total{{operation=\"{operation}\",cause=\"{cause}\"}} {count}"
        );
    }
    text
}

fn run() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    std::fs::write(data.path().join("file"), "content\n")?;
    let engine = engine(Compiler::Singlepass);
    let module = Module::new(&engine, include_str!("guests/show.wat"))?;
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let runtime = offline_runtime(&engine, tokio.handle().clone());

    let counts = DenialCounts::default();
    for path in ["data/file", "etc/passwd", "etc/passwd"] {
        let mut runner = WasiRunner::new();
        runner
            .with_preopen(|p| p.directory(&data).alias("/data").read(true))?
            .with_args([path])
            .with_stdout(Box::<virtual_fs::NullFile>::default())
            .with_denial_counts(&counts)
            .with_written_denials(std::io::stderr());
        runner.run_wasm(
            RuntimeOrEngine::Runtime(Arc::clone(&runtime)),
            "show",
            module.clone(),
            ModuleHash::random(),
        )?;
    }
    print!("{}", exposition(&counts));
    Ok(())
}
