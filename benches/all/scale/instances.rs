//! More and more instances that are there at the same time, in each scope.

use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Barrier, mpsc};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use wasix_landlock_benches::{Column, Samples, Table};
use wasix_landlock_examples::offline_runtime;
use wasix_landlock_worker::{self as worker, Launcher, Profile, Request, WorkerStreams};
use wasmer::{Module, Store};
use wasmer_wasix::WasiEnv;
use wasmer_wasix::landlock::Instance;

use super::{About, Memory, sample, table};
use crate::context::Context;
use wasix_landlock_engine::engine;
use wasix_landlock_profile::Compiler;

const INSTANCES: [usize; 4] = [1, 10, 30, 100];
/// The columns, with what the process of a sample is told.
const SCOPES: [(&str, &str, bool); 4] = [
    ("fork", "process", false),
    ("process", "process", true),
    ("instance", "instance", true),
    ("worker", "worker", true),
];

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
    let (mut time, mut memory) = (Samples::default(), Samples::default());
    for round in 0..context.samples {
        for count in &rows {
            for (column, scope, enforced) in SCOPES {
                let of = context.samples;
                context.say(&format!(
                    "scale: round {} of {of}: {count} instances, {column}",
                    round + 1
                ));
                let arguments = [scope.to_owned(), count.to_string()];
                let (took, mebibytes) = self::sample(context, "instances", enforced, &arguments)?;
                time.add(&count.to_string(), column, took);
                memory.add(&count.to_string(), column, mebibytes);
            }
        }
    }
    let names = SCOPES.map(|(column, _, _)| column);
    let time_about = About {
        id: "instances",
        title: "Instances: time",
        text: "Until so many instances of a small module are there at once, compiled before, each with a preopened \
               directory. *process*: `build()` again and again within what is enforced; *fork* the same without \
               enforcement; *instance*: threads of its own for each; *worker*: a process for each, until its module \
               prints.",
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
    ])
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
        "worker" => in_processes(count, &granted)?,
        _ => bail!("no scope is called {scope}"),
    };
    println!("[{took}, {memory}]");
    Ok(())
}

fn in_one_process(count: usize, granted: &Path) -> anyhow::Result<(f64, f64)> {
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let memory = Memory::of("self")?;
    let engine = engine(Compiler::Singlepass);
    let module = Module::new(&engine, GUEST)?;
    let runtime = offline_runtime(&engine, tokio.handle().clone());
    let mut all = Vec::new();
    let begun = Instant::now();
    for _ in 0..count {
        let mut builder = WasiEnv::builder("guest").runtime(Arc::clone(&runtime));
        builder.add_preopen(|p| p.directory(granted).alias("data").read(true))?;
        let mut store = Store::new(engine.clone());
        let made = builder.instantiate(module.clone(), &mut store)?;
        all.push((store, made));
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    Ok((took, memory.read()?))
}

fn in_threads(count: usize, granted: &Path) -> anyhow::Result<(f64, f64)> {
    let engine = engine(Compiler::Singlepass);
    let module = Module::new(&engine, GUEST)?;
    let (tell, told) = mpsc::channel();
    let done = Arc::new(Barrier::new(count + 1));
    let mut all = Vec::new();
    let begun = Instant::now();
    for _ in 0..count {
        let (engine, module, tell) = (engine.clone(), module.clone(), tell.clone());
        let done = Arc::clone(&done);
        let instance = Instance::new("guest")
            .preopen(|p| p.directory(granted).alias("data").read(true))?
            .spawn(move |inside| {
                let mut store = Store::new(engine.clone());
                let made = inside
                    .builder("guest", &engine)
                    .instantiate(module, &mut store);
                let _the_host_waits =
                    tell.send(made.as_ref().map(|_| ()).map_err(ToString::to_string));
                done.wait();
                drop((made, store));
            })?;
        all.push(instance);
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

fn in_processes(count: usize, granted: &Path) -> anyhow::Result<(f64, f64)> {
    let launcher = Launcher::new(std::env::current_exe()?).argument("worker");
    let engine = engine(Compiler::Singlepass);
    let artifact = Module::new(&engine, GUEST)?.serialize()?;
    let request = Request::artifact(artifact.to_vec())
        .compiler(Compiler::Singlepass)
        .profile(Profile::as_without().preopen(|p| p.directory(granted).alias("data").read(true))?);
    let mut all = Vec::new();
    let begun = Instant::now();
    for _ in 0..count {
        all.push(launcher.spawn(&request, WorkerStreams::piped())?);
    }
    for worker in &mut all {
        let mut output = worker.output().context("no pipe")?;
        output
            .read_exact(&mut [0])
            .context("a worker's module doesn't run")?;
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let mut memory = Memory::of("self")?.read()?;
    for worker in &mut all {
        memory += Memory::of(&worker.id().to_string())?.read()?;
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
