//! The kind of a descriptor, as the kernel tells it.

use std::{collections::BTreeSet, os::fd::RawFd, process};

use super::super::sys::{self, Inode};
use crate::DescriptorKind;

/// File systems by their numbers in `linux/magic.h`.
mod file_system {
    pub(super) const ANONYMOUS: u32 = 0x0904_1934;
    pub(super) const PIPES: u32 = 0x5049_5045;
    pub(super) const NAMESPACES: u32 = 0x6e73_6673;
    pub(super) const PROCESSES: u32 = 0x5049_4446;

    /// File systems whose files are interfaces of the kernel: proc, sys, cgroup, cgroup2, debugfs, tracefs,
    /// securityfs, selinuxfs, bpf, binfmt_misc, efivarfs, configfs (without a name there).
    pub(super) const OF_THE_KERNEL: [u32; 12] = [
        0x9fa0,
        0x6265_6572,
        0x0027_e0eb,
        0x6367_7270,
        0x6462_6720,
        0x7472_6163,
        0x7363_6673,
        0xf97c_ff8c,
        0xcafe_4a11,
        0x4249_4e4d,
        0xde5e_81e4,
        0x6265_6570,
    ];

    /// File systems whose files only look like regular ones: shared buffers of devices, message queues.
    pub(super) const NOT_OF_FILES: [u32; 2] = [0x444d_4142, 0x1980_0202];
}

/// The kind of a descriptor that is more than a name. `sockets` are the inodes of all sockets that
/// are open in this process.
pub(super) fn of(
    number: RawFd,
    inode: Inode,
    target: &str,
    sockets: &BTreeSet<u64>,
) -> DescriptorKind {
    match inode.file_type {
        libc::S_IFSOCK => socket(number, inode, sockets),
        libc::S_IFDIR => DescriptorKind::Directory,
        libc::S_IFBLK => DescriptorKind::Device,
        libc::S_IFCHR if inode.device == libc::makedev(1, 3) => DescriptorKind::Null,
        libc::S_IFCHR if sys::is_terminal(number) => DescriptorKind::Terminal,
        libc::S_IFCHR => DescriptorKind::Device,
        file_type => on(sys::file_system(number).ok(), file_type, target),
    }
}

/// The kind of what the type alone doesn't tell. Only the kernel names what is on these file
/// systems, so that the name can be trusted there.
fn on(file_system: Option<u32>, file_type: u32, target: &str) -> DescriptorKind {
    use file_system::{ANONYMOUS, NAMESPACES, NOT_OF_FILES, OF_THE_KERNEL, PIPES, PROCESSES};

    match (file_system, file_type) {
        (Some(ANONYMOUS), _) => anonymous(target),
        (Some(PROCESSES), _) => DescriptorKind::Process,
        (Some(NAMESPACES), _) => DescriptorKind::Namespace,
        (Some(PIPES), libc::S_IFIFO) => DescriptorKind::Pipe,
        (Some(_), libc::S_IFIFO) => DescriptorKind::Fifo,
        (Some(found), _) if NOT_OF_FILES.contains(&found) => DescriptorKind::Other,
        (Some(found), libc::S_IFREG) if OF_THE_KERNEL.contains(&found) => {
            DescriptorKind::KernelFile
        }
        (Some(_), libc::S_IFREG) if target.starts_with('/') => DescriptorKind::File,
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
        "anon_inode:[io_uring]" => DescriptorKind::Ring,
        _ => DescriptorKind::Other,
    }
}

fn socket(number: RawFd, inode: Inode, sockets: &BTreeSet<u64>) -> DescriptorKind {
    match sys::family_and_type(number) {
        Some((libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_DGRAM)) => {
            DescriptorKind::Socket
        }
        Some((libc::AF_UNIX, _)) if is_own_pair(number, inode, sockets) => {
            DescriptorKind::SocketPair
        }
        Some((libc::AF_UNIX, _)) => DescriptorKind::UnixSocket,
        _ => DescriptorKind::OtherSocket,
    }
}

/// True if this process has made a pair and has both ends open. A pair keeps its maker as its peer
/// even when a child that was forked has the other end, so the kernel is asked for that end.
fn is_own_pair(number: RawFd, inode: Inode, sockets: &BTreeSet<u64>) -> bool {
    let this = i32::try_from(process::id()).ok();
    sys::is_unnamed_pair(number)
        && sys::peer_process(number) == this
        && sys::peer_of(inode.number).is_some_and(|peer| sockets.contains(&peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_only_on_the_file_system_where_the_kernel_gives_it() {
        let ext4 = Some(0xef53);
        let counter = "anon_inode:[eventfd]";
        let kind = |file_system, target| on(file_system, libc::S_IFREG, target);
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
        let new = "anon_inode:[something new]";
        assert_eq!(
            kind(Some(file_system::ANONYMOUS), new),
            DescriptorKind::Other
        );
    }
}
