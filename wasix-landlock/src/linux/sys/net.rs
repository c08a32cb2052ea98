//! Sockets that show whether the network is restricted.

use std::{
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use super::check;

/// Makes a socket that neither blocks nor is passed on.
pub(crate) fn socket(family: i32, kind: i32) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes integers.
    let fd = check(unsafe { libc::socket(family, kind, 0) }.into())
        .map_err(io::Error::from_raw_os_error)?;
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just handed out this descriptor, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Binds an IPv4 socket to a port of any address.
pub(crate) fn bind_port(socket: &OwnedFd, port: u16) -> Result<(), i32> {
    let address = ipv4(port, libc::INADDR_ANY);
    // SAFETY: the address is what its family and length say, and outlives the call.
    check(
        unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                length(&address),
            )
        }
        .into(),
    )
    .map(drop)
}

/// Connects an IPv4 socket to a port of this machine.
pub(crate) fn connect_port(socket: &OwnedFd, port: u16) -> Result<(), i32> {
    let address = ipv4(port, libc::INADDR_LOOPBACK);
    // SAFETY: the address is what its family and length say, and outlives the call.
    check(
        unsafe {
            libc::connect(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                length(&address),
            )
        }
        .into(),
    )
    .map(drop)
}

/// The port that an IPv4 socket is bound to.
pub(crate) fn port_of(socket: &OwnedFd) -> io::Result<u16> {
    let mut address = ipv4(0, 0);
    let mut length = length(&address);
    // SAFETY: the kernel writes at most `length` bytes to the address, which is this function's.
    let returned = unsafe {
        libc::getsockname(
            socket.as_raw_fd(),
            (&raw mut address).cast(),
            &raw mut length,
        )
    };
    check(returned.into()).map_err(io::Error::from_raw_os_error)?;
    Ok(u16::from_be(address.sin_port))
}

fn ipv4(port: u16, address: u32) -> libc::sockaddr_in {
    // SAFETY: all-zero is a valid `sockaddr_in`.
    let mut socket: libc::sockaddr_in = unsafe { mem::zeroed() };
    socket.sin_family = libc::AF_INET as libc::sa_family_t;
    socket.sin_port = port.to_be();
    socket.sin_addr.s_addr = address.to_be();
    socket
}

fn length<T>(_: &T) -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}

/// A unix socket's address.
#[derive(Clone, Copy)]
pub(crate) struct UnixAddress {
    address: libc::sockaddr_un,
    length: libc::socklen_t,
}

/// Binds a unix socket to an abstract name that the kernel picks, and returns that.
pub(crate) fn bind_any_abstract(socket: &OwnedFd) -> Result<UnixAddress, i32> {
    // SAFETY: all-zero is a valid `sockaddr_un`.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let family = libc::socklen_t::try_from(size_of::<libc::sa_family_t>()).unwrap_or(0);
    // SAFETY: an address of the family alone asks for a name, as unix(7) has it.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), family) }.into())?;
    let mut written = length(&address);
    // SAFETY: the kernel writes at most `written` bytes to the address, which is this function's.
    let returned = unsafe {
        libc::getsockname(
            socket.as_raw_fd(),
            (&raw mut address).cast(),
            &raw mut written,
        )
    };
    check(returned.into())?;
    Ok(UnixAddress {
        address,
        length: written,
    })
}

/// Connects a unix socket.
pub(crate) fn connect_unix(socket: &OwnedFd, to: &UnixAddress) -> Result<(), i32> {
    // SAFETY: the kernel wrote the address, with its length.
    check(
        unsafe {
            libc::connect(
                socket.as_raw_fd(),
                (&raw const to.address).cast(),
                to.length,
            )
        }
        .into(),
    )
    .map(drop)
}

/// Who made a socket's other end; `None` if it has no such end or the kernel doesn't tell.
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

/// Whether a socket and its other end are unix sockets without a name, as those of a pair are.
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
