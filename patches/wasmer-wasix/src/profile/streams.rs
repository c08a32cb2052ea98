//! The files behind a module's three streams.

use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use virtual_fs::{ArcFile, FsError, NullFile, StaticFile, VirtualFile};
use wasix_landlock_profile::{Captured, Stream, Streams};

#[cfg(feature = "host-fs")]
use super::terminal as own;
use super::terminal::StreamFile;

/// The files for descriptors 0 to 2. A tokio runtime has to be there.
pub(super) fn files(streams: &Streams) -> [StreamFile; 3] {
    let stdin: StreamFile = match &streams.stdin {
        Stream::Inherit => Box::new(ArcFile::new(Box::<crate::state::Stdin>::default())),
        Stream::Bytes(bytes) => Box::new(StaticFile::new(bytes.clone())),
        _ => Box::<NullFile>::default(),
    };
    let stdout = output(&streams.stdout, streams.colours, own::stdout);
    let stderr = output(&streams.stderr, streams.colours, own::stderr);
    [stdin, stdout, stderr]
}

fn output(stream: &Stream, colours: bool, own: impl FnOnce(bool) -> StreamFile) -> StreamFile {
    match stream {
        Stream::Inherit => own(colours),
        Stream::Memory(captured) => captured_file(captured),
        _ => Box::<NullFile>::default(),
    }
}

/// A file that keeps what is written to it, for a builder or a runner whose streams no profile sets.
///
/// ```
/// use wasmer_wasix::{WasiEnv, profile::{self, Captured}};
///
/// let output = Captured::new(64 * 1024);
/// let builder = WasiEnv::builder("program").stdout(profile::captured_file(&output));
/// ```
#[must_use]
pub fn captured_file(captured: &Captured) -> StreamFile {
    Box::new(CapturedFile(captured.clone()))
}

/// Without a host file system there is no stream of the program's own.
#[cfg(not(feature = "host-fs"))]
mod own {
    pub(super) fn stdout(_colours: bool) -> super::StreamFile {
        Box::<crate::state::Stdout>::default()
    }

    pub(super) fn stderr(_colours: bool) -> super::StreamFile {
        Box::<crate::state::Stderr>::default()
    }
}

/// A file whose bytes are kept in memory.
#[derive(Debug)]
struct CapturedFile(Captured);

impl AsyncWrite for CapturedFile {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for CapturedFile {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        _buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for CapturedFile {
    fn start_seek(self: Pin<&mut Self>, _to: SeekFrom) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn poll_complete(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(0))
    }
}

impl VirtualFile for CapturedFile {
    fn last_accessed(&self) -> u64 {
        0
    }

    fn last_modified(&self) -> u64 {
        0
    }

    fn created_time(&self) -> u64 {
        0
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn set_len(&mut self, _size: u64) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }

    fn unlink(&mut self) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }

    fn poll_read_ready(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_write_ready(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.0.room()))
    }
}
