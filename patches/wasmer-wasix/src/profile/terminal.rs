//! A module's output on a terminal, without what a terminal obeys.
//!
//! A terminal takes orders in what it shows: a module's output can set its title, rewrite lines that stand there, make
//! it answer into the program's input, or write to the clipboard. [`Inert`] is what takes the orders out; [`filtered`]
//! puts it around a stream, [`stdout`] and [`stderr`] around the program's own where they are a terminal. What goes to
//! a file or a pipe stays as it is.

mod inert;

use std::io;
#[cfg(feature = "host-fs")]
use std::io::IsTerminal;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use virtual_fs::VirtualFile;

pub use inert::Inert;

/// A stream of the virtual file system, as builders and runners take it.
pub type StreamFile = Box<dyn VirtualFile + Send + Sync + 'static>;

/// The part of one write that is taken at once, in bytes. Its filtered form can be three times as long, and is kept
/// until the stream takes it.
const TAKEN_AT_ONCE: usize = 64 * 1024;

/// `stream`, with all that is written to it made inert, whatever it is; with `colours`, these pass.
///
/// A write returns how much of the module's own bytes were taken. What is cut in two at the end is shown when the
/// stream is closed or dropped.
///
/// ```
/// use virtual_fs::NullFile;
/// use wasmer_wasix::profile::terminal;
///
/// let stream = terminal::filtered(Box::new(NullFile::default()), false);
/// assert_eq!(stream.size(), 0);
/// ```
#[must_use]
pub fn filtered(stream: StreamFile, colours: bool) -> StreamFile {
    Box::new(Filtered {
        inert: Inert::new().colours(colours),
        shown: Vec::new(),
        stream,
    })
}

/// The program's standard output, [`filtered`] if it is a terminal.
///
/// ```
/// use wasmer_wasix::{WasiEnv, profile::terminal};
///
/// # let tokio = tokio::runtime::Runtime::new().unwrap();
/// # let _entered = tokio.enter();
/// let builder = WasiEnv::builder("program")
///     .stdout(terminal::stdout(true))
///     .stderr(terminal::stderr(false));
/// ```
///
/// # Panics
///
/// Outside of a tokio runtime, as the stream itself does.
#[cfg(feature = "host-fs")]
#[must_use]
pub fn stdout(colours: bool) -> StreamFile {
    let stream = Box::<virtual_fs::host_fs::Stdout>::default();
    if io::stdout().is_terminal() {
        filtered(stream, colours)
    } else {
        stream
    }
}

/// The program's standard error, [`filtered`] if it is a terminal. [Example](stdout).
///
/// # Panics
///
/// Outside of a tokio runtime, as the stream itself does.
#[cfg(feature = "host-fs")]
#[must_use]
pub fn stderr(colours: bool) -> StreamFile {
    let stream = Box::<virtual_fs::host_fs::Stderr>::default();
    if io::stderr().is_terminal() {
        filtered(stream, colours)
    } else {
        stream
    }
}

#[derive(Debug)]
struct Filtered {
    inert: Inert,
    /// The bytes that the stream has not taken yet.
    shown: Vec<u8>,
    stream: StreamFile,
}

impl Filtered {
    /// Hands the stream what it has not taken yet.
    fn poll_shown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut taken = 0;
        let result = loop {
            if taken == self.shown.len() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.stream).poll_write(cx, &self.shown[taken..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => taken += written,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.shown.drain(..taken);
        result
    }
}

impl AsyncWrite for Filtered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        written: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_shown(cx))?;
        let this = &mut *self;
        let taken = &written[..written.len().min(TAKEN_AT_ONCE)];
        this.inert.filter(taken, &mut this.shown);
        match this.poll_shown(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // It is taken, and goes out with the next write or flush.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_shown(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.inert.finish(&mut this.shown);
        std::task::ready!(this.poll_shown(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl Drop for Filtered {
    fn drop(&mut self) {
        self.inert.finish(&mut self.shown);
        // Nobody is left to wait for the stream, nor to be told of an error.
        let mut cx = Context::from_waker(Waker::noop());
        if self.poll_shown(&mut cx).is_ready() {
            let _ = Pin::new(&mut self.stream).poll_flush(&mut cx);
        }
    }
}

impl AsyncRead for Filtered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncSeek for Filtered {
    fn start_seek(mut self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.stream).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.stream).poll_complete(cx)
    }
}

// What writes past the filter (`positional`, `write_from_mmap`) isn't passed on: it stays as the trait has it, which
// is not at all. `copy_reference` and `copy_from_owned_buffer` write by `poll_write`.
impl VirtualFile for Filtered {
    fn last_accessed(&self) -> u64 {
        self.stream.last_accessed()
    }

    fn last_modified(&self) -> u64 {
        self.stream.last_modified()
    }

    fn created_time(&self) -> u64 {
        self.stream.created_time()
    }

    fn set_times(
        &mut self,
        accessed: Option<u64>,
        modified: Option<u64>,
    ) -> virtual_fs::Result<()> {
        self.stream.set_times(accessed, modified)
    }

    fn size(&self) -> u64 {
        self.stream.size()
    }

    fn set_len(&mut self, size: u64) -> virtual_fs::Result<()> {
        self.stream.set_len(size)
    }

    fn unlink(&mut self) -> virtual_fs::Result<()> {
        self.stream.unlink()
    }

    fn is_open(&self) -> bool {
        self.stream.is_open()
    }

    fn get_special_fd(&self) -> Option<u32> {
        self.stream.get_special_fd()
    }

    fn poll_read_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Pin::new(self.stream.as_mut()).poll_read_ready(cx)
    }

    fn poll_write_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Pin::new(self.stream.as_mut()).poll_write_ready(cx)
    }
}
