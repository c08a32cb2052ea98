//! From nothing to the first output: a worker, plain processes of the runtimes, and a native program in containers.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use wasix_landlock_benches::{Column, Plot, Ratio, Samples, Table};
use wasix_landlock_programs::runner::Compiler;
use wasix_landlock_worker::{Input, Launcher, Mode, Request, SpawnError, Worker};

use super::containers::Containers;
use super::modules::{self, PREOPEN, Started};
use super::rounds;
use super::took::{Took, of_process, of_started, of_worker};
use crate::context::Context;

/// The columns without a module.
const NATIVE: [&str; 4] = ["native", "bubblewrap", "runc", "minijail"];

/// The columns of workers whose mode is the environment's, which is enforcement.
const OF_ENVIRONMENT: [&str; 2] = ["copy", "pool"];

/// A way to start, which can be taken again and again.
type Way<'a> = Box<dyn FnMut() -> anyhow::Result<Took> + 'a>;

/// A way to have a request answered by a worker.
type Spawn = Box<dyn Fn(&Request) -> Result<Worker, SpawnError>>;

/// Takes all samples.
///
/// # Errors
/// A sample that fails.
pub fn measure(context: &Context) -> anyhow::Result<Table> {
    let mut samples = Samples::default();
    let launcher = modules::launcher(context)?;
    let containers = Containers::new(context)?;
    let started = modules::both(context)?;
    let is_wanted = |column: &&str| {
        let of = if OF_ENVIRONMENT.contains(column) {
            "enforced"
        } else {
            column
        };
        context.columns().contains(&of)
    };
    let mut columns: Vec<&str> = ["enforced", "copy", "pool", "fork", "upstream", "wasmtime"]
        .into_iter()
        .filter(is_wanted)
        .collect();
    if context.columns().contains(&"native") {
        columns.extend(NATIVE);
    }
    let mut ways: Vec<(&Started, &str, Way<'_>)> = Vec::new();
    for module in &started {
        for column in &columns {
            let made = if NATIVE.contains(column) {
                match module.arguments.is_empty() {
                    true => containers.way(context, column),
                    false => Err(anyhow::anyhow!("the native program only prints a byte")),
                }
            } else {
                way(context, &launcher, module, column)
            };
            match made {
                Ok(way) => ways.push((module, column, way)),
                Err(reason) => {
                    for what in ["first output", "end"] {
                        samples.leave_out(&row(module, what), column, format!("{reason:#}"));
                    }
                }
            }
        }
    }
    let rounds = rounds(context);
    for round in 0..rounds {
        context.say(&format!(
            "start: round {} of {rounds}: processes",
            round + 1
        ));
        for (module, column, way) in &mut ways {
            let (first, end) = way().with_context(|| format!("{}, {column}", module.name))?;
            samples.add(
                &row(module, "first output"),
                column,
                first.as_secs_f64() * 1e3,
            );
            samples.add(&row(module, "end"), column, end.as_secs_f64() * 1e3);
        }
    }
    let rows: Vec<String> = started
        .iter()
        .flat_map(|module| ["first output", "end"].map(|what| row(module, what)))
        .collect();
    Ok(table(&columns, &rows, &samples))
}

fn row(module: &Started, what: &str) -> String {
    format!("{}: {what}", module.name)
}

fn table(columns: &[&str], rows: &[String], samples: &Samples) -> Table {
    let columns: Vec<Column> = columns
        .iter()
        .map(|column| Column::new(column, "ms"))
        .collect();
    Table {
        id: "start".to_owned(),
        title: "Start: from nothing to the first output".to_owned(),
        text: "From the host's call until the first byte of output is read, and until the host knows the end. *enforced* \
               and *fork*: a worker, with enforcement and without. *copy*: an enforced worker that is a copy of a \
               process. *pool*: an enforced worker that was started before and waited for its request. *upstream* and \
               *wasmtime*: a plain process of each that nothing restricts. All of them load a module that was compiled before (Cranelift) from a file, wasmtime \
               from its own cache, and see one directory. *native*: a static program in C that prints a byte, by itself \
               and in containers that see the same directory. *small* prints a byte; *genrsa*, a program in Rust, lists \
               the directory."
            .to_owned(),
        head: "module".to_owned(),
        rows: rows.iter().map(|row| samples.row(row, &columns)).collect(),
        columns,
        ratios: [
            ("enforced", "fork"),
            ("enforced", "upstream"),
            ("enforced", "wasmtime"),
            ("enforced", "bubblewrap"),
            ("enforced", "runc"),
            ("enforced", "minijail"),
            ("copy", "upstream"),
            ("copy", "bubblewrap"),
            ("pool", "upstream"),
            ("pool", "bubblewrap"),
        ]
        .map(|(above, below)| Ratio::new(above, below))
        .to_vec(),
        plots: vec![Plot::Bars {
            title: "Starts, as multiples of a plain process of Wasmer as published".to_owned(),
            columns: ["enforced", "copy", "pool", "wasmtime", "bubblewrap", "runc"].map(str::to_owned).to_vec(),
            base: "upstream".to_owned(),
            logarithmic: false,
        }],
    }
}

fn way<'a>(
    context: &'a Context,
    launcher: &'a Launcher,
    module: &'a Started,
    column: &str,
) -> anyhow::Result<Way<'a>> {
    Ok(match column {
        "upstream" => {
            let (program, run) = (context.upstream()?, module.run_of_upstream()?);
            Box::new(move || {
                let mut command = Command::new(program);
                command.arg("run").arg(&run);
                of_process(command)
            })
        }
        "wasmtime" => {
            let program = context.wasmtime_server()?;
            let make = move || {
                let mut command = Command::new(program);
                command
                    .arg("once")
                    .arg(&module.file)
                    .arg(module.wasmtime_cache())
                    .arg(&module.granted)
                    .arg(PREOPEN)
                    .arg(module.name)
                    .args(module.arguments);
                command
            };
            // Fills the cache.
            of_process(make())?;
            Box::new(move || of_process(make()))
        }
        "copy" | "pool" => {
            ensure!(
                Mode::from_env()? == Mode::Enforce,
                "these workers have the mode of the environment; unset it"
            );
            let [request, _] = module.requests(launcher, Compiler::Cranelift)?;
            let spawn: Spawn = if column == "copy" {
                let server = launcher.fork_server()?;
                Box::new(move |request| server.spawn(request, Input::Empty))
            } else {
                let pool = launcher.pool(1)?;
                Box::new(move |request| pool.spawn(request, Input::Empty))
            };
            Box::new(move || {
                let begun = Instant::now();
                of_started(spawn(&request)?, begun)
            })
        }
        _ => {
            let mode = if column == "enforced" {
                Mode::Enforce
            } else {
                Mode::Off
            };
            let [request, _] = module.requests(launcher, Compiler::Cranelift)?;
            let request = request.mode(mode);
            Box::new(move || of_worker(launcher, &request))
        }
    })
}
