//! io_urings, which may outlive their descriptors.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, BufRead, BufReader},
    os::fd::RawFd,
    path::Path,
};

use super::Ring;

/// `PF_IO_WORKER` in the kernel's `linux/sched.h`: a thread that the kernel has made for an io_uring.
const IO_WORKER: u64 = 0x10;
/// The way in which the kernel calls the threads that run operations which would block. They poll nothing, and
/// stay when their ring has gone.
const HELPER: &str = "iou-wrk-";

/// True if a kernel thread polls this ring (`IORING_SETUP_SQPOLL`). Says yes where that can't be
/// known.
pub(super) fn is_polled(number: RawFd) -> bool {
    fs::read_to_string(format!("/proc/thread-self/fdinfo/{number}")).map_or(true, |text| {
        let thread = text.lines().find_map(|line| line.strip_prefix("SqThread:"));
        thread.is_none_or(|thread| thread.trim() != "-1")
    })
}

/// Names the rings that have no descriptor: those that are mapped, and those that a kernel thread
/// polls. What belongs to a ring that is allowed doesn't count.
pub(super) fn without_descriptor(
    rings: &[Ring],
    allowed: &BTreeSet<RawFd>,
) -> io::Result<Vec<String>> {
    let mut named = mapped_alone(rings)?;
    let polled = |ring: &Ring| ring.polled && allowed.contains(&ring.number);
    if !rings.iter().any(polled) {
        named.extend(pollers()?);
    }
    Ok(named)
}

/// Names the rings that are mapped and have no descriptor.
pub(super) fn mapped_alone(rings: &[Ring]) -> io::Result<Vec<String>> {
    let known: BTreeSet<u64> = rings.iter().map(|ring| ring.inode).collect();
    let name = |inode| format!("an io_uring that is mapped (inode {inode})");
    Ok(mapped()?.difference(&known).map(name).collect())
}

/// The inodes of the rings in this process's memory.
fn mapped() -> io::Result<BTreeSet<u64>> {
    let maps = BufReader::new(fs::File::open("/proc/thread-self/maps")?);
    let mut inodes = BTreeSet::new();
    for line in maps.split(b'\n') {
        let line = line?;
        // Address, permissions, offset, device, inode, name.
        let Some(line) = line.strip_suffix(b"anon_inode:[io_uring]") else {
            continue;
        };
        let fields = String::from_utf8_lossy(line);
        let inode = fields.split_whitespace().nth(4);
        inodes.extend(inode.and_then(|inode| inode.parse::<u64>().ok()));
    }
    Ok(inodes)
}

/// Names this process's threads that poll a ring.
fn pollers() -> io::Result<Vec<String>> {
    let mut named = Vec::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?;
        // It may have ended meanwhile.
        let Ok(stat) = fs::read(thread.path().join("stat")) else {
            continue;
        };
        if let Some(name) = poller(&String::from_utf8_lossy(&stat)) {
            let number = Path::new(&thread.file_name()).display().to_string();
            named.push(format!("an io_uring that thread {number} (`{name}`) polls"));
        }
    }
    Ok(named)
}

/// The name of a thread that polls, from its `stat` (`proc_pid_stat(5)`).
fn poller(stat: &str) -> Option<&str> {
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    // State, parent, group, session, terminal, its group, flags.
    let flags: u64 = after.split_whitespace().nth(6)?.parse().ok()?;
    (flags & IO_WORKER != 0 && !name.starts_with(HELPER)).then_some(name)
}
