//! The program of a container as its configuration names it: the module, its arguments and its variables.

use std::{borrow::Cow, fs, panic, path::Path, process};

use anyhow::{Context as _, ensure};
use oci_spec::runtime::{Process, Spec};
use wasix_landlock_profile::Profile;

/// The exit code of a container whose module was not run, or trapped.
pub(crate) const FAILED: i32 = 125;

/// Checks that the container's first argument names a module.
///
/// # Errors
/// A configuration without arguments, and a file that can't be read or is no module.
pub(crate) fn check(spec: &Spec) -> anyhow::Result<()> {
    read(process_of(spec)?).map(drop)
}

/// Ends the process if one of its threads panics: nobody catches that, and the container would not end.
pub(crate) fn exit_at_panics() {
    panic::set_hook(Box::new(|panicked| {
        eprintln!("wasix-landlock: the shim has a fault: {panicked}");
        process::exit(FAILED);
    }));
}

/// The container's process.
///
/// # Errors
/// A configuration without one.
pub(crate) fn process_of(spec: &Spec) -> anyhow::Result<&Process> {
    let process = spec.process().as_ref();
    process.context("the container's configuration has no process")
}

/// The module's name, for the module.
///
/// # Errors
/// A configuration without arguments.
pub(crate) fn name(process: &Process) -> anyhow::Result<Cow<'_, str>> {
    Ok(path(process)?
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy())
}

/// The path of the module: the container's first argument.
fn path(process: &Process) -> anyhow::Result<&Path> {
    let program = process
        .args()
        .as_ref()
        .and_then(|arguments| arguments.first());
    let program =
        program.context("the container has no arguments; the first one names the module")?;
    Ok(Path::new(program))
}

/// Reads the module.
///
/// # Errors
/// A file that can't be read or is no module.
pub(crate) fn read(process: &Process) -> anyhow::Result<Vec<u8>> {
    let program = process.cwd().join(path(process)?);
    let bytes = fs::read(&program)
        .with_context(|| format!("can't read the module {} in the image", program.display()))?;
    ensure!(
        bytes.starts_with(b"\0asm"),
        "{} is no WebAssembly module; the container's first argument has to name one",
        program.display()
    );
    Ok(bytes)
}

/// Adds the container's arguments and variables.
pub(crate) fn with_process(mut profile: Profile, process: &Process) -> Profile {
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
