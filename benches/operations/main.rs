//! What single operations cost: without a module, through Wasmer as published, through the fork without and with
//! enforcement, and through wasmtime.
//!
//! ```text
//! cargo bench --bench operations -- --wasmtime PYTHON --json FILE --markdown FILE
//! ```
//!
//! Each sample is a process of its own, and the columns are taken in turns, so that whatever else the machine
//! does falls on all of them. Wasmer as published is a program of another workspace, `upstream-tests/baseline`,
//! which is built first. wasmtime is its Python package: `PYTHON` is an interpreter that has it.
#![forbid(unsafe_code)]

mod guest;
mod plan;
mod runner;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use plan::Operation;
use wasmer_wasix::landlock::MODE_VARIABLE;

/// Measures single operations.
#[derive(Parser)]
struct Arguments {
    /// Rounds, with one sample of each column in each.
    #[arg(long, default_value_t = 7)]
    samples: usize,
    /// Only the operations whose names contain this.
    #[arg(long)]
    only: Option<String>,
    /// Only these columns.
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    /// The lengths of the directories that are listed.
    #[arg(long, value_delimiter = ',', default_value = "10,1000,5000,50000")]
    lists: Vec<u32>,
    /// What takes a column longer than so many seconds is measured once.
    #[arg(long, default_value_t = 5.0)]
    once_from: f64,
    /// Divides how often each operation is done in a sample, for a quick look.
    #[arg(long, default_value_t = 1)]
    fewer: u32,
    /// The program for Wasmer as published, if it is built already.
    #[arg(long)]
    upstream: Option<PathBuf>,
    /// A Python interpreter with the package `wasmtime`.
    #[arg(long)]
    wasmtime: Option<PathBuf>,
    /// Where the files are; a folder of the system's for temporary files by default.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Writes all samples and their spread.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Writes the table.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Takes one sample: without a module, or through the fork; of what a file lists, in this directory.
    #[arg(long, hide = true, num_args = 3, value_names = ["COLUMN", "PLAN", "DIRECTORY"])]
    sample: Option<Vec<String>>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The samples of each operation in each column, in microseconds.
pub type Samples = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

const COLUMNS: [&str; 5] = ["native", "upstream", "fork", "enforced", "wasmtime"];

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(sample) = &arguments.sample {
        let [column, plan, directory] = &sample[..] else {
            bail!("three values are needed");
        };
        return take_sample(column, plan.as_ref(), directory.as_ref());
    }

    let columns: Vec<&str> = COLUMNS
        .into_iter()
        .filter(|&column| column != "wasmtime" || arguments.wasmtime.is_some())
        .filter(|&column| {
            arguments.columns.is_empty() || arguments.columns.iter().any(|c| c == column)
        })
        .collect();
    if arguments.wasmtime.is_none() {
        eprintln!("no column for wasmtime: --wasmtime PYTHON names an interpreter that has it");
    }
    let upstream = match &arguments.upstream {
        None if columns.contains(&"upstream") => Some(build_upstream()?),
        given => given.clone(),
    };
    let only = arguments.only.as_deref().unwrap_or_default();
    let operations: Vec<Operation> = plan::operations(&arguments.lists, arguments.fewer)
        .into_iter()
        .filter(|operation| operation.name.contains(only))
        .collect();
    ensure!(!operations.is_empty(), "no operation has such a name");

    let work = match &arguments.directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let mut samples = Samples::new();
    for round in 0..arguments.samples {
        for column in &columns {
            let again = |operation: &&Operation| {
                let last = samples
                    .get(&operation.name)
                    .and_then(|row| row.get(*column)?.last());
                last.is_none_or(|last| {
                    last * f64::from(operation.count) < arguments.once_from * 1e6
                })
            };
            let operations: Vec<Operation> = operations.iter().filter(again).cloned().collect();
            let progress = format!("round {} of {}, {column}", round + 1, arguments.samples);
            let mut command = match *column {
                "native" | "fork" | "enforced" => Command::new(std::env::current_exe()?),
                "upstream" => Command::new(upstream.as_ref().context("it was not built")?),
                _ => Command::new(
                    arguments
                        .wasmtime
                        .as_ref()
                        .context("no interpreter was named")?,
                ),
            };
            let taken = run_sample(&mut command, column, &operations, work.path(), &progress)?;
            for (name, took) in taken {
                samples
                    .entry(name)
                    .or_default()
                    .entry((*column).to_owned())
                    .or_default()
                    .push(took);
            }
        }
    }
    eprintln!();
    let table = table::Table::of(&operations, &columns, &samples)?;
    let markdown = table.markdown();
    print!("{markdown}");
    if let Some(path) = &arguments.markdown {
        fs::write(path, markdown).with_context(|| format!("can't write {}", path.display()))?;
    }
    if let Some(path) = &arguments.json {
        fs::write(path, table.json()?)
            .with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

/// Runs one process, and reads what it measured.
fn run_sample(
    command: &mut Command,
    column: &str,
    operations: &[Operation],
    work: &Path,
    progress: &str,
) -> anyhow::Result<Vec<(String, f64)>> {
    let directory = work.join("files");
    let (plan, module) = (work.join("plan.json"), work.join("guest.wat"));
    fs::create_dir_all(&directory)?;
    for operation in operations {
        operation.prepare(&directory)?;
    }
    fs::write(&plan, serde_json::to_string(operations)?)?;
    fs::write(&module, guest::text())?;
    match column {
        "wasmtime" => {
            let script =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("operations/through_wasmtime.py");
            command
                .arg(script)
                .arg(&plan)
                .arg(&module)
                .arg(&directory)
                .arg(plan::PREOPEN);
        }
        "upstream" => {
            command.arg(&plan).arg(&directory);
        }
        _ => {
            let mode = if column == "enforced" {
                "enforce"
            } else {
                "off"
            };
            command
                .arg("--sample")
                .arg(column)
                .arg(&plan)
                .arg(&directory)
                .env(MODE_VARIABLE, mode);
        }
    }
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start {command:?}"))?;
    let mut taken: Vec<(String, f64)> = Vec::new();
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        taken.push(serde_json::from_str(&line?)?);
        eprint!(
            "\r{progress}: {} of {}      ",
            taken.len(),
            operations.len()
        );
    }
    let status = child.wait()?;
    ensure!(status.success(), "a sample of {column} failed: {status}");
    ensure!(
        taken.len() == operations.len(),
        "a sample of {column} is not whole"
    );
    fs::remove_dir_all(directory.join("sample")).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    Ok(taken)
}

fn take_sample(column: &str, plan: &Path, directory: &Path) -> anyhow::Result<()> {
    let operations: Vec<Operation> = serde_json::from_str(&fs::read_to_string(plan)?)?;
    if column != "native" {
        return runner::measure(&operations, directory, print);
    }
    std::env::set_current_dir(directory)?;
    for operation in &operations {
        print(operation, operation.native()?);
    }
    Ok(())
}

fn print(operation: &Operation, took: f64) {
    println!("{}", serde_json::json!([operation.name, took]));
}

/// Builds the program for Wasmer as published, beside this one, and returns where it is.
fn build_upstream() -> anyhow::Result<PathBuf> {
    let baseline = Path::new(env!("CARGO_MANIFEST_DIR")).join("../upstream-tests/baseline");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--locked",
            "--bin",
            "operations",
            "--message-format",
            "json",
        ])
        .current_dir(&baseline)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(
        output.status.success(),
        "can't build Wasmer as published: {}",
        output.status
    );
    let messages = String::from_utf8(output.stdout)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "operations")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo named no program")
}
