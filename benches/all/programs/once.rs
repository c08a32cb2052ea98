//! One sample of a program in one column.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use wasmer_wasix::landlock::MODE_VARIABLE;

use super::described;
use super::list::{Program, WORK};
use crate::context::Context;
use wasix_landlock_programs::runner::{Compiler, Measured, Run};

/// The time of all steps of a program together, in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Once {
    /// From the processes' starts to their ends.
    pub whole: f64,
    /// Without the start and without loading, where that is known.
    pub run: Option<f64>,
    /// Making the engine and loading the module, the last step's.
    pub load: f64,
    /// The most memory that a step had, in MiB.
    pub peak: f64,
}

/// Compiles the module for a column, if that column has modules, and says what that took.
///
/// # Errors
/// An error of the compiler.
pub fn prepare(
    context: &Context,
    column: &str,
    program: &Program,
    compiler: Compiler,
) -> anyhow::Result<Option<Measured>> {
    if column == "native" {
        return Ok(None);
    }
    let run = described(context, program, &program.steps[0], compiler);
    let mut command = in_column(context, column, "compile", &run)?;
    let status = command.stdout(Stdio::null()).status()?;
    ensure!(
        status.success(),
        "{} can't be compiled: {status}",
        program.name
    );
    if column == "wasmtime" {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&fs::read_to_string(
        &run.output,
    )?)?))
}

/// Runs all steps of a program once.
///
/// # Errors
/// A step that fails.
pub fn run_once(
    context: &Context,
    column: &str,
    program: &Program,
    compiler: Compiler,
) -> anyhow::Result<Once> {
    let work = context.work.join("program");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    (program.prepare)(&work)?;
    let mut once = Once::default();
    if column == "native" {
        let steps = program
            .native
            .as_ref()
            .map_err(|reason| anyhow::anyhow!("{reason}"))?;
        for step in steps {
            let (name, arguments) = step.split_first().context("no program")?;
            let mut command = Command::new(name);
            command.args(arguments.iter().map(|word| match word.strip_prefix(WORK) {
                Some(rest) => format!("{}{rest}", work.display()),
                None => word.clone(),
            }));
            once.whole += timed(&mut command, false)?;
        }
        return Ok(once);
    }
    for step in &program.steps {
        let run = described(context, program, step, compiler);
        let mut command = in_column(context, column, "run", &run)?;
        once.whole += timed(&mut command, column == "wasmtime")?;
        let measured: Measured = serde_json::from_str(&fs::read_to_string(&run.output)?)?;
        *once.run.get_or_insert(0.0) += measured.run;
        once.load = measured.load;
        once.peak = once.peak.max(measured.peak);
    }
    Ok(once)
}

/// The process of a column that does `verb` with what is described.
pub(super) fn in_column(
    context: &Context,
    column: &str,
    verb: &str,
    run: &Run,
) -> anyhow::Result<Command> {
    let description = context.work.join("run.json");
    fs::write(&description, serde_json::to_string(run)?)?;
    let mut command = match column {
        "wasmtime" => context.wasmtime()?,
        "upstream" => Command::new(context.upstream()?),
        _ => {
            let mut command = Command::new(std::env::current_exe()?);
            let mode = if column == "enforced" {
                "enforce"
            } else {
                "off"
            };
            command.arg("--sample").env(MODE_VARIABLE, mode);
            command
        }
    };
    command.arg(verb).arg(&description);
    // What a sample before this one has left would be taken for this one's.
    remove(&run.output)?;
    Ok(command)
}

fn remove(file: &Path) -> anyhow::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Runs a process, and returns its milliseconds: from its start, or from the first byte that it prints.
fn timed(command: &mut Command, from_first_byte: bool) -> anyhow::Result<f64> {
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command.stdout(if from_first_byte {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    let mut begun = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("can't start {command:?}"))?;
    // Read at the end: no program says more than a pipe holds, or the time would be a reader's.
    if let Some(mut output) = child.stdout.take() {
        output.read_exact(&mut [0])?;
        begun = Instant::now();
        let mut rest = Vec::new();
        output.read_to_end(&mut rest)?;
    }
    let mut said = String::new();
    let mut errors = child.stderr.take().context("no pipe")?;
    let status = child.wait()?;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    if !status.success() {
        errors.read_to_string(&mut said)?;
    }
    ensure!(status.success(), "{command:?}: {status}: {said}");
    Ok(took)
}
