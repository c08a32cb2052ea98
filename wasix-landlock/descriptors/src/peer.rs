//! The other end of a unix socket pair, for which `unix(7)` has no call: netlink tells it.

use std::{
    cell::OnceCell,
    collections::BTreeSet,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SOCK_DIAG, recv, send,
    socket_with,
};

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

/// The sockets that are open in this process, and the netlink socket by which the kernel is asked
/// for their other ends.
#[derive(Debug)]
pub(crate) struct Sockets {
    inodes: BTreeSet<u64>,
    kernel: OnceCell<Netlink>,
}

impl Sockets {
    /// The sockets with these inode numbers.
    pub(crate) fn of(inodes: BTreeSet<u64>) -> Self {
        let kernel = OnceCell::new();
        Self { inodes, kernel }
    }

    /// True if the socket at the other end is open as well, as far as the kernel tells.
    pub(crate) fn have_peer_of(&self, inode: u64) -> bool {
        self.peer_of(inode)
            .is_some_and(|peer| self.inodes.contains(&peer))
    }

    fn peer_of(&self, inode: u64) -> Option<u64> {
        let inode = u32::try_from(inode).ok()?;
        let kernel = self.kernel.get_or_init(Netlink::open).0.as_ref()?;
        let mut answer = [0; 512];
        send(kernel, &question(inode), SendFlags::empty()).ok()?;
        // The answer is there at once.
        let (length, _) = recv(kernel, &mut answer[..], RecvFlags::empty()).ok()?;
        peer_in(answer.get(..length)?, inode)
    }
}

/// The netlink sockets of all listings in this process, by number. Each is opened and closed under the lock.
static OPEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

fn open() -> MutexGuard<'static, BTreeSet<RawFd>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// True if a listing asks the kernel by this descriptor now, in this thread or in another.
pub(crate) fn is_asked_by(number: RawFd) -> bool {
    open().contains(&number)
}

/// A netlink socket. It is `None` where there can't be one, and while it is dropped.
#[derive(Debug)]
struct Netlink(Option<OwnedFd>);

impl Netlink {
    fn open() -> Self {
        let mut open = open();
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(SOCK_DIAG),
        );
        let socket = socket.ok();
        open.extend(socket.as_ref().map(AsRawFd::as_raw_fd));
        Self(socket)
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        let mut open = open();
        if let Some(socket) = self.0.take() {
            open.remove(&socket.as_raw_fd());
        }
    }
}

/// Asks for one socket by its inode, whatever its cookie is. The inode is the question's sequence number
/// as well, which the answer repeats.
fn question(inode: u32) -> Vec<u8> {
    let length = u32::try_from(HEADER + QUESTION).unwrap_or(0);
    let family = u8::try_from(AddressFamily::UNIX.as_raw()).unwrap_or(0);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    bytes.extend(inode.to_ne_bytes());
    // The sender.
    bytes.extend([0; 4]);
    bytes.extend([family, 0, 0, 0]);
    for field in [u32::MAX, inode, SHOW_PEER, u32::MAX, u32::MAX] {
        bytes.extend(field.to_ne_bytes());
    }
    bytes
}

/// Finds the peer among the attributes of the answer to the question for this inode.
fn peer_in(answer: &[u8], inode: u32) -> Option<u64> {
    let half = |bytes: &[u8], at| {
        let half = bytes.get(at..at + 2)?.try_into();
        half.ok().map(u16::from_ne_bytes)
    };
    if half(answer, 4)? != BY_FAMILY || answer.get(8..12)? != inode.to_ne_bytes() {
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
