//! Without Linux: tokio reads, and what it has read waits here to be taken.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::Handle;

/// Standard input, and what was read of it to see whether there is something.
#[derive(Debug)]
pub(crate) struct HostStdin {
    runtime: Handle,
    inner: tokio::io::Stdin,
    ahead: Bytes,
}

impl HostStdin {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            inner: tokio::io::stdin(),
            ahead: Bytes::new(),
        }
    }

    /// Reads what is there, or waits for something.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let size = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead[..size]);
            self.ahead.advance(size);
            return Poll::Ready(Ok(()));
        }
        let _entered = Handle::try_current().map_err(|_| self.runtime.enter());
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }

    /// Waits until something is there, and returns the number of bytes.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.ahead.is_empty() {
            let mut bytes = [0; 8192];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(self.poll_read(cx, &mut read))?;
            self.ahead = Bytes::copy_from_slice(read.filled());
        }
        Poll::Ready(Ok(self.ahead.len()))
    }
}
