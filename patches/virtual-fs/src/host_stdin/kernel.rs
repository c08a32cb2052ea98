//! With Linux: nothing is read ahead.
//!
//! The offset of a file, the bytes of a pipe and the lines of a terminal belong to all who have it open: what one of them
//! takes without being asked is lost to the others. A read is therefore the kernel's own, made when it doesn't wait. A
//! thread of the runtime waits, for a short time at each turn, so that a module that ends doesn't have to wait for input.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::ReadBuf;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::readiness::is_readable;

/// The longest time for which the end of the runtime waits.
const TURN: Duration = Duration::from_millis(50);

/// Held from the look for input to its read, so that no other thread takes what was seen.
static READING: Mutex<()> = Mutex::new(());

/// Standard input, and the thread that waits for it, if any.
#[derive(Debug)]
pub(crate) struct HostStdin {
    runtime: Handle,
    waiting: Option<JoinHandle<io::Result<bool>>>,
}

impl HostStdin {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            waiting: None,
        }
    }

    /// Reads what is there, or waits for something.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            match read_now(buf) {
                Err(Errno::AGAIN) => ready!(self.wait(cx))?,
                Err(Errno::INTR) => {}
                read => return Poll::Ready(Ok(read?)),
            }
        }
    }

    /// Waits until a read returns at once, and returns the number of bytes that are known to be there.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while !is_readable(io::stdin(), Duration::ZERO)? {
            ready!(self.wait(cx))?;
        }
        // Some devices don't count.
        let bytes = rustix::io::ioctl_fionread(io::stdin()).unwrap_or(0);
        Poll::Ready(Ok(usize::try_from(bytes).unwrap_or(usize::MAX)))
    }

    /// Waits for one turn.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let look = || is_readable(io::stdin(), TURN);
        let runtime = &self.runtime;
        let waiting = self
            .waiting
            .get_or_insert_with(|| runtime.spawn_blocking(look));
        let waited = ready!(Pin::new(waiting).poll(cx));
        self.waiting = None;
        Poll::Ready(waited.map_err(io::Error::other)?.map(drop))
    }
}

/// Reads what is there; `EAGAIN` if that is nothing yet.
fn read_now(buf: &mut ReadBuf<'_>) -> Result<(), Errno> {
    let _turn = READING.lock().unwrap_or_else(PoisonError::into_inner);
    let readable = is_readable(io::stdin(), Duration::ZERO);
    if !readable.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))? {
        return Err(Errno::AGAIN);
    }
    let read = rustix::io::read(io::stdin(), buf.initialize_unfilled())?;
    buf.advance(read);
    Ok(())
}
