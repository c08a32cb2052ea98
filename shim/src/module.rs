//! The module of a container: restricts this process, then compiles and runs the module.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, RawFd},
    panic,
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context as _, bail, ensure};
use oci_spec::runtime::{Process, Spec};
use tokio::signal::unix::{SignalKind, signal};
use wasix_landlock_engine::limited;
use wasix_landlock_profile::Profile;
use wasmer_wasix::landlock::{Instance, InstanceRuntime, with_causes};

use crate::{grants, settings::Settings};

/// The exit code of a container whose module was not run, or trapped.
const FAILED: i32 = 125;

/// The signals that end the module. The first process of a PID namespace ignores what it doesn't handle.
const ENDING: [SignalKind; 3] = [
    SignalKind::terminate(),
    SignalKind::interrupt(),
    SignalKind::quit(),
];

/// Checks that the container's first argument names a module.
///
/// # Errors
/// A configuration without arguments, and a file that can't be read or is no module.
pub(crate) fn check(spec: &Spec) -> anyhow::Result<()> {
    read(process_of(spec)?).map(drop)
}

/// Runs the module of a container, and returns the exit code of the container. Prints one line for each denial, and
/// for an error, to standard error.
pub(crate) fn run(spec: &Spec, settings: &Settings) -> i32 {
    // Nobody catches a panic of another thread, and the container would not end.
    panic::set_hook(Box::new(|panicked| {
        eprintln!("wasix-landlock: the shim has a fault: {panicked}");
        process::exit(FAILED);
    }));
    match try_run(spec, settings) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("wasix-landlock: {}", with_causes(error.as_ref()));
            FAILED
        }
    }
}

fn try_run(spec: &Spec, settings: &Settings) -> anyhow::Result<i32> {
    let process = process_of(spec)?;
    let bytes = read(process)?;
    let profile = grants::add(settings.profile.clone(), spec, settings.root)?;
    let profile = with_process(profile, process);

    // The shim's own log is none of the module's.
    log::set_max_level(log::LevelFilter::Off);
    let report = settings.report.lock().ok().and_then(|mut file| file.take());
    let report = report.context("the container was run before")?;
    close_inherited(report.as_raw_fd())?;
    print_denials()?;
    let inside = restrict(&profile, settings.harden)?;
    serde_json::to_writer(report, &**inside.report())
        .context("the report can't be written into the container's bundle")?;
    end_by_signals(&inside)?;

    // Everything that depends on the module comes after.
    let engine = limited(settings.compiler, &profile.limits);
    let module = inside.compile(&engine, bytes);
    let module = module.context("the module can't be compiled")?;
    let name = program(process)?.file_stem().unwrap_or_default();
    let cwd = process.cwd();
    let is_granted = |preopen: &PathBuf| cwd.starts_with(preopen);
    let starts_in = profile
        .preopens
        .iter()
        .map(|preopen| &preopen.host)
        .any(is_granted);
    inside.run(&name.to_string_lossy(), module, &engine, |runner| {
        if starts_in {
            runner.with_current_dir(cwd);
        }
    })
}

fn process_of(spec: &Spec) -> anyhow::Result<&Process> {
    let process = spec.process().as_ref();
    process.context("the container's configuration has no process")
}

/// The path of the module: the container's first argument.
fn program(process: &Process) -> anyhow::Result<&Path> {
    let program = process
        .args()
        .as_ref()
        .and_then(|arguments| arguments.first());
    let program =
        program.context("the container has no arguments; the first one names the module")?;
    Ok(Path::new(program))
}

fn read(process: &Process) -> anyhow::Result<Vec<u8>> {
    let program = process.cwd().join(program(process)?);
    let bytes = fs::read(&program)
        .with_context(|| format!("can't read the module {} in the image", program.display()))?;
    ensure!(
        bytes.starts_with(b"\0asm"),
        "{} is no WebAssembly module; the container's first argument has to name one",
        program.display()
    );
    Ok(bytes)
}

fn with_process(mut profile: Profile, process: &Process) -> Profile {
    let arguments = process.args().iter().flatten().skip(1).cloned();
    profile.arguments.extend(arguments);
    for variable in process.env().iter().flatten() {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        profile
            .environment
            .insert(name.to_owned(), value.to_owned());
    }
    profile
}

fn restrict(profile: &Profile, harden: bool) -> anyhow::Result<InstanceRuntime> {
    let instance = Instance::new("container").landlock(|policy| match harden {
        true => policy.harden(),
        false => policy,
    });
    Ok(instance.profile(profile)?.take_process()?)
}

/// Closes what the shim and `libcontainer` have open but the three streams and the report: native code of a module would
/// have it.
fn close_inherited(report: RawFd) -> anyhow::Result<()> {
    let mut open = Vec::new();
    for entry in fs::read_dir("/proc/self/fd").context("the container needs /proc; mount it")? {
        let number: RawFd = entry?.file_name().to_string_lossy().parse()?;
        if number > 2 && number != report {
            open.push(number);
        }
    }
    for number in open {
        match nix::unistd::close(number) {
            // The listing's own, which is closed by now.
            Ok(()) | Err(nix::errno::Errno::EBADF) => {}
            Err(error) => bail!("descriptor {number} can't be closed: {error}"),
        }
    }
    Ok(())
}

/// Prints denials to the container's log, one line each.
fn print_denials() -> anyhow::Result<()> {
    let denials = tracing_subscriber::fmt()
        .with_env_filter("error,wasix_landlock=warn")
        .with_writer(io::stderr)
        .without_time()
        .with_ansi(false)
        .finish();
    // Not `init`, which takes the messages of the crate `log` as well: the shim has a logger for them.
    tracing::subscriber::set_global_default(denials).context("denials can't be printed")
}

/// Ends the container when it is asked to stop, with the exit code that a shell gives to the signal.
fn end_by_signals(inside: &InstanceRuntime) -> anyhow::Result<()> {
    let _tokio = inside.tokio().enter();
    for kind in ENDING {
        let mut asked = signal(kind).context("signals can't be handled")?;
        inside.tokio().spawn(async move {
            asked.recv().await;
            process::exit(128 + kind.as_raw_value());
        });
    }
    Ok(())
}
