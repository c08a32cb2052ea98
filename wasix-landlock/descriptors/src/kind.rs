//! The kind of a descriptor, as the kernel tells it.

use std::{collections::HashMap, io::IsTerminal, os::fd::RawFd, process};

use rustix::{
    fs::{FileType, Stat, fstat, fstatfs, major, minor},
    net::{
        AddressFamily, SocketAddrAny, SocketType, getpeername, getsockname,
        sockopt::{socket_domain, socket_peercred, socket_type},
    },
};

use crate::{DescriptorKind, peer::Sockets, rings::RING, sys};

/// File systems by their numbers in `linux/magic.h`.
mod file_system {
    pub(super) const ANONYMOUS: u32 = 0x0904_1934;
    pub(super) const PIPES: u32 = 0x5049_5045;
    pub(super) const NAMESPACES: u32 = 0x6e73_6673;
    pub(super) const PROCESSES: u32 = 0x5049_4446;

    /// File systems whose files are interfaces of the kernel: proc, sys, cgroup, cgroup2, debugfs, tracefs,
    /// securityfs, selinuxfs, bpf, binfmt_misc, efivarfs, configfs (without a name there).
    pub(super) const OF_THE_KERNEL: [u32; 12] = [
        0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x64626720, 0x74726163, 0x73636673, 0xf97cff8c,
        0xcafe4a11, 0x42494e4d, 0xde5e81e4, 0x62656570,
    ];

    /// File systems whose files only look like regular ones: shared buffers of devices, message queues.
    pub(super) const NOT_OF_FILES: [u32; 2] = [0x444d_4142, 0x1980_0202];
}

/// The kinds of this process's descriptors. The kernel is asked once for each file system and for each unix socket: a
/// server has thousands of descriptors on a few of the former, and many duplicates of the latter.
pub(crate) struct Kinds {
    /// All sockets that are open in this process.
    sockets: Sockets,
    /// The kinds of unix sockets, by inode.
    unix: HashMap<u64, DescriptorKind>,
    /// The types of file systems, by device.
    file_systems: HashMap<u64, Option<u32>>,
}

impl Kinds {
    pub(crate) fn new(sockets: Sockets) -> Self {
        Self {
            sockets,
            unix: HashMap::new(),
            file_systems: HashMap::new(),
        }
    }

    /// The kind of a descriptor that is more than a name.
    pub(crate) fn of(&mut self, number: RawFd, inode: &Stat, target: &str) -> DescriptorKind {
        match FileType::from_raw_mode(inode.st_mode) {
            FileType::Socket => self.socket(number, inode),
            FileType::Directory => DescriptorKind::Directory,
            FileType::BlockDevice => DescriptorKind::Device,
            FileType::CharacterDevice => match (major(inode.st_rdev), minor(inode.st_rdev)) {
                (1, 3) => DescriptorKind::Null,
                _ if sys::ask(number, |open| open.is_terminal()) => DescriptorKind::Terminal,
                _ => DescriptorKind::Device,
            },
            file_type => on(self.file_system(number, inode), file_type, target),
        }
    }

    fn file_system(&mut self, number: RawFd, inode: &Stat) -> Option<u32> {
        if let Some(known) = self.file_systems.get(&inode.st_dev) {
            return *known;
        }
        let found = sys::ask(number, fstatfs).ok();
        // Each architecture has a type of its own for the number.
        let found = found.and_then(|found| u32::try_from(found.f_type).ok());
        if is_still(number, inode) {
            self.file_systems.insert(inode.st_dev, found);
        }
        found
    }

    fn socket(&mut self, number: RawFd, inode: &Stat) -> DescriptorKind {
        if let Some(known) = self.unix.get(&inode.st_ino) {
            return *known;
        }
        let family = sys::ask(number, socket_domain).ok();
        match (family, sys::ask(number, socket_type)) {
            (
                Some(AddressFamily::INET | AddressFamily::INET6),
                Ok(SocketType::STREAM | SocketType::DGRAM),
            ) => DescriptorKind::Socket,
            (Some(AddressFamily::UNIX), Ok(_)) => {
                let kind = match is_own_pair(number, inode, &self.sockets) {
                    true => DescriptorKind::SocketPair,
                    false => DescriptorKind::UnixSocket,
                };
                if is_still(number, inode) {
                    self.unix.insert(inode.st_ino, kind);
                }
                kind
            }
            _ => DescriptorKind::OtherSocket,
        }
    }
}

/// True if the descriptor is open on this inode now. Where another thread has closed it meanwhile, an answer may be about
/// what has its number since, and doesn't count for the others on this inode or its file system.
fn is_still(number: RawFd, inode: &Stat) -> bool {
    let now = sys::ask(number, fstat);
    now.is_ok_and(|now| is_same(&now, inode))
}

/// True for two answers about the same inode.
pub(crate) fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// The kind of what the type alone doesn't tell. Only the kernel names what is on these file
/// systems, so that the name can be trusted there.
fn on(file_system: Option<u32>, file_type: FileType, target: &str) -> DescriptorKind {
    use file_system::{ANONYMOUS, NAMESPACES, NOT_OF_FILES, OF_THE_KERNEL, PIPES, PROCESSES};

    match (file_system, file_type) {
        // The worst of all, which a mistake about the file system must not hide.
        _ if target.as_bytes() == RING => DescriptorKind::Ring,
        (Some(ANONYMOUS), _) => anonymous(target),
        (Some(PROCESSES), _) => DescriptorKind::Process,
        (Some(NAMESPACES), _) => DescriptorKind::Namespace,
        (Some(PIPES), FileType::Fifo) => DescriptorKind::Pipe,
        (Some(_), FileType::Fifo) => DescriptorKind::Fifo,
        (Some(found), _) if NOT_OF_FILES.contains(&found) => DescriptorKind::Other,
        (Some(found), FileType::RegularFile) if OF_THE_KERNEL.contains(&found) => {
            DescriptorKind::KernelFile
        }
        (Some(_), FileType::RegularFile) if target.starts_with('/') => DescriptorKind::File,
        _ => DescriptorKind::Other,
    }
}

fn anonymous(target: &str) -> DescriptorKind {
    match target {
        "anon_inode:[eventfd]" => DescriptorKind::EventCounter,
        "anon_inode:[eventpoll]" => DescriptorKind::Epoll,
        "anon_inode:[timerfd]" => DescriptorKind::Timer,
        "anon_inode:[signalfd]" => DescriptorKind::SignalQueue,
        "anon_inode:inotify" => DescriptorKind::Watch,
        "anon_inode:[pidfd]" => DescriptorKind::Process,
        "anon_inode:[landlock-ruleset]" => DescriptorKind::Ruleset,
        _ => DescriptorKind::Other,
    }
}

/// True if this process has made a pair and has both ends open. A pair keeps its maker as its peer
/// even when a child that was forked has the other end, so the kernel is asked for that end.
fn is_own_pair(number: RawFd, inode: &Stat, sockets: &Sockets) -> bool {
    let this = i32::try_from(process::id()).ok();
    let maker = sys::ask(number, socket_peercred).ok();
    is_unnamed_pair(number)
        && maker.map(|maker| maker.pid.as_raw_pid()) == this
        && sockets.have_peer_of(inode.st_ino)
}

/// True if a socket and its other end are unix sockets without a name, as those of a pair are.
fn is_unnamed_pair(number: RawFd) -> bool {
    let is_unnamed = |address: &SocketAddrAny| {
        address.address_family() == AddressFamily::UNIX
            && usize::try_from(address.addr_len()).is_ok_and(|length| length <= NO_NAME)
    };
    let own = sys::ask(number, getsockname).ok();
    let peer = sys::ask(number, getpeername).ok().flatten();
    own.as_ref().is_some_and(is_unnamed) && peer.as_ref().is_some_and(is_unnamed)
}

/// The length of a unix socket's address without a name: its family alone.
const NO_NAME: usize = size_of::<libc::sa_family_t>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_only_on_the_file_system_where_the_kernel_gives_it() {
        let ext4 = Some(0xef53);
        let counter = "anon_inode:[eventfd]";
        let kind = |file_system, target| on(file_system, FileType::RegularFile, target);
        assert_eq!(kind(ext4, counter), DescriptorKind::Other);
        assert_eq!(
            kind(Some(file_system::ANONYMOUS), counter),
            DescriptorKind::EventCounter
        );
        assert_eq!(
            kind(ext4, "/srv/anon_inode:[eventfd]"),
            DescriptorKind::File
        );
        assert_eq!(kind(None, "/srv/file"), DescriptorKind::Other);
        let ring = "anon_inode:[io_uring]";
        assert_eq!(
            kind(Some(file_system::ANONYMOUS), ring),
            DescriptorKind::Ring
        );
        assert_eq!(
            kind(ext4, ring),
            DescriptorKind::Ring,
            "to be on the safe side"
        );
        let new = "anon_inode:[something new]";
        assert_eq!(
            kind(Some(file_system::ANONYMOUS), new),
            DescriptorKind::Other
        );
    }
}
