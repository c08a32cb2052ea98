//! Whole programs, one process each: compiled by others, or by a compiler for C, for WASI.

pub mod hostile;
pub mod list;
mod once;

pub use once::{prepare, run_once};

use anyhow::Context as _;
use list::{Program, WORK};
use wasix_landlock_benches::{Column, Plot, Ratio, Samples, Table};
use wasix_landlock_programs::runner::{Compiler, Run};

use crate::context::Context;

/// Takes all samples of all programs.
///
/// # Errors
/// A program that can't be had, or fails.
pub fn measure(context: &Context) -> anyhow::Result<Vec<Table>> {
    let mut programs = list::programs(context.short)?;
    programs.retain(|program| program.name.contains(&context.only));
    let columns = context.columns();
    let (mut whole, mut inside) = (Samples::default(), Samples::default());
    for program in &programs {
        let mut compiled = false;
        for column in &columns {
            let reason = match *column {
                "native" => program.native.as_ref().err().copied(),
                "wasmtime" => program.not_in_wasmtime,
                _ => None,
            };
            if let Some(reason) = reason {
                for samples in [&mut whole, &mut inside] {
                    samples.leave_out(program.name, column, reason);
                }
            } else if *column == "wasmtime" || (*column != "native" && !compiled) {
                // Wasmer's columns share what one of them has compiled.
                compiled |= *column != "wasmtime";
                context.say(&format!("programs: {}, {column}: compiling", program.name));
                prepare(context, column, program, Compiler::Cranelift)?;
            }
        }
    }
    for round in 0..context.samples {
        for program in &programs {
            for column in &columns {
                if whole.is_left_out(program.name, column) {
                    continue;
                }
                context.say(&format!(
                    "programs: round {} of {}: {}, {column}",
                    round + 1,
                    context.samples,
                    program.name
                ));
                let once = run_once(context, column, program, Compiler::Cranelift)
                    .with_context(|| format!("{}, {column}", program.name))?;
                whole.add(program.name, column, once.whole);
                if let Some(run) = once.run {
                    inside.add(program.name, column, run);
                }
            }
        }
    }
    let columns: Vec<Column> = columns.iter().map(|c| Column::new(c, "ms")).collect();
    let table = |id: &str, title: &str, text: &str, samples: &Samples, columns: &[Column]| Table {
        id: id.to_owned(),
        title: title.to_owned(),
        text: text.to_owned(),
        head: "program".to_owned(),
        columns: columns.to_vec(),
        ratios: [
            ("upstream", "enforced"),
            ("enforced", "fork"),
            ("wasmtime", "enforced"),
            ("enforced", "native"),
        ]
        .map(|(above, below)| Ratio::new(above, below))
        .to_vec(),
        rows: programs
            .iter()
            .map(|program| samples.row(program.name, columns))
            .collect(),
        plots: Vec::new(),
    };
    let mut first = table(
        "programs",
        "Real programs",
        "From the process's start to its end, with the module compiled before (Cranelift) and loaded from a file. \
         wasmtime runs from Python, whose own start and end are not counted, so its column lacks what a process costs. \
         `openssl genrsa` searches for primes: in the module chance and time are the same in each run, so that each finds \
         the same ones; the native one's spread is chance. Native is the machine's own program for OpenSSL (newer, with assembly) and Python, and the same source and compiler for bzip2 and SQLite.",
        &whole,
        &columns,
    );
    first.plots = vec![
        Plot::Bars {
            title: "Whole programs, as multiples of the fork with enforcement".to_owned(),
            columns: ["native", "upstream", "wasmtime"]
                .map(str::to_owned)
                .to_vec(),
            base: "enforced".to_owned(),
            logarithmic: false,
        },
        Plot::Bars {
            title: "What enforcement adds to whole programs".to_owned(),
            columns: vec!["enforced".to_owned()],
            base: "fork".to_owned(),
            logarithmic: false,
        },
    ];
    let inner: Vec<Column> = columns
        .into_iter()
        .filter(|column| column.name != "native")
        .collect();
    let second = table(
        "programs-run",
        "Real programs: the run alone",
        "The same runs without the process's start and without loading the module: making the environment (and \
         enforcing), instantiating, and the program itself.",
        &inside,
        &inner,
    );
    Ok(vec![first, second])
}

/// Describes the run of one step in a process of its own.
fn described(context: &Context, program: &Program, step: &[String], compiler: Compiler) -> Run {
    let work = context.work.join("program");
    let mut directories = vec![(work, WORK.to_owned())];
    directories.extend(program.directories.iter().cloned());
    Run {
        module: program.module.clone(),
        arguments: step.to_vec(),
        directories,
        environment: Vec::new(),
        same_chance: program.by_chance,
        file: None,
        compiler,
        cache: context.work.join("cache"),
        output: context.work.join("measured.json"),
    }
}
