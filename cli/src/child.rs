//! One step of `learn` or `compare`, in a process of its own: a restriction can't be lifted, and memory is measured by
//! process.
//!
//! The parent isn't restricted, so it takes what a step reports for claims of a module that may have taken the step's
//! process over.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use wasix_landlock_engine::limited;
use wasix_landlock_profile::{Ceiling, Compiler, HostPreopen, Profile};
use wasmer::{Engine, Module};
use wasmer_types::ModuleHash;
use wasmer_wasix::landlock::{
    Cause, Denial, Learning, MODE_VARIABLE, Mode, RESERVE_VARIABLE, SCOPE_VARIABLE, Suggestion,
};
use wasmer_wasix::landlock::{exit_code, with_causes};
use wasmer_wasix::runners::wasi::RuntimeOrEngine;
use wasmer_wasix::runtime::module_cache::{FileSystemCache, ModuleCache as _};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;

use crate::{module, runner};

/// One step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// The module's file.
    pub module: PathBuf,
    /// The compiler.
    pub compiler: Compiler,
    /// The grants.
    pub profile: Profile,
    /// The directory of compiled modules, which the step shares with others of the same limits.
    pub cache: PathBuf,
    /// The file to which the outcome is written.
    pub output: PathBuf,
    /// The kind of the step.
    pub task: Task,
}

/// The kind of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Compile the module and keep it.
    Compile,
    /// Run the module, compiled or from the cache.
    Run,
    /// The same, and note the grants that are used.
    Observe,
}

/// The outcome of a step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// The module's exit code.
    pub exit_code: Option<i32>,
    /// The error that kept the module from running to its end.
    pub error: Option<String>,
    /// The denials.
    pub denials: Vec<Refused>,
    /// The grants that were used.
    pub used: Vec<HostPreopen>,
    /// Compiling, in milliseconds.
    pub compile: Option<f64>,
    /// The compiled module, in MiB.
    pub size: Option<f64>,
    /// Making the engine and loading the compiled module, in milliseconds.
    pub load: Option<f64>,
    /// Making the environment, and the run, in milliseconds.
    pub run: Option<f64>,
    /// The most memory of the process, in MiB.
    pub peak: Option<f64>,
}

/// A denial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    /// The denial in words.
    pub text: String,
    /// True if the module only looked whether there is something.
    pub looked: bool,
    /// The grant that would allow it, if one can.
    pub grant: Option<HostPreopen>,
}

impl From<&Denial> for Refused {
    fn from(denial: &Denial) -> Self {
        // A file's own permissions on the host are no matter of grants.
        let suggestion = denial
            .suggestion()
            .filter(|_| !matches!(denial.cause, Cause::Host));
        Self {
            text: denial.to_string(),
            looked: denial.operation == wasmer_wasix::landlock::Operation::Look,
            grant: suggestion.map(preopen),
        }
    }
}

/// The grant that is suggested.
pub fn preopen(suggestion: &Suggestion) -> HostPreopen {
    let guest = Some(suggestion.guest.clone());
    HostPreopen {
        host: suggestion.host.clone(),
        guest: guest.filter(|guest| suggestion.host != Path::new(guest)),
        kind: suggestion.kind,
        access: suggestion.access,
    }
}

/// Does a step in this process.
///
/// # Errors
/// A request that can't be read, and an outcome that can't be written.
pub fn execute(request: &Path) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(request)
        .with_context(|| format!("can't read {}", request.display()))?;
    let request: Request = serde_json::from_str(&text)?;
    // An open file stays usable when nothing else can be opened.
    let mut output = File::create(&request.output)?;
    let mut status = File::open("/proc/self/status")?;
    let outcome = match request.task {
        Task::Compile => compile(&request),
        Task::Run | Task::Observe => run(&request),
    };
    let mut outcome = outcome.unwrap_or_else(|error| Outcome {
        error: Some(with_causes(error.as_ref()).to_string()),
        ..Outcome::default()
    });
    if outcome.peak.is_none() {
        outcome.peak = peak(&mut status).ok();
    }
    output.write_all(&serde_json::to_vec(&outcome)?)?;
    Ok(ExitCode::SUCCESS)
}

fn compile(request: &Request) -> anyhow::Result<Outcome> {
    let tokio = tokio::runtime::Runtime::new()?;
    let bytes = module::read(&request.module)?;
    let begun = Instant::now();
    let limits = Ceiling::limits_from_env(&request.profile.limits)?;
    let engine = limited(request.compiler, &limits);
    let module = module::compile(&engine, &request.module, &bytes)?;
    let compile = milliseconds(begun);
    // Before the module is serialized, which takes memory as well.
    let peak = peak(&mut File::open("/proc/self/status")?)?;
    let size = mebibytes(module.serialize()?.len());
    let tasks = Arc::new(TokioTaskManager::new(tokio.handle().clone()));
    let cache = FileSystemCache::new(&request.cache, tasks);
    tokio.block_on(cache.save(ModuleHash::new(&bytes), &engine, &module))?;
    Ok(Outcome {
        compile: Some(compile),
        size: Some(size),
        peak: Some(peak),
        ..Outcome::default()
    })
}

fn run(request: &Request) -> anyhow::Result<Outcome> {
    let bytes = module::read(&request.module)?;
    let hash = ModuleHash::new(&bytes);
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let begun = Instant::now();
    let limits = Ceiling::limits_from_env(&request.profile.limits)?;
    let engine = limited(request.compiler, &limits);
    let module = load(request, &engine, &tokio, hash, &bytes)?;
    let load = milliseconds(begun);

    let mut runner = runner::runner(&request.profile)?;
    let denials = Arc::new(Mutex::new(Vec::new()));
    let used = Learning::new();
    if request.task == Task::Observe {
        let denials = Arc::clone(&denials);
        runner.with_on_denial(move |denial| {
            let mut denials = denials.lock().unwrap_or_else(PoisonError::into_inner);
            denials.push(Refused::from(denial));
        });
        runner.with_observing(&used);
    }
    let runtime = runner::runtime(&request.profile.network, &engine, tokio.handle().clone());
    runner::watch(&limits)?;
    let name = request.module.file_stem().unwrap_or_default();
    let begun = Instant::now();
    let ended = runner.run_wasm(
        RuntimeOrEngine::Runtime(runtime),
        &name.to_string_lossy(),
        module,
        hash,
    );
    let run = milliseconds(begun);
    let (exit_code, error) = match ended {
        Ok(()) => (Some(0), None),
        Err(error) => match exit_code(&error) {
            Some(code) => (Some(code), None),
            None => (None, Some(with_causes(error.as_ref()).to_string())),
        },
    };
    let learned = used.learned();
    let used = learned.preopens.iter();
    let used = used.chain(learned.sensitive.iter().map(|(suggestion, _)| suggestion));
    let denials = denials.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Outcome {
        exit_code,
        error,
        denials: denials.clone(),
        used: used.map(preopen).collect(),
        load: Some(load),
        run: Some(run),
        ..Outcome::default()
    })
}

/// Loads the compiled module, or compiles and keeps it.
fn load(
    request: &Request,
    engine: &Engine,
    tokio: &tokio::runtime::Runtime,
    hash: ModuleHash,
    bytes: &[u8],
) -> anyhow::Result<Module> {
    let tasks = Arc::new(TokioTaskManager::new(tokio.handle().clone()));
    let cache = FileSystemCache::new(&request.cache, tasks);
    if let Ok(module) = tokio.block_on(cache.load(hash, engine)) {
        return Ok(module);
    }
    let module = module::compile(engine, &request.module, bytes)?;
    tokio.block_on(cache.save(hash, engine, &module))?;
    Ok(module)
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The most memory that the process had, in MiB.
fn peak(status: &mut File) -> anyhow::Result<f64> {
    let mut text = String::new();
    status.rewind()?;
    status.read_to_string(&mut text)?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: f64 = kilobytes
        .context("the kernel doesn't say how much memory was used")?
        .parse()?;
    Ok(kilobytes / 1024.0)
}

/// The module's streams in a step.
#[derive(Debug, Clone, Copy)]
pub struct Streams<'a> {
    /// The bytes of standard input.
    pub stdin: Option<&'a [u8]>,
    /// True if output goes to this process's standard error.
    pub shown: bool,
}

/// Has another process do a step.
///
/// # Errors
/// A process that can't be started, and one that ended without an outcome.
pub fn in_process(request: &Request, mode: Mode, streams: Streams<'_>) -> anyhow::Result<Outcome> {
    let file = request.output.with_extension("request");
    let text = serde_json::to_vec(request).context("a path is not UTF-8")?;
    std::fs::write(&file, text)?;
    // The outcome of a step before would be taken for this one's.
    if request.output.exists() {
        std::fs::remove_file(&request.output)?;
    }
    let output = || match streams.shown {
        true => Stdio::from(std::io::stderr()),
        false => Stdio::null(),
    };
    let mut child = Command::new(std::env::current_exe()?)
        .arg("child")
        .arg(&file)
        .env(MODE_VARIABLE, mode.to_string())
        // Only the whole process keeps native code to the grants, and only to these.
        .env_remove(SCOPE_VARIABLE)
        .env_remove(RESERVE_VARIABLE)
        .env("RUST_LOG", "off")
        .stdin(match streams.stdin {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        })
        .stdout(output())
        .stderr(output())
        .spawn()
        .context("can't start a process for the module")?;
    if let (Some(mut stdin), Some(bytes)) = (child.stdin.take(), streams.stdin) {
        let bytes = bytes.to_vec();
        // A module need not read all of its input.
        std::thread::spawn(move || stdin.write_all(&bytes));
    }
    let status = child.wait()?;
    let outcome = match std::fs::read(&request.output) {
        Ok(text) if !text.is_empty() => {
            serde_json::from_slice(&text).context("the module's process left no outcome")?
        }
        // A deadline ends the whole process.
        _ => Outcome {
            exit_code: status.code(),
            error: match status.code() {
                Some(_) => None,
                None => Some(format!("the module's process ended: {status}")),
            },
            ..Outcome::default()
        },
    };
    Ok(outcome)
}
