//! Reads and writes of open files. Only the file itself is taken from the table of descriptors.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tracing::{Level, Span};
use wasmer::{MemorySize, MemoryView, WasmPtr};
use wasmer_wasix_types::types::{__wasi_ciovec_t, __wasi_iovec_t};
use wasmer_wasix_types::wasi::{Errno, Fd as WasiFd, Fdflags, Rights};

use crate::WasiEnv;
use crate::fs::VirtualFileLock;
use crate::mem_error_to_wasi;
use crate::positional_io::{self, At};
use crate::syscalls::FdWriteSource;

/// A file of the host that a descriptor is open on, and the position of a call.
struct OpenFile {
    file: VirtualFileLock,
    position: Position,
    appends: bool,
}

/// The position of a call in a file.
enum Position {
    /// The descriptor's own offset.
    Cursor(Arc<AtomicU64>),
    /// An offset that the call names.
    Offset(u64),
}

impl Position {
    fn at(&self) -> At<'_> {
        match self {
            Self::Cursor(cursor) => At::Cursor(cursor),
            Self::Offset(offset) => At::Offset(*offset),
        }
    }

    /// The end of the file, with the cursor that goes there.
    fn at_end(&self) -> At<'_> {
        match self {
            Self::Cursor(cursor) => At::End(Some(cursor)),
            Self::Offset(_) => At::End(None),
        }
    }
}

/// Reads from a host file, at `offset` or at the descriptor's own. `None` if something else has to be done for the call.
pub(crate) fn read<M: MemorySize>(
    env: &WasiEnv,
    fd: WasiFd,
    offset: Option<u64>,
    memory: &MemoryView<'_>,
    (iovs, iovs_len): (WasmPtr<__wasi_iovec_t<M>, M>, M::Offset),
    nread: WasmPtr<M::Offset, M>,
) -> Option<Errno> {
    let open = open_file(env, fd, Rights::FD_READ, offset)?;
    let read = positional_io::read(&open.file, open.position.at(), memory, iovs, iovs_len)?;
    let (bytes, errno) = match read {
        Ok(bytes) => (bytes, Errno::Success),
        // As upstream has it, the number is set then as well.
        Err(errno) => (0, errno),
    };
    Some(match set("nread", nread, bytes, memory) {
        Ok(()) => errno,
        Err(errno) => errno,
    })
}

/// Writes to a host file, as [`read`] reads.
pub(crate) fn write<M: MemorySize>(
    env: &WasiEnv,
    fd: WasiFd,
    offset: Option<u64>,
    memory: &MemoryView<'_>,
    (iovs, iovs_len): (WasmPtr<__wasi_ciovec_t<M>, M>, M::Offset),
    nwritten: WasmPtr<M::Offset, M>,
) -> Option<Errno> {
    let open = open_file(env, fd, Rights::FD_WRITE, offset)?;
    if env.state.fs.meter.counts_writes(false) {
        return None;
    }
    let at = match open.appends {
        true => open.position.at_end(),
        false => open.position.at(),
    };
    let data = FdWriteSource::Iovs { iovs, iovs_len };
    let written = positional_io::write(&open.file, at, memory, &data)?;
    let set = written.and_then(|(_, bytes)| set("nwritten", nwritten, bytes, memory));
    Some(set.err().unwrap_or(Errno::Success))
}

/// Finds the file, if the descriptor has the right, and if nothing but the transfer has to be done.
fn open_file(env: &WasiEnv, fd: WasiFd, needed: Rights, offset: Option<u64>) -> Option<OpenFile> {
    if env.enable_journal || env.enable_exponential_cpu_backoff.is_some() {
        return None;
    }
    let table = env.state.fs.fd_map.read().ok()?;
    let entry = table.get(fd)?;
    let file = entry.inode.host.as_ref()?;
    if entry.is_stdio || !entry.inner.rights.contains(needed) {
        return None;
    }
    Some(OpenFile {
        file: Arc::clone(file),
        position: match offset {
            Some(offset) => Position::Offset(offset),
            None => Position::Cursor(Arc::clone(&entry.inner.offset)),
        },
        appends: entry.inner.flags.contains(Fdflags::APPEND),
    })
}

/// Gives the module the number of bytes, and the span of the call as the field `name`.
fn set<M: MemorySize>(
    name: &str,
    to: WasmPtr<M::Offset, M>,
    bytes: usize,
    memory: &MemoryView<'_>,
) -> Result<(), Errno> {
    if tracing::enabled!(Level::TRACE) {
        Span::current().record(name, bytes);
    }
    let bytes = M::Offset::try_from(bytes as u64).map_err(|_| Errno::Overflow)?;
    to.write(memory, bytes).map_err(mem_error_to_wasi)
}
