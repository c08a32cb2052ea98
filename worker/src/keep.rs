//! The thread of the host's that starts a worker and is there for as long as the worker is.
//!
//! The kernel kills a worker when the *thread* that started it ends, so each worker gets a thread of its own. That
//! thread is started by the one that asks for the worker, and so is under the same restrictions.

use std::{
    io,
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
};

use nix::{
    errno::Errno,
    sys::wait::{Id, WaitPidFlag, waitid},
    unistd::Pid,
};

use crate::fork::{CopyProcess, Server};

/// The way in which a process is made.
pub(crate) enum Origin {
    /// A program is executed.
    Program(Command),
    /// A process makes a copy of itself, with this end of a socket as its standard input.
    Copy(Arc<Server>, OwnedFd),
}

impl Origin {
    fn begin(self) -> io::Result<Started> {
        match self {
            Self::Program(mut command) => {
                let mut child = command.spawn()?;
                Ok(Started {
                    id: child.id(),
                    output: child.stdout.take(),
                    errors: child.stderr.take(),
                    process: Process::Child(Arc::new(Mutex::new(child))),
                })
            }
            Self::Copy(server, control) => {
                let copy = server.copy(control)?;
                Ok(Started {
                    id: copy.id,
                    output: Some(copy.output),
                    errors: Some(copy.errors),
                    process: Process::Copy(Arc::new(copy.process)),
                })
            }
        }
    }
}

/// A process that is waited for by one thread and killed by others.
#[derive(Clone, Debug)]
pub(crate) enum Process {
    /// A child. Its number stays its own until the child is waited for under the lock.
    Child(Arc<Mutex<Child>>),
    Copy(Arc<CopyProcess>),
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process {
    /// Kills the process, if it is still there.
    pub(crate) fn kill(&self) -> io::Result<()> {
        match self {
            Self::Child(child) => lock(child).kill(),
            Self::Copy(copy) => copy.kill(),
        }
    }

    /// Kills the process unless it has ended, and returns whether it had not.
    pub(crate) fn kill_unless_ended(&self) -> io::Result<bool> {
        let runs = self.runs()?;
        if runs {
            self.kill()?;
        }
        Ok(runs)
    }

    /// True if the process has not ended.
    pub(crate) fn runs(&self) -> io::Result<bool> {
        match self {
            Self::Child(child) => Ok(lock(child).try_wait()?.is_none()),
            Self::Copy(copy) => copy.runs(),
        }
    }

    /// Waits in the kernel until the process has ended, and returns how.
    fn wait(&self) -> io::Result<ExitStatus> {
        match self {
            Self::Child(child) => {
                let id = i32::try_from(lock(child).id()).map_err(io::Error::other)?;
                // It stays a zombie, so that its number isn't given to another process before the lock is held.
                let left = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
                while waitid(Id::Pid(Pid::from_raw(id)), left) == Err(Errno::EINTR) {}
                lock(child).wait()
            }
            Self::Copy(copy) => copy.wait(),
        }
    }
}

/// A process that was started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) id: u32,
    pub(crate) output: Option<ChildStdout>,
    pub(crate) errors: Option<ChildStderr>,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended<H> {
    pub(crate) status: ExitStatus,
    /// The result of listening to the process.
    pub(crate) heard: H,
}

/// Starts a process, and a thread that listens to it. The end is received once, when the kernel says that the process has
/// ended.
pub(crate) fn start<H: Send + 'static>(
    origin: Origin,
    control: UnixStream,
    listen: impl FnOnce(&mut UnixStream, &Process) -> H + Send + 'static,
) -> io::Result<(Started, Receiver<io::Result<Ended<H>>>)> {
    let (tell_start, start) = mpsc::sync_channel(1);
    let (tell_end, end) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("keeps a worker".to_owned())
        .spawn(move || keep(origin, control, listen, &tell_start, &tell_end))?;
    let started = start.recv().map_err(|_| panicked())??;
    Ok((started, end))
}

/// The error of a host's thread that ended before it had told what it was there for.
pub(crate) fn panicked() -> io::Error {
    io::Error::other("the host's thread for this worker panicked")
}

fn keep<H: Send + 'static>(
    origin: Origin,
    control: UnixStream,
    listen: impl FnOnce(&mut UnixStream, &Process) -> H + Send + 'static,
    tell_start: &SyncSender<io::Result<Started>>,
    tell_end: &SyncSender<io::Result<Ended<H>>>,
) {
    let (process, listener) = match begin(origin, &control, listen) {
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
    // Everything that the process has said is here by now. Should a child of its hold the other end, that one is not
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

/// Starts the process, and a thread that listens to it.
fn begin<H: Send + 'static>(
    origin: Origin,
    control: &UnixStream,
    listen: impl FnOnce(&mut UnixStream, &Process) -> H + Send + 'static,
) -> io::Result<(Started, JoinHandle<H>)> {
    let mut control = control.try_clone()?;
    // What the origin holds of the process's end of the socket is closed after this.
    let started = origin.begin()?;
    let process = started.process.clone();
    let its = process.clone();
    let listener = thread::Builder::new()
        .name("from the worker".to_owned())
        .spawn(move || listen(&mut control, &its))
        .inspect_err(|_| {
            let _gone = process.kill();
            let _gone = process.wait();
        })?;
    Ok((started, listener))
}
