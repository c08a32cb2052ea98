//! Threads of its own for each request, under a policy of its own.

use std::path::Path;

use anyhow::ensure;
use wasix_landlock_engine::engine;
use wasix_landlock_front::Answer;
use wasix_landlock_profile::Compiler;
use wasmer::Module;
use wasmer_wasix::landlock::Instance;
use wasmer_wasix::virtual_fs::Pipe;

use super::page;
use super::serve::read_page;

/// Serves by an instance of its own threads for each request. The server itself stays as it is.
///
/// # Errors
/// An address or a module that can't be served.
pub fn serve(directory: &Path) -> anyhow::Result<()> {
    let engine = engine(Compiler::Cranelift);
    let module = Module::new(&engine, page::text())?;
    let directory = directory.to_owned();
    wasix_landlock_front::serve(move |_| {
        let (engine, module, directory) = (engine.clone(), module.clone(), directory.clone());
        let answer: Answer = Box::new(move || {
            let (theirs, mut output) = Pipe::channel();
            let (engine, module) = (engine.clone(), module.clone());
            let running = Instance::new("page")
                .preopen(|p| {
                    p.directory(&directory)
                        .alias(page::PREOPEN)
                        .read(true)
                        .write(true)
                        .create(true)
                })?
                .spawn(move |inside| {
                    inside.run("page", module, &engine, |runner| {
                        runner.with_stdout(Box::new(theirs));
                    })
                })?;
            let code = running.join()?.value?;
            ensure!(code == 0, "the module's exit code is {code}");
            read_page(&mut output)
        });
        Ok(answer)
    })
}
