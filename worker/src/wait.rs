//! A worker that was started, and how it ended.

use std::{
    io,
    os::unix::{net::UnixStream, process::ExitStatusExt},
    process::{Child, ChildStderr, ChildStdout, ExitStatus},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use wasix_landlock::Report;

use crate::frame::{self, kind};

/// A worker. Dropping it kills it.
///
/// ```no_run
/// use std::time::Duration;
/// use wasix_landlock_worker::{End, Launcher, Request, Streams};
///
/// let launcher = Launcher::new("/usr/libexec/wasix-landlock-worker");
/// let mut worker = launcher.spawn(&Request::module_file("guest.wasm"), Streams::inherit())?;
/// match worker.wait(Some(Duration::from_secs(10)))?.end {
///     End::Exited(code) => println!("exit code {code}"),
///     End::Overdue => println!("it took too long, and was killed"),
///     other => println!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Worker {
    child: Child,
    /// What it says, as a thread of its own reads it: a worker that stops in the middle must not stop the host.
    frames: Receiver<(u8, Vec<u8>)>,
    report: Option<Report>,
    artifact: Option<Vec<u8>>,
    end: Option<End>,
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum End {
    /// The module ran to its end, with this exit code.
    Exited(i32),
    /// The module trapped: why, in words.
    Trapped(String),
    /// The module never ran: why, in words. It couldn't be compiled or linked, or something can't be enforced.
    Failed(String),
    /// The worker's process died of this signal: it crashed, aborted for lack of memory, or somebody killed it.
    Died {
        /// The signal's number.
        signal: i32,
    },
    /// The worker's process ended without saying why.
    Vanished {
        /// Its exit status.
        status: i32,
    },
    /// It took longer than it had, and was killed.
    Overdue,
}

/// What a worker has left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// How it ended. [`End::Died`] and [`End::Overdue`] are the kernel's word; the others are
    /// the worker's own, which a module that has taken it over can make up.
    pub end: End,
    /// What was enforced; nothing if it didn't come to that. The worker sends it before it looks at the module,
    /// and the host takes the first one only.
    pub report: Option<Report>,
    /// What was compiled, if that was asked for. To load it is to trust the worker and with it the module: see
    /// [`Request::artifact`](crate::Request::artifact).
    pub artifact: Option<Vec<u8>>,
}

/// Why a worker could not be waited for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The system refused.
    #[error("the worker can't be waited for: {0}")]
    System(#[from] io::Error),
}

impl Worker {
    /// `largest` is the most that the worker may say at once.
    pub(crate) fn new(child: Child, mut control: UnixStream, largest: u64) -> io::Result<Self> {
        // More than a worker has to say; who says more waits.
        let (tell, frames) = mpsc::sync_channel(4);
        let worker = Self {
            child,
            frames,
            report: None,
            artifact: None,
            end: None,
        };
        thread::Builder::new()
            .name("from the worker".to_owned())
            .spawn(move || {
                while let Ok(Some(frame)) = frame::read(&mut control, largest) {
                    if tell.send(frame).is_err() {
                        break;
                    }
                }
            })?;
        Ok(worker)
    }

    /// The process's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The module's output, if it was to go to a pipe, once.
    pub fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The module's errors, if they were to go to a pipe, once.
    pub fn errors(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Kills it. The outcome is [`End::Died`].
    ///
    /// # Errors
    ///
    /// [`WaitError::System`].
    pub fn kill(&mut self) -> Result<(), WaitError> {
        Ok(self.child.kill()?)
    }

    /// Waits until it has ended, or kills it when that takes longer than `time`.
    ///
    /// A module that writes to a pipe waits for a reader: read [`output`](Self::output) and
    /// [`errors`](Self::errors) in threads of their own.
    ///
    /// # Errors
    ///
    /// [`WaitError::System`].
    pub fn wait(&mut self, time: Option<Duration>) -> Result<Outcome, WaitError> {
        let until = time.map(|time| Instant::now() + time);
        let mut overdue = false;
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let frame = match left {
                Some(left) => self.frames.recv_timeout(left),
                None => self
                    .frames
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
            };
            match frame {
                Ok(frame) => self.take(frame),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    overdue = true;
                    self.child.kill()?;
                    break;
                }
            }
        }
        // Its end of the socket is closed. Should that not be its end, the deadline holds nevertheless.
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if !overdue && until.is_some_and(|until| Instant::now() >= until) {
                overdue = true;
                self.child.kill()?;
            }
            thread::sleep(Duration::from_micros(200));
        };
        Ok(Outcome {
            end: self.judge(status, overdue),
            report: self.report.take(),
            artifact: self.artifact.take(),
        })
    }

    /// Takes what it says, each thing once. The rest is nothing to go by.
    fn take(&mut self, (kind, bytes): (u8, Vec<u8>)) {
        match kind {
            kind::REPORT if self.report.is_none() => {
                self.report = serde_json::from_slice(&bytes).ok();
            }
            kind::ARTIFACT if self.artifact.is_none() => self.artifact = Some(bytes),
            kind::END if self.end.is_none() => self.end = serde_json::from_slice(&bytes).ok(),
            _ => {}
        }
    }

    fn judge(&mut self, status: ExitStatus, overdue: bool) -> End {
        if overdue {
            return End::Overdue;
        }
        if let Some(signal) = status.signal() {
            return End::Died { signal };
        }
        match self.end.take() {
            Some(end) if status.success() => end,
            _ => End::Vanished {
                status: status.code().unwrap_or_default(),
            },
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already, and been waited for.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _gone = self.child.kill();
            let _gone = self.child.wait();
        }
    }
}
