//! A worker that was started, and how it ended.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{ChildStderr, ChildStdout},
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use nix::libc::SIGKILL;
use wasix_landlock::Report;

use crate::{
    hear::Heard,
    keep::{self, Ended, Started},
    word::Word,
};

/// A worker. Dropping it kills it.
///
/// ```no_run
/// use std::time::Duration;
/// use wasix_landlock_worker::{End, Launcher, Request, WorkerStreams};
///
/// let launcher = Launcher::new("/usr/libexec/wasix-landlock-worker");
/// let mut worker = launcher.spawn(&Request::module_file("guest.wasm"), WorkerStreams::inherit())?;
/// match worker.wait(Some(Duration::from_secs(10)))?.end {
///     End::Exited(code) => println!("exit code {code}"),
///     End::Overdue => println!("it took too long, and was killed"),
///     other => println!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Worker {
    started: Started,
    /// Comes once, when the process has ended.
    ended: Receiver<io::Result<Ended<Heard>>>,
    outcome: Option<Outcome>,
}

/// The end of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The module ran to its end, with this exit code.
    Exited(i32),
    /// The module trapped, with this reason.
    Trapped(String),
    /// The module never ran, with this reason: it couldn't be compiled or linked, or a protection can't be enforced.
    Failed(String),
    /// The worker sent a message that a worker never sends, such as an artifact that the request didn't ask for, and the
    /// host killed it. The text describes the message. Native code has taken the worker over, or the worker is of another
    /// version of this crate.
    Violated(String),
    /// A signal ended the worker's process: it crashed, aborted for lack of memory, or was killed.
    Died {
        /// The signal's number.
        signal: i32,
    },
    /// The worker's process ended without a message.
    Vanished {
        /// The exit status.
        status: i32,
    },
    /// The host killed the worker at its deadline.
    Overdue,
}

/// The results of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The end of the worker. The kernel reports [`End::Died`], [`End::Vanished`] and [`End::Overdue`]; the host reports
    /// [`End::Violated`]. The worker itself reports the others, so a module that has taken it over can forge them. The
    /// host keeps 16 KiB of a message, and escapes control characters.
    pub end: End,
    /// The report of the restriction, if the worker sent one. The worker sends it before it looks at the module, and the
    /// host accepts no other message before. It is always there with [`End::Exited`] and [`End::Trapped`].
    pub report: Option<Report>,
    /// The compiled module, if the request asked for it. Loading it means trusting the worker and the module: see
    /// [`Request::artifact`](crate::Request::artifact).
    pub artifact: Option<Vec<u8>>,
}

/// An error of waiting for a worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The system refused.
    #[error("the worker can't be waited for: {0}")]
    System(#[from] io::Error),
}

impl Worker {
    pub(crate) fn new(started: Started, ended: Receiver<io::Result<Ended<Heard>>>) -> Self {
        Self {
            started,
            ended,
            outcome: None,
        }
    }

    /// Returns the process's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.started.id
    }

    /// Takes the pipe with the module's output, if there is one.
    pub fn output(&mut self) -> Option<ChildStdout> {
        self.started.output.take()
    }

    /// Takes the pipe with the module's errors, if there is one.
    pub fn errors(&mut self) -> Option<ChildStderr> {
        self.started.errors.take()
    }

    /// Kills the worker. The outcome is [`End::Died`], unless the worker has ended before.
    ///
    /// # Errors
    ///
    /// [`WaitError::System`].
    pub fn kill(&mut self) -> Result<(), WaitError> {
        Ok(self.started.process.kill()?)
    }

    /// Waits until the worker's process has ended, or kills it after `time`.
    ///
    /// The call waits for this process only, not for another process that holds an end of its socket or pipes. A second
    /// call returns the same outcome, without the artifact.
    ///
    /// A module that writes to a pipe waits for a reader: read [`output`](Self::output) and
    /// [`errors`](Self::errors) in threads of their own.
    ///
    /// # Errors
    ///
    /// [`WaitError::System`].
    pub fn wait(&mut self, time: Option<Duration>) -> Result<Outcome, WaitError> {
        if let Some(outcome) = &self.outcome {
            return Ok(outcome.clone());
        }
        let mut overdue = false;
        let ended = match time.map(|time| self.ended.recv_timeout(time)) {
            Some(Ok(ended)) => ended,
            Some(Err(RecvTimeoutError::Timeout)) => {
                // The kernel knows best whether it has ended in time.
                overdue = self.started.process.kill_unless_ended()?;
                self.receive()
            }
            Some(Err(RecvTimeoutError::Disconnected)) | None => self.receive(),
        }?;
        let outcome = judge(ended, overdue);
        self.outcome = Some(Outcome {
            end: outcome.end.clone(),
            report: outcome.report.clone(),
            artifact: None,
        });
        Ok(outcome)
    }

    /// True if the process has not ended.
    pub(crate) fn runs(&self) -> io::Result<bool> {
        self.started.process.runs()
    }

    fn receive(&self) -> io::Result<Ended<Heard>> {
        self.ended.recv().map_err(|_| keep::panicked())?
    }
}

/// Determines how a worker ended, from the kernel's report, then the host's, then the worker's.
fn judge(Ended { status, heard }: Ended<Heard>, overdue: bool) -> Outcome {
    let killed = status.signal();
    let end = if let Some(why) = heard.violation {
        End::Violated(why)
    } else if overdue && killed == Some(SIGKILL) {
        End::Overdue
    } else if let Some(signal) = killed {
        End::Died { signal }
    } else {
        match heard.end {
            Some(word) if status.success() => word.into(),
            _ => End::Vanished {
                status: status.code().unwrap_or_default(),
            },
        }
    };
    Outcome {
        end,
        report: heard.report,
        artifact: heard.artifact,
    }
}

impl From<Word> for End {
    fn from(word: Word) -> Self {
        match word {
            Word::Exited(code) => Self::Exited(code),
            Word::Trapped(why) => Self::Trapped(why),
            Word::Failed(why) => Self::Failed(why),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.outcome.is_none() {
            // It may have ended already.
            let _gone = self.started.process.kill();
            let _gone = self.ended.recv();
        }
    }
}
