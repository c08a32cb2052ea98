//! The runtimes that a program is run on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use wasix_landlock_programs::packages::{folder, own, python_package, sha256};
use wasix_landlock_programs::runner::{Compiler, Run};
use wasix_landlock_testing::end_within;

/// The name of the directory in which a program works.
pub const WORK: &str = "/work";

/// The longest that a step, or compiling a module, may take.
const DEADLINE: Duration = Duration::from_secs(60);
const DEADLINE_OF_COMPILING: Duration = Duration::from_secs(900);

/// A runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// The fork, with enforcement.
    Fork,
    /// Wasmer as published: the program that runs it.
    Upstream(PathBuf),
    /// wasmtime's Python package, in this folder.
    Wasmtime(PathBuf),
}

/// The effect of a run of a module.
#[derive(Debug)]
pub struct Outcome {
    pub stdout: Vec<u8>,
    pub stderr: String,
    /// The reason why the run is not a success.
    pub failure: Option<String>,
}

impl Outcome {
    /// The standard output of a success.
    pub fn success(self) -> anyhow::Result<Vec<u8>> {
        match self.failure {
            None => Ok(self.stdout),
            Some(failure) => Err(anyhow::anyhow!(failure)),
        }
    }
}

/// The place of a program's steps, one after the other: on one runtime, in one directory.
#[derive(Debug)]
pub struct Place<'a> {
    pub column: &'a Column,
    /// The directory that the program sees as [`WORK`].
    pub work: PathBuf,
    scratch: PathBuf,
}

impl Column {
    pub fn wasmtime() -> anyhow::Result<Self> {
        Ok(Self::Wasmtime(python_package("wasmtime")?))
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fork => "fork, enforced",
            Self::Upstream(_) => "upstream",
            Self::Wasmtime(_) => "wasmtime",
        }
    }

    fn command(&self) -> anyhow::Result<Command> {
        Ok(match self {
            Self::Fork => Command::new(std::env::current_exe()?),
            Self::Upstream(program) => Command::new(program),
            Self::Wasmtime(package) => {
                let mut command = Command::new("python3");
                command
                    .env("PYTHONPATH", package)
                    .arg(own("wasmtime_runner.py"));
                command
            }
        })
    }
}

impl<'a> Place<'a> {
    /// An empty one below `scratch`.
    pub fn new(column: &'a Column, scratch: &Path) -> anyhow::Result<Self> {
        let scratch = scratch.to_owned();
        let work = scratch.join("work");
        fs::create_dir_all(&work)?;
        Ok(Self {
            column,
            work,
            scratch,
        })
    }

    /// The process that runs a module, which is compiled here first. `more` are directories beside the one in which
    /// it works, as the host and as the module name them.
    pub fn command(
        &self,
        module: &Path,
        arguments: &[&str],
        more: &[(PathBuf, &str)],
    ) -> anyhow::Result<Command> {
        let kind = match self.column {
            Column::Wasmtime(_) => "wasmtime",
            // They share what one of them has compiled.
            _ => "wasmer",
        };
        let bytes = fs::read(module).with_context(|| format!("{}", module.display()))?;
        let cache = folder()?
            .join("compiled")
            .join(kind)
            .join(&sha256(&bytes)[..16]);
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let mut directories = vec![(self.work.clone(), WORK.to_owned())];
        directories.extend(
            more.iter()
                .map(|(host, guest)| (host.clone(), (*guest).to_owned())),
        );
        let run = Run {
            // A copy: the module's own place may be granted, and a refusal to open it is the proof of enforcement.
            module: cache.join("module.wasm"),
            arguments: owned(arguments),
            environment: Vec::new(),
            directories,
            same_chance: false,
            file: None,
            compiler: Compiler::Cranelift,
            cache: cache.clone(),
            output: self.scratch.join("measured.json"),
        };
        let description = self.scratch.join("run.json");
        fs::write(&description, serde_json::to_string(&run)?)?;
        let complete = cache.join("copied-and-compiled");
        if !complete.exists() {
            eprintln!("compiling {} for {}", module.display(), self.column.name());
            fs::create_dir_all(&cache)?;
            fs::write(&run.module, bytes)?;
            let mut command = self.column.command()?;
            command.arg("compile").arg(&description);
            let outcome = self.to_end(command, DEADLINE_OF_COMPILING)?;
            if let Some(failure) = outcome.failure {
                anyhow::bail!("it can't be compiled: {failure}: {}", outcome.stderr);
            }
            File::create(complete)?;
        }
        let mut command = self.column.command()?;
        command.arg("run").arg(&description);
        Ok(command)
    }

    /// Runs a module to its end.
    pub fn run(
        &self,
        module: &Path,
        arguments: &[&str],
        more: &[(PathBuf, &str)],
    ) -> anyhow::Result<Outcome> {
        self.to_end(self.command(module, arguments, more)?, DEADLINE)
    }

    fn to_end(&self, mut command: Command, deadline: Duration) -> anyhow::Result<Outcome> {
        let [out, err] = ["stdout", "stderr"].map(|name| self.scratch.join(name));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .spawn()
            .with_context(|| format!("can't start {command:?}"))?;
        let status = end_within(&mut child, deadline)?;
        let stdout = fs::read(&out)?;
        let stderr = String::from_utf8_lossy(&fs::read(&err)?).into_owned();
        let failure = failure(status, deadline, &stderr);
        Ok(Outcome {
            stdout,
            stderr,
            failure,
        })
    }

    /// The contents that a step has written into a file.
    pub fn written(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let bytes = fs::read(self.work.join(name)).with_context(|| format!("no {name}"))?;
        ensure!(!bytes.is_empty(), "{name} is empty");
        Ok(bytes)
    }
}

/// The reason why a run is not a success, in a line that is the same each time.
fn failure(status: Option<ExitStatus>, deadline: Duration, stderr: &str) -> Option<String> {
    let last = stderr.lines().rfind(|line| !line.trim().is_empty());
    let said = last.map_or_else(String::new, |line| format!(": {}", line.trim()));
    match status {
        None => Some(format!("no end after {} s{said}", deadline.as_secs())),
        Some(status) if !status.success() => Some(format!("{status}{said}")),
        Some(_) => None,
    }
}

/// In a process that was started for it: compiles or runs a module on the fork.
pub fn child(verb: &str, description: &str) -> anyhow::Result<i32> {
    let run = Run::load(Path::new(description))?;
    if verb == "compile" {
        run.compile()?;
        return Ok(0);
    }
    ensure!(
        File::open(&run.module).is_ok(),
        "{} can't be read, so that its refusal later would show nothing",
        run.module.display()
    );
    let code = run.run(|_, _| Ok(()))?;
    // What the kernel would have refused must not pass because nothing is enforced.
    ensure!(
        File::open(&run.module)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied),
        "{} can still be opened after the run: nothing is enforced",
        run.module.display()
    );
    Ok(code)
}
