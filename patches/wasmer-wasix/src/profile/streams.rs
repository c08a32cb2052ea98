//! The source of standard input, and the destinations of output.

use std::fmt;
use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use virtual_fs::{ArcFile, FsError, NullFile, StaticFile, VirtualFile};

#[cfg(feature = "host-fs")]
use super::terminal as own;

type File = Box<dyn VirtualFile + Send + Sync + 'static>;

/// One of the three streams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stream {
    /// Input is at its end, output goes nowhere.
    #[default]
    Null,
    /// The program's own. To a terminal, what would control it arrives inert.
    Inherit,
    /// The bytes of the input; as output, as [`Stream::Null`].
    #[serde(skip)]
    Bytes(Vec<u8>),
    /// Output is kept in memory; as input, as [`Stream::Null`].
    #[serde(skip)]
    Memory(Captured),
}

/// The three streams of a module. All are [`Stream::Null`] unless said.
///
/// # Example
///
/// ```
/// use wasmer_wasix::profile::{Captured, Profile, Stream};
///
/// let output = Captured::new(64 * 1024);
/// let mut profile = Profile::new()
///     .stdin(Stream::Bytes(b"input".to_vec()))
///     .stdout(Stream::Memory(output.clone()))
///     .stderr(Stream::Inherit);
/// profile.streams.colours = true;
/// // … run a module with it, and then:
/// assert_eq!(output.bytes(), b"");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Streams {
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// May output to a terminal have colours?
    pub colours: bool,
}

impl Streams {
    /// The files for descriptors 0 to 2. A tokio runtime has to be there.
    pub(super) fn files(&self) -> [File; 3] {
        let stdin: File = match &self.stdin {
            Stream::Inherit => Box::new(ArcFile::new(Box::<crate::state::Stdin>::default())),
            Stream::Bytes(bytes) => Box::new(StaticFile::new(bytes.clone())),
            Stream::Null | Stream::Memory(_) => Box::<NullFile>::default(),
        };
        let stdout = self.output(&self.stdout, own::stdout);
        let stderr = self.output(&self.stderr, own::stderr);
        [stdin, stdout, stderr]
    }

    fn output(&self, stream: &Stream, own: impl FnOnce(bool) -> File) -> File {
        match stream {
            Stream::Inherit => own(self.colours),
            Stream::Memory(captured) => Box::new(captured.clone()),
            Stream::Null | Stream::Bytes(_) => Box::<NullFile>::default(),
        }
    }
}

/// Without a host file system there is no stream of the program's own.
#[cfg(not(feature = "host-fs"))]
mod own {
    pub(super) fn stdout(_colours: bool) -> super::File {
        Box::<crate::state::Stdout>::default()
    }

    pub(super) fn stderr(_colours: bool) -> super::File {
        Box::<crate::state::Stderr>::default()
    }
}

/// Output that is kept in memory, up to so many bytes. Clones share it.
#[derive(Clone)]
pub struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    most: usize,
}

impl Captured {
    /// Keeps at most so many bytes. What goes beyond fails for the module, as on a full disk.
    ///
    /// [Example](Streams#example).
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            bytes: Arc::default(),
            most,
        }
    }

    /// Returns the bytes that were written so far.
    ///
    /// [Example](Streams#example).
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Captured {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes)
    }
}

impl Eq for Captured {}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

impl AsyncWrite for Captured {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut kept = self.lock();
        let room = self.most.saturating_sub(kept.len()).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::StorageFull.into()));
        }
        kept.extend_from_slice(&bytes[..room]);
        Poll::Ready(Ok(room))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Captured {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        _buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for Captured {
    fn start_seek(self: Pin<&mut Self>, _to: SeekFrom) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn poll_complete(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(0))
    }
}

impl VirtualFile for Captured {
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
        self.lock().len() as u64
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
        Poll::Ready(Ok(self.most.saturating_sub(self.lock().len())))
    }
}
