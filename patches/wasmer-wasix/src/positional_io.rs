//! Reads and writes of files that can be read and written at an offset, at once.
//!
//! The calls of WASI that get here block the module until the result is there, so nothing is won by another
//! thread. A descriptor's offset is read and moved while the file is locked for it, so that threads that share
//! the descriptor each get a part of their own; calls that name an offset share the lock.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use virtual_fs::positional::PositionalFile;
use wasmer::{MemorySize, MemoryView, WasmPtr};
use wasmer_wasix_types::types::{__wasi_ciovec_t, __wasi_iovec_t};
use wasmer_wasix_types::wasi::Errno;

use crate::fs::VirtualFileLock;
use crate::mem_error_to_wasi;
use crate::syscalls::FdWriteSource;
use crate::utils::map_io_err;

/// The position of a read or write.
#[derive(Clone, Copy)]
pub(crate) enum At<'a> {
    /// There, and the descriptor's offset stays.
    Offset(u64),
    /// At the descriptor's offset, which moves.
    Cursor(&'a AtomicU64),
    /// At the end of the file; the descriptor's offset, if one is named, is behind that afterwards.
    End(Option<&'a AtomicU64>),
}

/// The size of the file. `None` if it has no positions.
pub(crate) fn size(file: &VirtualFileLock) -> Option<u64> {
    let file = file.read().ok()?;
    file.positional()?;
    Some(file.size())
}

/// Reads into the module's vectors. `None` if the file can't be read in this way.
pub(crate) fn read<M: MemorySize>(
    file: &VirtualFileLock,
    at: At<'_>,
    memory: &MemoryView<'_>,
    iovs: WasmPtr<__wasi_iovec_t<M>, M>,
    iovs_len: M::Offset,
) -> Option<Result<usize, Errno>> {
    locked(file, at, |file, offset| {
        let iovs = iovs.slice(memory, iovs_len).map_err(mem_error_to_wasi)?;
        let iovs = iovs.access().map_err(mem_error_to_wasi)?;
        let mut total = 0;
        for iov in iovs.iter() {
            let buffer = WasmPtr::<u8, M>::new(iov.buf).slice(memory, iov.buf_len);
            let buffer = buffer.and_then(|buffer| buffer.access());
            let mut buffer = buffer.map_err(mem_error_to_wasi)?;
            let read = retry(|| file.read_at(buffer.as_mut(), offset + total as u64));
            let Some(read) = so_far(read, total)? else {
                break;
            };
            total += read;
            if read != buffer.len() {
                break;
            }
        }
        Ok(total)
    })
    .map(|done| done.map(|(_, read)| read))
}

/// Writes the module's vectors, and returns where, and how many bytes. `None` if the file can't be written in
/// this way.
pub(crate) fn write<M: MemorySize>(
    file: &VirtualFileLock,
    at: At<'_>,
    memory: &MemoryView<'_>,
    data: &FdWriteSource<'_, M>,
) -> Option<Result<(u64, usize), Errno>> {
    if let At::End(cursor) = at
        && let Some(appended) = append(file, cursor, memory, data)
    {
        return Some(appended);
    }
    locked(file, at, |file, offset| match data {
        FdWriteSource::Iovs { iovs, iovs_len } => {
            let iovs: WasmPtr<__wasi_ciovec_t<M>, M> = *iovs;
            let iovs = iovs.slice(memory, *iovs_len).map_err(mem_error_to_wasi)?;
            let iovs = iovs.access().map_err(mem_error_to_wasi)?;
            let mut total = 0;
            for iov in iovs.iter() {
                let buffer = WasmPtr::<u8, M>::new(iov.buf).slice(memory, iov.buf_len);
                let buffer = buffer.and_then(|buffer| buffer.access());
                let buffer = buffer.map_err(mem_error_to_wasi)?;
                let written = retry(|| file.write_at(buffer.as_ref(), offset + total as u64));
                let Some(written) = so_far(written, total)? else {
                    break;
                };
                total += written;
                if written != buffer.len() {
                    break;
                }
            }
            Ok(total)
        }
        FdWriteSource::Buffer(data) => {
            let mut total = 0;
            while total < data.len() {
                let written = retry(|| file.write_at(&data[total..], offset + total as u64));
                match written.map_err(map_io_err)? {
                    0 => return Err(Errno::Io),
                    written => total += written,
                }
            }
            Ok(total)
        }
    })
}

/// Appends the module's vectors by one call, where the host itself finds the end: nothing that somebody else appends
/// comes between. `None` if the file isn't open for that.
fn append<M: MemorySize>(
    file: &VirtualFileLock,
    cursor: Option<&AtomicU64>,
    memory: &MemoryView<'_>,
    data: &FdWriteSource<'_, M>,
) -> Option<Result<(u64, usize), Errno>> {
    let file = file.write().ok()?;
    let positional = file.positional()?;
    let data = match data.coalesce(memory, usize::MAX) {
        Ok(data) => data,
        Err(errno) => return Some(Err(errno)),
    };
    let done = loop {
        match positional.append(&data)? {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => break done.map_err(map_io_err),
        }
    };
    // As the kernel has it, nothing that is appended moves no offset.
    if let (Some(cursor), Ok((begun, written @ 1..))) = (cursor, &done) {
        cursor.store(begun + *written as u64, Ordering::Release);
    }
    Some(done)
}

/// Does `transfer` while nothing else moves the offset that it takes, and moves that by what it returns.
fn locked(
    file: &VirtualFileLock,
    at: At<'_>,
    transfer: impl FnOnce(&(dyn PositionalFile + Send + Sync), u64) -> Result<usize, Errno>,
) -> Option<Result<(u64, usize), Errno>> {
    let (cursor, end) = match at {
        At::Offset(offset) => {
            let Ok(file) = file.read() else {
                return Some(Err(Errno::Fault));
            };
            if crate::host_files::has_no_offset(&**file) {
                return Some(Err(Errno::Spipe));
            }
            let done = transfer(file.positional()?, offset);
            return Some(done.map(|bytes| (offset, bytes)));
        }
        At::Cursor(cursor) => (Some(cursor), false),
        At::End(cursor) => (cursor, true),
    };
    // Nothing is changed through it, but it excludes others.
    let Ok(file) = file.write() else {
        return Some(Err(Errno::Fault));
    };
    let positional = file.positional()?;
    let offset = match cursor {
        Some(cursor) if !end => cursor.load(Ordering::Acquire),
        _ => file.size(),
    };
    let done = transfer(positional, offset);
    if let (Some(cursor), Ok(bytes)) = (cursor, &done) {
        cursor.store(offset + *bytes as u64, Ordering::Release);
    }
    Some(done.map(|bytes| (offset, bytes)))
}

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Returns the result of a part of a call. Its error doesn't count if parts before it were done: `None`.
fn so_far(part: io::Result<usize>, before: usize) -> Result<Option<usize>, Errno> {
    match part {
        Ok(bytes) => Ok(Some(bytes)),
        Err(_) if before > 0 => Ok(None),
        Err(error) => Err(map_io_err(error)),
    }
}
