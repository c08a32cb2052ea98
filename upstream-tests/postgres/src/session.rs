//! A session: statements in, what is printed out, around it the scope that is enforced.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use wasix_landlock_testing::end_within;
use wasix_landlock_worker::{
    Access, End, Input, Launcher, Profile, Request as WorkerRequest, WorkerStreams,
};

use crate::assets::Assets;
use crate::guest::Request;
use crate::places::Places;
use crate::{CHILD, WORKER};

/// The time that a program may take. Nothing is compiled in this time but what a worker has to.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The end of a program.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// The standard output.
    pub output: String,
    /// The standard error.
    pub errors: String,
}

impl Ended {
    /// Fails unless the program ended well and printed each of these.
    pub fn has_printed(&self, lines: &[&str]) -> anyhow::Result<()> {
        ensure!(self.code == 0, "exit code {}: {}", self.code, self.errors);
        for line in lines {
            ensure!(
                self.output.contains(line),
                "no {line:?} in {}{}",
                self.output,
                self.errors
            );
        }
        let wrong = ["ERROR:", "FATAL:", "PANIC:"]
            .iter()
            .find(|word| self.errors.contains(**word));
        ensure!(wrong.is_none(), "{}", self.errors);
        Ok(())
    }
}

/// The arguments of a session of one user, on the data directory `/data`. If it syncs, what is committed is on the disk.
fn single_user(syncs: bool) -> Vec<String> {
    let sync = if syncs { "on" } else { "off" };
    let arguments = format!(
        "--single -c fsync={sync} -c synchronous_commit=on -c full_page_writes=on -D /data postgres"
    );
    arguments.split(' ').map(str::to_owned).collect()
}

/// A request for a session of one user.
pub fn session(data: &Path, harden: bool) -> Request {
    Request {
        program: "postgres".to_owned(),
        arguments: single_user(true),
        data: data.to_owned(),
        harden,
        port: None,
    }
}

/// Does `statements`, one a line, on the data directory `data`.
pub fn run_session(data: &Path, harden: bool, statements: &str) -> anyhow::Result<Ended> {
    run_program(&session(data, harden), statements)
}

/// Looks at a copy of a data directory, which nobody needs any more: what it writes needn't get to the disk.
pub fn look_at_copy(data: &Path, statements: &str) -> anyhow::Result<Ended> {
    let request = Request {
        arguments: single_user(false),
        ..session(data, false)
    };
    run_program(&request, statements)
}

/// The command of a session that does the statements that it reads.
pub fn session_command(data: &Path) -> anyhow::Result<Command> {
    command(&session(data, false))
}

/// The command that runs the request in a process of its own.
fn command(request: &Request) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(CHILD).arg(argument(request)?);
    Ok(command)
}

/// The argument of a process that runs the request.
fn argument(request: &Request) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&(request, Assets::get()?.files))?)
}

/// Runs a program to its end.
pub fn run_program(request: &Request, input: &str) -> anyhow::Result<Ended> {
    run_to_the_end(command(request)?, &request.program, input)
}

/// Runs a program to its end on Wasmer as published, by this program of `upstream-tests/baseline`.
pub fn run_upstream(upstream: &Path, request: &Request, input: &str) -> anyhow::Result<Ended> {
    let mut command = Command::new(upstream);
    command.arg(argument(request)?);
    run_to_the_end(command, &request.program, input)
}

fn run_to_the_end(mut command: Command, program: &str, input: &str) -> anyhow::Result<Ended> {
    let scratch = tempfile::tempdir()?;
    let path = |name| scratch.path().join(name);
    fs::write(path("input"), input)?;
    let mut child = command
        .stdin(File::open(path("input"))?)
        .stdout(File::create(path("output"))?)
        .stderr(File::create(path("errors"))?)
        .spawn()?;
    let Some(status) = end_within(&mut child, TIMEOUT)? else {
        bail!(
            "{program} took over {TIMEOUT:?}: {}",
            fs::read_to_string(path("errors"))?
        );
    };
    let read = |name| -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(path(name))?).into_owned())
    };
    Ok(Ended {
        code: status.code().with_context(|| format!("{status}"))?,
        output: read("output")?,
        errors: read("errors")?,
    })
}

/// Does `statements` as [`run_session`] does, in a worker.
pub fn run_worker(places: &Places, data: &Path, statements: &str) -> anyhow::Result<Ended> {
    let profile = Profile::as_without()
        .preopen(|p| {
            p.directory(&places.assets.files.pglite)
                .alias("/pglite")
                .read(true)
        })?
        .preopen(|p| p.directory(data).alias("/data").access(Access::ALL))?
        .arguments(single_user(true));
    let asked = WorkerRequest::artifact(places.artifact.clone())
        .program("/pglite/bin/postgres")
        .profile(profile);
    let scratch = tempfile::tempdir()?;
    let path = |name| scratch.path().join(name);
    let streams = WorkerStreams {
        input: Input::Bytes(statements.into()),
        output: File::create(path("output"))?.into(),
        errors: File::create(path("errors"))?.into(),
    };
    let launcher = Launcher::new(std::env::current_exe()?).argument(WORKER);
    let outcome = launcher.spawn(&asked, streams)?.wait(Some(TIMEOUT))?;
    let errors = fs::read_to_string(path("errors"))?;
    let End::Exited(code) = outcome.end else {
        bail!("{:?}: {errors}", outcome.end);
    };
    let report = outcome.report.context("the worker sent no report")?;
    ensure!(report.enforced, "nothing is enforced: {report}");
    Ok(Ended {
        code,
        output: fs::read_to_string(path("output"))?,
        errors,
    })
}

/// Copies a directory.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let status = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .stdin(Stdio::null())
        .status()?;
    ensure!(status.success(), "can't copy {}", from.display());
    Ok(())
}

/// Writes `insert` and a report of it for each number from `first` on.
pub fn write_commits(to: &Path, first: u64, count: u64) -> anyhow::Result<()> {
    let mut file = std::io::BufWriter::new(File::create(to)?);
    for number in first..first + count {
        writeln!(
            file,
            "insert into k values ({number}, repeat('x', {}));",
            number % 700
        )?;
        writeln!(file, "select 'reported {number}';")?;
        if number % 200 == 0 {
            writeln!(file, "checkpoint;")?;
        }
    }
    Ok(file.flush()?)
}
