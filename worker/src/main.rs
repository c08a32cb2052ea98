//! A worker: started by `wasix_landlock_worker::Launcher`, which tells it what to run.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    wasix_landlock_worker::serve()
}
