//! The enforcement around a run on the fork.

use std::fs::File;
use std::io::ErrorKind;

use anyhow::ensure;
use wasmer_wasix::landlock::Network;
use wasmer_wasix::runners::wasi::WasiRunner;

use crate::guest::{Files, NOT_RUN, Request};

/// Has the runner enforce the request's grants, and ends the process if nothing is enforced.
///
/// # Errors
/// An open that fails before anything is enforced, whose refusal would show nothing.
pub fn prepare(runner: &mut WasiRunner, request: &Request, files: &Files) -> anyhow::Result<()> {
    let outside = files.compiled.clone();
    ensure!(
        File::open(&outside).is_ok(),
        "{} can't be opened, so its refusal shows nothing",
        outside.display()
    );
    // A run that enforcement would have stopped must not pass because there was none.
    let refused = move || {
        File::open(&outside).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    };
    if request.harden {
        runner.with_landlock(|policy| policy.harden());
    }
    if let Some(port) = request.port {
        runner.with_landlock(|policy| policy.network(Network::none().bind(port).connect(port)));
    }
    runner.with_on_enforced(move |report| {
        if !report.enforced || !refused() {
            eprintln!("nothing is enforced: {report}");
            std::process::exit(NOT_RUN.into());
        }
    });
    Ok(())
}
