//! `compare`: the compilers on a module, with and without enforcement.

mod facts;
mod tables;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use wasix_landlock_figures::{Machine, Samples, Spread, markdown, page};
use wasix_landlock_profile::Compiler;
use wasmer_wasix::landlock::Mode;

use crate::child::{Outcome, Request, Streams, Task, in_process};
use crate::grants::Given;
use crate::output::{Progress, print_json};
use facts::Fact;

/// Compares the compilers on a module, each in processes of its own: the time to compile, the size of the code, memory,
/// the start from a cache, and the run, with and without enforcement.
#[derive(Args)]
#[command(after_help = "\
The module runs several times, and its output is discarded. It has to end by itself.

Examples:
  wasix-landlock compare --dir work openssl.wasm genrsa -out work/key.pem 2048
  wasix-landlock compare --samples 15 --html comparison.html --dir data:ro python.wasm bench.py")]
pub struct Compare {
    /// The module's grants.
    #[command(flatten)]
    given: Given,
    /// The number of samples of each figure.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    samples: u16,
    /// Writes a page with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Prints the comparison as JSON.
    #[arg(long)]
    json: bool,
    /// The module, in binary or text form.
    module: PathBuf,
    /// The module's arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// The figures of one compiler, for programs: medians, and their spread.
#[derive(Debug, Serialize)]
struct Compared {
    compiler: Compiler,
    /// The error of a compiler that doesn't take the module.
    error: Option<String>,
    /// The module's exit code, the same in each run.
    exit_code: Option<i32>,
    figures: Vec<Figure>,
}

/// A figure with all its samples.
#[derive(Debug, Serialize)]
struct Figure {
    name: &'static str,
    unit: &'static str,
    spread: Option<Spread>,
    samples: Vec<f64>,
}

/// The comparison, for programs.
#[derive(Debug, Serialize)]
struct Comparison {
    module: String,
    machine: Machine,
    compilers: Vec<Compared>,
    isolation: &'static [Fact],
}

/// The figures: name, unit, and their description.
const FIGURES: [(&str, &str); 7] = [
    (COMPILE, "ms"),
    ("code", "MiB"),
    ("memory to compile", "MiB"),
    (START, "ms"),
    (OFF, "ms"),
    (ENFORCED, "ms"),
    ("memory to run", "MiB"),
];
const COMPILE: &str = "compile";
const START: &str = "start from a cache";
const OFF: &str = "run, enforcement off";
const ENFORCED: &str = "run, enforced";

/// The time to compile, in milliseconds, from which it is measured once.
const ONCE_FROM: f64 = 4e3;

impl Compare {
    /// Measures, and prints the comparison.
    pub fn execute(&self) -> anyhow::Result<ExitCode> {
        let profile = self.given.profile(&self.arguments)?;
        crate::module::read(&self.module)?;
        let work = tempfile::tempdir()?;
        let machine = Machine::here(
            work.path(),
            vec![
                format!("wasix-landlock {}", env!("CARGO_PKG_VERSION")),
                "Wasmer 7.4.2".to_owned(),
            ],
            false,
        );
        let mut samples = Samples::default();
        let mut compared = Vec::new();
        for compiler in Compiler::ALL {
            let cache = work.path().join(compiler.name());
            let step = Request {
                module: self.module.clone(),
                compiler,
                profile: profile.clone(),
                cache,
                output: work.path().join("outcome.json"),
                task: Task::Compile,
            };
            compared.push(self.measure(&step, &mut samples)?);
        }
        if compared.iter().all(|compared| compared.error.is_some()) {
            let first = compared.into_iter().find_map(|compared| compared.error);
            bail!("{}", first.unwrap_or_default());
        }
        let tables = tables::tables(&self.module, &compared, &samples, machine.clone());
        if let Some(file) = &self.html {
            let text = format!(
                "<p class=machine>{}</p>\n",
                page::prose(&machine.describe())
            );
            let name = self.module.file_name().unwrap_or_default();
            let title = format!("The compilers on {}", name.to_string_lossy());
            std::fs::write(file, page::page(&title, &text, &tables)?)
                .with_context(|| format!("can't write {}", file.display()))?;
        }
        if self.json {
            print_json(&Comparison {
                module: self.module.display().to_string(),
                machine,
                compilers: compared,
                isolation: &facts::FACTS,
            })?;
        } else {
            println!("{}", machine.describe());
            for table in &tables.tables {
                println!("\n{}\n\n{}", table.title, markdown::table(table));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Takes all samples of a compiler.
    fn measure(&self, step: &Request, samples: &mut Samples) -> anyhow::Result<Compared> {
        let name = step.compiler.name();
        let mut exit_code = None;
        let mut error = None;
        for number in 0..self.samples {
            let say = |what: &str| {
                Progress::begin(&format!(
                    "{name}: {what}, {} of {}",
                    number + 1,
                    self.samples
                ))
            };
            let is_slow = samples
                .of(COMPILE, name)
                .last()
                .is_some_and(|took| *took > ONCE_FROM);
            if !is_slow {
                let _progress = say(COMPILE);
                let outcome = self.step(step, Task::Compile, Mode::Off)?;
                if outcome.error.is_some() {
                    error = outcome.error;
                    break;
                }
                for (figure, value) in [
                    (COMPILE, outcome.compile),
                    ("code", outcome.size),
                    ("memory to compile", outcome.peak),
                ] {
                    value
                        .iter()
                        .for_each(|value| samples.add(figure, name, *value));
                }
            }
            for (run, mode) in [(OFF, Mode::Off), (ENFORCED, Mode::Enforce)] {
                let _progress = say(run);
                let outcome = self.step(step, Task::Run, mode)?;
                if let Some(error) = outcome.error {
                    bail!("{name}, {run}: {error}");
                }
                if exit_code.is_some() && exit_code != outcome.exit_code {
                    bail!(
                        "{name}, {run}: the module ended with exit code {}, and before with {}: runs that differ \
                         can't be compared",
                        outcome.exit_code.unwrap_or_default(),
                        exit_code.unwrap_or_default()
                    );
                }
                exit_code = outcome.exit_code;
                let is_enforced = mode == Mode::Enforce;
                let start = outcome.load.filter(|_| is_enforced);
                let peak = outcome.peak.filter(|_| is_enforced);
                for (figure, value) in [(run, outcome.run), (START, start), ("memory to run", peak)]
                {
                    value
                        .iter()
                        .for_each(|value| samples.add(figure, name, *value));
                }
            }
        }
        if let Some(error) = &error {
            for (figure, _) in FIGURES {
                samples.leave_out(figure, name, error.clone());
            }
        }
        let figure = |(figure, unit): (&'static str, &'static str)| {
            let taken = samples.of(figure, name).to_vec();
            Figure {
                name: figure,
                unit,
                spread: Spread::of(&taken),
                samples: taken,
            }
        };
        Ok(Compared {
            compiler: step.compiler,
            error,
            exit_code,
            figures: FIGURES.map(figure).into(),
        })
    }

    fn step(&self, step: &Request, task: Task, mode: Mode) -> anyhow::Result<Outcome> {
        let request = Request {
            task,
            ..step.clone()
        };
        let streams = Streams {
            stdin: None,
            shown: false,
        };
        in_process(&request, mode, streams)
    }
}
