//! Runs WebAssembly/wasi-testsuite's preview 1 modules on Wasmer as published, as its user would: with a host
//! file system, and the directories mapped. Writes `results.txt`, or, with `--check`, compares it.
#![forbid(unsafe_code)]

// Not all of it: the table is made elsewhere.
#[allow(dead_code)]
#[path = "../../conformance/src/suite.rs"]
mod suite;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::ensure;
use suite::{Interface, Suite, run_all};
use wasix_landlock_profile::Compiler;

fn main() -> ExitCode {
    let map = |_, builder, directories: &[_], _: &Path| suite::map(builder, directories);
    if let Some(code) = suite::child(map) {
        return code;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("baseline: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suite = Suite::unpack(&folder.join("../conformance"))?;
    let results = run_all(
        &suite.cases,
        &std::env::current_exe()?,
        Interface::Mapped,
        Compiler::Cranelift,
    );
    let mut text = String::new();
    for (case, result) in suite.cases.iter().zip(&results) {
        let word = if result.is_ok() { "passes" } else { "fails" };
        text.push_str(&format!("{word} {}\n", case.name));
        if let Err(error) = result {
            println!("{}: {error:#}", case.name);
        }
    }
    let count = results.iter().filter(|result| result.is_ok()).count();
    println!("{count} of {} pass", results.len());
    let path = folder.join("results.txt");
    if std::env::args().any(|argument| argument == "--check") {
        ensure!(
            fs::read_to_string(&path)? == text,
            "results.txt is not what this run gave"
        );
        return Ok(());
    }
    Ok(fs::write(path, text)?)
}
