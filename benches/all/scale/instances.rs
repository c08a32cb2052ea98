//! More and more instances that are there at the same time, in each scope.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Barrier, mpsc};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use wasix_landlock_benches::{Cell, Column, Row, Samples, Table};
use wasix_landlock_examples::offline_runtime;
use wasix_landlock_worker::{
    self as worker, ForkServer, Input, Launcher, Profile, Request, Worker, WorkerStreams,
};
use wasmer::{Engine, Module, Store};
use wasmer_wasix::landlock::{Instance, Running, with_causes};
use wasmer_wasix::{WasiEnv, WasiFunctionEnv};

use super::{About, sample, table};
use crate::context::Context;
use crate::memory::Memory;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::Compiler;

const INSTANCES: [usize; 6] = [1, 10, 30, 100, 300, 1000];

/// A column.
struct Scope {
    name: &'static str,
    /// The argument of a sample's process.
    told: &'static str,
    enforced: bool,
    /// The most instances that are measured.
    most: usize,
    /// The most that are made to find the limit.
    most_tried: usize,
}

const SCOPES: [Scope; 5] = [
    Scope {
        name: "fork",
        told: "process",
        enforced: false,
        most: 1000,
        most_tried: 30_000,
    },
    Scope {
        name: "process",
        told: "process",
        enforced: true,
        most: 1000,
        most_tried: 30_000,
    },
    Scope {
        name: "instance",
        told: "instance",
        enforced: true,
        most: 1000,
        most_tried: 2000,
    },
    Scope {
        name: "worker",
        told: "worker",
        enforced: true,
        most: 300,
        most_tried: 1000,
    },
    Scope {
        name: "copy",
        told: "copy",
        enforced: true,
        most: 300,
        most_tried: 1000,
    },
];

/// The part of the machine's memory that is left to others.
const LEFT_TO_OTHERS: f64 = 0.3;

/// Says that it is there, and then waits for a minute. The others are instantiated and don't run.
const GUEST: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\01\00\00\00.")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
    ;; A subscription to the monotonic clock.
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.const 60000000000))
    (drop (call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 192)))))"#;

/// Takes all samples.
///
/// # Errors
/// A sample that fails.
pub fn measure(context: &Context) -> anyhow::Result<Vec<Table>> {
    let most = if context.short { 10 } else { 100 };
    let rows: Vec<usize> = INSTANCES
        .into_iter()
        .filter(|count| *count <= most)
        .collect();
    std::fs::create_dir_all(context.work.join("granted"))?;
    let (mut time, mut memory, mut each) =
        (Samples::default(), Samples::default(), Samples::default());
    for scope in &SCOPES {
        for count in rows.iter().filter(|count| **count > scope.most) {
            let reason = format!("not measured beyond {}", scope.most);
            for samples in [&mut time, &mut memory, &mut each] {
                samples.leave_out(&count.to_string(), scope.name, reason.clone());
            }
        }
    }
    for round in 0..context.samples {
        for scope in &SCOPES {
            let (column, mut first) = (scope.name, 0.0);
            for count in rows.iter().filter(|count| **count <= scope.most) {
                let of = context.samples;
                context.say(&format!(
                    "scale: round {} of {of}: {count} instances, {column}",
                    round + 1
                ));
                let arguments = [scope.told.to_owned(), count.to_string()];
                let (took, mebibytes) =
                    self::sample(context, "instances", scope.enforced, &arguments)?;
                time.add(&count.to_string(), column, took);
                memory.add(&count.to_string(), column, mebibytes);
                if *count == 1 {
                    first = mebibytes;
                } else {
                    let more = (mebibytes - first) / (*count - 1) as f64;
                    each.add(&count.to_string(), column, more * 1024.0);
                }
            }
        }
    }
    let names = SCOPES.map(|scope| scope.name);
    let time_about = About {
        id: "instances",
        title: "Instances: time",
        text: "Until so many instances of a small module are there at once, compiled before, each with a preopened \
               directory. *process*: `build()` again and again within what is enforced; *fork* the same without \
               enforcement; *instance*: threads of its own for each; *worker*: a process for each, until its module \
               prints; *copy*: the same, with each process a copy of one.",
        head: "instances",
        drawn: ("Time by instances (both logarithmic)", &names),
    };
    let memory_about = About {
        id: "instances-memory",
        title: "Instances: memory",
        text: "What all of it takes then, the host's process and those of the workers (proportional set size).",
        head: "instances",
        drawn: ("Memory by instances (both logarithmic)", &names),
    };
    let each_about = About {
        id: "instances-memory-each",
        title: "Instances: memory of each beyond the first",
        text: "The same memory without that of one instance, divided by the number of the others.",
        head: "instances",
        drawn: ("Memory of each by instances (both logarithmic)", &names),
    };
    let beyond_first: Vec<usize> = rows.iter().copied().filter(|count| *count > 1).collect();
    Ok(vec![
        table(
            &time_about,
            &rows,
            &names.map(|name| Column::new(name, "ms")),
            &time,
        ),
        table(
            &memory_about,
            &rows,
            &names.map(|name| Column::new(name, "MiB")),
            &memory,
        ),
        table(
            &each_about,
            &beyond_first,
            &names.map(|name| Column::new(name, "KiB")),
            &each,
        ),
        limits(context)?,
    ])
}

/// The limit of each scope: instances are made until one can't be.
fn limits(context: &Context) -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for scope in &SCOPES {
        context.say(&format!("scale: the limit of {}", scope.name));
        let most = if context.short { 10 } else { scope.most_tried };
        let arguments = [scope.told.to_owned(), most.to_string()];
        let printed = super::printed(context, "limit", scope.enforced, &arguments)?;
        let Limit { made, ended_by } = serde_json::from_slice(&printed)?;
        rows.push(Row {
            name: scope.name.to_owned(),
            cells: vec![Cell::measured(vec![made as f64]), Cell::Text(ended_by)],
        });
    }
    Ok(Table {
        id: "instances-limit".to_owned(),
        title: "Instances: the limit".to_owned(),
        text: "Instances are made and kept until one can't be made, or little of the machine's memory is left, or as many \
               are there as are tried at all."
            .to_owned(),
        head: "scope".to_owned(),
        columns: vec![Column::new("made", "instances"), Column::new("ended by", "")],
        ratios: Vec::new(),
        rows,
        plots: Vec::new(),
    })
}

/// The end of making instances.
#[derive(Serialize, Deserialize)]
struct Limit {
    made: usize,
    ended_by: String,
}

/// Makes instances until one can't be made.
///
/// # Errors
/// A failure before the first one.
pub fn take_limit_sample(scope: &str, most: usize, work: &Path) -> anyhow::Result<()> {
    let granted = work.join("granted");
    let limit = match scope {
        "process" => {
            let tokio = tokio::runtime::Runtime::new()?;
            let _entered = tokio.enter();
            // Open, so that it can be read by a restricted process.
            let mut left = MemoryLeft::open()?;
            let mut make = instances_in_this_process(&granted, tokio.handle().clone())?;
            until_it_fails(most, &mut left, &mut make)
        }
        "instance" => {
            let mut left = MemoryLeft::open()?;
            let done = Arc::new(Barrier::new(usize::MAX));
            let (engine, module) = engine_and_module()?;
            let mut make = || {
                let (tell, told) = mpsc::channel();
                let running = start_thread(&granted, &engine, &module, tell, Arc::clone(&done))?;
                told.recv()?.map_err(anyhow::Error::msg)?;
                Ok(running)
            };
            until_it_fails(most, &mut left, &mut make)
        }
        "worker" | "copy" => {
            let mut left = MemoryLeft::open()?;
            let workers = Workers::new(scope, &granted)?;
            until_it_fails(most, &mut left, &mut || {
                let mut worker = workers.start()?;
                wait_for_byte(&mut worker)?;
                Ok(worker)
            })
        }
        _ => bail!("no scope is called {scope}"),
    };
    println!("{}", serde_json::to_string(&limit)?);
    // Threads of instances wait without an end.
    std::process::exit(0);
}

/// Makes instances, keeps them, and ends them all at the end.
fn until_it_fails<T>(
    most: usize,
    left: &mut MemoryLeft,
    make: &mut impl FnMut() -> anyhow::Result<T>,
) -> Limit {
    let mut all = Vec::new();
    let ended_by = loop {
        if all.len() == most {
            break "nothing: no more were tried".to_owned();
        }
        match left.part() {
            Ok(part) if part < LEFT_TO_OTHERS => break "memory".to_owned(),
            Err(error) => break format!("{error:#}"),
            Ok(_) => {}
        }
        match make() {
            Ok(made) => all.push(made),
            Err(error) => break with_causes(error.as_ref()),
        }
    };
    let made = all.len();
    // What ends with this process isn't ended one by one, but workers are.
    drop(all);
    Limit { made, ended_by }
}

/// The part of the machine's memory that is free.
struct MemoryLeft(File);

impl MemoryLeft {
    fn open() -> anyhow::Result<Self> {
        Ok(Self(File::open("/proc/meminfo")?))
    }

    fn part(&mut self) -> anyhow::Result<f64> {
        let mut text = String::new();
        self.0.seek(SeekFrom::Start(0))?;
        self.0.read_to_string(&mut text)?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|number| number.parse::<f64>().ok())
        };
        let (free, all) = (field("MemAvailable:"), field("MemTotal:"));
        Ok(free.context("no MemAvailable")? / all.context("no MemTotal")?)
    }
}

/// Makes so many instances.
///
/// # Errors
/// What one of them fails with.
pub fn take_sample(scope: &str, count: usize, work: &Path) -> anyhow::Result<()> {
    let granted = work.join("granted");
    let (took, memory) = match scope {
        "process" => in_one_process(count, &granted)?,
        "instance" => in_threads(count, &granted)?,
        "worker" | "copy" => in_processes(&Workers::new(scope, &granted)?, count)?,
        _ => bail!("no scope is called {scope}"),
    };
    println!("[{took}, {memory}]");
    Ok(())
}

fn in_one_process(count: usize, granted: &Path) -> anyhow::Result<(f64, f64)> {
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let memory = Memory::of("self")?;
    let mut make = instances_in_this_process(granted, tokio.handle().clone())?;
    let mut all = Vec::new();
    let begun = Instant::now();
    for _ in 0..count {
        all.push(make()?);
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    Ok((took, memory.read()?))
}

fn engine_and_module() -> anyhow::Result<(Engine, Module)> {
    let engine = engine(Compiler::Singlepass);
    let module = Module::new(&engine, GUEST)?;
    Ok((engine, module))
}

/// An instance with all that keeps it alive.
type Made = (Store, (wasmer::Instance, WasiFunctionEnv));

/// Makes an instance at each call.
fn instances_in_this_process(
    granted: &Path,
    tokio: Handle,
) -> anyhow::Result<impl FnMut() -> anyhow::Result<Made>> {
    let (engine, module) = engine_and_module()?;
    let runtime = offline_runtime(&engine, tokio);
    Ok(move || {
        let mut builder = WasiEnv::builder("guest").runtime(Arc::clone(&runtime));
        builder.add_preopen(|p| p.directory(granted).alias("data").read(true))?;
        let mut store = Store::new(engine.clone());
        let made = builder.instantiate(module.clone(), &mut store)?;
        Ok((store, made))
    })
}

type Told = mpsc::Sender<Result<(), String>>;

/// Starts an instance's threads, which say when the module is instantiated, and then wait.
fn start_thread(
    granted: &Path,
    engine: &Engine,
    module: &Module,
    tell: Told,
    done: Arc<Barrier>,
) -> anyhow::Result<Running<()>> {
    let (engine, module) = (engine.clone(), module.clone());
    Ok(Instance::new("guest")
        .preopen(|p| p.directory(granted).alias("data").read(true))?
        .spawn(move |inside| {
            let mut store = Store::new(engine.clone());
            let made = inside
                .builder("guest", &engine)
                .instantiate(module, &mut store);
            let _the_host_waits = tell.send(made.as_ref().map(|_| ()).map_err(ToString::to_string));
            done.wait();
            drop((made, store));
        })?)
}

fn in_threads(count: usize, granted: &Path) -> anyhow::Result<(f64, f64)> {
    let (engine, module) = engine_and_module()?;
    let (tell, told) = mpsc::channel();
    let done = Arc::new(Barrier::new(count + 1));
    let mut all = Vec::new();
    let begun = Instant::now();
    for _ in 0..count {
        all.push(start_thread(
            granted,
            &engine,
            &module,
            tell.clone(),
            Arc::clone(&done),
        )?);
    }
    for _ in 0..count {
        told.recv()?.map_err(anyhow::Error::msg)?;
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let memory = Memory::of("self")?.read()?;
    done.wait();
    for instance in all {
        instance.join()?;
    }
    Ok((took, memory))
}

/// Workers of one request.
struct Workers {
    launcher: Launcher,
    /// The process whose copies the workers are, if they aren't executed.
    server: Option<ForkServer>,
    request: Request,
}

impl Workers {
    fn new(scope: &str, granted: &Path) -> anyhow::Result<Self> {
        let launcher = Launcher::new(std::env::current_exe()?).argument("worker");
        let (_, module) = engine_and_module()?;
        let preopened =
            Profile::as_without().preopen(|p| p.directory(granted).alias("data").read(true))?;
        Ok(Self {
            server: (scope == "copy")
                .then(|| launcher.fork_server())
                .transpose()?,
            launcher,
            request: Request::artifact(module.serialize()?.to_vec())
                .compiler(Compiler::Singlepass)
                .profile(preopened),
        })
    }

    fn start(&self) -> anyhow::Result<Worker> {
        Ok(match &self.server {
            Some(server) => server.spawn(&self.request, Input::Empty)?,
            None => self.launcher.spawn(&self.request, WorkerStreams::piped())?,
        })
    }
}

/// Waits until a worker's module runs.
fn wait_for_byte(worker: &mut Worker) -> anyhow::Result<()> {
    let mut output = worker.output().context("no pipe")?;
    output
        .read_exact(&mut [0])
        .context("a worker's module doesn't run")
}

fn in_processes(workers: &Workers, count: usize) -> anyhow::Result<(f64, f64)> {
    let mut all = Vec::new();
    let begun = Instant::now();
    for _ in 0..count {
        all.push(workers.start()?);
    }
    for worker in &mut all {
        wait_for_byte(worker)?;
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let mut memory = Memory::of("self")?.read()?;
    let server = workers.server.as_ref().map(ForkServer::id);
    for process in all.iter().map(Worker::id).chain(server) {
        memory += Memory::of(&process.to_string())?.read()?;
    }
    for worker in &mut all {
        worker.kill()?;
        let end = worker.wait(None)?.end;
        ensure!(
            matches!(end, worker::End::Died { .. }),
            "a worker ended by itself: {end:?}"
        );
    }
    Ok((took, memory))
}
