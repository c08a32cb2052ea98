//! The socket on which containerd reaches this shim.
//!
//! `containerd-shim` removes it as the last thing, by an address that it reads from the bundle. On a busy machine containerd
//! has removed the bundle by then, and the socket stays.
#![allow(unsafe_code)]

use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf, process, sync::OnceLock};

/// The descriptor that `containerd-shim` listens on.
const LISTENER: u32 = 3;

static OWN: OnceLock<Own> = OnceLock::new();

/// The socket of the process that listens on it.
struct Own {
    process: u32,
    path: PathBuf,
    inode: u64,
}

/// Has this process remove its socket when it exits. Does nothing in a process that doesn't listen.
pub(crate) fn remove_at_exit() {
    let Some(own) = own() else {
        return;
    };
    if OWN.set(own).is_ok() {
        // SAFETY: the function is there as long as the program is, and doesn't unwind.
        let _ = unsafe { libc::atexit(remove) };
    }
}

/// The socket, by the number that the kernel lists it under.
fn own() -> Option<Own> {
    let link = fs::read_link(format!("/proc/self/fd/{LISTENER}")).ok()?;
    let number = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
    let sockets = fs::read_to_string("/proc/self/net/unix").ok()?;
    let words = |line: &str| -> Option<PathBuf> {
        let mut words = line.split_whitespace().skip(6);
        let is_own = words.next()? == number;
        is_own.then_some(words.next()?.into())
    };
    let path = sockets.lines().find_map(words)?;
    Some(Own {
        process: process::id(),
        inode: fs::metadata(&path).ok()?.ino(),
        path,
    })
}

/// Not for processes that inherit this, and not for the socket of a later shim of the same name.
extern "C" fn remove() {
    let Some(own) = OWN.get() else {
        return;
    };
    let is_there = fs::metadata(&own.path).is_ok_and(|socket| socket.ino() == own.inode);
    if own.process == process::id() && is_there {
        // There is nobody to tell.
        let _ = fs::remove_file(&own.path);
    }
}
