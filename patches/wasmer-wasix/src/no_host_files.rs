//! Without Linux, or without the host's files: every call goes through the virtual file systems.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use wasmer::{MemorySize, MemoryView, WasmPtr};
use wasmer_wasix_types::types::{__wasi_ciovec_t, __wasi_iovec_t};
use wasmer_wasix_types::wasi::{
    Errno, Fd as WasiFd, Fdflags, Fdflagsext, Fdstat, Filesize, Filestat, Filetype, Fstflags,
    Oflags, Rights,
};

use crate::WasiEnv;
use crate::fs::{Fd, WasiFs, WasiInodes};
use crate::listing::Entry;

type OnHost<T> = Option<Result<T, Errno>>;

/// A module's request to open a path.
#[allow(dead_code)]
pub(crate) struct Opening<'p> {
    pub(crate) path: &'p str,
    pub(crate) follow: bool,
    pub(crate) how: Oflags,
    pub(crate) rights: Rights,
    pub(crate) inheriting: Rights,
    pub(crate) implied: Rights,
    pub(crate) flags: Fdflags,
    pub(crate) fd_flags: Fdflagsext,
    pub(crate) number: Option<WasiFd>,
}

pub(crate) fn open(_: &WasiEnv, _: &Fd, _: &Opening<'_>) -> OnHost<WasiFd> {
    None
}

pub(crate) fn is_on_host(_: &crate::fs::VirtualFileLock) -> bool {
    false
}

pub(crate) fn has_no_offset(_: &dyn virtual_fs::VirtualFile) -> bool {
    false
}

pub(crate) fn read<M: MemorySize>(
    _: &WasiEnv,
    _: WasiFd,
    _: Option<u64>,
    _: &MemoryView<'_>,
    _: (WasmPtr<__wasi_iovec_t<M>, M>, M::Offset),
    _: WasmPtr<M::Offset, M>,
) -> Option<Errno> {
    None
}

pub(crate) fn write<M: MemorySize>(
    _: &WasiEnv,
    _: WasiFd,
    _: Option<u64>,
    _: &MemoryView<'_>,
    _: (WasmPtr<__wasi_ciovec_t<M>, M>, M::Offset),
    _: WasmPtr<M::Offset, M>,
) -> Option<Errno> {
    None
}

macro_rules! none {
    ($($name:ident($($of:ty),*) -> $result:ty;)*) => {
        impl WasiFs {
            $(pub(crate) fn $name(&self, $(_: $of),*) -> $result {
                None
            })*
        }
    };
}

none! {
    host_make_directory(&WasiInodes, WasiFd, &str) -> OnHost<()>;
    host_remove_directory(&WasiInodes, WasiFd, &str) -> OnHost<()>;
    host_remove_file(&WasiInodes, WasiFd, &str) -> OnHost<()>;
    host_make_symlink(&WasiInodes, &str, WasiFd, &str) -> OnHost<()>;
    host_read_link(&WasiInodes, &Fd, &str) -> OnHost<Vec<u8>>;
    host_stat(&WasiInodes, &Fd, &str, bool) -> OnHost<Filestat>;
    host_set_times(&WasiInodes, (&Fd, &str, bool), (u64, u64), Fstflags) -> OnHost<()>;
    host_rename(&WasiInodes, (WasiFd, &str), (WasiFd, &str)) -> OnHost<()>;
    host_link(&WasiInodes, (WasiFd, &str, bool), (WasiFd, &str)) -> OnHost<()>;
    host_filestat(&Fd) -> OnHost<Filestat>;
    host_filetype(&Fd) -> Option<Filetype>;
    host_set_times_of(&Fd, (u64, u64), Fstflags) -> OnHost<()>;
    host_sync(&Fd, bool) -> OnHost<()>;
    host_set_size(&Fd, u64) -> OnHost<()>;
    host_allocate(&Fd, u64, u64) -> OnHost<()>;
    host_set_flags(&Fd, Fdflags) -> OnHost<()>;
    host_list(&Fd) -> OnHost<Vec<Entry>>;
    host_real_directory(&WasiInodes, &str) -> OnHost<String>;
    host_path_of_directory(&WasiInodes, &Fd) -> OnHost<String>;
    host_current_directory(&WasiInodes) -> OnHost<String>;
    stdio_fdstat(&Fd) -> Option<Fdstat>;
    stdio_tell(&Fd) -> OnHost<Filesize>;
}

impl WasiFs {
    /// Looks for a program that a module starts.
    pub(crate) fn look_for_program(&self, inodes: &WasiInodes, path: &str) -> Result<(), Errno> {
        self.get_inode_at_path(inodes, crate::VIRTUAL_ROOT_FD, path, true)
            .map(drop)
    }

    /// The kind of standard input or output.
    pub(crate) fn stdio_filetype(&self, _fd: &Fd) -> Filetype {
        Filetype::CharacterDevice
    }
}
