//! Starting a worker that was taken over.

use std::{env, fs};

use wasix_landlock_worker::{Launcher, Mode, Request, Worker, WorkerStreams};

/// A worker that does what is named, see `rogue_worker.rs`.
pub fn rogue(acts: &[&str]) -> Launcher {
    let tests = env::current_exe().unwrap();
    let examples = tests.parent().unwrap().parent().unwrap().join("examples");
    // Where an ordinary user can start it too.
    let program = env::temp_dir().join("rogue");
    if !program.exists() {
        fs::copy(examples.join("rogue_worker"), &program).unwrap();
    }
    acts.iter().fold(Launcher::new(program), |launcher, act| {
        launcher.argument(*act)
    })
}

/// Nothing that it is asked for matters to it.
pub fn request() -> Request {
    Request::module([]).mode(Mode::Enforce)
}

pub fn start(acts: &[&str]) -> Worker {
    rogue(acts)
        .spawn(&request(), WorkerStreams::piped())
        .unwrap()
}
