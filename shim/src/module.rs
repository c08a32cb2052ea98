//! The module of a container: restricts this process, then compiles and runs the module.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, RawFd},
    path::PathBuf,
    process,
};

use anyhow::{Context as _, bail};
use oci_spec::runtime::Spec;
use tokio::signal::unix::{SignalKind, signal};
use wasix_landlock_engine::limited;
use wasix_landlock_profile::{Ceiling, Profile};
use wasmer::CompileError;
use wasmer_wasix::landlock::{Instance, InstanceRuntime, with_causes};

use crate::{
    grants,
    program::{self, FAILED, NO_THREADS},
    settings::Settings,
};

/// The signals that end the module. The first process of a PID namespace ignores what it doesn't handle.
const ENDING: [SignalKind; 3] = [
    SignalKind::terminate(),
    SignalKind::interrupt(),
    SignalKind::quit(),
];

/// Runs the module of a container, and returns the exit code of the container. Prints one line for each denial, and
/// for an error, to standard error.
pub(crate) fn run(spec: &Spec, settings: &Settings) -> i32 {
    program::exit_at_panics();
    match try_run(spec, settings) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("wasix-landlock: {}", with_causes(error.as_ref()));
            FAILED
        }
    }
}

fn try_run(spec: &Spec, settings: &Settings) -> anyhow::Result<i32> {
    let process = program::process_of(spec)?;
    let bytes = program::read(process, &settings.module)?;
    let profile = grants::add(settings.profile.clone(), spec, settings.root)?;
    let profile = program::with_process(profile, process);

    // The shim's own log is none of the module's.
    log::set_max_level(log::LevelFilter::Off);
    let report = settings.report.lock().ok().and_then(|mut file| file.take());
    let report = report.context("the container was run before")?;
    close_inherited(report.as_raw_fd())?;
    print_denials()?;
    // Files can't be read later.
    let limits = Ceiling::limits_from_env(&profile.limits)?;
    let inside = restrict(&profile, settings.harden)?;
    // Before the report, by which others see that the container runs: a signal would be lost.
    end_by_signals(&inside)?;
    serde_json::to_writer(report, &**inside.report())
        .context("the report can't be written into the container's bundle")?;

    // Everything that depends on the module comes after.
    let engine = limited(settings.compiler, &limits);
    let module = inside.compile(&engine, bytes);
    let module = module.map_err(|error| {
        let reason = match error {
            CompileError::Resource(_) => NO_THREADS,
            _ => "the module can't be compiled",
        };
        anyhow::Error::new(error).context(reason)
    })?;
    let name = program::name(process)?;
    let cwd = process.cwd();
    let is_granted = |preopen: &PathBuf| cwd.starts_with(preopen);
    let starts_in = profile
        .preopens
        .iter()
        .map(|preopen| &preopen.host)
        .any(is_granted);
    inside.run(&name, module, &engine, |runner| {
        if starts_in {
            runner.with_current_dir(cwd);
        }
    })
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
