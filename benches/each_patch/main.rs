//! The gain of each patch that makes operations faster: the same program with one patch more at a time, compared with
//! Wasmer as published.
//!
//! ```text
//! cargo bench --bench each_patch                # prints the tables
//! cargo bench --bench each_patch -- --write     # also writes them into EACH_PATCH.md, and the figures into results/
//! cargo bench --bench each_patch -- --build     # only builds the programs
//! ```
//!
//! A program is `upstream-tests/baseline` with both forks, their series cut after a patch; none has the patches that
//! enforce. Building all takes half an hour, and they are kept in the target directory. Each sample is a process of
//! its own, and the programs are taken in turns.
#![forbid(unsafe_code)]

mod cut;
mod ordinary;
// What does them without a module is for another benchmark.
#[allow(dead_code)]
#[path = "../all/operations/plan.rs"]
mod plan;
mod rows;
mod variants;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use plan::{Needs, Operation};
use rows::PUBLISHED;
use variants::Variants;
use wasix_landlock_benches::{
    Column, Machine, Results, Samples, Table, empty, fastest_file_system, take_sample, write_part,
};
use wasix_landlock_programs::build_program;

/// Measures what each patch is worth.
#[derive(Parser)]
struct Arguments {
    /// Writes the results into this project: `benches/EACH_PATCH.md` and `benches/results/each-patch.json`.
    #[arg(long)]
    write: bool,
    /// Builds the programs, and measures nothing.
    #[arg(long)]
    build: bool,
    /// Measures nothing, and writes what is in `benches/results/each-patch.json` into `benches/EACH_PATCH.md` anew.
    #[arg(long)]
    render: bool,
    /// Rounds, with one sample of each program in each.
    #[arg(long, default_value_t = 9)]
    samples: usize,
    /// Only the operations whose names contain this.
    #[arg(long, default_value = "")]
    only: String,
    /// The program for Wasmer as published, if it is built already.
    #[arg(long)]
    upstream: Option<PathBuf>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\neach_patch: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let variants = Variants::load()?;
    let kept = own("results/each-patch.json");
    if arguments.render {
        let results: Results = serde_json::from_str(&fs::read_to_string(kept)?)?;
        return write(&rows::markdown(&results, &variants.all)?);
    }
    let programs = programs(&variants, arguments.upstream.as_deref())?;
    if arguments.build {
        return Ok(());
    }
    let results = measure(&programs, &arguments)?;
    let text = rows::markdown(&results, &variants.all)?;
    println!("{text}");
    if arguments.write {
        fs::write(&kept, serde_json::to_string(&results)? + "\n")
            .with_context(|| kept.display().to_string())?;
        write(&text)?;
    }
    Ok(())
}

/// Builds what isn't built: each column with its program.
fn programs(
    variants: &Variants,
    upstream: Option<&Path>,
) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("each-patch");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .context("no target directory")?;
    let published = match upstream {
        Some(program) => program.to_owned(),
        None => {
            eprintln!("Wasmer as published");
            let options = ["--locked", "--target-dir", text(target)?];
            variants::keep(
                &build_program(&baseline()?, "benches", &options)?,
                &folder,
                PUBLISHED,
            )?
        }
    };
    let mut programs = vec![(PUBLISHED.to_owned(), published)];
    for (number, variant) in variants.all.iter().enumerate() {
        eprintln!(
            "program {} of {}: {}",
            number + 1,
            variants.all.len(),
            variant.column
        );
        let program = variants.build(variant, &folder, target);
        let program = program.with_context(|| format!("the program up to {}", variant.column))?;
        programs.push((variant.column.clone(), program));
    }
    Ok(programs)
}

/// The operations that are measured: the benchmark's own, and one for a table of inodes that grows.
fn operations(only: &str) -> Vec<Operation> {
    let mut operations = plan::operations(&[10, 1000, 5000], 1);
    operations.push(Operation {
        name: "stat each of 100,000 files".to_owned(),
        call: "look".to_owned(),
        count: 100_000,
        path: "look".to_owned(),
        needs: Needs::Numbered,
    });
    for operation in &mut operations {
        // Without the patch for it, a second for each.
        if operation.needs == Needs::Entries(5000) {
            operation.count = 1;
        }
    }
    operations.retain(|operation| operation.name.contains(only));
    operations
}

/// Takes all samples, the programs in turns, so that whatever else the machine does falls on all of them.
fn measure(programs: &[(String, PathBuf)], arguments: &Arguments) -> anyhow::Result<Results> {
    let begun = Instant::now();
    let work = tempfile::tempdir_in(fastest_file_system())?;
    let mut machine = Machine::here(work.path(), vec!["Wasmer 7.4.2".to_owned()], false);
    let operations = operations(&arguments.only);
    let (directory, plan) = (work.path().join("files"), work.path().join("plan.json"));
    fs::create_dir(&directory)?;
    fs::write(&plan, serde_json::to_string(&operations)?)?;
    let ordinary = ordinary::operation();
    let mut samples = Samples::default();
    for round in 0..arguments.samples {
        eprintln!("round {} of {}", round + 1, arguments.samples);
        for (column, program) in programs {
            for operation in &operations {
                operation.prepare(&directory)?;
            }
            let mut command = Command::new(program);
            command.arg("operations").arg(&plan).arg(&directory);
            let taken = take_sample(command, operations.len(), |_| {})
                .with_context(|| format!("a sample of {column}"))?;
            for (name, took) in taken {
                samples.add(&name, column, took);
            }
            if ordinary.name.contains(&arguments.only) {
                let took = ordinary::sample(program, work.path())
                    .with_context(|| format!("a sample of {column}, as an ordinary user"))?;
                samples.add(&ordinary.name, column, took);
            }
            empty(&directory, plan::LISTS)?;
        }
    }
    machine.took = Some(begun.elapsed().as_secs_f64());
    let columns: Vec<Column> = programs
        .iter()
        .map(|(column, _)| Column::new(column, "µs"))
        .collect();
    let all = operations.iter().chain([&ordinary]);
    let rows = all
        .filter(|operation| operation.name.contains(&arguments.only))
        .map(|operation| samples.row(&operation.name, &columns));
    Ok(Results {
        machine,
        apart: Vec::new(),
        tables: vec![Table {
            id: "each-patch".to_owned(),
            title: "Each patch by itself".to_owned(),
            text: "One patch more in each column.".to_owned(),
            head: "operation".to_owned(),
            rows: rows.collect(),
            columns,
            ratios: Vec::new(),
            plots: Vec::new(),
        }],
    })
}

fn write(text: &str) -> anyhow::Result<()> {
    write_part(&own("EACH_PATCH.md"), "each patch", text)
}

/// The program's workspace, as it is for Wasmer as published.
fn baseline() -> anyhow::Result<PathBuf> {
    Ok(own("../upstream-tests/baseline").canonicalize()?)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}

/// A file of this project's own.
fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
