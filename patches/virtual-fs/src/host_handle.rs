//! An open host file: the descriptor, and tokio's parts, made on first use.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::fs;
use std::io::{self, Seek as _, SeekFrom};
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::positional::PositionalFile;

/// An open host file, and the two ways to read and write it: at an offset, or through tokio. Once tokio was
/// asked, only tokio is: it may still be writing.
#[derive(Debug)]
pub(crate) struct HostHandle {
    file: fs::File,
    /// Every write goes to the end, whatever the offset.
    append: bool,
    is_regular: OnceLock<bool>,
    tokio: Option<tokio::fs::File>,
    /// The end of the last read or write at an offset.
    position: AtomicU64,
}

impl HostHandle {
    pub(crate) fn new(file: fs::File, append: bool) -> Self {
        Self {
            file,
            append,
            is_regular: OnceLock::new(),
            tokio: None,
            position: AtomicU64::new(0),
        }
    }

    /// The file as tokio reads and writes it.
    ///
    /// # Errors
    /// If the host has no further descriptor.
    pub(crate) fn tokio(&mut self) -> io::Result<&mut tokio::fs::File> {
        Ok(match &mut self.tokio {
            Some(tokio) => tokio,
            none => none.insert(tokio::fs::File::from_std(self.file.try_clone()?)),
        })
    }

    /// The file as tokio reads and writes it, if it was asked to before.
    pub(crate) fn begun(&mut self) -> Option<&mut tokio::fs::File> {
        self.tokio.as_mut()
    }

    /// Returns the host's metadata of the file, which also says whether it has offsets.
    ///
    /// # Errors
    /// What the host says.
    pub(crate) fn metadata(&self) -> io::Result<fs::Metadata> {
        let metadata = self.file.metadata()?;
        let _ = self.is_regular.set(metadata.is_file());
        Ok(metadata)
    }

    /// The file for reading and writing at an offset. A pipe or a device has none, and may make the reader wait.
    pub(crate) fn positional(&self) -> Option<&(dyn PositionalFile + Send + Sync)> {
        let is_regular = || {
            self.file
                .metadata()
                .is_ok_and(|metadata| metadata.is_file())
        };
        let usable = cfg!(unix)
            && !self.append
            && self.tokio.is_none()
            && *self.is_regular.get_or_init(is_regular);
        usable.then_some(self)
    }

    /// Returns the number of bytes behind the last read or write.
    ///
    /// # Errors
    /// If the file has no position.
    pub(crate) fn remaining(&mut self) -> io::Result<u64> {
        if self.positional().is_some() {
            let end = self.file.metadata()?.len();
            return Ok(end.saturating_sub(self.position.load(Ordering::Relaxed)));
        }
        let position = self.file.stream_position()?;
        let end = self.file.seek(SeekFrom::End(0))?;
        self.file.seek(SeekFrom::Start(position))?;
        Ok(end.saturating_sub(position))
    }

    #[cfg(unix)]
    fn moved(&self, offset: u64, transferred: io::Result<usize>) -> io::Result<usize> {
        if let Ok(bytes) = &transferred {
            self.position
                .store(offset + *bytes as u64, Ordering::Relaxed);
        }
        transferred
    }
}

impl Deref for HostHandle {
    type Target = fs::File;

    fn deref(&self) -> &fs::File {
        &self.file
    }
}

#[cfg(unix)]
impl PositionalFile for HostHandle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.moved(
            offset,
            std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset),
        )
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        self.moved(
            offset,
            std::os::unix::fs::FileExt::write_at(&self.file, buffer, offset),
        )
    }
}

#[cfg(not(unix))]
impl PositionalFile for HostHandle {
    fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write_at(&self, _buffer: &[u8], _offset: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
