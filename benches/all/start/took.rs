//! One start, timed: a worker's or a process's.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use wasix_landlock_worker::{End, Launcher, Request, Worker, WorkerStreams};

/// The time until the first byte of output, and until the end is known.
pub type Took = (Duration, Duration);

/// Starts a worker.
///
/// # Errors
/// A worker that fails.
pub fn of_worker(launcher: &Launcher, request: &Request) -> anyhow::Result<Took> {
    let begun = Instant::now();
    let streams = WorkerStreams {
        errors: Stdio::inherit(),
        ..WorkerStreams::piped()
    };
    of_started(launcher.spawn(request, streams)?, begun)
}

/// Waits for a worker.
pub fn of_started(mut worker: Worker, begun: Instant) -> anyhow::Result<Took> {
    let output = worker.output().context("no pipe")?;
    let (first, rest) = first_byte(output, begun)?;
    let end = worker.wait(None)?.end;
    let ended = begun.elapsed();
    ensure!(end == End::Exited(0), "{end:?}");
    let _rest = rest.join();
    Ok((first, ended))
}

/// Starts a process.
///
/// # Errors
/// A process that fails.
pub fn of_process(mut command: Command) -> anyhow::Result<Took> {
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("no pipe")?;
    let (first, rest) = first_byte(output, begun)?;
    let status = child.wait()?;
    let ended = begun.elapsed();
    ensure!(status.success(), "{command:?}: {status}");
    let _rest = rest.join();
    Ok((first, ended))
}

/// Waits for a byte. The rest is read by a thread, since whoever prints more must not wait for a reader.
fn first_byte(
    mut output: impl Read + Send + 'static,
    begun: Instant,
) -> anyhow::Result<(Duration, std::thread::JoinHandle<()>)> {
    output.read_exact(&mut [0]).context("it printed nothing")?;
    let first = begun.elapsed();
    let rest = std::thread::spawn(move || {
        let _closed = std::io::copy(&mut output, &mut std::io::sink());
    });
    Ok((first, rest))
}
