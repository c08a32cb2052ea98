//! The program of a container as its configuration names it: the module, its arguments and its variables.

use std::{borrow::Cow, fs, io::ErrorKind, panic, path::Path, process, sync::Mutex, thread};

use anyhow::{Context as _, ensure};
use oci_spec::runtime::{Process, Spec};
use wasix_landlock_profile::Profile;

use crate::artifact::Module;

/// The exit code of a container whose module was not run, or trapped.
pub(crate) const FAILED: i32 = 125;

/// Checks that the container has a module.
///
/// # Errors
/// As [`name`] and [`read`].
pub(crate) fn check(spec: &Spec, module: &Module) -> anyhow::Result<()> {
    let process = process_of(spec)?;
    name(process)?;
    read(process, module).map(drop)
}

/// The reason for the end of a container whose limit of threads Wasmer has met.
pub(crate) const NO_THREADS: &str = "the container may not start another thread, and Wasmer needs one; raise its limit of processes and threads";

/// The number of threads that can be started unless the limit is near.
const SCARCE: usize = 64;

/// Ends the process if one of its threads panics: nobody catches that, and the container would not end. Prints one line.
pub(crate) fn exit_at_panics() {
    static FIRST: Mutex<()> = Mutex::new(());
    panic::set_hook(Box::new(|panicked| {
        // Not let go: a second thread waits here for the end.
        let _first = FIRST.lock();
        let fault = panicked.to_string().replace('\n', " ");
        match threads_are_scarce() {
            true => eprintln!("wasix-landlock: {NO_THREADS} ({fault})"),
            false => eprintln!("wasix-landlock: the shim has a fault: {fault}"),
        }
        process::exit(FAILED);
    }));
}

/// True if the container's limit of threads is near: a panic for lack of a thread doesn't say so in a type. Others may have
/// ended since then, so many are tried. They stay until the process ends.
fn threads_are_scarce() -> bool {
    (0..SCARCE).any(|_| match thread::Builder::new().spawn(thread::park) {
        Err(error) => error.kind() == ErrorKind::WouldBlock,
        Ok(_) => false,
    })
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

/// The module's bytes: the image's Wasm layer, or the file that the container's first argument names.
///
/// # Errors
/// A file that can't be read or is no module, and a layer that is none.
pub(crate) fn read<'m>(process: &Process, module: &'m Module) -> anyhow::Result<Cow<'m, [u8]>> {
    if let Module::Layer(bytes) = module {
        ensure!(
            is_module(bytes),
            "the image's Wasm layer is no WebAssembly module"
        );
        return Ok(Cow::Borrowed(bytes));
    }
    let program = process.cwd().join(path(process)?);
    let bytes = fs::read(&program).with_context(|| {
        let unread = format!("can't read the module {} in the image", program.display());
        match module {
            Module::Unknown(reason) => {
                format!("{unread}, and containerd was not asked for a Wasm layer ({reason})")
            }
            _ => unread,
        }
    })?;
    ensure!(
        is_module(&bytes),
        "{} is no WebAssembly module; the container's first argument has to name one",
        program.display()
    );
    Ok(Cow::Owned(bytes))
}

fn is_module(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm")
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
