//! A server with many sandboxes, which it makes and closes all the time, each for a directory of its own.
//!
//! ```text
//! mkdir /srv/sandboxes
//! WASIX_LANDLOCK_SCOPE=instance cargo run --release --example sandboxes -- --directory /srv/sandboxes
//! WASIX_LANDLOCK_RESERVE=/srv/sandboxes cargo run --release --example sandboxes -- --directory /srv/sandboxes
//! ```
//!
//! The program is written for Wasmer as published: nothing in it knows of the fork. The operator's variables decide what
//! its sandboxes may reach. Without either, the second sandbox is an error.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{BufRead, BufReader, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use virtual_fs::{ArcFile, BufferFile};
use wasmer::{Engine, Module};
use wasmer_types::ModuleHash;
use wasmer_wasix::runners::MappedDirectory;
use wasmer_wasix::runners::wasi::{RuntimeOrEngine, WasiRunner};
use wasmer_wasix::runtime::OverriddenRuntime;
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::{PluggableRuntime, Runtime, UnsupportedVirtualNetworking};

/// A module that tries what its arguments say, and prints what came of it.
const GUEST: &[u8] = include_bytes!("guests/genrsa.wasm");

/// The threads that upstream's task manager keeps for each processor, and the fewest processors that it counts.
const POOL: (usize, usize) = (100, 2);

/// The longest time for which threads of closed sandboxes are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes and closes sandboxes, and counts what is left of them and whose files they reach.
#[derive(Parser)]
struct Arguments {
    /// The directory in which each sandbox gets a directory of its own.
    #[arg(long)]
    directory: PathBuf,
    /// The number of sandboxes that are there at once.
    #[arg(long, default_value_t = 100)]
    sandboxes: usize,
    /// The time for which sandboxes are made and closed.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let done = match arguments.as_slice() {
        // Started by this program itself.
        [_, observe, process] if observe == "observe" => observe_process(process),
        _ => run(&Arguments::parse()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sandboxes: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    // Before the first sandbox: where the process is restricted, it can't look into `/proc` later.
    let observer = Observer::start()?;
    let directory = arguments.directory.canonicalize()?;
    let places: Vec<PathBuf> = (0..arguments.sandboxes)
        .map(|number| directory.join(number.to_string()))
        .collect();
    for place in &places {
        std::fs::create_dir(place)?;
        std::fs::write(place.join("file"), "of one sandbox")?;
    }
    let served = serve(&places, Duration::from_secs(arguments.seconds), observer);
    for place in &places {
        // Where the process got no grant for it, the directory stays.
        let _ = std::fs::remove_dir_all(place);
    }
    served
}

/// Makes and closes sandboxes in all places for some time, and tells of it.
fn serve(places: &[PathBuf], time: Duration, mut observer: Observer) -> anyhow::Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let server = Server::new(tokio.handle().clone(), places)?;
    // One alone, so that an error is told once.
    server.sandbox(0)?;
    // Until all threads that the program keeps are there: each module gets a new one as long as some are missing.
    let processors = std::thread::available_parallelism()?.get().max(POOL.1);
    let rounds = (processors * POOL.0).div_ceil(places.len()) + 1;
    server.work_everywhere(&|round| round < rounds)?;
    println!("before: {}", observer.settled()?);
    let until = Instant::now() + time;
    server.work_everywhere(&|_| Instant::now() < until)?;
    println!("after: {}", observer.settled()?);
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let crossings = count(&server.crossings);
    println!(
        "sandboxes: {} made and closed, {} at once\ncrossings: {crossings} by modules, {} by the runtime in their place",
        count(&server.made),
        places.len(),
        count(&server.native_crossings)
    );
    anyhow::ensure!(crossings == 0, "a sandbox has reached another's file");
    Ok(())
}

/// The state that all sandboxes share.
struct Server<'p> {
    tokio: tokio::runtime::Handle,
    runtime: Arc<dyn Runtime + Send + Sync>,
    module: Module,
    places: &'p [PathBuf],
    made: AtomicUsize,
    crossings: AtomicUsize,
    native_crossings: Arc<AtomicUsize>,
}

impl<'p> Server<'p> {
    fn new(tokio: tokio::runtime::Handle, places: &'p [PathBuf]) -> anyhow::Result<Self> {
        let engine = Engine::default();
        let module = Module::new(&engine, GUEST)?;
        let _tokio = tokio.enter();
        let mut runtime = PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio.clone())));
        runtime
            .set_engine(engine)
            .set_networking_implementation(UnsupportedVirtualNetworking::default());
        Ok(Self {
            runtime: Arc::new(runtime),
            tokio: tokio.clone(),
            module,
            places,
            made: AtomicUsize::new(0),
            crossings: AtomicUsize::new(0),
            native_crossings: Arc::default(),
        })
    }

    /// Makes and closes sandboxes for all places at once.
    fn work_everywhere(&self, goes_on: &(dyn Fn(usize) -> bool + Sync)) -> anyhow::Result<()> {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.places.len())
                .map(|number| scope.spawn(move || self.work(number, goes_on)))
                .collect();
            workers.into_iter().try_for_each(|worker| {
                let worked = worker.join();
                worked.map_err(|_| anyhow::anyhow!("a sandbox's thread has panicked"))?
            })
        })
    }

    /// Makes and closes sandboxes for one place, as long as `goes_on` says of the next one's number.
    fn work(&self, number: usize, goes_on: &(dyn Fn(usize) -> bool + Sync)) -> anyhow::Result<()> {
        (0..)
            .take_while(|round| goes_on(*round))
            .try_for_each(|_| self.sandbox(number))
    }

    /// Makes a sandbox, has its module try its own file and its neighbour's, and closes it.
    fn sandbox(&self, number: usize) -> anyhow::Result<()> {
        let _tokio = self.tokio.enter();
        let next = (number + 1) % self.places.len();
        let neighbour = self.places[next].join("file");
        let paths = [
            "/data/file".to_owned(),
            format!("/data/../{next}/file"),
            format!("../{next}/file"),
            neighbour.display().to_string(),
        ];
        let mut arguments = vec!["probe"];
        for path in &paths {
            if arguments.len() > 1 {
                arguments.push("--");
            }
            arguments.extend(["read", path]);
        }
        let printed = ArcFile::new(Box::new(BufferFile::default()));
        let mut runner = WasiRunner::new();
        runner
            .with_mapped_directories([MappedDirectory {
                host: self.places[number].clone(),
                guest: "/data".to_owned(),
            }])
            .with_args(arguments)
            .with_stdout(Box::new(printed.clone()));
        runner.run_wasm(
            RuntimeOrEngine::Runtime(self.with_bug(neighbour)),
            "guest",
            self.module.clone(),
            ModuleHash::random(),
        )?;
        let printed = self.tokio.block_on(text(printed))?;
        let reached: Vec<bool> = printed.lines().map(|line| line.ends_with("\tok")).collect();
        let (own, others) = reached
            .split_first()
            .context("the module printed nothing")?;
        anyhow::ensure!(*own, "a sandbox can't read its own file: {printed}");
        let others = others.iter().filter(|reached| **reached).count();
        self.made.fetch_add(1, Ordering::Relaxed);
        self.crossings.fetch_add(others, Ordering::Relaxed);
        Ok(())
    }

    /// A runtime that opens the neighbour's file on the thread of the module, as one with a bug could be led to.
    fn with_bug(&self, neighbour: PathBuf) -> Arc<dyn Runtime + Send + Sync> {
        let crossings = Arc::clone(&self.native_crossings);
        let runtime = OverriddenRuntime::new(Arc::clone(&self.runtime));
        Arc::new(runtime.with_instance_setup(move |_, _, _, _| {
            if std::fs::read(&neighbour).is_ok() {
                crossings.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }))
    }
}

async fn text(mut printed: ArcFile<BufferFile>) -> anyhow::Result<String> {
    let mut text = String::new();
    printed.seek(SeekFrom::Start(0)).await?;
    printed.read_to_string(&mut text).await?;
    Ok(text)
}

/// The things that a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    threads: usize,
    descriptors: usize,
    resident_kib: usize,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            threads,
            descriptors,
            resident_kib,
        } = self;
        write!(
            f,
            "{threads} threads, {descriptors} descriptors, {resident_kib} KiB resident"
        )
    }
}

/// A process that looks at this one from outside.
struct Observer {
    process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Observer {
    fn start() -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["observe", &std::process::id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (ask, answers) = (process.stdin.take(), process.stdout.take());
        Ok(Self {
            process,
            ask: ask.context("no standard input")?,
            answers: BufReader::new(answers.context("no standard output")?),
        })
    }

    fn held(&mut self) -> anyhow::Result<Held> {
        writeln!(self.ask)?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let numbers: Vec<usize> = line
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let [threads, descriptors, resident_kib] = numbers[..] else {
            anyhow::bail!("the observer has ended");
        };
        Ok(Held {
            threads,
            descriptors,
            resident_kib,
        })
    }

    /// Returns what is held when no more threads end.
    fn settled(&mut self) -> anyhow::Result<Held> {
        let until = Instant::now() + PATIENCE;
        let mut held = self.held()?;
        loop {
            std::thread::sleep(Duration::from_secs(2));
            let next = self.held()?;
            if next.threads == held.threads || Instant::now() >= until {
                return Ok(next);
            }
            held = next;
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// Answers each line with the threads, descriptors and resident memory of a process.
fn observe_process(process: &str) -> anyhow::Result<()> {
    let folder = Path::new("/proc").join(process);
    for line in std::io::stdin().lines() {
        line?;
        let status = std::fs::read_to_string(folder.join("status"))?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next())
                .context("no such line in the status of a process")
        };
        let descriptors = std::fs::read_dir(folder.join("fd"))?.count();
        println!(
            "{} {descriptors} {}",
            number("Threads:")?,
            number("VmRSS:")?
        );
    }
    Ok(())
}
