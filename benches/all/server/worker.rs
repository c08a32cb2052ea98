//! A worker for each request.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use wasix_landlock_engine::engine;
use wasix_landlock_front::Answer;
use wasix_landlock_worker::{Compiler, End, Launcher, Profile, Request, WorkerStreams};
use wasmer::Module;

use super::page;

/// Compiles the module, and keeps it where the workers find it.
///
/// # Errors
/// An error of the compiler or the file system.
pub fn compile(directory: &Path) -> anyhow::Result<PathBuf> {
    let file = directory.join("artifact");
    let module = Module::new(&engine(Compiler::Cranelift), page::text())?;
    std::fs::write(&file, module.serialize()?)?;
    Ok(file)
}

/// Serves by a worker for each request. The server itself stays as it is.
///
/// # Errors
/// An address or a module that can't be served.
pub fn serve(directory: &Path, artifact: &Path) -> anyhow::Result<()> {
    let launcher = Launcher::new(std::env::current_exe()?).argument("worker");
    let profile = Profile::as_without().preopen(|p| {
        p.directory(directory)
            .alias(page::PREOPEN)
            .read(true)
            .write(true)
            .create(true)
    })?;
    let request = Request::artifact_file(artifact)
        .compiler(Compiler::Cranelift)
        .profile(profile);
    wasix_landlock_front::serve(move |_| {
        let (launcher, request) = (launcher.clone(), request.clone());
        let answer: Answer = Box::new(move || answer(&launcher, &request));
        Ok(answer)
    })
}

fn answer(launcher: &Launcher, request: &Request) -> anyhow::Result<Vec<u8>> {
    let streams = WorkerStreams {
        errors: std::process::Stdio::inherit(),
        ..WorkerStreams::piped()
    };
    let mut worker = launcher.spawn(request, streams)?;
    let mut page = Vec::with_capacity(page::PAGE);
    let mut output = worker.output().context("no pipe")?;
    output.read_to_end(&mut page)?;
    let end = worker.wait(None)?.end;
    ensure!(end == End::Exited(0), "{end:?}");
    Ok(page)
}
