//! The suite: where its modules come from, what each expects, and how one is run. The baseline, which runs
//! the same on upstream, compiles this file too.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use virtual_fs::host_fs;
use wasix_landlock_engine::engine;
use wasix_landlock_fork::{Manifest, Upstream};
use wasix_landlock_profile::Compiler;
use wasix_landlock_testing::end_within;
use wasmer::{Module, Store};
use wasmer_wasix::runtime::task_manager::tokio::TokioTaskManager;
use wasmer_wasix::{PluggableRuntime, WasiEnvBuilder, WasiError, WasiRuntimeError};

/// The folder of the suite in the crate, with the modules of each language.
const SUITE: &str = "tests/wasi_testsuite/wasi-common/tests";
const LANGUAGES: [&str; 3] = ["assemblyscript", "c", "rust"];
const TARGET: &str = "testsuite/wasm32-wasip1";

/// The first argument of a process that runs one module.
const CHILD: &str = "run-module";
/// The time that one module may take, compilation included.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The exit code of a child that could not run its module at all. No module of the suite exits with it.
const NOT_RUN: u8 = 125;

/// The interface by which a module gets its directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interface {
    /// Upstream's own, as existing programs use it: the host's file system, and directories mapped by alias.
    Mapped,
    /// The same, with the virtual root turned off, as the fork can.
    Confined,
    /// The fork's `WasiEnvBuilder::preopen`, without a virtual root.
    Preopen,
}

/// The JSON beside a module; what is missing has its default, as the suite's specification says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expected {
    args: Vec<String>,
    dirs: Vec<String>,
    env: BTreeMap<String, String>,
    exit_code: i32,
    stderr: Option<String>,
    stdout: Option<String>,
}

/// One module of the suite.
#[derive(Debug, Clone)]
pub struct Case {
    /// The language and name, such as `rust/path_link`.
    pub name: String,
    module: PathBuf,
    expected: Expected,
}

/// The unpacked suite. It is removed when this is dropped.
#[derive(Debug)]
pub struct Suite {
    /// The modules, by language and name.
    pub cases: Vec<Case>,
    _folder: TempDir,
}

impl Suite {
    /// Gets the suite, which `pin`'s `fork.toml` names, through cargo, checks it and unpacks it.
    pub fn unpack(pin: &Path) -> anyhow::Result<Self> {
        let manifest = Manifest::load(pin)?;
        let folder = tempfile::tempdir()?;
        let crate_folder = folder.path().join("crate");
        Upstream::find(&manifest, &[pin], &folder.path().join("download"))?
            .unpack(&manifest, &crate_folder)?;
        let mut cases = Vec::new();
        for language in LANGUAGES {
            let modules = crate_folder.join(SUITE).join(language).join(TARGET);
            for entry in fs::read_dir(&modules)? {
                let module = entry?.path();
                if module.extension().is_some_and(|ext| ext == "wasm") {
                    cases.push(Case::load(language, module)?);
                }
            }
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            cases,
            _folder: folder,
        })
    }
}

impl Case {
    fn load(language: &str, module: PathBuf) -> anyhow::Result<Self> {
        let specification = module.with_extension("json");
        let expected = match fs::read(&specification) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{}", specification.display()))?,
            Err(_) => Expected::default(),
        };
        let stem = module.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: format!("{language}/{stem}"),
            expected,
            module,
        })
    }

    /// Runs the module in a process of its own, which is `program`, on a fresh copy of its directories.
    ///
    /// # Errors
    /// What differs from what the suite expects, in one line.
    pub fn run(
        &self,
        program: &Path,
        interface: Interface,
        compiler: Compiler,
    ) -> anyhow::Result<()> {
        let scratch = tempfile::tempdir()?;
        let root = scratch.path().join("root");
        fs::create_dir(&root)?;
        for directory in &self.expected.dirs {
            copy(
                &self.module.with_file_name(directory),
                &root.join(directory),
            )?;
        }
        let request = Request {
            interface,
            compiler,
            module: self.module.clone(),
            root,
            expected: self.expected.clone(),
        };
        let (out, err) = (scratch.path().join("out"), scratch.path().join("err"));
        let mut child = Command::new(program)
            .arg(CHILD)
            .arg(serde_json::to_string(&request)?)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .spawn()?;
        let Some(status) = end_within(&mut child, TIMEOUT)? else {
            bail!("took over {TIMEOUT:?}");
        };
        let (out, err) = (fs::read(out)?, fs::read(err)?);
        let (out, err) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
        if status.code() != Some(self.expected.exit_code) {
            bail!("{status}: {}", reason(&err));
        }
        let streams = [
            ("output", &self.expected.stdout, &out),
            ("errors", &self.expected.stderr, &err),
        ];
        for (stream, expected, found) in streams {
            if let Some(expected) = expected
                && expected != found
            {
                bail!("{stream}: expected {expected:?}, found {found:?}");
            }
        }
        Ok(())
    }
}

/// Runs all `cases`, two at a time, and hands over what became of each, in their order.
pub fn run_all(
    cases: &[Case],
    program: &Path,
    interface: Interface,
    compiler: Compiler,
) -> Vec<anyhow::Result<()>> {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut results: Vec<(usize, anyhow::Result<()>)> = std::thread::scope(|scope| {
        let worker = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(case) = cases.get(number) else {
                    return done;
                };
                done.push((number, case.run(program, interface, compiler)));
            }
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_default())
            .collect()
    });
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Returns the part of a child's errors that says why it failed: the panic's message, or the last line.
fn reason(errors: &str) -> String {
    let lines: Vec<&str> = errors
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let panic = lines.iter().position(|line| line.contains("panicked at"));
    match panic {
        Some(at) => lines[at..]
            .iter()
            .take(4)
            .copied()
            .collect::<Vec<_>>()
            .join(" | "),
        None => (*lines.last().unwrap_or(&"no message")).to_owned(),
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// The request to a child.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    interface: Interface,
    compiler: Compiler,
    module: PathBuf,
    root: PathBuf,
    expected: Expected,
}

/// A directory that a module gets: on the host, and what it is called inside.
#[derive(Debug)]
pub struct Directory<'a> {
    /// The copy that the module may change.
    pub host: PathBuf,
    /// The path that the module looks for.
    pub guest: &'a str,
}

/// Maps the directories by upstream's own interface.
pub fn map(
    mut builder: WasiEnvBuilder,
    directories: &[Directory<'_>],
) -> anyhow::Result<WasiEnvBuilder> {
    let host = host_fs::FileSystem::new(tokio::runtime::Handle::current(), "/")?;
    builder = builder.fs(Arc::new(host) as Arc<dyn virtual_fs::FileSystem + Send + Sync>);
    for Directory { host, guest } in directories {
        builder.add_map_dir(guest, host)?;
    }
    Ok(builder)
}

/// If this process is one that [`Case::run`] started, runs the module and returns the exit code. `preopen`
/// hands the directories to the builder; the module's own path is given as an example of what must not be
/// accessible any more.
pub fn child(
    preopen: impl FnOnce(
        Interface,
        WasiEnvBuilder,
        &[Directory<'_>],
        &Path,
    ) -> anyhow::Result<WasiEnvBuilder>,
) -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(CHILD) {
        return None;
    }
    let request = arguments.next().unwrap_or_default();
    let code = run_module(&request, preopen).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        NOT_RUN
    });
    Some(ExitCode::from(code))
}

fn run_module(
    request: &str,
    preopen: impl FnOnce(
        Interface,
        WasiEnvBuilder,
        &[Directory<'_>],
        &Path,
    ) -> anyhow::Result<WasiEnvBuilder>,
) -> anyhow::Result<u8> {
    let request: Request = serde_json::from_str(request)?;
    let tokio = tokio::runtime::Runtime::new()?;
    let _entered = tokio.enter();
    let engine = engine(request.compiler);
    let module = Module::new(&engine, fs::read(&request.module)?)?;
    let mut store = Store::new(engine.clone());
    let mut runtime =
        PluggableRuntime::new(Arc::new(TokioTaskManager::new(tokio.handle().clone())));
    runtime
        .set_engine(engine)
        .set_networking_implementation(wasmer_wasix::UnsupportedVirtualNetworking::default());

    let directories: Vec<_> = request
        .expected
        .dirs
        .iter()
        .map(|guest| Directory {
            host: request.root.join(guest),
            guest,
        })
        .collect();
    let name = request.module.file_name().unwrap_or_default();
    let builder = WasiEnvBuilder::new(name.to_string_lossy())
        .args(&request.expected.args)
        .envs(&request.expected.env)
        .runtime(Arc::new(runtime));
    let builder = preopen(request.interface, builder, &directories, &request.module)?;
    let (instance, env) = builder.instantiate(module, &mut store)?;
    let start = instance.exports.get_function("_start")?;
    let ended = start.call(&mut store, &[]);
    env.on_exit(&mut store, None);
    let Err(error) = ended else {
        return Ok(0);
    };
    let error = WasiRuntimeError::from(error);
    match &error {
        WasiRuntimeError::Wasi(WasiError::Exit(code)) => Ok(code.raw() as u8),
        _ => match error.as_exit_code() {
            Some(code) => Ok(code.raw() as u8),
            None => Err(error.into()),
        },
    }
}
