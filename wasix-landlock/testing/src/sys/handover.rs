//! Open files that one process hands to another.

use std::{
    fs::File,
    io, mem,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    ptr,
};

use super::check;

/// A message of one byte, with room for one descriptor.
struct Message {
    byte: u8,
    control: [u64; 8],
}

impl Message {
    fn new() -> Self {
        Self {
            byte: 0,
            control: [0; 8],
        }
    }

    /// Calls a body with the message as the kernel takes it.
    fn with<T>(&mut self, body: impl FnOnce(&mut libc::msghdr) -> T) -> T {
        let mut vector = libc::iovec {
            iov_base: (&raw mut self.byte).cast(),
            iov_len: 1,
        };
        // SAFETY: all-zero is a valid `msghdr`.
        let mut header: libc::msghdr = unsafe { mem::zeroed() };
        header.msg_iov = &raw mut vector;
        header.msg_iovlen = 1;
        header.msg_control = self.control.as_mut_ptr().cast();
        // SAFETY: computes a size.
        header.msg_controllen = unsafe { libc::CMSG_SPACE(4) } as _;
        body(&mut header)
    }
}

/// Sends an open file.
pub(crate) fn send(socket: &UnixStream, file: &File) -> io::Result<()> {
    let mut message = Message::new();
    message.with(|header| {
        // SAFETY: the header has room for one descriptor, which is all that is written.
        unsafe {
            let control = libc::CMSG_FIRSTHDR(header);
            (*control).cmsg_level = libc::SOL_SOCKET;
            (*control).cmsg_type = libc::SCM_RIGHTS;
            (*control).cmsg_len = libc::CMSG_LEN(4) as _;
            ptr::write_unaligned(libc::CMSG_DATA(control).cast(), file.as_raw_fd());
        }
        // SAFETY: the message and what it points to outlive the call.
        check(unsafe { libc::sendmsg(socket.as_raw_fd(), header, 0) } as i64)
    })
}

/// Receives an open file.
pub(crate) fn receive(socket: &UnixStream) -> io::Result<File> {
    let mut message = Message::new();
    message.with(|header| {
        // SAFETY: the message and what it points to outlive the call.
        check(unsafe { libc::recvmsg(socket.as_raw_fd(), header, libc::MSG_CMSG_CLOEXEC) } as i64)?;
        // SAFETY: the kernel wrote the header, which has one descriptor or nothing.
        let number: i32 = unsafe {
            let control = libc::CMSG_FIRSTHDR(header);
            if control.is_null() {
                return Err(io::Error::other("nothing was handed over"));
            }
            ptr::read_unaligned(libc::CMSG_DATA(control).cast())
        };
        // SAFETY: the kernel has just handed out this descriptor, so nothing else owns it.
        Ok(File::from(unsafe { OwnedFd::from_raw_fd(number) }))
    })
}
