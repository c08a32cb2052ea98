//! The other end of a unix socket pair, for which `unix(7)` has no call: netlink tells it.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use super::check;

/// `SOCK_DIAG_BY_FAMILY` in `linux/sock_diag.h`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST` in `linux/netlink.h`.
const REQUEST: u16 = 1;
/// `UDIAG_SHOW_PEER` and `UNIX_DIAG_PEER` in `linux/unix_diag.h`.
const SHOW_PEER: u32 = 4;
const PEER: u16 = 2;
/// The sizes of `struct nlmsghdr`, `struct unix_diag_req` and `struct unix_diag_msg`.
const HEADER: usize = 16;
const QUESTION: usize = 24;
const ANSWER: usize = 16;

/// The inode number of the socket at the other end; `None` if there is no such end, or if the
/// kernel doesn't tell.
pub(crate) fn peer_of(inode: u64) -> Option<u64> {
    let question = question(u32::try_from(inode).ok()?);
    let kernel = socket().ok()?;
    let mut answer = [0; 512];
    let length = exchange(&kernel, &question, &mut answer).ok()?;
    peer_in(answer.get(..length)?)
}

/// Asks for one socket by its inode, whatever its cookie is.
fn question(inode: u32) -> Vec<u8> {
    let length = u32::try_from(HEADER + QUESTION).unwrap_or(0);
    let family = u8::try_from(libc::AF_UNIX).unwrap_or(0);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    // Sequence number and sender.
    bytes.extend([0; 8]);
    bytes.extend([family, 0, 0, 0]);
    for field in [u32::MAX, inode, SHOW_PEER, u32::MAX, u32::MAX] {
        bytes.extend(field.to_ne_bytes());
    }
    bytes
}

/// Finds the peer among the attributes of an answer.
fn peer_in(answer: &[u8]) -> Option<u64> {
    let half = |bytes: &[u8], at| {
        bytes
            .get(at..at + 2)?
            .try_into()
            .ok()
            .map(u16::from_ne_bytes)
    };
    if half(answer, 4)? != BY_FAMILY {
        return None;
    }
    let mut attributes = answer.get(HEADER + ANSWER..)?;
    loop {
        let (length, kind) = (usize::from(half(attributes, 0)?), half(attributes, 2)?);
        if kind == PEER {
            let inode: [u8; 4] = attributes.get(4..8)?.try_into().ok()?;
            // An end that was closed has none.
            return Some(u32::from_ne_bytes(inode).into()).filter(|inode| *inode != 0);
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

/// Makes a socket to the part of the kernel that knows of sockets.
fn socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes integers.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG) };
    let fd = check(fd.into()).map_err(io::Error::from_raw_os_error)?;
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just handed out this descriptor, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a question to the kernel and reads the answer, which is there at once.
fn exchange(kernel: &OwnedFd, question: &[u8], answer: &mut [u8]) -> io::Result<usize> {
    let socket = kernel.as_raw_fd();
    // SAFETY: the kernel reads the given length from the slice, which outlives the call.
    let sent = unsafe { libc::send(socket, question.as_ptr().cast(), question.len(), 0) };
    check(sent as libc::c_long).map_err(io::Error::from_raw_os_error)?;
    // SAFETY: the kernel writes the given length at most to the slice.
    let received = unsafe { libc::recv(socket, answer.as_mut_ptr().cast(), answer.len(), 0) };
    check(received as libc::c_long).map_err(io::Error::from_raw_os_error)?;
    usize::try_from(received).map_err(io::Error::other)
}
