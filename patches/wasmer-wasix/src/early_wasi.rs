//! Modules that were made with the first C libraries for WASI, which call it `wasi_unstable`.
//!
//! A `crt1` of 2019 puts the null pointer that ends `argv` in place of the first argument, which then overwrites it.
//! What follows the last argument is whatever the heap holds there: zero while it is fresh, so that nobody noticed.
//! The table of preopens in the same library has room for four; the fifth moves it, and `argv` gets the memory that
//! it leaves. OpenSSL 1.1.1d counts its arguments up to the null pointer, and finds more than there are. No runtime
//! can write the pointer in its place: older libraries have no room for it.
#![deny(missing_docs, unsafe_code)]
#![warn(clippy::all)]

use std::path::PathBuf;

use wasmer::Module;

use crate::fs::{Fd, Kind, WasiFs};
use crate::{WasiVersion, get_wasi_version};

/// The number of preopens that the library has room for at first.
const ROOM: usize = 4;

/// Closes the preopens that lie in another one and have no rights that it lacks, if there are too many for an early
/// module: a runner preopens `/` and `.`, and what it preopens besides is reached through these, as `wasmer`'s volumes
/// are. A module of preview 1 keeps all of them, for it may look for one by its name.
pub(crate) fn spare_preopens(module: &Module, fs: &WasiFs) {
    if !is_early(module) {
        return;
    }
    let (Ok(mut fd_map), Ok(mut preopen_fds)) = (fs.fd_map.write(), fs.preopen_fds.write()) else {
        return;
    };
    if preopen_fds.len() <= ROOM {
        return;
    }
    let all: Vec<&Fd> = preopen_fds
        .iter()
        .filter_map(|fd| fd_map.get(*fd))
        .collect();
    let redundant: Vec<_> = preopen_fds
        .iter()
        .copied()
        .filter(|fd| {
            let preopen = fd_map.get(*fd);
            preopen.is_some_and(|preopen| all.iter().any(|other| lies_in(preopen, other)))
        })
        .collect();
    for fd in &redundant {
        fd_map.remove(*fd);
    }
    preopen_fds.retain(|fd| !redundant.contains(fd));
}

/// True if a module is one of these.
pub(crate) fn is_early(module: &Module) -> bool {
    get_wasi_version(module, false) == Some(WasiVersion::Snapshot0)
}

/// Does a path by the name of `preopen` reach the same directory, with the same rights, through `other`?
fn lies_in(preopen: &Fd, other: &Fd) -> bool {
    let (Some((name, place)), Some((around, base))) = (shown(preopen), shown(other)) else {
        return false;
    };
    let below = match around.to_str() {
        Some("/") => name.strip_prefix("/").ok(),
        Some(".") if name.is_relative() && name != around => Some(&*name),
        _ => None,
    };
    below.is_some_and(|below| !below.as_os_str().is_empty() && base.join(below) == place)
        && other.inner.rights.contains(preopen.inner.rights)
        && other
            .inner
            .rights_inheriting
            .contains(preopen.inner.rights_inheriting)
}

/// Returns a preopen's name, and its place in the virtual tree.
fn shown(preopen: &Fd) -> Option<(PathBuf, PathBuf)> {
    let name = PathBuf::from(&**preopen.inode.name.read().unwrap());
    match &*preopen.inode.read() {
        Kind::Dir { path, .. } => Some((name, path.clone())),
        _ => None,
    }
}
