//! The process that makes copies of itself, and how a copy becomes a worker.

use std::{
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use anyhow::{Context, ensure};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigHandler, SigSet, Signal, signal},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork},
};
use rustix::process::{Pid, PidfdFlags, kill_process, pidfd_open};

use super::bounds;
use crate::copies::{Answer, Streams, asked, tell};

/// The process in which [`serve`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The process that made copies, at the end of the host.
    Server,
    /// A copy, whose standard input is the socket of a worker.
    Copy,
}

/// Makes copies until the host drops its end.
///
/// Nothing of a request is ever in this process, so that no worker finds anything of another one's.
pub(super) fn serve(control: UnixStream) -> anyhow::Result<Side> {
    let threads = fs::read_dir("/proc/self/task").context("the worker needs /proc; mount it")?;
    ensure!(
        threads.count() == 1,
        "the program has started threads, which a copy of its process would lack; have it call `serve` before, or start \
         workers without `Launcher::fork_server`"
    );
    let ends = Ends::listen()?;
    loop {
        let ready = [control.as_fd(), ends.0.as_fd()];
        let mut ready = ready.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN));
        match poll(&mut ready, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            done => done.context("the host can't be listened to")?,
        };
        let [is_asked, has_ended] = ready.map(|one| one.any().unwrap_or(true));
        if has_ended {
            ends.tell(&control).context("the host has ended")?;
        }
        if !is_asked {
            continue;
        }
        let Some(streams) = asked(&control).context("the host can't be listened to")? else {
            return Ok(Side::Server);
        };
        let made = match streams {
            Ok(streams) => match copy() {
                Ok(Some(child)) => opened(child),
                Ok(None) => return become_worker(&streams).map(|()| Side::Copy),
                Err(errno) => Err(errno.into()),
            },
            Err(error) => Err(error),
        };
        match made {
            Ok((pid, process)) => tell(&control, Answer::Made(pid), Some(&process)),
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or_default();
                tell(&control, Answer::NotMade(errno), None)
            }
        }
        .context("the host has ended")?;
    }
}

/// Copies this process. Returns the number of the copy, and nothing in the copy.
#[allow(unsafe_code)]
fn copy() -> nix::Result<Option<Pid>> {
    // SAFETY: `serve` has seen that this process has one thread, and starts none: a copy lacks none, and no lock is held
    // in it.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Pid::from_raw(child.as_raw())),
        ForkResult::Child => Ok(None),
    }
}

/// Opens a copy, for the host to kill it and to see its end.
fn opened(child: Pid) -> io::Result<(i32, OwnedFd)> {
    match pidfd_open(child, PidfdFlags::empty()) {
        Ok(process) => Ok((child.as_raw_pid(), process)),
        Err(error) => {
            // The host wouldn't know of it.
            kill_process(child, rustix::process::Signal::KILL)?;
            Err(error.into())
        }
    }
}

/// Makes this process, a copy, what an executed worker is from the start: without signals blocked and with three
/// descriptors.
fn become_worker(streams: &Streams) -> anyhow::Result<()> {
    bounds::die_with_parent()?;
    Ends::signal()
        .thread_unblock()
        .context("SIGCHLD can't be unblocked")?;
    dup2_stdin(&streams.control)
        .and_then(|()| dup2_stdout(&streams.output))
        .and_then(|()| dup2_stderr(&streams.errors))
        .context("the standard streams can't be put in place")
}

/// The ends of copies.
struct Ends(SignalFd);

impl Ends {
    fn signal() -> SigSet {
        let mut signal = SigSet::empty();
        signal.add(Signal::SIGCHLD);
        signal
    }

    #[allow(unsafe_code)]
    fn listen() -> anyhow::Result<Self> {
        let ends = Self::signal();
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        // The kernel reports no end to a process that ignores the signal, and whoever starts a program can have it
        // ignored.
        // SAFETY: the default disposition runs no code.
        unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }
            .and_then(|_| ends.thread_block())
            .and_then(|()| SignalFd::with_flags(&ends, flags))
            .map(Self)
            .context("the ends of workers can't be listened to (signalfd)")
    }

    /// Reports the copies that have ended to the host.
    fn tell(&self, control: &UnixStream) -> io::Result<()> {
        // One signal can stand for several ends.
        while self.0.read_signal()?.is_some() {}
        loop {
            let (child, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(child, code)) => (child, code << 8),
                Ok(WaitStatus::Signaled(child, signal, _)) => (child, signal as i32),
                Ok(_) | Err(Errno::ECHILD) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            tell(control, Answer::Ended(child.as_raw(), status), None)?;
        }
    }
}
