//! Files that whoever waits for them anyway reads and writes on its own thread, at an offset.
//!
//! The asynchronous interface hands each call on a host file over to a blocking thread, and the caller is woken
//! when that is done. A regular file never makes a caller wait for somebody else, as a pipe, a fifo, a terminal
//! or a socket does: for one that blocks until the result is there, the hand-over is only the cost. Those who
//! must not block keep the asynchronous interface.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::io;

/// A file that is read and written at an offset, at once, on the caller's thread; it has no position that this
/// would change. See [`VirtualFile::positional`](crate::VirtualFile::positional).
pub trait PositionalFile {
    /// Reads what is at the offset into the buffer, and returns how many bytes that were: fewer than the buffer
    /// takes only at the end of the file, none behind it.
    ///
    /// # Errors
    /// What the host says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes the buffer at the offset, and returns how many bytes were written.
    ///
    /// # Errors
    /// What the host says.
    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize>;

    /// Writes the buffer at the end, where the host itself finds that, and returns where it was written and how many
    /// bytes; nothing if the file isn't open for that.
    fn append(&self, _buffer: &[u8]) -> Option<io::Result<(u64, usize)>> {
        None
    }
}
