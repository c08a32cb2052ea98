//! The program's own standard input and output.

use std::fs::File;
use std::io::{self, IsTerminal as _, Seek as _};
use std::os::fd::{AsFd as _, OwnedFd};

use virtual_fs::host_directory::{HostStat, appends};
use wasmer_wasix_types::wasi::{Fdflags, Fdstat, Filesize, Filestat, Filetype, Rights};

use super::{OnHost, filestat_of, filetype_of};
use crate::fs::{Fd, Kind, WasiFs};

impl WasiFs {
    /// The type of a descriptor for standard input or output; a character device if the stream isn't the program's own.
    pub(crate) fn stdio_filetype(&self, fd: &Fd) -> Filetype {
        let kind = own_stream(fd).and_then(|stream| stream.kind().ok());
        kind.unwrap_or(Filetype::CharacterDevice)
    }

    /// The state of a descriptor for the program's own standard input or output.
    pub(crate) fn stdio_fdstat(&self, fd: &Fd) -> Option<Fdstat> {
        let stream = own_stream(fd)?;
        let kind = stream.kind().ok()?;
        let mut rights = fd.inner.rights;
        // libc takes a character device for a terminal, unless it has an offset.
        if kind == Filetype::CharacterDevice && !stream.is_terminal {
            rights |= Rights::FD_SEEK | Rights::FD_TELL;
        }
        let mut flags = fd.inner.flags;
        flags.set(Fdflags::APPEND, appends(&stream.descriptor).ok()?);
        Some(Fdstat {
            fs_filetype: kind,
            fs_flags: flags,
            fs_rights_base: rights,
            fs_rights_inheriting: fd.inner.rights_inheriting,
        })
    }

    /// The offset of the program's own standard input or output, which others may share.
    pub(crate) fn stdio_tell(&self, fd: &Fd) -> OnHost<Filesize> {
        let stream = own_stream(fd)?;
        let told = File::from(stream.descriptor).stream_position();
        Some(told.map_err(crate::host_errno::of_files))
    }
}

/// The metadata of the program's own standard input or output.
pub(super) fn filestat(fd: &Fd) -> OnHost<Filestat> {
    let stat = HostStat::of(&own_stream(fd)?.descriptor);
    let stat = stat.map(|stat| filestat_of(&stat));
    Some(stat.map_err(crate::host_errno::of_files))
}

/// One of the program's own streams.
struct Stream {
    descriptor: OwnedFd,
    is_terminal: bool,
}

impl Stream {
    fn kind(&self) -> io::Result<Filetype> {
        let stat = HostStat::of(&self.descriptor)?;
        Ok(filetype_of(&stat.file_type))
    }
}

/// The program's stream that a descriptor stands for.
fn own_stream(fd: &Fd) -> Option<Stream> {
    if !fd.is_stdio {
        return None;
    }
    let kind = fd.inode.kind.read().ok()?;
    let Kind::File {
        handle: Some(handle),
        ..
    } = &*kind
    else {
        return None;
    };
    let number = handle.try_read().ok()?.get_special_fd()?;
    let (descriptor, is_terminal) = match number {
        0 => (
            std::io::stdin().as_fd().try_clone_to_owned(),
            std::io::stdin().is_terminal(),
        ),
        1 => (
            std::io::stdout().as_fd().try_clone_to_owned(),
            std::io::stdout().is_terminal(),
        ),
        2 => (
            std::io::stderr().as_fd().try_clone_to_owned(),
            std::io::stderr().is_terminal(),
        ),
        _ => return None,
    };
    Some(Stream {
        descriptor: descriptor.ok()?,
        is_terminal,
    })
}
