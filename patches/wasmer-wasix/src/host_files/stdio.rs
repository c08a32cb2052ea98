//! The program's own standard input and output.

use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;

use wasmer_wasix_types::wasi::Filetype;

use crate::fs::{Fd, Kind, WasiFs};

impl WasiFs {
    /// The type of a descriptor for standard input or output: a character device only if it is a terminal, by which
    /// libc tells a terminal. What isn't the program's own is what it was taken for before.
    pub(crate) fn stdio_filetype(&self, fd: &Fd) -> Filetype {
        match own_stream(fd) {
            Some(0) => filetype(std::io::stdin().is_terminal(), std::io::stdin().as_fd()),
            Some(1) => filetype(std::io::stdout().is_terminal(), std::io::stdout().as_fd()),
            Some(2) => filetype(std::io::stderr().is_terminal(), std::io::stderr().as_fd()),
            _ => Filetype::CharacterDevice,
        }
    }
}

/// The number of the program's stream that a descriptor stands for.
fn own_stream(fd: &Fd) -> Option<u32> {
    let kind = fd.inode.kind.read().ok()?;
    let Kind::File {
        handle: Some(handle),
        ..
    } = &*kind
    else {
        return None;
    };
    handle.try_read().ok()?.get_special_fd()
}

fn filetype(is_terminal: bool, stream: std::os::fd::BorrowedFd<'_>) -> Filetype {
    if is_terminal {
        return Filetype::CharacterDevice;
    }
    let file = stream.try_clone_to_owned().map(std::fs::File::from);
    match file.and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => Filetype::RegularFile,
        _ => Filetype::Unknown,
    }
}
