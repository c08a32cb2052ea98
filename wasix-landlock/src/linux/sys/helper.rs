//! A process outside of the restriction, to send a signal to.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::{Duration, Instant},
};

use super::check;

/// How long the helper lives at most, in milliseconds, should nobody end it.
const LONGEST: i32 = 30_000;
/// How long to wait for its end.
const END: Duration = Duration::from_secs(1);

/// A child that waits. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Helper {
    pid: i32,
    /// It ends when this is closed: once restricted, this process can't signal it any more.
    end: Option<OwnedFd>,
}

impl Helper {
    /// Starts one. Its end raises no `SIGCHLD`, so that it stays unnoticed.
    pub(crate) fn start() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two descriptors to the array.
        check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }.into())
            .map_err(io::Error::from_raw_os_error)?;
        // SAFETY: the kernel has just handed out these descriptors, so nothing else owns them.
        let [read, write] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        // SAFETY: all zero is a fork without a signal at the end. The child has this thread alone,
        // and makes system calls only: nothing that another thread may have locked is touched.
        let pid = check(unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) })
            .map_err(io::Error::from_raw_os_error)?;
        if pid == 0 {
            wait_and_exit(read.as_raw_fd(), write.as_raw_fd());
        }
        Ok(Self {
            pid: i32::try_from(pid).map_err(io::Error::other)?,
            end: Some(write),
        })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.end.take());
        let until = Instant::now() + END;
        loop {
            // SAFETY: waits for the child that `start` made; the status isn't asked for. Without
            // a signal at its end it takes `__WALL`.
            let waited = unsafe {
                libc::waitpid(self.pid, std::ptr::null_mut(), libc::WNOHANG | libc::__WALL)
            };
            // Somebody who waits for any child may have been faster: an error is an end as well.
            if waited != 0 || Instant::now() >= until {
                return;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

/// What the child does: waits until the pipe's other end is closed. System calls only.
fn wait_and_exit(read: i32, write: i32) -> ! {
    let mut waits = libc::pollfd {
        fd: read,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the child's own copies of the descriptors; the structure outlives the call; `_exit`
    // runs nothing that the parent has registered.
    unsafe {
        libc::syscall(libc::SYS_close, write);
        libc::poll(&raw mut waits, 1, LONGEST);
        libc::_exit(0)
    }
}

/// Whether this process may signal another one. Nothing is sent.
pub(crate) fn may_signal(pid: i32) -> Result<(), i32> {
    // SAFETY: takes integers, and signal 0 does nothing.
    check(unsafe { libc::kill(pid, 0) }.into()).map(drop)
}

/// The process that started this one; `None` if it is outside of what this one can see.
pub(crate) fn parent() -> Option<i32> {
    // SAFETY: takes nothing and can't fail.
    let pid = unsafe { libc::getppid() };
    (pid > 0).then_some(pid)
}
