//! A socket's kind, and its other end.

use std::{mem, os::fd::RawFd};

use super::check;

fn length<T>(_: &T) -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}

/// A socket's family and type (`SO_DOMAIN`, `SO_TYPE`).
pub(crate) fn family_and_type(socket: RawFd) -> Option<(i32, i32)> {
    let ask = |option| {
        let mut value: libc::c_int = 0;
        let mut length = length(&value);
        // SAFETY: the kernel writes at most `length` bytes to the integer, which is this function's.
        let returned = unsafe {
            libc::getsockopt(
                socket,
                libc::SOL_SOCKET,
                option,
                (&raw mut value).cast(),
                &raw mut length,
            )
        };
        check(returned.into()).is_ok().then_some(value)
    };
    Some((ask(libc::SO_DOMAIN)?, ask(libc::SO_TYPE)?))
}

/// Returns the process that made a socket's other end; `None` if there is no such end or the kernel doesn't tell.
pub(crate) fn peer_process(socket: RawFd) -> Option<i32> {
    // SAFETY: all-zero is a valid `ucred`.
    let mut peer: libc::ucred = unsafe { mem::zeroed() };
    let mut length = length(&peer);
    // SAFETY: the kernel writes at most `length` bytes to the structure, which is this function's.
    let returned = unsafe {
        libc::getsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    (check(returned.into()).is_ok() && peer.pid > 0).then_some(peer.pid)
}

/// True if a socket and its other end are unix sockets without a name, as those of a pair are.
pub(crate) fn is_unnamed_pair(socket: RawFd) -> bool {
    let unnamed = |ask: unsafe extern "C" fn(
        libc::c_int,
        *mut libc::sockaddr,
        *mut libc::socklen_t,
    ) -> libc::c_int| {
        // SAFETY: all-zero is a valid `sockaddr_un`.
        let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
        let mut written = length(&address);
        // SAFETY: the kernel writes at most `written` bytes to the address, which is this
        // function's.
        let returned = unsafe { ask(socket, (&raw mut address).cast(), &raw mut written) };
        let family = usize::try_from(written).unwrap_or(usize::MAX);
        check(returned.into()).is_ok()
            && libc::c_int::from(address.sun_family) == libc::AF_UNIX
            && family == size_of::<libc::sa_family_t>()
    };
    unnamed(libc::getsockname) && unnamed(libc::getpeername)
}
