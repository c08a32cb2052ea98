//! The thread of the host's that starts a worker and is there for as long as the worker is.
//!
//! The kernel kills a worker when the *thread* that started it ends, so each worker gets a thread of its own. That
//! thread is started by the one that asks for the worker, and so is under the same restrictions.

use std::{
    fmt, io,
    net::Shutdown,
    os::unix::net::UnixStream,
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

/// A process that is waited for by one thread and killed by others.
pub(crate) trait Process: fmt::Debug + Send + Sync {
    /// Kills the process, if it is still there.
    fn kill(&self) -> io::Result<()>;

    /// True if the process has not ended.
    fn runs(&self) -> io::Result<bool>;

    /// Waits in the kernel until the process has ended, and returns how.
    fn wait(&self) -> io::Result<ExitStatus>;

    /// Kills the process unless it has ended, and returns whether it had not.
    fn kill_unless_ended(&self) -> io::Result<bool> {
        let runs = self.runs()?;
        if runs {
            self.kill()?;
        }
        Ok(runs)
    }
}

/// A child. Its number stays its own until the child is waited for under the lock.
#[derive(Debug)]
struct Executed(Mutex<Child>);

impl Executed {
    fn lock(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process for Executed {
    fn kill(&self) -> io::Result<()> {
        self.lock().kill()
    }

    fn runs(&self) -> io::Result<bool> {
        Ok(self.lock().try_wait()?.is_none())
    }

    fn wait(&self) -> io::Result<ExitStatus> {
        let id = i32::try_from(self.lock().id()).map_err(io::Error::other)?;
        // It stays a zombie, so that its number isn't given to another process before the lock is held.
        let left = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(Pid::from_raw(id)), left) == Err(Errno::EINTR) {}
        self.lock().wait()
    }
}

/// Executes a program.
pub(crate) fn execute(mut command: Command) -> io::Result<Started> {
    let mut child = command.spawn()?;
    Ok(Started {
        id: child.id(),
        output: child.stdout.take(),
        errors: child.stderr.take(),
        process: Arc::new(Executed(Mutex::new(child))),
    })
}

/// A process that was started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: Arc<dyn Process>,
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

/// Has a thread of its own make a process, and another one listen to it. The end is received once, when the kernel says that the process
/// has ended.
pub(crate) fn start<H: Send + 'static>(
    make: impl FnOnce() -> io::Result<Started> + Send + 'static,
    control: UnixStream,
    listen: impl FnOnce(&mut UnixStream, &dyn Process) -> H + Send + 'static,
) -> io::Result<(Started, Receiver<io::Result<Ended<H>>>)> {
    let (tell_start, start) = mpsc::sync_channel(1);
    let (tell_end, end) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("keeps a worker".to_owned())
        .spawn(move || keep(make, control, listen, &tell_start, &tell_end))?;
    let started = start.recv().map_err(|_| panicked())??;
    Ok((started, end))
}

/// The error of a host's thread that ended before it had told what it was there for.
pub(crate) fn panicked() -> io::Error {
    io::Error::other("the host's thread for this worker panicked")
}

fn keep<H: Send + 'static>(
    make: impl FnOnce() -> io::Result<Started> + Send + 'static,
    control: UnixStream,
    listen: impl FnOnce(&mut UnixStream, &dyn Process) -> H + Send + 'static,
    tell_start: &SyncSender<io::Result<Started>>,
    tell_end: &SyncSender<io::Result<Ended<H>>>,
) {
    let (process, listener) = match begin(make, &control, listen) {
        Ok((started, listener)) => {
            let process = Arc::clone(&started.process);
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
    make: impl FnOnce() -> io::Result<Started>,
    control: &UnixStream,
    listen: impl FnOnce(&mut UnixStream, &dyn Process) -> H + Send + 'static,
) -> io::Result<(Started, JoinHandle<H>)> {
    let mut control = control.try_clone()?;
    // What this holds of the process's end of the socket is closed after it.
    let started = make()?;
    let process = Arc::clone(&started.process);
    let its = Arc::clone(&process);
    let listener = thread::Builder::new()
        .name("from the worker".to_owned())
        .spawn(move || listen(&mut control, &*its))
        .inspect_err(|_| {
            let _gone = process.kill();
            let _gone = process.wait();
        })?;
    Ok((started, listener))
}
