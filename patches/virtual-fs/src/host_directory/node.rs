//! Open files and directories.

use std::fs;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::fs::{AtFlags, FallocateFlags, OFlags};
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

use super::{HostDirectory, HostStat, HostTime, access, stat};
use crate::host_backing::HostAccess;
use crate::positional::PositionalFile;
use crate::readiness::is_readable;
use crate::{FileType, FsError, VirtualFile};

/// The time for which whoever reads a fifo waits before being asked whether the module has to end.
const TURN: Duration = Duration::from_millis(5);

/// The time for which whoever writes to a full fifo sleeps before looking again.
const PAUSE: Duration = Duration::from_millis(1);

/// An open file or directory of the host. Its metadata, contents and flags are the kernel's, and it stays what it is,
/// whatever becomes of its name.
#[derive(Debug)]
pub struct HostNode(Opened);

#[derive(Debug)]
enum Opened {
    Directory(HostDirectory),
    File(OpenFile),
}

#[derive(Debug)]
struct OpenFile {
    file: fs::File,
    file_type: FileType,
    access: HostAccess,
    append: AtomicBool,
}

impl HostNode {
    pub(super) fn directory(directory: HostDirectory) -> Self {
        Self(Opened::Directory(directory))
    }

    pub(super) fn file(
        file: fs::File,
        file_type: FileType,
        access: HostAccess,
        how: super::HostOpen,
    ) -> Self {
        Self(Opened::File(OpenFile {
            file,
            file_type,
            access,
            append: AtomicBool::new(how.append),
        }))
    }

    /// The directory, if it is one.
    #[must_use]
    pub fn as_directory(&self) -> Option<&HostDirectory> {
        match &self.0 {
            Opened::Directory(directory) => Some(directory),
            Opened::File(_) => None,
        }
    }

    fn open_file(&self) -> io::Result<&OpenFile> {
        match &self.0 {
            Opened::File(file) => Ok(file),
            Opened::Directory(_) => Err(Errno::ISDIR.into()),
        }
    }

    /// The kind of file.
    #[must_use]
    pub fn file_type(&self) -> FileType {
        match &self.0 {
            Opened::File(file) => file.file_type.clone(),
            Opened::Directory(_) => FileType::new_dir(),
        }
    }

    /// The metadata now.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn stat(&self) -> io::Result<HostStat> {
        match &self.0 {
            Opened::File(file) => stat::of_open(file.file.as_fd()),
            Opened::Directory(directory) => directory.stat(std::path::Path::new(""), true),
        }
    }

    /// Sets the times of the open file, by whatever name it goes.
    ///
    /// # Errors
    /// The kernel's error, and `EACCES` if the mount doesn't allow it.
    pub fn set_host_times(&self, times: [HostTime; 2]) -> io::Result<()> {
        match &self.0 {
            Opened::File(file) => {
                access::may(file.access.write)?;
                stat::set_times(&file.file, times, AtFlags::empty())
            }
            Opened::Directory(directory) => directory.set_own_times(times),
        }
    }

    /// Waits until the data, or the data and the metadata, are on the disk.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn sync(&self, data_only: bool) -> io::Result<()> {
        match &self.0 {
            Opened::File(file) => Ok(match data_only {
                true => rustix::fs::fdatasync(&file.file),
                false => rustix::fs::fsync(&file.file),
            }?),
            Opened::Directory(directory) => directory.sync(data_only),
        }
    }

    /// Has the host keep room for so many bytes.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        let file = &self.open_file()?.file;
        Ok(rustix::fs::fallocate(
            file,
            FallocateFlags::empty(),
            offset,
            length,
        )?)
    }

    /// Sets the size.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn set_size(&self, size: u64) -> io::Result<()> {
        Ok(rustix::fs::ftruncate(&self.open_file()?.file, size)?)
    }

    /// True if each write goes to the end from now on.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn set_append(&self, append: bool) -> io::Result<()> {
        let Opened::File(file) = &self.0 else {
            return Ok(());
        };
        if file.append.swap(append, Ordering::AcqRel) == append {
            return Ok(());
        }
        let mut flags = rustix::fs::fcntl_getfl(&file.file)?;
        flags.set(OFlags::APPEND, append);
        Ok(rustix::fs::fcntl_setfl(&file.file, flags)?)
    }

    /// The number of bytes that a fifo holds, or of those in a file.
    fn available(&self) -> io::Result<usize> {
        let file = self.open_file()?;
        if file.file_type.is_file() {
            return Ok(usize::try_from(self.stat()?.size).unwrap_or(usize::MAX));
        }
        Ok(usize::try_from(rustix::io::ioctl_fionread(&file.file)?).unwrap_or(usize::MAX))
    }
}

impl PositionalFile for HostNode {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(&self.open_file()?.file, buffer, offset)?)
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pwrite(&self.open_file()?.file, buffer, offset)?)
    }

    fn append(&self, buffer: &[u8]) -> Option<io::Result<(u64, usize)>> {
        let file = self.open_file().ok()?;
        if !file.append.load(Ordering::Acquire) {
            return None;
        }
        let mut file = &file.file;
        let written = file.write(buffer);
        // The kernel's own offset is behind what it has written last.
        Some(written.and_then(|bytes| Ok((file.stream_position()? - bytes as u64, bytes))))
    }
}

impl VirtualFile for HostNode {
    fn last_accessed(&self) -> u64 {
        self.stat().map_or(0, |stat| stat.accessed)
    }

    fn last_modified(&self) -> u64 {
        self.stat().map_or(0, |stat| stat.modified)
    }

    fn created_time(&self) -> u64 {
        self.stat().map_or(0, |stat| stat.changed)
    }

    fn set_times(&mut self, atime: Option<u64>, mtime: Option<u64>) -> crate::Result<()> {
        let time = |time: Option<u64>| time.map_or(HostTime::Keep, HostTime::At);
        Ok(self.set_host_times([time(atime), time(mtime)])?)
    }

    fn size(&self) -> u64 {
        self.stat().map_or(0, |stat| stat.size)
    }

    fn set_len(&mut self, new_size: u64) -> crate::Result<()> {
        Ok(self.set_size(new_size)?)
    }

    /// A name is removed by its path, not by what is open.
    fn unlink(&mut self) -> crate::Result<()> {
        Err(FsError::Unsupported)
    }

    fn host_node(&self) -> Option<&HostNode> {
        Some(self)
    }

    fn positional(&self) -> Option<&(dyn PositionalFile + Send + Sync)> {
        self.open_file()
            .is_ok_and(|file| file.file_type.is_file())
            .then_some(self)
    }

    fn poll_read_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Opened::File(opened) = &self.0 {
            ready!(opened.poll_readable(cx))?;
        }
        Poll::Ready(self.available())
    }

    fn poll_write_ready(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(8192))
    }
}

impl OpenFile {
    /// Waits until a read returns at once: a fifo was opened without waiting for somebody who writes.
    fn poll_readable(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if !self.file_type.is_file() && !is_readable(&self.file, TURN)? {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

/// Looks again after a pause. What waits is a module's own thread, and is asked in between whether it has to end.
fn again<T>(cx: &Context<'_>) -> Poll<T> {
    std::thread::sleep(PAUSE);
    cx.waker().wake_by_ref();
    Poll::Pending
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

impl AsyncRead for HostNode {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let opened = self.open_file()?;
        let mut waited = false;
        loop {
            match (&opened.file).read(buf.initialize_unfilled()) {
                // Nothing is there, or somebody else was faster.
                Err(error) if would_block(&error) => {}
                // The end, or nobody who writes has come yet.
                Ok(0) if !waited && !opened.file_type.is_file() => {}
                read => {
                    buf.advance(read?);
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(opened.poll_readable(cx))?;
            waited = true;
        }
    }
}

impl AsyncWrite for HostNode {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match (&self.open_file()?.file).write(buf) {
            Err(error) if would_block(&error) => again(cx),
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for HostNode {
    fn start_seek(self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        let opened = self.open_file()?;
        if opened.file_type.is_file() {
            (&opened.file).seek(position)?;
        }
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let opened = self.open_file()?;
        Poll::Ready(match opened.file_type.is_file() {
            true => (&opened.file).stream_position(),
            false => Ok(0),
        })
    }
}
