//! A server that answers each request by a module: requests per second and per second of processor time, and latency.

mod instance;
mod load;
mod page;
mod process;
mod serve;
mod soak;
mod worker;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use load::Load;
use process::Server;
use wasix_landlock_benches::{Column, Plot, Ratio, Row, Samples, Table, empty, file_system};
use wasix_landlock_programs::runner::{Compiler, Run};
use wasmer_wasix::landlock::MODE_VARIABLE;

use crate::context::Context;

const MODES: [&str; 4] = ["new", "pooled", "instance", "worker"];
const CONNECTIONS: [usize; 3] = [1, 16, 128];
const COLUMNS: [&str; 4] = ["upstream", "fork", "enforced", "wasmtime"];

/// The measured quantities: of each table the identifier, the heading, the unit, and the text.
const TABLES: [(&str, &str, &str, &str); 6] = [
    (
        "server",
        "A server: requests per second",
        "requests/s",
        "An HTTP server (hyper) on loopback that answers each request by a module: it reads a template of 2 KiB, appends \
         a line to a log, writes a file of 256 bytes in a preopened directory, and prints the page. **More is better.** \
         *new*: environment, store and instance are made for each request; in wasmtime's column by its pooling allocator, \
         from a pre-linked instance. *pooled*: each of the server's threads has one instance, which keeps its memory and \
         descriptors from one request to the next, so that nothing separates the requests. *instance*: threads of its own \
         for each request, under a policy of its own, while the server stays free. *worker*: a process for each \
         request, restricted before it loads the module; *fork* is a worker with enforcement off, and *upstream* and \
         *wasmtime* are plain processes of those runtimes. The module is compiled before. wrk asks through so many \
         connections, on the same processors.",
    ),
    (
        "server-processor",
        "A server: requests per second of processor time",
        "requests/s",
        "The same, divided by the processor time of the server and its workers. More is better.",
    ),
    (
        "server-median",
        "A server: median latency",
        "ms",
        "Half of the answers took less. Each connection waits for its answer before it asks again, so that a slow answer \
         delays the next request instead of counting twice.",
    ),
    (
        "server-p99",
        "A server: latency at 99 %",
        "ms",
        "A hundredth of the answers took more.",
    ),
    (
        "server-p999",
        "A server: latency at 99.9 %",
        "ms",
        "A thousandth of the answers took more; where fewer were given, the slowest.",
    ),
    (
        "server-failed",
        "A server: failed requests",
        "requests",
        "The requests of a sample in which a call of the module failed, and so the module trapped. They count in no rate.",
    ),
];

/// A row of each table.
struct Case {
    mode: &'static str,
    connections: usize,
    place: Place,
}

/// A directory to work in, and the kind of its file system.
#[derive(Clone)]
struct Place {
    directory: PathBuf,
    kind: String,
}

impl Case {
    fn name(&self) -> String {
        format!(
            "{}, {} connections, {}",
            self.mode, self.connections, self.place.kind
        )
    }
}

/// Takes all samples, the columns in turns.
///
/// # Errors
/// A sample that fails.
pub fn measure(context: &Context) -> anyhow::Result<Vec<Table>> {
    if let Some(reason) = load::missing() {
        context.skip("server", reason);
        return Ok(Vec::new());
    }
    if let Some(minutes) = context.soak {
        return soak::measure(context, minutes);
    }
    let on_disk = tempfile::tempdir()?;
    let places = places(context, on_disk.path());
    let cases = cases(context, &places);
    let mut columns: Vec<&str> = COLUMNS
        .into_iter()
        .filter(|c| context.columns().contains(c))
        .collect();
    let mut samples = TABLES.map(|_| Samples::default());
    if columns.contains(&"wasmtime")
        && let Err(error) = context.wasmtime_server()
    {
        context.skip("server, wasmtime", &format!("{error:#}"));
        columns.retain(|column| *column != "wasmtime");
    }
    for case in cases.iter().filter(|case| case.mode == "instance") {
        for samples in &mut samples {
            for column in ["upstream", "wasmtime"] {
                samples.leave_out(
                    &case.name(),
                    column,
                    "it has no instances with threads of their own",
                );
            }
        }
    }
    for round in 0..context.samples {
        for case in &cases {
            let row = case.name();
            let has = |column: &&&str| !samples[0].is_left_out(&row, column);
            for column in columns.iter().filter(has).copied().collect::<Vec<_>>() {
                let of = context.samples;
                context.say(&format!(
                    "server: round {} of {of}: {row}, {column}",
                    round + 1
                ));
                let taken =
                    sample(context, case, column).with_context(|| format!("{row}, {column}"))?;
                for (samples, number) in samples.iter_mut().zip(taken) {
                    samples.add(&row, column, number);
                }
            }
        }
    }
    let rows: Vec<String> = cases.iter().map(Case::name).collect();
    Ok(TABLES
        .iter()
        .zip(&samples)
        .map(|(about, samples)| table(about, &columns, &rows, samples))
        .collect())
}

/// In memory, and on a disk if there is another file system for temporary files.
fn places(context: &Context, on_disk: &Path) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for directory in [&context.work, on_disk] {
        let kind = file_system(directory);
        if places.iter().all(|known| known.kind != kind) {
            let directory = directory.join("site");
            places.push(Place { directory, kind });
        }
    }
    places
}

fn cases(context: &Context, places: &[Place]) -> Vec<Case> {
    let connections = if context.short {
        &CONNECTIONS[1..2]
    } else {
        &CONNECTIONS[..]
    };
    let mut cases = Vec::new();
    for place in places {
        for mode in MODES {
            for connections in connections {
                let (connections, place) = (*connections, place.clone());
                cases.push(Case {
                    mode,
                    connections,
                    place,
                });
            }
        }
    }
    cases.retain(|case| case.name().contains(&context.only));
    cases
}

fn table(
    (id, title, unit, text): &(&str, &str, &str, &str),
    columns: &[&str],
    rows: &[String],
    samples: &Samples,
) -> Table {
    let units: Vec<Column> = columns
        .iter()
        .map(|column| Column::new(column, unit))
        .collect();
    let drawn = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let rows: Vec<Row> = rows.iter().map(|row| samples.row(row, &units)).collect();
    // Most of these are 0, of which there is no multiple.
    let counts = *id == "server-failed";
    Table {
        id: (*id).to_owned(),
        title: (*title).to_owned(),
        text: (*text).to_owned(),
        head: "mode, load, files".to_owned(),
        columns: units,
        ratios: [
            ("enforced", "fork"),
            ("enforced", "upstream"),
            ("enforced", "wasmtime"),
        ]
        .into_iter()
        .filter(|_| !counts)
        .map(|(above, below)| Ratio::new(above, below))
        .collect(),
        rows,
        plots: Vec::from_iter((!counts).then(|| Plot::Bars {
            title: format!("{title}, as multiples of the fork without enforcement"),
            columns: drawn(&["upstream", "enforced", "wasmtime"]),
            base: "fork".to_owned(),
            logarithmic: true,
        })),
    }
}

/// A server and a load of its own: what [`TABLES`] has.
fn sample(context: &Context, case: &Case, column: &str) -> anyhow::Result<[f64; 6]> {
    let data = prepare(&case.place.directory)?;
    let server = Server::start(command(context, column, case.mode, &data)?)?;
    let seconds = if context.short {
        1
    } else {
        // Caches fill, and the threads that run modules have all run one.
        Load::put(&server.address, case.connections, 1)?;
        3
    };
    let before = server.processor_time()?;
    let load = Load::put(&server.address, case.connections, seconds)?;
    let took = server.processor_time()? - before;
    if load.failed > 0 {
        eprintln!(
            "\nserver: {}, {column}: {} of {} requests failed",
            case.name(),
            load.failed,
            load.requests
        );
    }
    Ok([
        load.rate(),
        (load.requests - load.failed) as f64 / took,
        load.median / 1e3,
        load.p99 / 1e3,
        load.p999 / 1e3,
        load.failed as f64,
    ])
}

/// The directory of a site, as it is before the first request.
fn prepare(site: &Path) -> anyhow::Result<PathBuf> {
    let data = site.join("data");
    fs::create_dir_all(&data)?;
    empty(&data, "")?;
    fs::create_dir(data.join(page::FILES))?;
    fs::write(data.join(page::TEMPLATE), page::template())?;
    fs::write(data.join(page::LOG), "")?;
    Ok(data)
}

/// The server of a column, with the compiled module where its mode needs that.
fn command(context: &Context, column: &str, mode: &str, data: &Path) -> anyhow::Result<Command> {
    let (mut command, compiled) = match column {
        "upstream" => {
            let mut command = Command::new(context.upstream()?);
            command.arg("serve");
            (command, run_of_upstream(context, data)?)
        }
        "wasmtime" => {
            let mut command = Command::new(context.wasmtime_server()?);
            command.arg("serve");
            (command, context.work.join("wasmtime-cache"))
        }
        _ => {
            let mut command = Command::new(std::env::current_exe()?);
            let enforced = if column == "enforced" {
                "enforce"
            } else {
                "off"
            };
            command
                .args(["--sample", "serve"])
                .env(MODE_VARIABLE, enforced);
            (command, worker::compile(&context.work)?)
        }
    };
    command.arg(mode).arg(data).arg(compiled);
    Ok(command)
}

/// The run of Wasmer as published in a process, with the module compiled before.
fn run_of_upstream(context: &Context, data: &Path) -> anyhow::Result<PathBuf> {
    let module = context.work.join("page.wat");
    fs::write(&module, page::text())?;
    let run = Run {
        module,
        arguments: vec!["page".to_owned()],
        environment: Vec::new(),
        directories: vec![(data.to_owned(), page::PREOPEN.to_owned())],
        same_chance: false,
        file: None,
        compiler: Compiler::Cranelift,
        cache: context.work.join("cache"),
        output: context.work.join("measured"),
    };
    let path = context.work.join("page.json");
    fs::write(&path, serde_json::to_string(&run)?)?;
    run.compile()?;
    Ok(path)
}

/// Serves, in a process that was started for it.
///
/// # Errors
/// An address or a module that can't be served.
pub fn take_sample(mode: &str, data: &Path, compiled: &Path) -> anyhow::Result<()> {
    match mode {
        "instance" => instance::serve(data),
        "worker" => worker::serve(data, compiled),
        _ => serve::serve(mode, data),
    }
}
