//! The readiness of files that make their reader wait: pipes, terminals, sockets.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::io::Errno;

/// True if a read returns at once: with bytes, with an error, or because nobody writes any more. Waits up to `patience`
/// for that.
///
/// A fifo that nobody has written to since it was opened isn't ready.
///
/// # Errors
/// The kernel's error.
pub(crate) fn is_readable(file: impl AsFd, patience: Duration) -> io::Result<bool> {
    let mut poll = Poll::new()?;
    let number = file.as_fd().as_raw_fd();
    let mut source = SourceFd(&number);
    let registered = poll
        .registry()
        .register(&mut source, Token(0), Interest::READABLE);
    match registered {
        // The kernel's answer for what never makes anybody wait, such as a file on a disk.
        Err(error) if is(&error, Errno::PERM) => return Ok(true),
        registered => registered?,
    }
    let mut events = Events::with_capacity(1);
    match poll.poll(&mut events, Some(patience)) {
        Err(error) if is(&error, Errno::INTR) => Ok(false),
        polled => polled.map(|()| !events.is_empty()),
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}
