//! The thread of the host's that starts a worker and is there for as long as the worker is.
//!
//! The kernel kills a worker when the *thread* that started it ends, so each worker gets a thread of its own. That
//! thread is started by the one that asks for the worker, and so is under the same restrictions.

use std::{
    io,
    net::Shutdown,
    os::unix::net::UnixStream,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
};

use nix::{
    errno::Errno,
    sys::wait::{Id, WaitPidFlag, waitid},
    unistd::Pid,
};

use crate::hear::{Expected, Heard};

/// A process that is waited for by one thread and killed by others: its number stays its own until it is taken here.
#[derive(Clone, Debug)]
pub(crate) struct Process(Arc<Mutex<Child>>);

impl Process {
    fn lock(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills it, if it is still there.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.lock().kill()
    }

    /// Kills it unless it has ended, and returns whether it did.
    pub(crate) fn kill_unless_ended(&self) -> io::Result<bool> {
        let mut child = self.lock();
        let runs = child.try_wait()?.is_none();
        if runs {
            child.kill()?;
        }
        Ok(runs)
    }

    /// True if it has not ended.
    pub(crate) fn runs(&self) -> io::Result<bool> {
        Ok(self.lock().try_wait()?.is_none())
    }

    /// Waits in the kernel until it has ended, and returns how.
    fn wait(&self) -> io::Result<ExitStatus> {
        let id = i32::try_from(self.lock().id()).map_err(io::Error::other)?;
        // It stays a zombie, so that its number isn't given to another process before the lock is held.
        let left = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(Pid::from_raw(id)), left) == Err(Errno::EINTR) {}
        self.lock().wait()
    }
}

/// A worker that was started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) id: u32,
    pub(crate) output: Option<ChildStdout>,
    pub(crate) errors: Option<ChildStderr>,
}

/// A worker that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) heard: Heard,
}

/// Starts a worker. What comes of it is received once, when the kernel says that the process has ended. Nothing is read from
/// the worker before it is known what to expect.
pub(crate) fn start(
    command: Command,
    control: UnixStream,
    expected: Receiver<Expected>,
) -> io::Result<(Started, Receiver<io::Result<Ended>>)> {
    let (tell_start, start) = mpsc::sync_channel(1);
    let (tell_end, end) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("keeps a worker".to_owned())
        .spawn(move || keep(command, control, expected, &tell_start, &tell_end))?;
    let started = start.recv().map_err(|_| panicked())??;
    Ok((started, end))
}

/// The error of a host's thread that ended before it had told what it was there for.
pub(crate) fn panicked() -> io::Error {
    io::Error::other("the host's thread for this worker panicked")
}

fn keep(
    command: Command,
    control: UnixStream,
    expected: Receiver<Expected>,
    tell_start: &SyncSender<io::Result<Started>>,
    tell_end: &SyncSender<io::Result<Ended>>,
) {
    let (process, listener) = match begin(command, &control, expected) {
        Ok((started, listener)) => {
            let process = started.process.clone();
            let _asked = tell_start.send(Ok(started));
            (process, listener)
        }
        Err(error) => {
            let _asked = tell_start.send(Err(error));
            return;
        }
    };
    let status = process.wait();
    // Everything that the worker has said is here by now. Should a child of its hold the other end, that one is not
    // waited for: after this, what has come is read, and then the stream ends.
    let _closed = control.shutdown(Shutdown::Both);
    let heard = listener.join();
    let ended = status.and_then(|status| {
        let heard = heard.map_err(|_| {
            io::Error::other("the host's thread that reads from this worker panicked")
        })?;
        Ok(Ended { status, heard })
    });
    let _waited_for = tell_end.send(ended);
}

type Listener = thread::JoinHandle<Heard>;

/// Starts the process, and a thread that listens to it.
fn begin(
    mut command: Command,
    control: &UnixStream,
    expected: Receiver<Expected>,
) -> io::Result<(Started, Listener)> {
    let mut control = control.try_clone()?;
    let mut child = command.spawn()?;
    // The command holds on to the worker's end of the socket.
    drop(command);
    let id = child.id();
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let process = Process(Arc::new(Mutex::new(child)));
    let its = process.clone();
    let listener = thread::Builder::new()
        .name("from the worker".to_owned())
        .spawn(move || {
            // Nobody has asked anything of a worker that was started and not used.
            let Ok(expected) = expected.recv() else {
                return Heard::default();
            };
            let heard = Heard::listen(&mut control, expected);
            if heard.violation.is_some() {
                // It may have ended by itself.
                let _gone = its.kill();
            }
            heard
        })
        .inspect_err(|_| {
            let _gone = process.kill();
            let _gone = process.wait();
        })?;
    let started = Started {
        process,
        id,
        output,
        errors,
    };
    Ok((started, listener))
}
